"""Faults that a pipeline meets, injected for real: kills, full and read-only disks, damage."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
import psutil
import pytest
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tests.conftest import (
    PATIENCE,
    Dvc,
    call,
    edit_params,
    refusal,
    results,
    run_in,
    stages_run,
    try_in,
    wait_for,
)
from workflow.base.errors import InputError
from workflow.base.files import atomic_folder

RWLOCK = ".dvc/tmp/rwlock"

# --- kills ----------------------------------------------------------------------------------------


def forget(repository: Path, stage: str) -> None:
    """DVC must run the stage again: no record of it, no run cache."""
    shutil.rmtree(repository / ".dvc/cache/runs", ignore_errors=True)
    path, yaml = repository / "dvc.lock", YAML()
    lock = yaml.load(path)
    lock["stages"].pop(stage, None)
    yaml.dump(lock, path)


def recorded(repository: Path) -> dict[str, Any]:
    """The stages of dvc.lock; none where it is not YAML or empty."""
    try:
        lock = YAML(typ="safe", pure=True).load(repository / "dvc.lock")
    except YAMLError:
        lock = None
    return lock["stages"] if lock and "stages" in lock else {}


def is_whole(lock: dict[str, Any], whole: dict[str, Any], stage: str) -> bool:
    """Whether only this stage is missing, at most: DVC writes the file over, line by line."""
    return lock in (whole, {name: whole[name] for name in whole if name != stage})


def is_json(path: Path) -> bool:
    """As is_whole: DVC empties the file, then writes it. It is no result, so nobody has a copy."""
    try:
        json.loads(path.read_text())
    except ValueError:
        return False
    return True


@contextmanager
def running(
    folder: Path, stage: str, **variables: str
) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """`dvc repro` of one stage whose process has begun; in the end nothing of it is left."""
    with subprocess.Popen(
        # A shell makes its background jobs ignore Ctrl-C, and all that they start.
        ["env", "--default-signal=INT", "dvc", "repro", "--single-item", stage],
        cwd=folder,
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            dvc = psutil.Process(process.pid)
            found: list[psutil.Process] = []  # a shell, perhaps, and Python
            while not any("-m" in p.cmdline() for p in found):
                below = dvc.children(recursive=True)
                found = [p for p in below if "stages." in "".join(p.cmdline())]
                assert process.poll() is None, process.communicate()[0]
                time.sleep(0.005)
            yield process, found
        finally:
            for left in [*found, dvc]:
                if left.is_running():
                    left.kill()


def all_end(processes: list[psutil.Process]) -> bool:
    """Wait until they have; the first process of the system may leave zombies of them."""

    def ended() -> bool:
        return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)

    return bool(wait_for(ended))


KILLED = [
    "download",
    "vectorize@ngrams",
    "train@candidate",
    "evaluate@candidate",
    "compare",
    "plot",
]


@pytest.mark.faults
@pytest.mark.parametrize("stage", KILLED)
def test_a_killed_stage_is_no_result(stage: str, copy: Path, repository: Path, dvc: Dvc):
    """SIGINT, SIGTERM and SIGKILL to the stage or to DVC, in its imports and in its work.

    What is asserted holds at any moment, also where the stage or its DVC has just ended.
    """
    whole = recorded(copy)
    forget(copy, stage)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        for target in ("stage", "dvc"):
            for seconds in (0.1, 3.5 if stage.startswith(("train", "evaluate")) else 0.8):
                with running(copy, stage) as (process, found):
                    time.sleep(seconds)
                    with suppress(psutil.NoSuchProcess):  # it was faster
                        (found[-1] if target == "stage" else process).send_signal(number)
                    output, _ = process.communicate(timeout=PATIENCE)
                    assert all_end(found)
                assert stage in recorded(copy) or process.returncode != 0, output
                if target == "dvc" and not is_json(copy / RWLOCK):
                    (copy / RWLOCK).unlink()
                if target == "dvc" and not is_whole(recorded(copy), whole, stage):
                    run_in(copy, "git checkout dvc.lock")
                elif stage in recorded(copy):  # it was faster, or DVC waits for it on SIGINT
                    assert results(copy) == results(repository)
                forget(copy, stage)
    assert stages_run(dvc("repro")) == [stage]
    assert results(copy) == results(repository)


def test_the_lock_that_a_killed_dvc_was_writing_is_removed_as_the_troubles_say(
    copy: Path, dvc: Dvc
):
    message, remedy = "Unable to read RWLock-file", f"rm {RWLOCK}"
    troubles = Path("docs/reliability.md").read_text()
    assert message in troubles
    assert f"`{remedy}`" in troubles
    (copy / RWLOCK).write_text("")
    refused = try_in(copy, "dvc repro")
    assert message in refused.stderr
    subprocess.run(remedy.split(), cwd=copy, check=True)
    assert stages_run(dvc("repro")) == []


ENDLESS = {"train__seeds": 1, "model__epochs": 10_000, "model__patience": None}


def wait_until_it_trains(process: subprocess.Popen[str]) -> IO[str]:
    """What it prints from then on."""
    assert process.stdout is not None
    assert any("at most 10000 epochs" in line for line in process.stdout)
    return process.stdout


def test_an_interrupted_training_is_no_result(copy: Path, dvc: Dvc):
    edit_params(copy, **ENDLESS)
    with running(copy, "train@candidate") as (process, _):
        printed = wait_until_it_trains(process)
        os.killpg(process.pid, signal.SIGINT)  # what Ctrl-C does
        output = printed.read()
        process.wait(PATIENCE)
    assert process.returncode != 0
    assert "Traceback" not in output
    assert not list(copy.glob("models/candidate/*.keras"))
    run_in(copy, "git checkout --quiet params.yaml dvc.lock")
    assert stages_run(dvc("repro")) == []


@pytest.mark.parametrize(  # one shell may wait for Python, one not
    ("shell", "moment"), [("/bin/sh", "imports"), ("/bin/bash", "trains")]
)
def test_no_training_outlives_its_dvc(shell: str, moment: str, copy: Path):
    edit_params(copy, **ENDLESS)
    with running(copy, "train@candidate", SHELL=shell) as (process, found):
        if moment == "trains":
            wait_until_it_trains(process)
        process.kill()
        assert all_end(found)
    assert not list(copy.glob("models/candidate/*.keras"))


# --- disks ----------------------------------------------------------------------------------------


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A file system of its own on the folder."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # arrays are mapped


def fill(folder: Path) -> Path:
    path = folder / "fill"
    with suppress(OSError), path.open("wb", buffering=0) as file:  # until nothing more fits
        while file.write(bytes(512)):
            pass
    return path


def bound_by_permissions(line: str) -> str:
    """The command without root's privilege to write where the permissions forbid it."""
    return f"setpriv --bounding-set=-dac_override {line}" if os.geteuid() == 0 else line


