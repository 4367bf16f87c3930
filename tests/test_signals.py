"""A stage ends with the DVC that runs it, whichever process that is."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.conftest import PROJECT, stages_run, wait_for

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
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert stages_run(ended.stdout) == ["plot"]
    assert figures == {path: path.read_bytes() for path in figures}


STAGE = """
import signal, threading, time
from workflow.base import signals

sleep, watching = time.sleep, threading.Event()
time.sleep = lambda seconds: (watching.set(), sleep(seconds))
signals.GRACE = 1
signals.exit_on_signal()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
watching.wait()
print("watching", flush=True)
sleep(6000)
"""
DVC = """
import os, subprocess, sys

os.environ["DVC_STAGE"] = "x"
stage = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE)
stage.stdout.readline()
print(stage.pid, flush=True)
"""


def test_a_stage_that_cannot_clean_up_ends_a_few_seconds_after_dvc():
    """Its main thread ignores SIGTERM, as one that is inside TensorFlow does."""
    number = int(subprocess.check_output([sys.executable, "-c", DVC, STAGE], cwd=PROJECT))

    def ended() -> bool:
        try:
            return psutil.Process(number).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    wait_for(ended)
