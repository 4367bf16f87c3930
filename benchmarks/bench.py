"""The notebook's way against the project's: what `make bench` runs.

usage   python -m benchmarks.bench [REPETITIONS]
reads   the archive of keras.datasets.imdb, from where the download stage finds it; the last commit
writes  benchmarks/results.md, benchmarks/growth.csv, benchmarks/growth.png

Both ways run one after the other within each repetition, and a ratio is taken within it: machines
are faster at one time than at another. Every figure is the median, with the lowest and highest.
"""

import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from ruamel.yaml import YAML
from tabulate import tabulate
from tqdm import tqdm

from stages import download
from workflow.params import load_params
from workflow.storage import (
    HISTORY,
    MULTI_HOT,
    REVIEWS,
    SCORES,
    Reviews,
    save_blocks,
    whole_folder,
    write_json,
)

RESULTS = Path(__file__).parent
PROJECT = RESULTS.parent
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
    """These alone, with one seed."""
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


class Row(NamedTuple):
    """A row of the table, and the ratio that is wanted."""

    what: str
    unit: str
    goal: float

    # The larger the better, but for these: here may take so many times as long as there.
    at_most: bool = False


ROWS = {
    "vectorize": Row(
        "vectorize all reviews, from lists of words to what the network is fed", "s", 30
    ),
    "fit": Row("20 epochs of `single` with validation, from compiling to the last", "s", 6),
    "epoch": Row("one of them, once they run", "s", 6),
    "evaluate": Row("evaluate 25,000 reviews", "s", 10),
    "peak": Row("peak memory of the largest process", "MB", 8.8 / 0.9),
    "three": Row("three systems, one seed each, from nothing", "s", 2),
    "everything": Row(
        "five variants, six seeds each, figures, comparison: against one run of the notebook",
        "s",
        1.5,
        at_most=True,
    ),
    "vectors": Row("all vectors on disk; the notebook's, in memory", "MB", 4000 / 20),
    "again": Row(
        "a second `dvc repro`: against `dvc status`, DVC's own look at the same files",
        "s",
        1.5,
        at_most=True,
    ),
    "experiment": Row(
        "`dvc exp run -S model.dropout=0.5`: against two imports of TensorFlow and the training",
        "s",
        1.5,
        at_most=True,
    ),
}


STAGES_OF_AN_EXPERIMENT = (("train", "candidate"), ("evaluate",), ("compare",), ("plot",))


def repetition(mirror: Path, scratch: Path) -> dict[str, tuple[float, float]]:
    """Everything measured once: for each row of the table, the figure there and here."""
    python, env = sys.executable, {"IMDB_MIRROR": str(mirror)}
    there_run = run(PROJECT, python, "-m", "benchmarks.notebook", str(mirror / "imdb.npz"))
    here_run = run(PROJECT, python, "-m", "benchmarks.project", str(mirror))
    there, here = json.loads(there_run.output), json.loads(here_run.output)

    three = clone(scratch / "three")
    edit_params(three, lambda params: keep_variants(params, SYSTEMS))
    for history in (three / HISTORY).iterdir():  # of variants that are no more, too
        history.unlink()
    of_three = run(three, "dvc", "repro", environment=env)
    everything = clone(scratch / "everything")
    of_everything = run(everything, "dvc", "repro", environment=env)
    again = run(everything, "dvc", "repro", environment=env)
    dvc_alone = run(everything, "dvc", "status", environment=env)
    experiment = run(everything, "dvc", "exp", "run", "-S", "model.dropout=0.5", environment=env)
    stages = {
        f"stage {stage}": (
            0.0,
            run(everything, python, "-m", f"stages.{stage}", *arguments).seconds,
        )
        for stage, *arguments in STAGES_OF_AN_EXPERIMENT
    }

    def mean(result: dict[str, float], part: str) -> float:
        return statistics.mean(result[f"{system} {part}"] for system in SYSTEMS)

    return (
        {
            "vectorize": (there["vectorize"], here["vectorize"]),
            "fit": (there["single fit"], here["single fit"]),
            "epoch": (there["single epoch"], here["single epoch"]),
            "evaluate": (mean(there, "evaluate"), mean(here, "evaluate")),
            "peak": (there_run.peak, of_everything.peak),
            "three": (there_run.seconds, of_three.seconds),
            "everything": (there_run.seconds, of_everything.seconds),
            "vectors": (there["vectors bytes"] / 1e6, here["vectors bytes"] / 1e6),
            "again": (dvc_alone.seconds, again.seconds),
            "experiment": (here["import"] + stages["stage train"][1], experiment.seconds),
        }
        | stages
        | {
            f"{system} {split}": (there[f"{system} {split}"], here[f"{system} {split}"])
            for system in SYSTEMS
            for split in ("validation accuracy", "test accuracy")
        }
    )


