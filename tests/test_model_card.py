"""The values in MODEL_CARD.md."""

import re
from pathlib import Path

import numpy as np
import pytest

from workflow.base.errors import InputError
from workflow.evaluation.results import Correct, read_correct
from workflow.report import model_card


def test_the_card_refuses_a_table_of_other_results_and_needs_none_for_own_reviews(copy: Path):
    bits = read_correct(copy / "metrics/correct/candidate.npz").by_split["test"]
    wrong, table = (~bits).all(axis=0).sum(), "by,group,reviews,wrong\n,all,40,"
    (copy / model_card.ERRORS).write_text(f"{table}{wrong}\nlabel,negative,20,3\n")
    card = model_card.read_card(copy)
    assert "| 60 (`single`: 36)" in model_card.values(card)  # the candidate is refitted
    assert f"{wrong} of 40 test reviews" in str(model_card.errors(card))
    assert "| label | negative | 20        | 15.0%   | [5.2%," in str(model_card.errors(card))
    (copy / model_card.ERRORS).write_text(f"{table}{wrong + 1}\n")
    with pytest.raises(InputError, match="of other results than metrics/"):
        model_card.read_card(copy)

    metrics = (copy / "metrics/metrics.json").read_text()
    (copy / "metrics/metrics.json").write_text(metrics.replace('"keras"', '"csv:own.csv"'))
    own = model_card.read_card(copy)
    assert "`make errors` writes errors/candidate.html" in str(model_card.errors(own))
    said = "**Not the dataset above, but own reviews.** reviews from own.csv: "
    assert [model_card.data(of).startswith(said) for of in (card, own)] == [False, True]


def test_the_card_compares_with_the_smallest_variant_that_is_as_good(copy: Path):
    """Of three equals, one of which has more weights, and one that is better."""
    card = model_card.read_card(copy)
    right = np.random.default_rng(0).random((6, 5000)) < 0.9
    bits = dict.fromkeys(("validation", "test"), right)
    worse = {split: right & (np.arange(5000) > 999) for split in bits}
    flipped = {split: right ^ (np.arange(5000) == s) for s, split in enumerate(bits)}
    variants = {"candidate": bits, "single": worse, "large": flipped, "small": flipped}
    sizes = {"candidate": 9, "single": 1, "large": 8, "small": 7}
    average = {"accuracy": 0.9, "low": 0.89, "high": 0.91, "brier": 0.1, "calibration_error": 0.02}
    card = card._replace(
        correct={v: Correct("0", np.arange(6), by_split) for v, by_split in variants.items()},
        metrics={v: {"size": {"weights": n}, "average": average} for v, n in sizes.items()},
    )
    assert model_card.simplest_as_good(card) == "small"
    shown = model_card.values(card)
    assert re.search(r"\| accuracy minus that of `small`, test +\| [+-]0.0\d \[", shown)
    assert re.search(r"\| accuracy of the average, test +\| 90.00% \[89.00%, 91.00%\]", shown)
    assert re.search(r"\| calibration error of the average, test +\| 2.00%", shown)
    del card.correct["small"], card.correct["large"]
    assert model_card.simplest_as_good(card) is None
