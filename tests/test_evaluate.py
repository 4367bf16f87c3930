"""The scores, and how they are summed up."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages import evaluate
from tests.conftest import TRAINED, call
from workflow.base.reviews import load_vectors
from workflow.evaluation.results import read_correct
from workflow.evaluation.scores import (
    average_scores,
    calibration,
    classification_scores,
    mean_and_std,
)
from workflow.model.libraries import keras


def test_scores_of_a_small_example():
    labels = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1], dtype=np.uint8)
    probabilities = np.array([0.1, 0.2, 0.5, 0.6, 0.9, 0.4, 0.7, 0.8, 0.8, 1.0], np.float32)
    scores = classification_scores(labels, probabilities)
    assert scores == pytest.approx(
        {
            "accuracy": 7 / 10,
            "precision": 4 / 6,
            "recall": 4 / 5,
            "f1": 8 / 11,
            "roc_auc": 19 / 25,  # of 25 pairs of a positive and a negative, 19 are in order
            "brier": (0.01 + 0.04 + 0.25 + 0.36 + 0.81 + 0.36 + 0.09 + 0.04 + 0.04) / 10,
            "true_negatives": 3,
            "false_positives": 2,
            "false_negatives": 1,
            "true_positives": 4,
        }
    )


def test_calibration_compares_predicted_and_observed_in_ten_bins():
    labels = np.array([True, True, False, False, True])
    probabilities = np.array([0.95, 0.85, 0.97, 0.1, 0.3])
    table = calibration(labels, probabilities)
    assert table["bin"].tolist() == [0, 2, 8, 9]
    assert table["reviews"].tolist() == [1, 1, 1, 2]
    assert table["predicted"].tolist() == pytest.approx([0.1, 0.3, 0.85, 0.96])
    assert table["observed"].tolist() == pytest.approx([0, 1, 1, 0.5])


def test_the_average_has_the_interval_of_wilson_and_its_calibration():
    """Without an error the interval is [n / (n + z²), 1]."""
    labels = np.array([True, True, False, False, True])
    scores = average_scores(labels, np.array([0.95, 0.91, 0.97, 0.1, 0.3]))
    assert scores["accuracy"] == 0.6
    assert scores["calibration_error"] == pytest.approx((0.1 + 0.7 + (2.83 - 2)) / 5)
    assert scores["brier"] == pytest.approx((0.05**2 + 0.09**2 + 0.97**2 + 0.1**2 + 0.7**2) / 5)
    perfect = average_scores(labels, labels * 0.8 + 0.1)
    assert perfect["low"] == pytest.approx(5 / (5 + 1.959964**2))
    assert perfect["high"] == perfect["accuracy"] == 1


@pytest.mark.filterwarnings("error")
def test_scores_are_defined_where_all_labels_are_the_same():
    scores = classification_scores(np.zeros(3, np.uint8), np.zeros(3, np.float32))
    zero = dict.fromkeys(["precision", "recall", "f1"], 0)
    assert (zero | {"accuracy": 1}).items() <= scores.items()
    assert math.isnan(scores["roc_auc"])


def test_several_seeds_are_summed_up_with_their_deviation():
    """Of 1, 2 and 3 the standard deviation is 1; one seed has none."""
    assert mean_and_std([0.1, 0.2, 0.3]) == "0.2000 ± 0.1000"
    assert mean_and_std([1, 2, 3], ".1f") == "2.0 ± 1.0"
    assert mean_and_std([1, 3], ".2f") == "2.00 ± 1.41"
    assert mean_and_std([0.25]) == "0.2500"


def test_accuracy_is_that_of_the_epoch_whose_weights_were_kept():
    rows = [
        ("first", 1, "train", 0.5, 0.7, 0),
        ("first", 1, "validation", 0.4, 0.8, 0),
        ("first", 2, "train", 0.3, 0.9, 1),
        ("first", 2, "validation", 0.6, 0.75, 1),
        ("refit", 2, "train", 0.1, 0.99, 1),
    ]
    columns = ["fit", "epoch", "split", "loss", "accuracy", "kept"]
    scores = evaluate.history_scores(pd.DataFrame(rows, columns=columns))
    assert scores == {"train_accuracy": 0.9, "validation_accuracy": 0.75, "best_epoch": 1}


def test_a_refitted_network_never_scores_the_reviews_that_validate(repository: Path):
    """It was trained on them: what counts is what the first fit had said before."""
    predicted = {
        place: np.load(repository / f"{place}/candidate/validation.npy")
        for place in ("models", "data/predictions")
    }
    np.testing.assert_array_equal(predicted["models"], predicted["data/predictions"])


def test_the_bits_the_scores_and_the_probabilities_agree(repository: Path):
    for variant in TRAINED:
        folder = repository / "data/predictions" / variant
        scores, correct = pd.read_csv(folder / "scores.csv"), read_correct(folder / "correct.npz")
        assert scores["seed"].tolist() == correct.seeds.tolist() == [1, 2, 3]
        for split, stored, part in (("validation", "training", slice(24)), ("test", "test", ...)):
            labels = np.load(repository / f"data/multi_hot/{stored}_labels.npy")[part]
            right = (np.load(folder / f"{split}.npy") > 0.5) == labels
            np.testing.assert_array_equal(correct.by_split[split], right)
            np.testing.assert_allclose(scores[f"{split}_accuracy"], right.mean(axis=1), atol=1e-6)
        history = pd.read_csv(repository / f"plots/history/{variant}.csv")
        kept = history.query("fit == 'first' and kept == 1 and split == 'train'")["accuracy"]
        assert scores["train_accuracy"].tolist() == kept.tolist()
        counts = scores.filter(regex="test_(true|false)_").to_numpy()
        assert (counts.sum(axis=1) == 40).all()
        mean = np.load(folder / "test.npy").mean(axis=0)
        facts = json.loads((folder / "facts.json").read_text())
        np.testing.assert_array_equal(correct.average, (mean > 0.5) == labels)
        assert facts["average"] == pytest.approx(average_scores(labels, mean))


def test_the_more_frequent_label_is_that_of_the_validation_reviews(copy: Path):
    path = copy / "data/multi_hot/training_labels.npy"
    labels = np.load(path)
    labels[:24] = [1] * 6 + [0] * 18
    np.save(path, labels)
    call("stages.evaluate", "single")
    facts = json.loads((copy / "data/predictions/single/facts.json").read_text())
    assert facts["larger_class"] == 18 / 24


def test_each_seed_is_scored_with_its_own_network_whose_size_is_known(repository: Path):
    vectors = load_vectors(repository / "data/multi_hot", "test")
    matrix = np.zeros((len(vectors), 50), np.float32)
    matrix[np.repeat(np.arange(len(vectors)), np.diff(vectors.offsets)), vectors.values] = 1
    folder = repository / "data/predictions/single"
    losses = pd.read_csv(folder / "scores.csv")["test_loss"]
    for number, predicted in enumerate(np.load(folder / "test.npy")):
        model = keras.models.load_model(repository / f"models/single/seed-{number + 1}.keras")
        expected = model(matrix)[:, 0]
        np.testing.assert_allclose(predicted, expected, rtol=1e-4)
        loss = ((expected - vectors.labels) ** 2).numpy().mean()  # mean_squared_error
        assert losses[number] == pytest.approx(loss, rel=1e-4)
    facts = json.loads((folder / "facts.json").read_text())
    assert facts["weights"] == sum(weight.size for weight in model.get_weights())
    files = [path for path in (repository / "models/single").rglob("*") if path.is_file()]
    assert facts["bytes"] == sum(path.stat().st_size for path in files)