def one_sentence(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode != 0
    assert "Traceback" not in result.stderr
    return result.stderr.strip().splitlines()[-1]


def test_a_full_disk_is_one_sentence(tmp_path: Path, repository: Path):
    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk(folder, "6m"), chdir(folder):
        shutil.copytree(repository, folder, dirs_exist_ok=True)
        before = results(folder)
        for output, stage, *item in (
            ("data/reviews", "download"),
            ("data/multi_hot", "vectorize", "multi_hot"),
            ("plots/figures", "plot"),
        ):
            shutil.rmtree(output)  # as DVC does it
            full = fill(folder)
            assert "No space left on device: free disk space" in refusal(f"stages.{stage}", *item)
            full.unlink()
            call(f"stages.{stage}", *item)
            after = results(folder)
            assert [path for path in after if after[path] != before[path]] == []


def test_a_disk_that_is_mounted_where_results_go_loses_nothing(tmp_path: Path):
    folder, link = tmp_path / "a disk", tmp_path / "vectors"
    folder.mkdir()
    link.symlink_to(folder)
    with small_disk(folder, "1m"):
        (folder / "old").write_text("")
        with (
            pytest.raises(InputError, match="a disk: a disk is mounted there"),
            atomic_folder(link),
        ):
            pass
        assert [path.name for path in folder.iterdir()] == ["old"]


def test_a_cache_that_takes_nothing_is_one_sentence(
    copy: Path, repository: Path, tmp_path: Path, dvc: Dvc
):
    cache, line = tmp_path / "cache", "dvc repro --force --single-item vectorize@multi_hot"
    cache.mkdir()
    dvc("cache dir --local", str(cache))
    with small_disk(cache, "200k"):
        fill(cache)
        full = try_in(copy, line)
    assert "No space left on device" in one_sentence(full)
    cache.chmod(0o555)
    read_only = try_in(copy, bound_by_permissions(line))
    cache.chmod(0o755)
    assert "Permission denied" in one_sentence(read_only)
    dvc("repro --single-item vectorize@multi_hot")
    call("commands.verify")
    assert results(copy) == results(repository)


def test_a_folder_without_write_access_is_one_sentence(copy: Path):
    folder, line = copy / "data/multi_hot", "python -m stages.vectorize multi_hot"
    folder.chmod(0o555)
    failed = try_in(copy, bound_by_permissions(line))
    folder.chmod(0o755)
    sentence = one_sentence(failed)
    assert "Permission denied: " in sentence
    assert sentence.endswith("': free disk space or grant access, then try again")


# --- DVC ------------------------------------------------------------------------------------------


def test_two_runs_at_once_spoil_nothing(copy: Path, repository: Path):
    forget(copy, "vectorize@multi_hot")
    with running(copy, "vectorize@multi_hot") as (first, _):
        second = try_in(copy, "dvc repro --single-item vectorize@multi_hot")
        output, _ = first.communicate(timeout=PATIENCE)
    assert first.returncode == 0, output
    assert second.returncode == 0 or "blocked by" in second.stderr or "lock" in second.stderr
    assert results(copy) == results(repository)


@pytest.mark.faults
def test_a_queue_that_was_killed_goes_on(copy: Path, dvc: Dvc):
    """As by a power cut: the worker, the experiment and its stage at once, while one trains."""

    def start() -> None:
        """Once the last worker has ended: one about to end starts nothing more, but DVC counts it.

        The worker keeps standard output and error open.
        """
        wait_for(lambda: not inside(copy))
        line, quiet = ["dvc", "queue", "start"], subprocess.DEVNULL
        subprocess.run(line, stdout=quiet, stderr=quiet, check=True)

    def status() -> dict[str, str]:
        rows = (line.split() for line in dvc("queue status").splitlines()[1:] if ":" in line)
        return {row[1]: row[-1] for row in rows if row[0] != "Worker"}

    for name, dropout in (("first", 0.1), ("second", 0.2)):
        dvc(f"exp run --queue --name {name} -S model.dropout={dropout}")
    start()
    stage = wait_for(lambda: next((p for p in inside(copy) if "stages.train" in p.cmdline()), None))
    assert "queue-worker" in str([p.cmdline() for p in inside(copy)])
    for process in inside(copy):
        process.kill()
    assert all_end([stage])
    assert status() == {"first": "Running", "second": "Queued"}
    assert "first" not in dvc("exp list")

    start()
    wait_for(lambda: status()["second"] == "Success")
    dvc("queue kill first")
    wait_for(lambda: status()["first"] == "Failed")
    dvc("queue remove first")
    dvc("exp run --queue --name first -S model.dropout=0.1")
    start()
    wait_for(lambda: status()["first"] == "Success")
    queued = dvc("exp show --json")
    for dropout in (0.1, 0.2):
        dvc(f"exp run -S model.dropout={dropout}")
        metrics = (copy / "metrics/metrics.json").read_text()
        accuracy = json.loads(metrics)["candidate"]["validation_accuracy"]
        assert f'"validation_accuracy": {accuracy}' in queued


def inside(folder: Path) -> list[psutil.Process]:
    """The other processes at work there; a process that ends meanwhile is none."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid != os.getpid() and Path(process.cwd()).is_relative_to(folder):
                found.append(process)
    return found


def test_an_array_damaged_between_stages_is_regenerated(copy: Path, repository: Path, dvc: Dvc):
    np.save(copy / "data/multi_hot/training_values.npy", np.zeros(3, np.uint8))
    sentence = refusal("stages.train", "single")
    assert "the training arrays are damaged; run `dvc repro` to regenerate it" in sentence
    dvc("repro")
    assert results(copy) == results(repository)
