"""A stage ends with the DVC that runs it, whichever process that is."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.conftest import stages_run

REPRODUCE = "from dvc.repo import Repo; Repo().reproduce(['plot'], single_item=True, force=True)"
AS_PROCESS_1 = ["unshare", "--pid", "--fork", "--mount-proc"]


@pytest.mark.skipif(
    subprocess.run([*AS_PROCESS_1, "true"], check=False, capture_output=True).returncode != 0,
    reason="this user may not start a process as process 1",
)
def test_dvc_may_be_process_1_as_in_a_container(copy: Path):
    figures = {path: path.read_bytes() for path in (copy / "plots/figures").glob("*.png")}
    ended = subprocess.run(
        [*AS_PROCESS_1, sys.executable, "-c", REPRODUCE],
        cwd=copy,
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert stages_run(ended.stdout + ended.stderr) == ["plot"]
    assert figures == {path: path.read_bytes() for path in figures}


def test_a_stage_that_cannot_clean_up_ends_a_few_seconds_after_dvc():
    """Its main thread ignores SIGTERM, as one that is inside TensorFlow does."""
    stage = (
        "import os, signal, sys, time, workflow.base.signals as s; s.GRACE = 1;"
        "s.exit_on_signal(); signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print('started', flush=True); time.sleep(600)"
    )
    dvc = (
        f"import os, subprocess, sys; os.environ['DVC_STAGE'] = 'x';"
        f"p = subprocess.Popen([sys.executable, '-c', {stage!r}], stdout=subprocess.PIPE);"
        "p.stdout.readline(); print(p.pid, flush=True)"
    )
    with subprocess.Popen([sys.executable, "-c", dvc], stdout=subprocess.PIPE) as parent:
        number = int(parent.stdout.read())  # type: ignore[union-attr] # the parent has ended
    process = psutil.Process(number)
    try:
        process.wait(timeout=600)
    except psutil.NoSuchProcess:
        return
    finally:
        if process.is_running():
            process.kill()
