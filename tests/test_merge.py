"""When two branches meet: the commands of docs/sharing.md, from the merge to a clean review."""

import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import (
    PROJECT,
    Dvc,
    Experiment,
    call,
    commit_in,
    edit_params,
    results,
    run_in,
    stages_run,
    try_in,
)
from workflow.base.files import METRICS, SCORES

LOCK = Path("dvc.lock")


def test_two_branches_that_each_changed_the_candidate(
    experiment: Experiment,
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    """One has the candidate of the experiment, two that of the repository: both have been run."""
    copy = Path(shutil.copytree(experiment.folder, tmp_path / "a copy"))
    monkeypatch.chdir(copy)
    run_in(copy, "git switch --quiet --create tried")
    commit_in(copy)
    run_in(copy, "git switch --quiet --create base main")
    edit_params(copy, model__dropout=0.5)
    for path in (LOCK, METRICS, SCORES):
        path.write_text("of a third candidate")
    commit_in(copy)
    for branch, its_results in (("two", "main"), ("one", "tried")):
        run_in(copy, f"git switch --quiet --create {branch} base")
        run_in(copy, f"git checkout {its_results} -- .")
        commit_in(copy)

    assert try_in(copy, "git merge two").returncode == 1
    conflicts = run_in(copy, "git diff --name-only --diff-filter=U").split()
    assert {"params.yaml", str(LOCK), str(METRICS), str(SCORES)} <= {*conflicts}
    for path in (LOCK, METRICS, SCORES):  # never two runs' lines in one file
        assert run_in(copy, "git show", f"one:{path}") == path.read_text()

    assert "<<<<<<<" in (copy / "params.yaml").read_text()
    run_in(copy, "git checkout --quiet --theirs -- params.yaml")  # by hand, as ever
    page = (PROJECT / "docs/sharing.md").read_text("utf-8").split("## When two branches meet")[1]
    steps = re.sub("^ +", "", page.split("# 2. results")[1].split("\n\n")[0], flags=re.MULTILINE)
    ran = run_in(copy, "sh -ec", f"#{steps}".replace("git commit", "git commit --no-edit"))
    assert not any(stage.startswith("train") for stage in stages_run(ran))
    assert results(copy) == results(repository)
    call("commands.review", "two")
    assert "No accuracy changed." in capsys.readouterr().out
    call("commands.review", "one~1")
    assert "model.dropout" in capsys.readouterr().out


@pytest.mark.faults
def test_a_lock_of_another_machine_trains_again(copy: Path, dvc: Dvc):
    """It names models that this cache does not have."""
    lock = copy / "dvc.lock"
    model = re.findall(r"path: models/candidate\n +hash: md5\n +md5: (\w+)", lock.read_text())[0]
    lock.write_text(lock.read_text().replace(model, "0" * len(model)))
    assert stages_run(dvc("repro --single-item train@candidate")) == ["train@candidate"]
