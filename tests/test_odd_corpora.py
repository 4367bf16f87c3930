"""Reviews as no one expects them, through every stage: results are defined, or one sentence."""

import json
import math
from dataclasses import astuple
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from tests.conftest import TRAINED, call, edit_params
from tests.test_download import use
from workflow.base.files import FIGURES, METRICS, SCORES, features_folder
from workflow.base.reviews import load_vectors

pytestmark = pytest.mark.filterwarnings(
    "error",
    "ignore::DeprecationWarning",
    "ignore::ResourceWarning",  # may be of any test before
    "ignore::pytest.PytestUnraisableExceptionWarning",
)


def objects(*items: Any) -> Any:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def run_all() -> dict[str, Any]:
    """The metrics after every stage, read as strict JSON; a warning of one of them is an error."""
    edit_params(Path(), features__ngrams__min_reviews=1)
    call("stages.download")
    for features in ("multi_hot", "ngrams"):
        call("stages.vectorize", features)
    for stage in ("train", "evaluate"):
        for variant in TRAINED:
            call(f"stages.{stage}", variant)
    call("stages.compare")
    call("stages.plot")

    figures = [*FIGURES.glob("*.png")]
    assert len(figures) == 5
    for path in figures:
        figure = matplotlib.image.imread(path)
        assert figure[..., :3].std() > 0.05  # something is drawn
    return json.loads(METRICS.read_text(), parse_constant=pytest.fail)  # type: ignore[no-any-return]


def test_empty_and_endless_and_unknown_reviews(workspace, monkeypatch):
    """A review without words, of one, of a million; all words out of vocabulary."""
    long = list(range(1, 61)) * 16_667
    use(
        workspace / "odd",
        monkeypatch,
        x_train=objects([], [1], [60], long, [55] * 30, [1, 2, 3], [], [59, 58], [31], [2]),
        y_train=[0, 1, 0, 1, 0, 1, 1, 0, 0, 1],
        x_test=objects([], [60], long, [1]),
        y_test=[0, 1, 0, 1],
    )
    edit_params(workspace, data__limit=10)  # all of them
    metrics = run_all()
    assert (metrics["data"]["test_reviews"], metrics["data"]["limit"]) == (4, 10)
    test = load_vectors(features_folder("multi_hot"), "test")
    rows = sorted(astuple(test.between(i, i + 1))[0].tolist() for i in range(4))
    assert rows == [[1], [1, 2], [1, 2, *range(4, 50)], [1, 4]]
    for variant in ("single", "candidate"):
        values = [*metrics[variant].values(), *metrics[variant]["average"].values()]
        assert all(math.isfinite(value) for value in values if isinstance(value, float))


def test_one_class_and_one_review(workspace, monkeypatch, capsys):
    """Every review negative; one to validate and one to test on, with one seed."""
    edit_params(workspace, train__seeds=1, data__validation=0.2)
    train = objects([1, 2], [3], [4], [5, 6], [7])
    one = {"x_test": objects([1, 2]), "y_test": [0]}
    use(workspace / "odd", monkeypatch, x_train=train, y_train=[0] * 5, **one)
    metrics = run_all()
    assert metrics["data"]["validation_reviews"] == metrics["data"]["test_reviews"] == 1
    assert "limit" not in metrics["data"]
    assert metrics["candidate"]["verdict"] == "too few seeds (1 of 3)"
    scores = pd.read_csv(SCORES)
    assert scores["test_roc_auc"].isna().all()
    assert metrics["candidate"]["test_f1_of_rarer_label"] == 0
    warned = "candidate: no better than always predicting the more frequent label"
    assert capsys.readouterr().err.count(f"{warned}\n") == 1  # by train; compare adds the share
    assert (scores["test_recall"] == 0).all()