def spread(values: list[float], digits: int) -> str:
    """The median, with the lowest and the highest."""
    middle, low, high = (f"{f(values):,.{digits}f}" for f in (statistics.median, min, max))
    return middle if low == high else f"{middle} [{low}, {high}]"


def table(repetitions: list[dict[str, tuple[float, float]]]) -> str:
    """Both ways, how many times one takes the other, and whether that is what is wanted."""
    rows = []
    for key, row in ROWS.items():
        there, here = ([pair[way] for r in repetitions for pair in [r[key]]] for way in (0, 1))
        pairs = zip(there, here, strict=True)
        ratios = [b / a if row.at_most else a / b for a, b in pairs]
        ratio = statistics.median(ratios)
        sign, met = ("≤", ratio <= row.goal) if row.at_most else ("≥", ratio >= row.goal)
        digits = 0 if row.unit == "MB" else 2
        rows.append(
            {
                "": row.what,
                "notebook": f"{spread(there, digits)} {row.unit}",
                "here": f"{spread(here, digits)} {row.unit}",
                "ratio": spread(ratios, 1 if ratio > 3 else 2),
                "goal": f"{sign} {row.goal:.1f}".removesuffix(".0"),
                "met": "yes" if met else "no",
            }
        )
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


def accuracies(repetitions: list[dict[str, tuple[float, float]]]) -> str:
    """That the work is the same: of both ways, and of all seeds in metrics/."""
    scores = pd.read_csv(SCORES)
    rows = []
    for system in SYSTEMS:
        for split in ("validation", "test"):
            there, here = (
                [r[f"{system} {split} accuracy"][way] for r in repetitions] for way in (0, 1)
            )
            seeds = scores.loc[scores["variant"] == system, f"{split}_accuracy"]
            rows.append(
                {
                    "": f"`{system}`, {split} accuracy",
                    "notebook": spread(there, 4),
                    "here, seed 1": spread(here, 4),
                    "here, all seeds": f"{seeds.mean():.4f} [{seeds.min():.4f}, {seeds.max():.4f}]",
                }
            )
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


def breakdown(repetitions: list[dict[str, tuple[float, float]]]) -> str:
    """Where the time of an experiment goes."""
    return ", ".join(
        f"{stage} {spread([r[f'stage {stage}'][1] for r in repetitions], 1)} s"
        for stage, *_ in STAGES_OF_AN_EXPERIMENT
    )


# --- how cost grows -------------------------------------------------------------------------------

GROWTH = {
    "copies": [1, 2, 4, 8],
    "num_words": [1_000, 3_000, 10_000, 30_000, 88_000],
    "units": [8, 32, 128, 512],
}
EPOCHS = 5
LARGE, LIMIT = 80, 1.0  # copies of the reviews, and GB that a process may allocate


def workspace(scratch: Path, mirror: Path) -> Path:
    """A clone with the reviews downloaded, in which `single` alone is trained, with one seed."""
    folder = clone(scratch / "growth")
    edit_params(folder, lambda params: keep_variants(params, ("single",)))
    run(folder, "dvc", "repro", "download", environment={"IMDB_MIRROR": str(mirror)})
    (folder / REVIEWS).rename(folder / "once")
    return folder


def costs(
    folder: Path, copies: int = 1, num_words: int = 10_000, units: int = 32, *, limit: float = 0
) -> dict[str, float]:
    """What the stages vectorize and train need; `limit` is set from outside, by prlimit."""

    def edit(params: Any) -> None:
        params["features"]["multi_hot"]["num_words"] = num_words
        params["baselines"]["single"] |= {"units": units, "epochs": 1 if limit else EPOCHS}

    edit_params(folder, edit)
    with whole_folder(folder / REVIEWS) as reviews:
        facts = json.loads((folder / "once/facts.json").read_text("utf-8"))
        facts["test_reviews"] *= copies
        write_json(reviews / "facts.json", facts)
        for split in ("train", "test"):
            once = Reviews.load(folder / "once", split)
            save_blocks(itertools.repeat(once, copies), reviews, split)
    prefix = ["prlimit", f"--data={limit * 1e9:.0f}"] if limit else []
    vectorize = run(folder, *prefix, sys.executable, "-m", "stages.vectorize")
    train = run(folder, *prefix, sys.executable, "-m", "stages.train", "single")
    words = Reviews.load(folder / MULTI_HOT, "train").offsets[-1]
    return {
        "copies": copies,
        "num_words": num_words,
        "units": units,
        "words": int(words),
        "GB of word lists": sum(path.stat().st_size for path in (folder / REVIEWS).iterdir()) / 1e9,
        "GB of vectors": sum(path.stat().st_size for path in (folder / MULTI_HOT).iterdir()) / 1e9,
        "vectorize s": vectorize.seconds,
        "vectorize MB": vectorize.peak,
        "train s": train.seconds,
        "train MB": train.peak,
    }


