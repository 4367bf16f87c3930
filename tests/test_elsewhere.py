"""The same commit on the same machine gives the same bytes, whoever runs it and wherever."""

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from tests.conftest import PROJECT, STAGES, results, run_in, stages_run
from workflow.base.files import PREDICTIONS
from workflow.features import multi_hot
from workflow.model import network
from workflow.model.training import TrainingData, train_all
from workflow.params import load_params
from workflow.text import imdb

SOMEBODY = 65534  # a user without rights; Debian calls him nobody


@pytest.fixture
def user() -> dict[str, Any]:
    """Arguments of `subprocess.run`: another user, if this one may start processes of others."""
    nobody: dict[str, Any] = {"user": SOMEBODY, "group": SOMEBODY, "extra_groups": []}
    try:
        subprocess.run([sys.executable, "-c", "import dvc"], check=True, **nobody)
    except (PermissionError, subprocess.CalledProcessError):
        return {}
    return nobody


def test_elsewhere_the_bytes_are_the_same(repository: Path, mirror: Path, user: dict[str, Any]):
    """Path, user, home, time zone, encoding, umask, hash seed and number of cores at once."""
    with tempfile.TemporaryDirectory() as parent:  # pytest's own folders are closed to others
        folder = Path(parent) / "ein Ördner mit Leerzeichen, ж"
        stages = [stage for stage in STAGES if not stage.endswith("@single")]
        clone, other_home = folder / "clone", folder / "home"
        write_settings(other_home)
        run_in(folder, "git clone --quiet", str(repository), str(clone))
        shutil.copytree(mirror, folder / "mirror")
        # One variant is enough; of the other one, the comparison needs the predictions.
        shutil.copytree(repository / PREDICTIONS / "single", clone / PREDICTIONS / "single")
        for path in (Path(parent), *Path(parent).rglob("*")):
            os.chown(path, user.get("user", -1), user.get("group", -1))
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(other_home),
            "IMDB_MIRROR": str(folder / "mirror"),
            "TZ": "Pacific/Kiritimati",
            "LC_ALL": "C",
            "PYTHONIOENCODING": "ascii",  # what stages print is not: it costs no result
            "PYTHONHASHSEED": "1",
            "TF_ENABLE_ONEDNN_OPTS": "1",
        }
        run = subprocess.run(
            ["dvc", "repro", "--force", "--single-item", *stages],
            **user | {"cwd": clone, "env": environment, "umask": 0o077},
            preexec_fn=on_one_core,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        assert stages_run(run.stdout) == sorted(stages)
        here, there = results(repository), results(clone)
        del here["dvc.lock"], there["dvc.lock"]
        assert {name for name in there if here[name] != there[name]} == set()


def test_other_rounding_moves_the_accuracy_by_less_than_a_tenth_of_a_point():
    """The tolerance between processors; `make rounding` measures it for all seeds and variants."""
    params = load_params(PROJECT / "params.yaml")
    num_words = params.features.multi_hot.num_words
    reviews = multi_hot.multi_hot(imdb.bundled_reviews(params.data).training, num_words)
    data = TrainingData(reviews, 10_000, num_words)
    recipe = params.recipe("single").model_copy(update={"epochs": 2})
    train_one = functools.partial(train_all, recipe, data, range(1, 2))
    ((archive, here, _),) = train_one()
    with mock.patch.object(network, "build", functools.partial(network.build, plain=True)):
        ((other_archive, there, _),) = train_one()
    assert archive != other_archive
    validation = here["split"] == "validation"
    np.testing.assert_allclose(
        there.loc[validation, "accuracy"], here.loc[validation, "accuracy"], rtol=0, atol=0.001
    )


def write_settings(home: Path) -> None:
    """Settings of one user for the libraries that the stages use."""
    (home / ".config/matplotlib").mkdir(parents=True)
    (home / ".config/matplotlib/matplotlibrc").write_text("font.size: 14\naxes.grid: True\n")
    (home / ".keras").mkdir()
    (home / ".keras/keras.json").write_text('{"backend": "jax", "floatx": "float64"}')


def on_one_core() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
