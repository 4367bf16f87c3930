"""When two branches meet: the commands of docs/sharing.md, from the merge to a clean review."""

import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import (
    PROJECT,
    Dvc,
    Experiment,
    attempt,
    command,
    commit,
    edit_params,
    results,
    stages_run,
)
from workflow.base.files import METRICS, SCORES


def test_two_branches_that_each_changed_the_candidate(
    experiment: Experiment, tmp_path: Path, mirror: Path, home: Path
):
    copy = Path(shutil.copytree(experiment.folder, tmp_path / "a copy"))
    here = (copy, mirror, home)
    command(*here, "git switch --quiet --create one")
    commit(*here)
    command(*here, "git switch --quiet --create two main")
    edit_params(copy, model__dropout=0.5)
    command(*here, "dvc repro --quiet")
    commit(*here)
    made_by_two = results(copy)
    command(*here, "git switch --quiet one")
    command(*here, "dvc checkout --quiet")

    merge = attempt(*here, "git merge two")
    assert merge.returncode == 1
    conflicts = command(*here, "git diff --name-only --diff-filter=U").split()
    assert {"params.yaml", "dvc.lock", str(METRICS), str(SCORES)} <= {*conflicts}
    for path in ("dvc.lock", str(METRICS), str(SCORES)):  # never two runs' lines in one file
        assert command(*here, "git show", f"one:{path}") == (copy / path).read_text()

    assert "<<<<<<<" in (copy / "params.yaml").read_text()
    command(*here, "git checkout --quiet --theirs -- params.yaml")  # by hand, as ever
    page = (PROJECT / "docs/sharing.md").read_text("utf-8").split("## When two branches meet")[1]
    steps = re.sub("^ +", "", page.split("# 2. results")[1].split("\n\n")[0], flags=re.MULTILINE)
    ran = command(*here, "sh -ec", f"#{steps}".replace("git commit", "git commit --no-edit"))
    assert not any(stage.startswith("train") for stage in stages_run(ran))
    assert results(copy) == made_by_two
    assert "No accuracy changed." in command(*here, "python -m commands.review two")
    assert "model.dropout" in command(*here, "python -m commands.review one~1")
    assert command(*here, "git status --short") == ""


@pytest.mark.faults
def test_a_lock_of_another_machine_trains_again_and_no_lock_does_not(copy: Path, dvc: Dvc):
    """It names models that this cache does not have; the run cache knows what made those here."""
    lock = copy / "dvc.lock"
    model = re.findall(r"path: models/candidate\n +hash: md5\n +md5: (\w+)", lock.read_text())[0]
    elsewhere = lock.read_text().replace(model, "0" * len(model))
    lock.unlink()
    assert not {stage for stage in stages_run(dvc("repro")) if "train" in stage}
    lock.write_text(elsewhere)
    assert stages_run(dvc("repro --single-item train@candidate")) == ["train@candidate"]
