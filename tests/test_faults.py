"""Faults that a pipeline meets, injected for real: kills, full and read-only disks, damage."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from ruamel.yaml import YAML

from tests.conftest import (
    PROJECT,
    attempt,
    command,
    commit,
    edit_params,
    environment,
    make_repository,
    make_workspace,
)
from tests.test_pipeline import STAGES, results, stages_run

BOUND = 60  # seconds; everything here takes a few


@pytest.fixture
def copy(repository: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(repository, tmp_path / "copy"))


# --- kills ----------------------------------------------------------------------------------------


def forget(repository: Path, stage: str) -> None:
    """DVC must run the stage again: no record of it, no run cache."""
    shutil.rmtree(repository / ".dvc/cache/runs")
    path, yaml = repository / "dvc.lock", YAML()
    lock = yaml.load(path)
    del lock["stages"][stage]
    yaml.dump(lock, path)


def recorded(repository: Path) -> set[str]:
    return set(YAML(typ="safe", pure=True).load(repository / "dvc.lock")["stages"])


def stage_processes(process: psutil.Process) -> list[psutil.Process]:
    """The processes of the stage that this DVC runs: a shell, perhaps, and Python."""
    return [p for p in process.children(recursive=True) if "stages." in "".join(p.cmdline())]


@contextmanager
def running(
    folder: Path, mirror: Path, home: Path, stage: str
) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """`dvc repro` of one stage whose process has begun; in the end nothing of it is left."""
    with subprocess.Popen(
        # A shell makes its background jobs ignore Ctrl-C, and all that they start.
        ["env", "--default-signal=INT", "dvc", "repro", "--single-item", stage],
        cwd=folder,
        env=os.environ | environment(mirror, home),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            dvc, deadline = psutil.Process(process.pid), time.monotonic() + BOUND
            while not any("-m" in p.cmdline() for p in (found := stage_processes(dvc))):
                assert process.poll() is None, process.communicate()[0]
                assert time.monotonic() < deadline
                time.sleep(0.005)
            yield process, found
        finally:
            for left in [*found, dvc]:
                if left.is_running():
                    left.kill()


def works(process: psutil.Process, folder: Path) -> bool:
    """Is it past its imports, so that it computes or writes?"""
    return not process.is_running() or any(folder.glob("*/.*.partial"))


@pytest.mark.faults
@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_stage_is_no_result(
    stage: str, copy: Path, repository: Path, mirror: Path, home: Path
):
    """SIGINT, SIGTERM and SIGKILL to the stage or to DVC, in its imports and in its work."""
    forget(copy, stage)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        for target in ("stage", "dvc"):
            for seconds in (0.1, 3.5 if "train" in stage or stage == "evaluate" else 0.8):
                with running(copy, mirror, home, stage) as (process, found):
                    time.sleep(seconds)
                    try:
                        (found[-1] if target == "stage" else process).send_signal(number)
                    except psutil.NoSuchProcess:
                        pass  # it was faster
                    output, _ = process.communicate(timeout=BOUND)
                    _, left = psutil.wait_procs(found, timeout=BOUND)
                assert not left
                assert (stage in recorded(copy)) == (process.returncode == 0), output
                if process.returncode == 0:  # it was faster, or DVC waits for the stage on SIGINT
                    assert results(copy) == results(repository)
                    forget(copy, stage)
    assert stages_run(command(copy, mirror, home, "dvc repro")) == [stage]
    assert results(copy) == results(repository)
