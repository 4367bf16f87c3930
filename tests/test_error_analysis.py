"""What the page of `make errors` says of predictions, against values worked out by hand."""

from typing import Any

import numpy as np
import pytest

from workflow.base.files import PredictionFacts
from workflow.base.reviews import Reviews
from workflow.report import error_analysis, error_charts
from workflow.report.error_analysis import Predictions

SEEDS, REVIEWS, WORDS = 3, 400, 60
FACTS: dict[str, Any] = {"sha256": "ab" * 32, "vocabulary": WORDS, "test_reviews": REVIEWS}
FACTS |= {"source": "keras"}
MORE: dict[str, Any] = {"train_reviews": 9, "validation_reviews": 6, "columns": 40}
MORE |= {"weighted": False, "average": {}, "weights": 9, "bytes": 99, "larger_class": 0.5}


def made_up(seed: int) -> tuple[Any, Any]:
    """Labels, and (seeds, reviews) probabilities that are right in most reviews."""
    random = np.random.default_rng(1)
    labels = random.integers(0, 2, REVIEWS).astype(np.uint8)
    random = np.random.default_rng(seed)
    log_odds = random.normal(2 * (labels - 0.5), 1.0) + random.normal(0, 0.5, (SEEDS, REVIEWS))
    return labels, (1 / (1 + np.exp(-2 * log_odds))).astype(np.float32)


def predictions(labels: Any, by_seed: Any) -> Predictions:
    facts = PredictionFacts.model_validate(FACTS | MORE)
    return Predictions(facts, np.array(by_seed, np.float32), np.array(labels) == 1)


def test_the_reliability_diagram_has_a_bar_for_each_bin_and_a_line_for_each_seed():
    by_seed = [[0.95, 0.91, 0.13, 0.33], [0.95, 0.91, 0.97, 0.35]]
    chart = error_charts.reliability_diagram(predictions([1, 1, 0, 1], by_seed))
    bars, _, lines = chart["datasets"].values()
    assert [(row["start"], row["end"], row["share"]) for row in bars] == [
        (0.3, 0.4, 0.25),
        (0.5, 0.6, 0.25),  # the mean of 0.13 and 0.97
        (0.9, 1.0, 0.5),
    ]
    assert [row["reviews"] for row in bars] == [1, 1, 2]
    drawn = {(row["of"], row["line"]) for row in lines}
    assert drawn == {("one seed", "0"), ("one seed", "1"), ("mean of the seeds", "mean")}


def test_the_roc_curves_have_a_logarithmic_axis_and_no_point_beyond_it():
    chart = error_charts.roc_curves(predictions(*made_up(1)))
    diagonal, lines = chart["datasets"].values()
    assert all(row["x"] == row["y"] for row in diagonal)
    assert {row["of"] for row in lines} == {"one seed", "mean of the seeds"}
    assert min(row["x"] for row in lines) >= 0.001
    (x,) = [layer["encoding"]["x"] for layer in chart["layer"] if "scale" in layer["encoding"]["x"]]
    assert x["scale"] == {"type": "log", "domain": [0.001, 1]}


def test_the_roc_curve_is_drawn_with_few_points_and_nearly_its_whole_area():
    labels, by_seed = made_up(1)
    curve = error_analysis.drawn_roc_curve(labels == 1, by_seed[0])
    assert len(curve) <= error_analysis.MAX_POINTS
    area = error_analysis.scores(labels == 1, by_seed[0])["roc_auc"]
    assert np.trapezoid(curve["y"], curve["x"]) == pytest.approx(area, abs=2e-3)


@pytest.mark.filterwarnings("ignore:No negative samples")
def test_reviews_of_one_label_have_a_curve_but_no_area():
    labels, probabilities = np.ones(3, bool), np.array([0.1, 0.5, 0.9])
    assert np.isnan(error_analysis.scores(labels, probabilities)["roc_auc"])
    assert error_analysis.drawn_roc_curve(labels, probabilities)["x"].max() == 0


def test_the_errors_of_each_group_are_those_of_the_mean():
    labels = [0, 0, 1, 1, 1]
    by_seed = [[0.9, 0.1, 0.9, 0.4, 0.1], [0.8, 0.2, 0.8, 0.4, 0.2], [0.1, 0.1, 0.7, 0.9, 0.3]]
    of_variant = predictions(labels, by_seed)  # wrong: the first, with two seeds, and the last
    lengths, unknown = np.array([10, 20, 30, 40, 50]), np.array([0.0, 0.0, 0.0, 0.5, 0.5])
    rates = error_analysis.error_rates(of_variant, lengths, unknown)
    assert [tuple(row) for row in rates.itertuples(index=False)] == [
        ("label", "negative", 2, 1),
        ("label", "positive", 3, 1),
        *(("words", f"{n}", 1, int(n in (10, 50))) for n in (10, 20, 30, 40, 50)),
        ("unknown words", "0.0%", 3, 1),
        ("unknown words", "50.0%", 2, 1),
        ("agreement", "3 of 3 seeds", 3, 1),
        ("agreement", "2 of 3 seeds", 1, 1),
        ("agreement", "1 of 3 seeds", 1, 0),
    ]
    assert of_variant.wrong_in_every_seed().tolist() == [4]


def test_groups_are_about_as_large_and_named_by_what_is_in_them():
    values = np.array([3, 1, 2, 5, 4, 9, 8, 7, 6, 10])
    groups = error_analysis.quintiles(values, str)
    assert list(groups.categories) == ["1 to 2", "3 to 4", "5 to 6", "7 to 8", "9 to 10"]
    assert groups[0] == "3 to 4"
    same_name = error_analysis.quintiles(np.array([0.001, 0.002, 0.4]), "{:.0%}".format)
    assert list(same_name) == ["0%", "0%", "40%"]


def test_a_word_is_known_if_it_has_a_column_of_its_own():
    words = np.array([1, 4, 4, 2], np.uint32)
    reviews = Reviews(words, np.array([0, 3, 4, 4]), np.zeros(3, np.uint8))
    columns = np.array([[0, 0, 3], [0, 3, 4], [0, 0, 1]])
    assert error_analysis.unknown_share(reviews, columns).tolist() == [2 / 3, 1, 0]


def test_variants_disagree_where_their_means_are_on_other_sides():
    sides = {
        "one": [0.9, 0.9, 0.1, 0.1],
        "two": [0.6, 0.4, 0.1, 0.1],
        "three": [0.9, 0.9, 0.1, 0.4],
    }
    answers = {name: predictions([0] * 4, [p]) for name, p in sides.items()}
    shares = error_analysis.disagreement(answers).set_index(["variant", "other"])["share"]
    assert shares["one", "two"] == shares["two", "one"] == 0.25
    assert shares["one", "three"] == 0
    assert len(shares) == 6
