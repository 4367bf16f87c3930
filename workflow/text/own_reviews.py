"""Source csv: the user's own reviews, a file with a text and a label in each row.

It is read once, row by row, into numbers of words: 8 bytes of memory per word, half a kilobyte per
row, and the different words.
"""

import hashlib
import itertools
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from workflow.base.errors import InputError, reading, warn
from workflow.base.reviews import Reviews
from workflow.text.corpus import Corpus, Integers, number_words, rank_words
from workflow.text.params import CsvParams, DataParams
from workflow.text.rows import Rows, kind_of, read_rows, unpack
from workflow.text.tokenizer import TOKENIZERS


def csv_reviews(data: DataParams) -> Corpus:
    """The reviews in `data.csv.path`, divided as `data.csv` says, in an order drawn by `data.seed`.

    Raises:
        InputError: the file, the row and the column that cannot be used.
    """
    source, path = data.csv, Path(data.csv.path)
    content = read_files(source)
    reviews = content.reviews
    order = np.random.default_rng(data.seed).permutation(len(reviews))
    if content.first_file < len(reviews):
        is_test = np.arange(len(reviews)) >= content.first_file
    else:
        is_test = draw(reviews.labels, order, source.test_share)
    train, test = order[~is_test[order]], order[is_test[order]]
    if source.positive is None:
        names = content.names
        warn(f"{path}: label {names[1]!r} is positive, {names[0]!r} is negative")
    is_repeated = repeated(reviews, train, test)
    if is_repeated.any():
        action = "dropped from training" if source.duplicates == "drop" else "kept"
        warn(f"{path}: {is_repeated.sum():,} training reviews are also in test: {action}")
    if source.duplicates == "drop":
        train = train[~is_repeated]
    if not len(test) or len(np.unique(reviews.labels[train])) < 2:
        raise InputError(
            f"{path}: of {len(reviews):,} reviews, {len(train):,} are left to train on and "
            f"{len(test):,} to test; expected some to test, and some of each label to train on"
        )
    with reading(path):
        corpus = rank_words(reviews, content.words, train, test)
    return corpus._replace(tokenizer=source.tokenizer, file=path.name)


class Content(NamedTuple):
    """What is in the file, or in the two of a folder."""

    reviews: Reviews  # of word numbers
    words: list[str]  # by number
    first_file: int  # how many reviews are in the first file
    names: list[str]  # of the labels 0 and 1


def read_files(source: CsvParams) -> Content:
    """All rows; InputError if one cannot be used, or there are none, or of one label only."""
    files = find_files(Path(source.path))
    names = [name for name in (source.negative, source.positive) if name is not None]
    labels, sizes = array("B"), []

    def texts() -> Iterator[str]:
        for file in files:
            before = len(labels)
            with reading(file):
                for number, row in file_rows(file, source):
                    place = f"row {number}, column {source.label!r}"
                    labels.append(label_number(row[source.label], names, place))
                    yield row[source.text]
                if len(labels) == before:
                    raise ValueError("there is no row")
            sizes.append(len(labels) - before)

    values, offsets, words = number_words(map(TOKENIZERS[source.tokenizer], texts()))
    if len(names) < 2:
        raise InputError(f"{source.path}: every label is {names[0]!r}; expected two")
    numbers = np.frombuffer(labels, np.uint8)
    if missing := [name for number, name in enumerate(names) if number not in numbers]:
        raise InputError(f"{source.path}: no row has the label {missing[0]!r}")
    if source.positive is None and names != sorted(names):
        names, numbers = names[::-1], 1 - numbers
    return Content(Reviews(values, offsets, numbers), words, sizes[0], names)


def file_rows(path: Path, source: CsvParams) -> Rows:
    """The rows of one file, with a progress bar on a terminal."""
    kind, size, columns = kind_of(path), path.stat().st_size, [source.text, source.label]
    if kind == "lines":
        raise ValueError("its name must end in .csv, .tsv or .jsonl, and then .gz, .bz2 or .xz")
    bar = tqdm(desc=path.name, total=size, unit="B", unit_scale=True, disable=None)
    with path.open("rb") as file, bar:
        stream = unpack(file, path)
        for row in read_rows(stream, kind, columns, source.encoding, source.delimiter):
            yield row
            bar.update(file.tell() - bar.n)


def find_files(path: Path) -> list[Path]:
    """The file itself, or in a folder that of training reviews and that of test reviews."""
    if not path.exists():
        raise InputError(
            f"{path}: there is no such file; queue and --temp copy only what Git or DVC tracks: "
            f"run `git add {path}` or `dvc add {path}`"
        )
    if not path.is_dir():
        return [path]
    files = [sorted(path.glob(f"{split}.*")) for split in ("train", "test")]
    if [*map(len, files)] != [1, 1]:
        raise InputError(f"{path}: a folder without exactly one file train.* and one file test.*")
    return [file for (file,) in files]


def label_number(label: str, names: list[str], place: str) -> int:
    """The index of `label` in `names`, to which labels are added until there are two."""
    if not label:
        raise ValueError(f"{place}: empty")
    if label not in names:
        if len(names) == 2:
            raise ValueError(f"{place}: {label!r} is neither {names[0]!r} nor {names[1]!r}")
        names.append(label)
    return names.index(label)


def draw(labels: NDArray[np.uint8], order: Integers, share: float) -> NDArray[np.bool_]:
    """Which reviews are test reviews: the first in `order`, this share of each label."""
    is_test = np.zeros(len(labels), bool)
    for label in (0, 1):
        rows = order[labels[order] == label]
        is_test[rows[: round(share * len(rows))]] = True
    return is_test


def repeated(reviews: Reviews, train: Integers, test: Integers) -> NDArray[np.bool_]:
    """Which of the training rows have the same words in the same order as a test row."""
    bounds = itertools.pairwise(reviews.offsets.tolist())
    digests = [hashlib.blake2b(reviews.values[a:b].data).digest()[:16] for a, b in bounds]
    in_test = {digests[row] for row in test.tolist()}
    return np.array([digests[row] in in_test for row in train.tolist()], bool)
