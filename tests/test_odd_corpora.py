"""Reviews as no one expects them, through every stage: results are defined, or one sentence."""

import json
import math
from collections.abc import Callable
from dataclasses import astuple
from typing import Any

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from tests.conftest import TRAINED, call, edit_params, pin, refusal, write_archive
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


@pytest.fixture
def use(workspace, tmp_path, monkeypatch) -> Callable[..., None]:
    """Make the workspace read an archive with these reviews and labels."""

    def use(train: list[Any], y_train: list[int], test: list[Any], y_test: list[int]) -> None:
        arrays: dict[str, Any] = {"x_train": objects(*train), "x_test": objects(*test)}
        arrays |= {"y_train": np.array(y_train), "y_test": np.array(y_test)}
        mirror = write_archive(tmp_path / "odd", **arrays)
        monkeypatch.setenv("IMDB_MIRROR", str(mirror))
        pin(workspace, mirror)
        edit_params(workspace, data__sources=["keras"], features__ngrams__min_reviews=1)

    return use


def run_all() -> dict[str, Any]:
    """The metrics after every stage, read as strict JSON; a warning of one of them is an error."""
    call("stages.download")
    for features in ("multi_hot", "ngrams"):
        call("stages.vectorize", features)
    for stage in ("train", "evaluate", "curves"):
        for variant in TRAINED:
            call(f"stages.{stage}", variant)
        if stage == "evaluate":
            call("stages.compare")
    call("stages.plot")

    figures = [*FIGURES.glob("*.png")]
    assert len(figures) == 5
    for path in figures:
        figure = matplotlib.image.imread(path)
        assert figure[..., :3].std() > 0.05  # something is drawn
    return json.loads(METRICS.read_text(), parse_constant=pytest.fail)  # type: ignore[no-any-return]


def test_empty_and_endless_and_unknown_reviews(workspace, use):
    """A review without words, of one, of a million; all words out of vocabulary."""
    long = list(range(1, 61)) * 16_667
    train = [[], [1], [60], long, [55] * 30, [1, 2, 3], [], [59, 58], [31], [2]]
    use(train, [0, 1, 0, 1, 0, 1, 1, 0, 0, 1], [[], [60], long, [1]], [0, 1, 0, 1])
    edit_params(workspace, data__limit=10)  # all of them
    metrics = run_all()
    assert (metrics["data"]["test_reviews"], metrics["data"]["limit"]) == (4, 10)
    test = load_vectors(features_folder("multi_hot"), "test")
    rows = sorted(astuple(test.between(i, i + 1))[0].tolist() for i in range(4))
    assert rows == [[1], [1, 2], [1, 2, *range(4, 50)], [1, 4]]
    for variant in ("single", "candidate"):
        values = [*metrics[variant].values(), *metrics[variant]["average"].values()]
        assert all(math.isfinite(value) for value in values if isinstance(value, float))


def test_one_class_and_one_review(workspace, use, capsys):
    """Every review negative; one to validate and one to test on, with one seed."""
    edit_params(workspace, train__seeds=1, data__validation=0.2)
    use([[1, 2], [3], [4], [5, 6], [7]], [0] * 5, [[1, 2]], [0])
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


@pytest.mark.parametrize("reviews", [1, 2])
def test_too_few_reviews_to_divide(workspace, use, reviews: int):
    edit_params(workspace, data__validation=0.1)
    use([[1]] * reviews, [1] * reviews, [[1]], [0])
    call("stages.download")
    sentence = f"0.1 of {reviews} training reviews leaves 0 to val"
    assert sentence in refusal("stages.vectorize", "multi_hot")
    assert not features_folder("multi_hot").exists()
