"""Which of the notebook's values and conclusions hold, on results made up for each case."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from workflow.evaluation.results import Correct
from workflow.report import notebook

MIN_EFFECT = 0.002
SEEDS = [1, 2, 3]


def history(variant: str, accuracies: list[float], best: int = 0, refit: float = 0.0) -> Any:
    """Three alike seeds; the validation loss is lowest in the epoch with the index `best`."""
    rows = []
    for seed in SEEDS:
        for epoch, accuracy in enumerate(accuracies):
            loss = abs(epoch - best) + seed / 100
            same = {"variant": variant, "seed": seed, "epoch": epoch + 1, "accuracy": accuracy}
            rows.append(same | {"fit": "first", "split": "validation", "loss": loss})
            rows.append(same | {"fit": "first", "split": "train", "loss": loss / 2})
            rows.append(same | {"fit": "refit", "split": "train", "loss": refit})
    return pd.DataFrame(rows)


def judged_value(value: float, seeds: list[float], score: str = "test_accuracy") -> Any:
    values = pd.DataFrame([{"variant": "a", "score": score, "value": value, "where": "In [1]"}])
    scores = pd.DataFrame({"variant": "a", "seed": SEEDS, "test_accuracy": seeds})
    histories = {"a": history("a", [0.8, 0.9])}
    (row,) = notebook.judge_values(values, scores, histories, MIN_EFFECT)
    return row


@pytest.mark.parametrize(
    ("value", "judgement"),
    [(0.90, "reproduced"), (0.811, "reproduced"), (0.80, "not reproduced")],
)
def test_a_value_is_reproduced_where_one_more_run_would_fall(value: float, judgement: str):
    row = judged_value(value, [0.85, 0.86, 0.87])
    # 4.303 is the 97.5% point of Student's t with two degrees of freedom.
    half = 4.303 * 0.01 * (4 / 3) ** 0.5
    assert (row["low"], row["high"]) == pytest.approx((0.86 - half, 0.86 + half), abs=1e-5)
    assert row["judgement"] == judgement


def test_an_accuracy_closer_than_what_matters_is_on_the_edge_at_worst():
    seeds = [0.86, 0.86001, 0.86002]
    assert judged_value(0.8615, seeds)["judgement"] == "on the edge"
    assert judged_value(0.8625, seeds)["judgement"] == "not reproduced"


def test_a_value_that_is_clear_only_without_the_correction_is_on_the_edge():
    values = pd.DataFrame({"variant": "a", "score": "test_accuracy", "where": "In [1]"}, [0, 1])
    values["value"] = [0.80, 0.86]  # p is .027, and twice that after Holm's correction
    scores = pd.DataFrame({"variant": "a", "seed": SEEDS, "test_accuracy": [0.85, 0.86, 0.87]})
    first, _ = notebook.judge_values(values, scores, {"a": history("a", [0.8])}, MIN_EFFECT)
    assert first["judgement"] == "on the edge"


def test_losses_are_those_of_the_last_epoch_before_a_refit():
    row = judged_value(1.0, [0.9] * 3, score="validation_loss")
    assert row["seeds"] == pytest.approx([1.01, 1.02, 1.03])
    row = judged_value(1.0, [0.9] * 3, score="train_loss")
    assert row["seeds"] == pytest.approx([0.505, 0.51, 0.515])


def judged_conclusion(right: dict[str, float], expected: str) -> Any:
    """Of `a` and `b`, which get these shares of 1,000 reviews right, up to a few in each seed."""
    random, correct = np.random.default_rng(1), {}
    same = random.permutation(1000)
    for variant, share in right.items():
        bits = np.stack([same < 1000 * share] * 3)
        for of_seed in bits:
            of_seed[random.permutation(1000)[:5]] ^= True
        correct[variant] = Correct("", np.array(SEEDS), {"validation": bits})
    histories = {"a": history("a", [0.9, 0.8]), "b": history("b", [0.95, 0.7])}
    claim = {"claim": "“so it is”", "values": "1 after 2", "variant": "a", "other": "b"}
    conclusions = pd.DataFrame([claim | {"verdict": expected}])
    (row,) = notebook.judge_conclusions(conclusions, correct, histories, 0.01)
    return row


@pytest.mark.parametrize(
    ("right", "expected", "found", "judgement"),
    [
        ({"a": 0.9, "b": 0.8}, "better", "better", "reproduced"),
        ({"a": 0.9, "b": 0.8}, "worse", "better", "not reproduced"),
        ({"a": 0.9, "b": 0.8}, "same", "better", "not reproduced"),
        ({"a": 0.9, "b": 0.893}, "better", "~", "on the edge"),
    ],
)
def test_a_conclusion_is_held_against_the_verdict_here(
    right: dict[str, float], expected: str, found: str, judgement: str
):
    row = judged_conclusion(right, expected)
    assert (row["found"], row["judgement"]) == (found, judgement)


def test_the_difference_at_the_best_epoch_stands_beside_the_verdict():
    row = judged_conclusion({"a": 0.9, "b": 0.8}, "better")
    assert row["found"] == "better"
    assert row["at_best_epoch"].mean == pytest.approx(-0.05)
    assert row["at_best_epoch"].wins == 0


@pytest.mark.parametrize(
    ("accuracies", "holds"),
    [
        ([0.85, 0.89, 0.86, 0.86, 0.86], True),
        ([0.85, 0.8615, 0.86, 0.86, 0.86], False),  # falls by less than what matters
        ([0.89, 0.88, 0.86, 0.86, 0.86], False),  # does not rise
        ([0.85, 0.89, 0.88, 0.86, 0.86], False),  # is not constant in the last three
    ],
)
def test_a_curve_rises_falls_by_what_matters_and_stays(accuracies: list[float], *, holds: bool):
    curve = notebook.rises_and_falls(history("single", accuracies), MIN_EFFECT)
    assert curve["holds"].tolist() == [holds] * 3
    assert curve["highest"].tolist() == [max(accuracies)] * 3
