"""The scores, and how they are summed up."""

import math

import numpy as np
import pandas as pd
import pytest

from stages import evaluate
from workflow.base.errors import InputError
from workflow.base.files import features_folder, write_json
from workflow.base.reviews import Reviews, load_vectors, save_reviews
from workflow.evaluation.scores import classification_scores


def test_scores_of_a_small_example():
    labels = np.array([0, 0, 0, 1, 1], dtype=np.uint8)
    probabilities = np.array([0.1, 0.5, 0.9, 0.8, 0.2], dtype=np.float32)
    scores = classification_scores(labels, probabilities)
    assert scores == pytest.approx(
        {
            "accuracy": 3 / 5,
            "precision": 1 / 2,
            "recall": 1 / 2,
            "f1": 1 / 2,
            "roc_auc": 3 / 6,  # of six pairs of a positive and a negative, three are in order
            "brier": (0.01 + 0.25 + 0.81 + 0.04 + 0.64) / 5,
            "true_negatives": 2,
            "false_positives": 1,
            "false_negatives": 1,
            "true_positives": 1,
        }
    )


def test_scores_are_defined_where_all_labels_are_the_same():
    scores = classification_scores(np.zeros(3, np.uint8), np.zeros(3, np.float32))
    assert scores["accuracy"] == 1
    assert scores["precision"] == scores["recall"] == scores["f1"] == 0
    assert math.isnan(scores["roc_auc"])


def test_accuracy_is_that_of_the_epoch_whose_weights_were_kept():
    history = pd.DataFrame(
        [
            ("first", 1, "train", 0.5, 0.7, 0),
            ("first", 1, "validation", 0.4, 0.8, 0),
            ("first", 2, "train", 0.3, 0.9, 1),
            ("first", 2, "validation", 0.6, 0.75, 1),
            ("refit", 1, "train", 0.2, 0.95, 0),
            ("refit", 2, "train", 0.1, 0.99, 1),
        ],
        columns=["fit", "epoch", "split", "loss", "accuracy", "kept"],
    )
    assert evaluate.history_scores(history) == {
        "train_accuracy": 0.9,
        "validation_accuracy": 0.75,
        "best_epoch": 1,
    }


def test_damaged_arrays_are_named(workspace):
    multi_hot = features_folder("multi_hot")
    multi_hot.mkdir(parents=True)
    reviews = Reviews(np.array([1], np.uint8), np.array([0, 1]), np.array([1], np.uint8))
    save_reviews([reviews], multi_hot, "test")
    np.save(multi_hot / "test_offsets.npy", np.array([0, 2]))
    facts = {"source": "keras", "sha256": "", "vocabulary": 1, "columns": 5, "weighted": False}
    sizes = {"train_reviews": 1, "validation_reviews": 1, "test_reviews": 1}
    write_json(multi_hot / "facts.json", facts | sizes)
    with pytest.raises(InputError, match="data/multi_hot: the test arrays are damaged; `dvc repro"):
        load_vectors(multi_hot, "test")
    (multi_hot / "test_labels.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(InputError, match=r"data/multi_hot: .*; `dvc repro` makes it anew"):
        load_vectors(multi_hot, "test")
