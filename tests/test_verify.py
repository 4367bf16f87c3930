"""`make verify` finds the damage that DVC overlooks, and says what brings the bytes back."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.conftest import Dvc, call, refusal, results, run_in
from workflow.base.files import FIGURES


@pytest.fixture
def here(copy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The copy, in which the test is."""
    monkeypatch.chdir(copy)
    return copy


def flip(path: Path) -> None:
    """One bit is another; size, time and permissions are the same."""
    status, content = path.stat(), bytearray(path.read_bytes())
    content[-3] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    path.chmod(status.st_mode)


def truncate(path: Path) -> None:
    path.chmod(0o644)
    os.truncate(path, path.stat().st_size // 2)
    path.chmod(0o444)


def cached(stage: str, name: str = "") -> Path:
    """The object in the cache of the stage's output, or of the file `name` in it."""
    lock = YAML(typ="safe", pure=True).load(Path("dvc.lock"))
    hash_ = lock["stages"][stage]["outs"][0]["md5"]
    folder = Path(".dvc/cache/files/md5")
    if name:
        entries = json.loads((folder / hash_[:2] / hash_[2:]).read_text())
        (hash_,) = (entry["md5"] for entry in entries if entry["relpath"] == name)
    return folder / str(hash_)[:2] / str(hash_)[2:]


def bad_files(capsys: pytest.CaptureFixture[str]) -> tuple[set[str], str]:
    """Those that verify names, and its remedy."""
    remedy = refusal("commands.verify")
    lines = capsys.readouterr().err.splitlines()
    reason = ": not the bytes in dvc.lock"
    assert all(line.endswith(reason) for line in lines)
    return {line.removesuffix(reason) for line in lines}, remedy.removeprefix("to restore them: ")


def test_healthy_results_are_told_from_missing_ones(here: Path, capsys: pytest.CaptureFixture[str]):
    call("commands.verify")
    said = "15 outputs are what dvc.lock says; DVC's cache has 7 of the 7 that it keeps\n"
    assert capsys.readouterr().out == said
    shutil.rmtree(here / "data/multi_hot")
    shutil.rmtree(here / ".dvc/cache")
    call("commands.verify")
    assert capsys.readouterr().out == (
        "missing: data/multi_hot; run `dvc repro` to get them\n"
        "14 outputs are what dvc.lock says; DVC's cache has 0 of the 7 that it keeps\n"
    )


def test_damage_is_named_and_nothing_else(here: Path, repository: Path, dvc: Dvc, capsys):
    """The first damage is in DVC's cache, which checks it out. The printed command repairs all."""
    vectors = cached("vectorize@multi_hot", "training_values.npy")
    flip(vectors)
    shutil.rmtree("data/multi_hot")
    dvc("checkout")
    assert "up to date" in dvc("status")
    damaged = {str(vectors), "data/multi_hot/training_values.npy"}
    assert bad_files(capsys)[0] == damaged
    further: list[tuple[Any, Path]] = [
        (truncate, cached("vectorize@multi_hot", "test_values.npy")),
        (flip, cached("download")),  # the list of the files in a folder
        (flip, Path("data/multi_hot/training_offsets.npy")),
        (flip, Path("metrics/metrics.json")),
        (flip, FIGURES / "differences.png"),
        (Path.unlink, Path("models/single/seed-1.keras")),
        (Path.touch, Path("models/single/seed-4.keras")),
    ]
    for harm, path in further:
        harm(path)
        # DVC lists the files only of folders that its cache keeps.
        damaged.add(str(FIGURES if path.parent == FIGURES else path))
        files, remedy = bad_files(capsys)
        assert files == damaged
    run_in(here, "sh -c", remedy)
    call("commands.verify")
    assert results(here) == results(repository)


def test_an_output_that_only_git_keeps_is_named_as_a_whole(here: Path, capsys):
    flip(here / "metrics/correct/single.npz")
    assert bad_files(capsys)[0] == {"metrics/correct"}


def test_a_damaged_file_of_dvc_is_one_sentence(here: Path):
    for name in ("params.yaml", "dvc.lock", "dvc.yaml"):
        with (here / name).open("r+") as file:
            file.write("{")
        assert f"`git checkout {name}` restores the committed one" in refusal("commands.verify")


def test_a_lock_that_was_cut_short_is_named_not_the_results(here: Path):
    """Between two stages, where it is YAML still."""
    lock = Path("dvc.lock")
    lock.write_text(lock.read_text().partition("  evaluate@candidate:")[0])
    sentence = refusal("commands.verify")
    assert sentence.startswith("error: dvc.lock does not list data/")
    assert sentence.endswith("; `git checkout dvc.lock` restores the committed one")
