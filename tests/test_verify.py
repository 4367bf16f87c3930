"""`make verify` finds the damage that DVC overlooks, and says what brings the bytes back."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.conftest import call, command, refusal, results


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


def cached(repository: Path, stage: str, name: str = "") -> Path:
    """The object in the cache of the stage's output, or of the file `name` in it."""
    lock = YAML(typ="safe", pure=True).load(repository / "dvc.lock")
    hash_ = lock["stages"][stage]["outs"][0]["md5"]
    folder = repository / ".dvc/cache/files/md5"
    path: Path = folder / hash_[:2] / hash_[2:]
    if name:
        (hash_,) = (e["md5"] for e in json.loads(path.read_text()) if e["relpath"] == name)
        path = folder / hash_[:2] / hash_[2:]
    return path


def bad_files(capsys: pytest.CaptureFixture[str]) -> tuple[set[str], str]:
    """Those that verify names, and its remedy."""
    remedy = refusal("commands.verify")
    lines = capsys.readouterr().err.splitlines()
    reason = ": not the bytes in dvc.lock"
    assert all(line.endswith(reason) for line in lines)
    return {line.removesuffix(reason) for line in lines}, remedy


def test_healthy_results_are_told_from_missing_ones(
    here: Path, capsys: pytest.CaptureFixture[str], mirror: Path, home: Path
):
    verify = "python -m commands.verify"
    assert command(here, mirror, home, verify) == "19 outputs are what dvc.lock says\n"
    shutil.rmtree(here / "data/multi_hot")
    shutil.rmtree(here / ".dvc/cache")
    call("commands.verify")
    assert capsys.readouterr().out == (
        "missing here or in dvc.lock: data/multi_hot\nrun `dvc repro` to get them\n"
        "18 outputs are what dvc.lock says\n"
    )


Damage = tuple[Callable[[Path], None], Callable[[Path], Path]]
VECTORIZE = "vectorize@multi_hot"
DAMAGES: dict[str, Damage] = {
    "cache": (flip, lambda folder: cached(folder, VECTORIZE, "training_values.npy")),
    "truncated cache": (truncate, lambda folder: cached(folder, VECTORIZE, "test_values.npy")),
    "listing": (flip, lambda folder: cached(folder, "download")),
    "array": (flip, lambda folder: folder / "data/multi_hot/training_offsets.npy"),
    "metrics": (flip, lambda folder: folder / "metrics/metrics.json"),
    "figure": (flip, lambda folder: folder / "plots/figures/differences.png"),
    "missing": (Path.unlink, lambda folder: folder / "models/single/seed-1.keras"),
    "extra": (Path.touch, lambda folder: folder / "models/single/seed-4.keras"),
}


def inflict(folder: Path, damage: Damage) -> str:
    """Do it; the name of the file."""
    harm, place = damage
    path = place(folder)
    harm(path)
    return str(path.relative_to(folder))


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damage_is_named_and_nothing_else(
    damage: Damage, here: Path, capsys: pytest.CaptureFixture[str]
):
    name = inflict(here, damage)
    files, _ = bad_files(capsys)
    assert files == {name}


def test_an_output_that_only_git_keeps_is_named_as_a_whole(
    here: Path, capsys: pytest.CaptureFixture[str]
):
    flip(here / "metrics/correct/single.npz")
    files, _ = bad_files(capsys)
    assert files == {"metrics/correct"}


def test_the_command_mends_all_damage_at_once(
    here: Path, repository: Path, mirror: Path, home: Path, capsys: pytest.CaptureFixture[str]
):
    inflicted = {inflict(here, damage) for damage in DAMAGES.values()}
    files, remedy = bad_files(capsys)
    assert files == inflicted
    command(here, mirror, home, "sh -c", remedy.removeprefix("to restore them: "))
    call("commands.verify")
    assert results(here) == results(repository)


def test_damage_that_dvc_checked_out(
    here: Path, repository: Path, mirror: Path, home: Path, capsys: pytest.CaptureFixture[str]
):
    flip(cached(here, VECTORIZE, "training_values.npy"))
    shutil.rmtree(here / "data/multi_hot")
    command(here, mirror, home, "dvc checkout")
    assert "up to date" in command(here, mirror, home, "dvc status")  # so DVC believes
    files, remedy = bad_files(capsys)
    assert "data/multi_hot/training_values.npy" in files
    command(here, mirror, home, "sh -c", remedy.removeprefix("to restore them: "))
    call("commands.verify")
    assert results(here) == results(repository)


@pytest.mark.parametrize("name", ["dvc.lock", "dvc.yaml", "params.yaml"])
def test_a_damaged_file_of_dvc_is_one_sentence(here: Path, name: str):
    with (here / name).open("r+") as file:
        file.write("{")
    assert f"`git checkout {name}` restores the committed one" in refusal("commands.verify")
