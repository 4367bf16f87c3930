"""The figures of the page of error_analysis, held against those of scikit-learn and SciPy."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.calibration
import sklearn.metrics
from scipy import stats

from workflow.base.files import PredictionFacts
from workflow.base.reviews import Reviews
from workflow.report import error_analysis

SEEDS, REVIEWS, WORDS = 3, 400, 60
FACTS: dict[str, Any] = {"sha256": "ab" * 32, "vocabulary": WORDS, "test_reviews": REVIEWS}
FACTS |= {"source": "csv:<b>reviews</b>.csv"}
MORE: dict[str, Any] = {
    "train_reviews": 9,
    "validation_reviews": 6,
    "columns": 40,
    "weighted": False,
}
MORE |= {"test_accuracy_of_average": 0.9}


def made_up(seed: int) -> tuple[Any, Any]:
    """Labels, and (seeds, reviews) probabilities that are right in most reviews."""
    random = np.random.default_rng(1)
    labels = random.integers(0, 2, REVIEWS).astype(np.uint8)
    random = np.random.default_rng(seed)
    log_odds = random.normal(2 * (labels - 0.5), 1.0) + random.normal(0, 0.5, (SEEDS, REVIEWS))
    return labels, (1 / (1 + np.exp(-2 * log_odds))).astype(np.float32)


def answers(seed: int = 1) -> error_analysis.Predictions:
    labels, of_seeds = made_up(seed)
    facts = PredictionFacts.model_validate(FACTS | MORE)
    return error_analysis.Predictions(facts, of_seeds, labels == 1)


@pytest.mark.parametrize("seed", range(5))
def test_the_scores_are_those_of_scikit_learn(seed: int):
    of = answers(seed)
    p = np.round(of.of_seeds[0].astype(np.float64), 2)  # with ties
    found = error_analysis.scores(of.labels, p)
    assert found["accuracy"] == sklearn.metrics.accuracy_score(of.labels, p > 0.5)
    assert found["auc"] == pytest.approx(sklearn.metrics.roc_auc_score(of.labels, p))
    assert found["brier"] == pytest.approx(sklearn.metrics.brier_score_loss(of.labels, p))


def test_the_calibration_is_that_of_scikit_learn():
    of = answers()
    table = error_analysis.calibration(of.labels, of.mean)
    positive, said = sklearn.calibration.calibration_curve(of.labels, of.mean, n_bins=10)
    assert table["found"].to_numpy() == pytest.approx(positive)
    assert table["said"].to_numpy() == pytest.approx(said)
    assert table["reviews"].sum() == REVIEWS
    bins = np.minimum((of.mean * 10).astype(int), 9)
    parts = [bins == number for number in range(10)]
    gaps = [abs(of.labels[part].mean() - of.mean[part].mean()) * part.mean() for part in parts]
    assert error_analysis.scores(of.labels, of.mean)["ece"] == pytest.approx(sum(gaps))


def test_the_drawn_roc_curve_lies_on_the_whole_one():
    of = answers()
    whole = error_analysis.roc(of.labels, of.mean)
    false, true, _ = sklearn.metrics.roc_curve(of.labels, of.mean, drop_intermediate=False)
    assert whole[0] == pytest.approx(false)
    assert whole[1] == pytest.approx(true)
    drawn = set(zip(*error_analysis.downsample(whole), strict=True))
    assert drawn <= set(zip(*whole, strict=True))
    assert {(0.0, 0.0), (1.0, 1.0)} <= drawn
    assert len(drawn) <= error_analysis.POINTS


def test_reviews_of_one_label_have_no_area_under_a_curve():
    assert np.isnan(error_analysis.scores(np.ones(3, bool), np.array([0.1, 0.5, 0.9]))["auc"])


def test_the_intervals_are_those_of_wilson():
    reviews, wrong = [10, 400, 5], [0, 37, 5]
    table = error_analysis.with_intervals(pd.DataFrame({"reviews": reviews, "wrong": wrong}))
    of_scipy = [
        stats.binomtest(k, n).proportion_ci(method="wilson")
        for k, n in zip(wrong, reviews, strict=True)
    ]
    assert table["low"].to_numpy() == pytest.approx([of.low for of in of_scipy])
    assert table["high"].to_numpy() == pytest.approx([of.high for of in of_scipy])


def test_groups_are_about_as_large_and_named_by_what_is_in_them():
    values = np.array([3, 1, 2, 5, 4, 9, 8, 7, 6, 10])
    assert list(error_analysis.quintiles(values, str).categories) == [
        "1 to 2", "3 to 4", "5 to 6", "7 to 8", "9 to 10",
    ]  # fmt: skip
    assert list(error_analysis.quintiles(np.zeros(5), str)) == ["0.0"] * 5


def test_a_word_is_known_if_it_has_a_column_of_its_own():
    known = error_analysis.known_words(np.array([[0, 0, 3], [0, 3, 4], [0, 0, 1]]), 4)
    assert known.tolist() == [False, True, False, True, False]
    reviews = Reviews(
        np.array([1, 4, 4, 2], np.uint32), np.array([0, 3, 4, 4]), np.zeros(3, np.uint8)
    )
    assert error_analysis.unknown_share(reviews, known).tolist() == [2 / 3, 1, 0]
