"""The notebook's way against the project's: what `make bench` runs.

usage   python -m benchmarks.bench [REPETITIONS]
reads   the archive of keras.datasets.imdb, from where the download stage finds it; the last commit
writes  benchmarks/results.md, benchmarks/growth.png

Both ways run one after the other within each repetition, and a ratio is taken within it: machines
are faster at one time than at another. Every figure is the median, with the lowest and highest.
"""

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
from ruamel.yaml import YAML
from tqdm import tqdm

from stages import download
from stages.params import load_params
from stages.storage import MULTI_HOT, REVIEWS, Reviews, write_json

PROJECT = Path(__file__).parent.parent
SYSTEMS = ("single", "single_regularized", "three_regularized")


class Run(NamedTuple):
    """A command that has ended: what it printed, and what it and all it started needed."""

    output: str
    seconds: float
    peak: float  # MB, of the largest process


def run(folder: Path, *command: str, environment: dict[str, str] | None = None) -> Run:
    """Run a command to its end.

    Raises:
        CalledProcessError: it failed.
    """
    with tempfile.TemporaryFile("w+") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, stdout=output, env=os.environ | (environment or {})
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        output.seek(0)
        if status:
            raise subprocess.CalledProcessError(status, command, output.read())
        return Run(output.read(), seconds, usage.ru_maxrss / 1024)


def edit_params(folder: Path, edit: Callable[[Any], None]) -> None:
    path, yaml = folder / "params.yaml", YAML()
    params = yaml.load(path)
    edit(params)
    yaml.dump(params, path)


def keep_variants(params: Any, names: tuple[str, ...]) -> None:
    params["train"]["seeds"] = 1
    params["variants"] = {name: f"baselines.{name}" for name in names}


def clone(folder: Path) -> Path:
    """The last commit, with nothing in DVC's cache."""
    run(PROJECT, "git", "clone", "--quiet", str(PROJECT), str(folder))
    return folder


def archive(folder: Path) -> Path:
    """A folder with the two files of keras.datasets.imdb, their hashes checked."""
    source = load_params().data.keras
    for name, hashes in (
        ("imdb.npz", source.archive_sha256),
        ("imdb_word_index.json", [source.word_index_sha256]),
    ):
        (folder / name).write_bytes(download.find(name, hashes, source.url))
    return folder


# --- one against the other ------------------------------------------------------------------------


def repetition(mirror: Path, scratch: Path) -> dict[str, tuple[float, float]]:
    """Everything measured once: for each row of the table, the notebook's figure and ours."""
    python, env = sys.executable, {"IMDB_MIRROR": str(mirror), "PYTHONPATH": str(PROJECT)}
    notebook_run = run(PROJECT, python, "-m", "benchmarks.notebook", str(mirror / "imdb.npz"))
    project_run = run(PROJECT, python, "-m", "benchmarks.project", str(mirror))
    notebook, project = json.loads(notebook_run.output), json.loads(project_run.output)

    three = clone(scratch / "three")
    edit_params(three, lambda params: keep_variants(params, SYSTEMS))
    of_three = run(three, "dvc", "repro", environment=env)
    everything = clone(scratch / "everything")
    of_everything = run(everything, "dvc", "repro", environment=env)
    again = run(everything, "dvc", "repro", environment=env)
    dvc_alone = run(everything, "dvc", "stage", "list", environment=env)
    experiment = run(everything, "dvc", "exp", "run", "-S", "model.dropout=0.5", environment=env)
    training = run(everything, python, "-m", "stages.train", "candidate")
    vectors = sum(path.stat().st_size for path in (everything / MULTI_HOT).iterdir())

    def of_systems(result: dict[str, float], part: str) -> float:
        return statistics.mean(result[f"{system} {part}"] for system in SYSTEMS)

    return {
        "vectorize": (notebook["vectorize"], project["vectorize"]),
        "epoch": (notebook["single epoch"], project["single epoch"]),
        "evaluate": (of_systems(notebook, "evaluate"), of_systems(project, "evaluate")),
        "peak": (notebook_run.peak, of_everything.peak),
        "three": (notebook_run.seconds, of_three.seconds),
        "everything": (notebook_run.seconds, of_everything.seconds),
        "again": (dvc_alone.seconds, again.seconds),
        "experiment": (training.seconds + project["import"], experiment.seconds),
        "vectors": (notebook["vectors bytes"] / 1e6, vectors / 1e6),
    }