def draw(growth: pd.DataFrame) -> Figure:
    """Seconds above, memory below; a column for each thing that grows."""
    figure, axes = plt.subplots(2, len(GROWTH), figsize=(11, 6), sharey="row", layout="constrained")
    labels = {
        "copies": "reviews, in times 50,000",
        "num_words": "words in the vocabulary",
        "units": "hidden units",
    }
    for column, what in enumerate(GROWTH):
        points = growth[growth["what"] == what].sort_values(what)
        for row, unit in enumerate(("s", "MB")):
            axis = axes[row, column]
            for stage, marker in (("train", "o-"), ("vectorize", "s--")):
                axis.plot(points[what], points[f"{stage} {unit}"], marker, label=stage)
            axis.set_xscale("log")
            axis.set_xticks(points[what], [f"{value:,}" for value in points[what]], minor=False)
            axis.set_xticks([], minor=True)
            axis.grid(alpha=0.3)
        axes[1, column].set_xlabel(labels[what])
    axes[0, 0].set_ylabel("seconds")
    axes[1, 0].set_ylabel("peak memory (MB)")
    axes[0, 0].legend(frameon=False)
    for row in axes:
        row[0].set_ylim(bottom=0)  # after all is drawn: a row shares its axis
    figure.suptitle(f"The stages as whole processes; train: `single`, one seed, {EPOCHS} epochs")
    return figure


# --- all of it ------------------------------------------------------------------------------------


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    cpu = next(line.split(": ")[1] for line in lines if line.startswith("model name"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = "tensorflow-cpu keras numpy scipy dvc".split()
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        f"{cpu}, {os.cpu_count()} cores, {memory:.0f} GiB; {platform.system()}, "
        f"Python {platform.python_version()}, {versions}."
    )


def main() -> None:
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        (scratch / "mirror").mkdir()
        mirror = archive(scratch / "mirror")
        results = [
            repetition(mirror, scratch / str(number))
            for number in tqdm(range(repetitions), "repetitions")
        ]
        room = workspace(scratch, mirror)
        growth = pd.DataFrame(
            {"what": what} | costs(room, **{what: value})
            for what, values in GROWTH.items()
            for value in tqdm(values, what)
        )
        large = costs(room, copies=LARGE, limit=LIMIT)
    growth.round(2).to_csv(RESULTS / "growth.csv", index=False)
    plt.rcdefaults()
    draw(growth).savefig(RESULTS / "growth.png", dpi=100)
    (RESULTS / "results.md").write_text(
        f"""# The notebook's way and this project's

Written by `make bench`. Median [lowest, highest] of {repetitions} repetitions, in which the two
took turns; ratios are taken within a repetition. Machine: {machine()}

{table(results)}

A second `dvc repro` starts no process of this project; DVC looks at the same files as for
`dvc status` and writes `dvc.lock`. The stages of the experiment, each run alone:
{breakdown(results)}. Train and evaluate import TensorFlow, evaluate applies all seeds of all
variants, and the rest of the time is DVC's.

The same work gives the same accuracies (median [lowest, highest]):

{accuracies(results)}

![Seconds and memory against reviews, words and hidden units](growth.png)

A corpus larger than memory: {LARGE} times the reviews, {large["GB of word lists"]:.1f} GB of word
lists and {large["GB of vectors"]:.1f} GB of vectors, with each process allowed to allocate
{LIMIT} GB (`prlimit --data`), TensorFlow included: vectorized in {large["vectorize s"]:.0f} s, one
epoch with validation in {large["train s"]:.0f} s.
""",
        "utf-8",
    )


if __name__ == "__main__":
    main()
