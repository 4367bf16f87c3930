"""Where the stages keep what they hand on, and reviews as arrays without pickles."""

import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import TypeAdapter

from workflow.block import Block
from workflow.errors import InputError, reading
from workflow.params import Tokens

REVIEWS = Path("data/reviews")  # written by download
MODELS = Path("models")  # one folder per variant, written by train
HISTORY = Path("plots/history")  # one CSV per variant, written by train
PREDICTIONS = Path("data/predictions")  # one folder per variant, written by evaluate
METRICS = Path("metrics/metrics.json")  # these four are written by compare
DIFFERENCES = Path("metrics/differences.csv")
SCORES = Path("metrics/scores.csv")
CORRECT = Path("metrics/correct")
FIGURES = Path("plots/figures")  # written by curves and plot

LONGEST_BLOCK = 4_000_000  # words, unless one review alone has more
HELD_OUT = ("validation", "test")
REMEDY = "; `dvc repro` makes it anew"


class ReviewFacts(Block):
    """What facts.json says of data/reviews."""

    source: str  # of data.sources; csv with the name of the file: csv:reviews.csv
    tokens: Tokens = "ascii"
    sha256: str
    vocabulary: int
    test_reviews: int


class DataFacts(ReviewFacts):
    """What metrics.json says of the data; of the hash, the beginning."""

    train_reviews: int
    validation_reviews: int


class FeatureFacts(DataFacts):
    """What facts.json says of data/FEATURES."""

    columns: int
    weighted: bool  # values other than 1


class PredictionFacts(FeatureFacts):
    """What facts.json says of data/predictions/VARIANT."""

    test_accuracy_of_average: float  # of the seeds' probabilities


def features_folder(name: str) -> Path:
    """Where vectorize keeps a feature set."""
    return Path("data") / name


@dataclass(frozen=True)
class Reviews:
    """n labelled reviews of different lengths, one after the other in one flat array.

    Attributes:
        values: (offsets[-1],) unsigned integers: the words of all reviews, or the columns that are
            not 0, ascending.
        offsets: (n + 1,) int64: review i is values[offsets[i] : offsets[i + 1]].
        labels: (n,) uint8: 1 positive, 0 negative.
        weights: (offsets[-1],) float32: what is in those columns; None: all ones.
    """

    values: NDArray[np.unsignedinteger[Any]]
    offsets: NDArray[np.int64]
    labels: NDArray[np.uint8]
    weights: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def between(self, start: int, stop: int) -> "Reviews":
        """The reviews start, …, stop - 1."""
        offsets = self.offsets[start : stop + 1]
        flat = slice(offsets[0], offsets[-1])
        return Reviews(
            self.values[flat],
            offsets - offsets[0],
            self.labels[start:stop],
            None if self.weights is None else self.weights[flat],
        )

    def blocks(self, size: int) -> Iterator["Reviews"]:
        """The reviews in order, `size` at a time, or fewer where they are very long."""
        start = 0
        while start < len(self):
            fitting = int(np.searchsorted(self.offsets, self.offsets[start] + LONGEST_BLOCK))
            stop = min(start + size, max(fitting, start + 1))
            yield self.between(start, stop)
            start = stop

    def save(self, folder: Path, split: str) -> None:
        """Write one .npy file for each array into `folder`."""
        save_blocks([self], folder, split)


def load_reviews(split: str) -> Reviews:
    """Memory-map the word ranks of data/reviews: all that may be trained on, or the test reviews.

    Raises:
        InputError: they are missing or damaged.
    """
    facts = read_json(REVIEWS / "facts.json", ReviewFacts)
    known = {"training": None, "test": facts.test_reviews}
    return load_arrays(REVIEWS, split, known[split], facts.vocabulary + 1, weighted=False)


def load_vectors(folder: Path, split: str) -> Reviews:
    """Memory-map the vectors of train, validation, training (the two together) or test.

    Raises:
        InputError: they are missing, damaged or not as facts.json has it.
    """
    facts = read_json(folder / "facts.json", FeatureFacts)
    both = facts.validation_reviews + facts.train_reviews
    if split == "test":
        number, columns = facts.test_reviews, facts.columns
        return load_arrays(folder, split, number, columns, weighted=facts.weighted)
    training = load_arrays(folder, "training", both, facts.columns, weighted=facts.weighted)
    bounds = {
        "training": (0, both),
        "validation": (0, facts.validation_reviews),  # the first, as in the notebook
        "train": (facts.validation_reviews, both),
    }
    return training.between(*bounds[split])


