"""The review of a change: what it shows, what it leaves out, and where it gives no verdict."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Dvc, attempt, command, edit_params, worsen

Review = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def review(repository: Path, mirror: Path, home: Path, dvc: Dvc) -> Review:
    return lambda *options: attempt(repository, mirror, home, "python -m commands.review HEAD", *options)


@pytest.fixture
def worse(repository: Path, dvc: Dvc) -> None:
    worsen(repository)


def test_a_change_without_effect_is_three_lines(review: Review):
    result = review("--fail-on", "worse")
    assert result.returncode == 0
    assert re.fullmatch(
        r"# Review against HEAD \(\w{7}\)\n\n\*\*No accuracy changed.\*\*\n", result.stdout
    )


def test_a_changed_parameter_is_shown_with_what_it_did(repository: Path, review: Review, dvc: Dvc):
    dvc("exp run -S model.dropout=0.9 -S model.epochs=1")
    report = json.loads(review("--json").stdout)
    assert report["params"] == {
        "model.dropout": {"old": 0.3, "new": 0.9},
        "model.epochs": {"old": 10, "new": 1},
    }
    assert {(row["variant"], row["split"]) for row in report["accuracy"]} <= {
        ("candidate", "validation"),
        ("candidate", "test"),
    }
    (train_accuracy,) = (r for r in report["metrics"] if r["metric"] == "candidate.train_accuracy")
    assert train_accuracy["low"] < train_accuracy["after"] - train_accuracy["before"]
    assert train_accuracy["verdict"] in ("higher", "lower", "~")
    assert report["code"] == {}
    assert "learning_curves_candidate.png" in report["figures"]
    assert "learning_curves_single.png" not in report["figures"]
    for figure in report["figures"]:
        for side in ("before", "after"):
            assert (repository / "review" / side / figure).read_bytes()[1:4] == b"PNG"


def test_worse_is_called_and_fails_on_request(worse: None, review: Review):
    page = review()
    assert page.returncode == 0
    assert "**candidate worse (test).**" in page.stdout
    assert "| `candidate` | test    |" in page.stdout
    assert "`single`" not in page.stdout
    assert review("--fail-on", "worse").returncode == 1


def test_without_the_predictions_of_the_base_the_interval_is_wider(
    repository: Path, worse: None, review: Review
):
    def interval() -> tuple[float, Any]:
        report = json.loads(review("--json").stdout)
        (row,) = (row for row in report["accuracy"] if row["split"] == "test")
        return row["high"] - row["low"], report["notes"]

    with_predictions, no_notes = interval()
    shutil.move(repository / ".dvc/cache", repository / ".dvc/elsewhere")
    without, notes = interval()
    shutil.move(repository / ".dvc/elsewhere", repository / ".dvc/cache")
    assert without > with_predictions
    assert no_notes == []
    assert "in no cache or remote" in notes[0]


def test_other_data_give_no_verdict(repository: Path, worse: None, review: Review):
    path = repository / "metrics/metrics.json"
    metrics = json.loads(path.read_text())
    metrics["data"] |= {"sha256": "0123456789ab", "source": "bundled"}
    path.write_text(json.dumps(metrics))
    page = review("--fail-on", "worse")
    assert page.returncode == 0
    assert "**The data are not the same: no verdict.**" in page.stdout
    assert re.search(r"\| source +\| keras +\| bundled", page.stdout)
    assert "## Accuracy" not in page.stdout


def test_code_is_named_with_the_stages_it_touches(repository: Path, review: Review):
    for name in ("evaluate", "network"):
        with (repository / f"stages/{name}.py").open("a") as file:
            file.write("# changed\n")
    report = json.loads(review("--json").stdout)
    assert report["code"] == {
        "stages/evaluate.py": ["evaluate"],
        "stages/network.py": ["train", "evaluate"],
    }


def test_variants_on_one_side_only_are_named(repository: Path, review: Review, dvc: Dvc):
    edit_params(repository, variants__copy="baselines.single")
    dvc("repro")
    report = json.loads(review("--json").stdout)
    assert (report["only_before"], report["only_after"]) == ([], ["copy"])


def test_reproduce_runs_the_base_in_a_copy(
    repository: Path, mirror: Path, home: Path, worse: None, review: Review
):
    page = review("--reproduce")
    assert page.returncode == 0, page.stderr
    assert "**candidate worse (test).**" in page.stdout
    worktrees = command(repository, mirror, home, "git worktree list").splitlines()
    assert len(worktrees) == 1


def test_an_unknown_revision_gets_a_sentence(repository: Path, mirror: Path, home: Path, dvc: Dvc):
    result = attempt(repository, mirror, home, "python -m commands.review nosuch")
    assert result.returncode == 1
    assert result.stderr.startswith("error: `git rev-parse --verify nosuch")
