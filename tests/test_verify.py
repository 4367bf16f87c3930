"""`python verify.py` finds the damage that DVC overlooks, and says what brings the bytes back."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.conftest import PROJECT, attempt, command
from tests.test_pipeline import results


@pytest.fixture
def copy(repository: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(repository, tmp_path / "copy"))


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


def test_healthy_results_are_told_from_missing_ones(copy: Path, mirror: Path, home: Path):
    verify = f"python -m commands.verify"
    assert command(copy, mirror, home, verify) == "10 outputs are what dvc.lock says\n"
    shutil.rmtree(copy / "data/multi_hot")
    shutil.rmtree(copy / ".dvc/cache")
    assert command(copy, mirror, home, verify) == (
        "not here, or not in dvc.lock: data/multi_hot\n`dvc pull` or `dvc repro` brings them\n"
        "9 outputs are what dvc.lock says\n"
    )


@pytest.mark.parametrize(
    ("damage", "place"),
    [
        (flip, lambda folder: cached(folder, "vectorize", "train_values.npy")),
        (truncate, lambda folder: cached(folder, "vectorize", "train_values.npy")),
        (flip, lambda folder: cached(folder, "vectorize")),
        (flip, lambda folder: cached(folder, "plot")),
        (flip, lambda folder: folder / "data/multi_hot/train_values.npy"),
        (flip, lambda folder: folder / "metrics/metrics.json"),
        (flip, lambda folder: folder / "plots/figures/differences.png"),
        (Path.unlink, lambda folder: folder / "models/single/seed-1.keras"),
        (Path.touch, lambda folder: folder / "models/single/seed-4.keras"),
    ],
    ids="cache truncated_cache listing uncached_listing array metrics figure missing extra".split(),
)
def test_damage_is_named_and_the_command_mends_it(
    damage: Callable[[Path], None],
    place: Callable[[Path], Path],
    copy: Path,
    repository: Path,
    mirror: Path,
    home: Path,
):
    path = place(copy)
    damage(path)
    verify = f"python -m commands.verify"
    result = attempt(copy, mirror, home, verify)
    assert result.returncode == 1
    line, remedy = result.stderr.splitlines()
    assert line == f"{path.relative_to(copy)}: not the bytes that dvc.lock says"
    command(copy, mirror, home, "sh -c", remedy.removeprefix("to bring them back: "))
    command(copy, mirror, home, verify)
    assert results(copy) == results(repository)


def test_damage_that_dvc_checked_out(copy: Path, repository: Path, mirror: Path, home: Path):
    flip(cached(copy, "vectorize", "train_values.npy"))
    shutil.rmtree(copy / "data/multi_hot")
    command(copy, mirror, home, "dvc checkout")
    assert "up to date" in command(copy, mirror, home, "dvc status")  # so DVC believes
    result = attempt(copy, mirror, home, f"python -m commands.verify")
    assert "data/multi_hot/train_values.npy: not the bytes" in result.stderr
    remedy = result.stderr.splitlines()[-1].removeprefix("to bring them back: ")
    command(copy, mirror, home, "sh -c", remedy)
    command(copy, mirror, home, f"python -m commands.verify")
    assert results(copy) == results(repository)


def test_a_damaged_lock_is_one_sentence(copy: Path, mirror: Path, home: Path):
    with (copy / "dvc.lock").open("r+") as file:
        file.write("{")
    result = attempt(copy, mirror, home, f"python -m commands.verify")
    assert result.returncode == 1
    assert "Git may have it whole: `git checkout dvc.lock`" in result.stderr
    assert "Traceback" not in result.stderr
