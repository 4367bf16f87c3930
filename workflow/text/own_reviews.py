"""Source csv: the user's own reviews, a file with a text and a label in each row.

It is read once, row by row. What is kept of a row are its words as numbers: it takes 8 bytes of
memory per word, half a kilobyte per row, and the different words.
"""

import hashlib
import itertools
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workflow.base.errors import InputError, reading, warn
from workflow.base.reviews import Reviews
from workflow.text.corpus import Corpus, number_words, pick, rank_words
from workflow.text.params import CsvParams, DataParams
from workflow.text.rows import read_rows
from workflow.text.tokenizer import TOKENIZERS

Integers = NDArray[np.int64]


def csv_reviews(data: DataParams) -> Corpus:
    """The reviews in `data.csv.path`, divided as `data.csv` says.

    Raises:
        InputError: the file, the row and the column that cannot be used.
    """
    source, path = data.csv, Path(data.csv.path)
    found = read_files(source)
    reviews, words = found.reviews, found.words
    if found.to_train == len(reviews):
        train, test = draw(reviews.labels, source.test_share, data.seed)
    else:
        train, test = np.split(np.arange(len(reviews)), [found.to_train])
    again = repeated(reviews, train, test)
    if source.positive is None:
        warn(f"{path}: label {found.positive!r} is positive, {found.negative!r} is negative")
    if again.any():
        what = "dropped from training" if source.duplicates == "drop" else "kept"
        warn(f"{path}: of the training reviews, {again.sum():,} are in test too: {what}")
    if source.duplicates == "drop":
        train = train[~again]
    if not len(test) or len(np.unique(reviews.labels[train])) < 2:
        raise InputError(
            f"{path}: of {len(reviews):,} reviews, {len(train):,} are left to train on and "
            f"{len(test):,} to test; there must be some to test, and some of each label to train on"
        )
    training, held_out = pick(reviews, train), pick(reviews, test)
    del found, reviews  # as large as these two together
    with reading(path):
        corpus = rank_words(training, held_out, words)
    return corpus._replace(tokenizer=source.tokenizer, file=path.name)


class Found(NamedTuple):
    """What is in the file, or in the two; its words by their numbers."""

    reviews: Reviews
    words: list[str]
    to_train: int  # so many are in the first file
    positive: str
    negative: str


def read_files(source: CsvParams) -> Found:
    """All rows; InputError if one cannot be used, or there are none, or of one label."""
    tokenize, files = TOKENIZERS[source.tokenizer], find_files(Path(source.path))
    names = [name for name in (source.negative, source.positive) if name is not None]
    labels, ends = array("B"), [0]

    def texts() -> Iterator[list[str]]:
        for file in files:
            with reading(file):
                for row, (text, label) in read_rows(file, source):
                    labels.append(number_of(label, names, f"row {row}, column {source.label!r}"))
                    yield tokenize(text)
                if len(labels) == ends[-1]:
                    raise ValueError("there is no row")
            ends.append(len(labels))

    values, offsets, words = number_words(texts())
    if len(names) < 2:
        raise InputError(f"{source.path}: every label is {names[0]!r}; there must be two")
    numbers = np.frombuffer(labels, np.uint8)
    if missing := [name for number, name in enumerate(names) if number not in numbers]:
        raise InputError(f"{source.path}: no row has the label {missing[0]!r}")
    if source.positive is None and names != sorted(names):
        names, numbers = names[::-1], 1 - numbers
    return Found(Reviews(values, offsets, numbers), words, ends[1], names[1], names[0])


def find_files(path: Path) -> list[Path]:
    """The file itself, or in a folder that of training reviews and that of test reviews."""
    if not path.is_dir():
        return [path]
    files = [sorted(path.glob(f"{split}.*")) for split in ("train", "test")]
    if [*map(len, files)] != [1, 1]:
        raise InputError(f"{path}: a folder, but not with one file train.* and one file test.*")
    return [file for (file,) in files]


def number_of(label: str, names: list[str], place: str) -> int:
    """The place of `label` in `names`, which learns names until there are two."""
    if not label:
        raise ValueError(f"{place}: empty")
    if label not in names:
        if len(names) == 2:
            raise ValueError(f"{place}: {label!r} is neither {names[0]!r} nor {names[1]!r}")
        names.append(label)
    return names.index(label)


def draw(labels: NDArray[np.uint8], share: float, seed: int) -> tuple[Integers, Integers]:
    """The rows to train on and those to test, ascending: of each label, this share is drawn."""
    random = np.random.default_rng(seed)
    is_test = np.zeros(len(labels), bool)
    for label in (0, 1):
        rows = random.permutation(np.flatnonzero(labels == label))
        is_test[rows[: round(share * len(rows))]] = True
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)


def repeated(reviews: Reviews, train: Integers, test: Integers) -> NDArray[np.bool_]:
    """Which of the training rows have the same words in the same order as a test row."""
    bounds = itertools.pairwise(reviews.offsets.tolist())
    digests = [hashlib.blake2b(reviews.values[a:b].data).digest()[:16] for a, b in bounds]
    tested = {digests[row] for row in test.tolist()}
    return np.array([digests[row] in tested for row in train.tolist()], bool)
