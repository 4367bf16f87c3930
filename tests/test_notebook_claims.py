"""Which of the notebook's values and conclusions hold, on results made up for each case."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from workflow.evaluation.results import Correct
from workflow.report import notebook

SEEDS = [1, 2, 3]


def history(variant: str, *curves: list[float]) -> Any:
    """A curve of accuracy for each seed; the validation loss is lowest in the first epoch."""
    rows = []
    for seed, accuracies in enumerate(curves, 1):
        for epoch, accuracy in enumerate(accuracies):
            loss, key = epoch + seed / 100_000, (variant, seed, epoch + 1, accuracy)
            rows.append((*key, "first", "validation", loss))
            rows.append((*key, "first", "train", loss / 2))
            rows.append((*key, "refit", "train", 0.0))
    names = ["variant", "seed", "epoch", "accuracy", "fit", "split", "loss"]
    return pd.DataFrame(rows, columns=names)


def sources(min_effect: float, **results: Any) -> Any:
    params = SimpleNamespace(compare=SimpleNamespace(min_effect=min_effect))
    return SimpleNamespace(params=params, **results)


def judged(seeds: list[float], values: list[float], score: str = "test_accuracy") -> Any:
    """The values, on results whose seeds have these test accuracies."""
    made_up = sources(
        0.002,
        notebook_values=pd.DataFrame({"variant": "a", "score": score, "value": values}),
        scores=pd.DataFrame({"variant": "a", "seed": SEEDS, "test_accuracy": seeds}),
        histories={"a": history("a", *[[0.8, 0.9]] * 3)},
    )
    return notebook.judge_values(made_up)


@pytest.mark.parametrize(
    ("seeds", "values", "judgement"),
    [
        ([0.85, 0.86, 0.87], [0.90], "reproduced"),
        ([0.85, 0.86, 0.87], [0.811], "reproduced"),
        ([0.85, 0.86, 0.87], [0.80], "not reproduced"),
        ([0.85, 0.86, 0.87], [0.80, 0.86], "on the edge"),  # p is .027; after Holm twice that
        ([0.86, 0.86001, 0.86002], [0.8615], "on the edge"),  # closer than what matters
        ([0.86, 0.86001, 0.86002], [0.8625], "not reproduced"),
    ],
)
def test_a_value_is_reproduced_where_one_more_run_would_fall(
    seeds: list[float], values: list[float], judgement: str
):
    assert judged(seeds, values)[0]["judgement"] == judgement


def test_a_value_is_judged_by_a_prediction_interval_of_the_same_score():
    (row,) = judged([0.85, 0.86, 0.87], [0.9])
    # 4.303 is the 97.5% point of Student's t with two degrees of freedom.
    half = 4.303 * 0.01 * (4 / 3) ** 0.5
    assert (row["low"], row["high"]) == pytest.approx((0.86 - half, 0.86 + half), abs=1e-5)
    # Losses are those of the last epoch before a refit.
    losses = np.array([1.00001, 1.00002, 1.00003])
    for score, expected in (("validation_loss", losses), ("train_loss", losses / 2)):
        (row,) = judged([0.9] * 3, [1.001], score)
        assert row["seeds"] == pytest.approx(expected, rel=1e-9)
        assert row["judgement"] == "not reproduced"  # what matters is a difference in accuracy


@pytest.mark.parametrize(
    ("reviews", "other", "expected", "found", "judgement"),
    [
        (1000, 0.8, "better", "better", "reproduced"),
        (1000, 0.8, "worse", "better", "not reproduced"),
        (1000, 0.8, "same", "better", "not reproduced"),
        (1000, 0.893, "better", "~", "on the edge"),
        (9000, 0.893, "better", "trivial", "on the edge"),
        (9000, 0.893, "worse", "trivial", "not reproduced"),
        (9000, 0.893, "same", "trivial", "reproduced"),
        (9000, 0.9, "same", "same", "reproduced"),
        (9000, 0.9, "better", "same", "not reproduced"),
    ],
)
def test_a_conclusion_is_held_against_the_verdict_here(
    reviews: int, other: float, expected: str, found: str, judgement: str
):
    """`a` gets 90% of the reviews right, `b` the other share, up to a few in each seed."""
    random, correct = np.random.default_rng(1), {}
    same = random.permutation(reviews)
    for variant, share in {"a": 0.9, "b": other}.items():
        bits = np.stack([same < reviews * share] * 3)
        for of_seed in bits:
            of_seed[random.permutation(reviews)[:5]] ^= True
        correct[variant] = Correct("", np.array(SEEDS), {"validation": bits}, bits[0])
    histories = {"a": history("a", *[[0.9, 0.8]] * 3), "b": history("b", *[[0.95, 0.7]] * 3)}
    claim = pd.DataFrame([{"variant": "a", "other": "b", "verdict": expected}])
    made_up = sources(0.01, notebook_conclusions=claim, correct=correct, histories=histories)
    (row,) = notebook.judge_conclusions(made_up)
    assert (row["found"], row["judgement"]) == (found, judgement)
    best = row["at_best_epoch"]  # which says the opposite of the last one
    assert (best.mean, best.wins) == (pytest.approx(-0.05), 0)


HOLDS = [0.85, 0.89, 0.86, 0.87, 0.855]
TOO_FLAT, FALLS_ONLY = [0.85, 0.8615, 0.86, 0.86, 0.86], [0.89, 0.88, 0.86, 0.86, 0.86]
TOO_HIGH, TOO_LOW = [0.85, 0.89, 0.871, 0.86, 0.86], [0.85, 0.89, 0.854, 0.86, 0.86]


@pytest.mark.parametrize(
    ("curves", "holds", "judgement"),
    [
        ([HOLDS, HOLDS, HOLDS], [True, True, True], "reproduced"),
        ([HOLDS, HOLDS, TOO_FLAT], [True, True, False], "on the edge"),
        ([HOLDS, FALLS_ONLY], [True, False], "not reproduced"),
        ([HOLDS, TOO_HIGH, TOO_LOW], [True, False, False], "not reproduced"),
    ],
)
def test_a_curve_rises_falls_by_what_matters_and_stays(
    curves: list[list[float]], holds: list[bool], judgement: str
):
    histories = {"single": history("single", *curves)}
    found, word = notebook.judge_curve(sources(0.002, histories=histories))
    assert (found["holds"].tolist(), word) == (holds, judgement)
    assert found["highest"].tolist() == [max(curve) for curve in curves]
    assert found["last"].tolist() == [curve[-1] for curve in curves]