def load_arrays(
    folder: Path, split: str, number: int | None, columns: int, *, weighted: bool
) -> Reviews:
    """What `save_blocks` wrote, so many reviews, all values below `columns`; else InputError."""

    def load(name: str) -> NDArray[Any]:
        return np.load(folder / f"{split}_{name}.npy", mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]

    with reading(folder, REMEDY):
        values, offsets, labels = load("values"), load("offsets"), load("labels")
        weights = load("weights") if weighted else None
        if not (
            values.ndim == offsets.ndim == labels.ndim == 1
            and values.dtype.kind == "u"
            and offsets.dtype == np.int64
            and labels.dtype == np.uint8
            and len(labels) == (number or len(labels)) > 0
            and len(offsets) == len(labels) + 1
            and offsets[0] == 0
            and offsets[-1] == len(values)
            and (offsets[1:] >= offsets[:-1]).all()
            and values.max(initial=0) < columns
            and labels.max() <= 1
            and (weights is None or are_weights(weights, len(values)))
        ):
            raise ValueError(f"the {split} arrays are damaged")
        return Reviews(values, offsets, labels, weights)


def are_weights(weights: NDArray[Any], number: int) -> bool:
    """Whether they are so many finite float32 numbers."""
    right = weights.dtype == np.float32 and weights.shape == (number,)
    return right and bool(np.isfinite(weights).all())


def save_blocks(blocks: Iterable[Reviews], folder: Path, split: str) -> None:
    """As `Reviews.save`, of one block after another, which need not fit into memory together."""
    labels: list[NDArray[np.uint8]] = []
    lengths = [np.zeros(1, np.int64)]
    files: dict[str, BinaryIO] = {}
    with ExitStack() as open_files:
        for block in blocks:
            arrays: dict[str, NDArray[Any]] = {"values": block.values}
            if block.weights is not None:
                arrays["weights"] = block.weights
            for name, array in arrays.items():
                if name not in files:
                    path = folder / f"{split}_{name}.npy"
                    files[name] = open_files.enter_context(path.open("wb"))
                    write_header(files[name], array.dtype, 0)  # its length is known in the end
                array.tofile(files[name])
            lengths.append(np.diff(block.offsets))
            labels.append(block.labels)
        offsets = np.cumsum(np.concatenate(lengths))
        for name, file in files.items():
            file.seek(0)
            write_header(file, arrays[name].dtype, int(offsets[-1]))
    np.save(folder / f"{split}_offsets.npy", offsets)
    np.save(folder / f"{split}_labels.npy", np.concatenate(labels))


def write_header(file: BinaryIO, dtype: np.dtype[Any], length: int) -> None:
    """The header of a .npy file; NumPy pads it, so that every length takes the same room."""
    header = {"descr": dtype.str, "fortran_order": False, "shape": (length,)}
    np.lib.format.write_array_header_1_0(file, header)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A new folder to write to, which takes the place of `folder` once all is written.

    Where `folder` is a link, that of what it leads to, perhaps on another disk.

    Raises:
        InputError: a disk is mounted there, whose place no folder can take.
    """
    folder = folder.resolve() if folder.is_symlink() else folder
    if folder.is_mount():
        raise InputError(f"{folder}: a disk is mounted there; take a folder on that disk instead")
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


def write_json(path: Path, value: object) -> None:
    """Write `value` sorted and indented, so that Git shows what changed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", "utf-8")


def read_json(path: Path, kind: Any) -> Any:
    """Read a JSON file that another stage wrote; InputError if it is not there or not of `kind`."""
    with reading(path, REMEDY):
        return TypeAdapter(kind).validate_json(path.read_bytes())


def read_csv(path: Path, columns: dict[str, Any]) -> pd.DataFrame:
    """A table that has these columns with these types, no value missing or infinite in them."""
    with reading(path, REMEDY):
        table = pd.read_csv(path, dtype=columns, keep_default_na=False)
        if table.empty or table[[*columns]].isin([np.nan, np.inf, -np.inf]).any(axis=None):
            raise ValueError("a value is missing or not finite")
        return table
