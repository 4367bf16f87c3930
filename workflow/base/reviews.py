"""Labelled reviews as flat arrays on disk, without pickles, which need not fit into memory."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from workflow.base.errors import reading
from workflow.base.files import (
    RERUN_HINT,
    REVIEWS,
    FeatureFacts,
    ReviewFacts,
    memory_map,
    read_json,
)

MAX_BLOCK = 4_000_000  # words, unless a single review has more


@dataclass(frozen=True)
class Reviews:
    """n labelled reviews of different lengths, one after the other in one flat array.

    Attributes:
        values: (offsets[-1],) unsigned integers: the words of all reviews, or the columns that are
            not 0, ascending.
        offsets: (n + 1,) int64: review i is values[offsets[i] : offsets[i + 1]].
        labels: (n,) uint8: 1 positive, 0 negative.
        weights: (offsets[-1],) float32: the values in those columns; None: all ones.
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
        """The reviews in order, `size` at a time, or fewer if they are very long."""
        start = 0
        while start < len(self):
            fitting = int(np.searchsorted(self.offsets, self.offsets[start] + MAX_BLOCK))
            stop = min(start + size, max(fitting, start + 1))
            yield self.between(start, stop)
            start = stop


def split_validation(training: Reviews, validation_reviews: int) -> tuple[Reviews, Reviews]:
    """The validation reviews, which come first as in the notebook, and the train reviews."""
    train = training.between(validation_reviews, len(training))
    return training.between(0, validation_reviews), train


def load_reviews(split: str) -> Reviews:
    """The word ranks in data/reviews of `test` or `training`, which is all others."""
    facts = read_json(REVIEWS / "facts.json", ReviewFacts)
    number = facts.test_reviews if split == "test" else None
    return load_arrays(REVIEWS, split, number, facts.vocabulary + 1, weighted=False)


def load_vectors(folder: Path, split: str) -> Reviews:
    """The vectors in a folder of vectorize of `test` or `training`, which is all others."""
    facts = read_json(folder / "facts.json", FeatureFacts)
    training = facts.validation_reviews + facts.train_reviews
    number = facts.test_reviews if split == "test" else training
    return load_arrays(folder, split, number, facts.columns, weighted=facts.weighted)


def load_arrays(
    folder: Path, split: str, number: int | None, columns: int, *, weighted: bool
) -> Reviews:
    """Memory-map `number` reviews that `save_reviews` wrote, all values below `columns`.

    Raises:
        InputError: they are missing, damaged, or others.
    """

    def load(name: str) -> NDArray[Any]:
        return memory_map(folder / f"{split}_{name}.npy")

    with reading(folder, RERUN_HINT):
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
            and (weights is None or weights.dtype == np.float32)
            and (weights is None or weights.shape == values.shape)
            and (weights is None or np.isfinite(weights).all())
        ):
            raise ValueError(f"the {split} arrays are damaged")
        return Reviews(values, offsets, labels, weights)


def save_reviews(blocks: Iterable[Reviews], folder: Path, split: str) -> None:
    """Write one .npy file for each array of all blocks, which need not fit into memory together."""
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
                    write_header(files[name], array.dtype, 0)  # the length is known at the end
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
    """The header of a .npy file, which NumPy pads to the same size whatever the length."""
    header = {"descr": dtype.str, "fortran_order": False, "shape": (length,)}
    np.lib.format.write_array_header_1_0(file, header)
