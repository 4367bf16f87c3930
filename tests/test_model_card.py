"""The values in MODEL_CARD.md."""

from pathlib import Path

import pytest

from workflow.base.errors import InputError
from workflow.evaluation.results import read_correct
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
