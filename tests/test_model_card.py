"""The values in MODEL_CARD.md."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from workflow.evaluation.results import Correct, read_correct
from workflow.report import model_card


def test_own_reviews_are_named_and_their_errors_are_not_shown(copy: Path):
    bits = read_correct(copy / "metrics/correct/candidate.npz").by_split["test"]
    rates = pd.DataFrame({"by": "label", "group": "negative", "reviews": [20], "wrong": [3]})
    card = model_card.read_card(copy)
    assert "| 60 (`single`: 36)" in model_card.values(card)  # the candidate is refitted
    shown = str(model_card.errors(card, rates))
    assert shown.startswith(f"{(~bits).all(axis=0).sum()} of 40 test reviews")
    assert "| label | negative | 20        | 15.0%   | [5.2%," in shown
    assert model_card.errors(card, None) is None

    metrics = (copy / "metrics/metrics.json").read_text()
    (copy / "metrics/metrics.json").write_text(metrics.replace('"keras"', '"csv:own.csv"'))
    own = model_card.read_card(copy)
    assert "`make errors` writes errors/candidate.html" in str(model_card.errors(own, rates))
    said = "**Not the dataset above, but own reviews.** reviews from own.csv: "
    assert [model_card.data(of).startswith(said) for of in (card, own)] == [False, True]


def test_the_card_compares_with_the_smallest_variant_that_is_not_shown_to_be_worse(copy: Path):
    """Two are as good, of which one has more weights; the smallest of all is worse."""
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
    assert model_card.smallest_not_beaten(card) == "small"
    shown = model_card.values(card)
    assert re.search(r"\| accuracy minus that of `small`, test +\| [+-]0.0\d \[", shown)
    assert re.search(r"\| accuracy of the average, test +\| 90.00% \[89.00%, 91.00%\]", shown)
    assert re.search(r"\| calibration error of the average, test +\| 2.00%", shown)
    del card.correct["small"], card.correct["large"]
    assert model_card.smallest_not_beaten(card) is None
