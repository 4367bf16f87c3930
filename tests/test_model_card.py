"""The values in MODEL_CARD.md."""

from pathlib import Path

import pandas as pd

from workflow.evaluation.results import read_correct
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
