"""Seeds on a Dask cluster: a real scheduler and two workers, as processes of their own."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PATIENCE, call, results, wait_for
from tests.test_train import make_data, make_recipe
from workflow.base.errors import InputError
from workflow.model import seeds
from workflow.model.training import train_all

distributed = pytest.importorskip("distributed")


Processes = list[subprocess.Popen[bytes]]


@contextmanager
def cluster(folder: Path, code: Path, size: int = 2) -> Iterator[tuple[str, Processes]]:
    """The address and the processes of workers, which import `code`, and of their scheduler."""
    file = folder / "scheduler.json"

    def start(what: str, *options: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["dask", what, "--scheduler-file", str(file), "--no-dashboard", *options],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(code)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    scheduler = start("scheduler", "--host", "127.0.0.1", "--port", "0")
    workers = [start("worker", "--nthreads", "1", "--no-nanny") for _ in range(size)]
    try:
        wait_for(lambda: file.exists() and file.read_text() != "")
        address = json.loads(file.read_text())["address"]
        with distributed.Client(address) as client:
            client.wait_for_workers(size, timeout=PATIENCE)
        yield address, [*workers, scheduler]
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait()


@pytest.mark.faults
def test_a_cluster_gives_the_same_bytes_also_when_it_loses_a_worker_and_says_when_it_is_lost(
    copy: Path, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """One cluster from its start to its end, since its processes take their time to begin."""
    monkeypatch.chdir(copy)
    shutil.rmtree("models/candidate")
    with cluster(tmp_path, copy) as (address, (*workers, scheduler)):
        monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", address)
        with distributed.Client(address) as client:

            def at_work() -> list[str]:
                return [worker for worker, tasks in client.processing().items() if tasks]

            process_of = client.run(os.getpid)
            with ThreadPoolExecutor(1) as thread:
                stage = thread.submit(call, "stages.train", "candidate")
                os.kill(process_of[wait_for(at_work)[0]], signal.SIGKILL)
                stage.result(PATIENCE)
            assert [worker.poll() for worker in workers].count(None) == 1
            assert results(copy) == results(repository)

            with pytest.raises(InputError, match="Keras cannot train this variant: "):
                train_something(loss="ctc")

            with ThreadPoolExecutor(1) as thread:
                lost = thread.submit(train_something, epochs=10_000)
                wait_for(at_work)
                for process in (*workers, scheduler):
                    process.kill()
                with pytest.raises(InputError, match="did not train all seeds"):
                    lost.result(PATIENCE)


def test_a_cluster_with_another_project_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    other = tmp_path / "other"
    other.mkdir()
    (other / "workflow.py").touch()
    with cluster(tmp_path, other, size=1) as (address, _):
        monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", address)
        with pytest.raises(InputError, match="where this commit of the project is installed"):
            train_something()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://x", ""])
def test_a_cluster_that_is_not_there_is_a_sentence(address: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", address)
    monkeypatch.setattr(seeds, "CONNECT_SECONDS", 1)
    with pytest.raises(InputError, match=f"DASK_SCHEDULER_ADDRESS: no Dask scheduler at {address}"):
        train_something()


def test_dask_is_only_needed_for_a_cluster(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    train_something()
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "tcp://127.0.0.1:9")
    with pytest.raises(InputError, match="is set, but the extra dask is not installed"):
        train_something()


def train_something(**changes: Any) -> None:
    recipe = make_recipe(**{"epochs": 1} | changes)
    train_all(recipe, make_data(), range(1))
