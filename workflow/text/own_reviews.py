"""Source csv: the user's own reviews, in the rows of a table or the files of a folder.

They are read once, one by one, into numbers of words: 8 bytes of memory per word, half a kilobyte
per review, and the different words.
"""

import hashlib
import itertools
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from workflow.base.errors import InputError, reading, warn
from workflow.base.reviews import Reviews
from workflow.text.corpus import Corpus, Integers, number_words, rank_words
from workflow.text.params import CsvParams, DataParams, label_name
from workflow.text.rows import kind_of, read_lines, read_rows, unpack
from workflow.text.tokenizer import TOKENIZERS, UNSEGMENTED


def csv_reviews(data: DataParams) -> Corpus:
    """The reviews in `data.csv.path`, divided as `data.csv` says, in an order drawn by `data.seed`.

    Raises:
        InputError: the file, the row and the column that cannot be used.
    """
    source, path = data.csv, Path(data.csv.path)
    reviews, words, training = read_all(source)
    if empty := int((np.diff(reviews.offsets) == 0).sum()):
        warn(f"{path}: reviews without a word: {empty:,}")
    order = np.random.default_rng(data.seed).permutation(len(reviews))
    if training < len(reviews):
        is_test = np.arange(len(reviews)) >= training
    else:
        is_test = draw(reviews.labels, order, source.test_share)
    train, test = order[~is_test[order]], order[is_test[order]]
    is_repeated = repeated(reviews, train, test)
    if is_repeated.any():
        action = "dropped from training" if source.duplicates == "drop" else "kept"
        warn(f"{path}: training reviews that are also in test: {is_repeated.sum():,}, {action}")
    if source.duplicates == "drop":
        train = train[~is_repeated]
    if not len(test) or len(np.unique(reviews.labels[train])) < 2:
        raise InputError(
            f"{path}: of {len(reviews):,} reviews, {len(train):,} are left to train on and "
            f"{len(test):,} to test; expected some to test, and some of each label to train on"
        )
    with reading(path):
        corpus = rank_words(reviews, words, train, test)
    if (share := unsegmented_share(corpus)) > 0.5:
        warn(
            f"{path}: {share:.0%} of the words are several without spaces between them; set "
            "data.csv.tokenizer: characters"
        )
    return corpus._replace(tokenizer=source.tokenizer, file=path.name)


def read_all(source: CsvParams) -> tuple[Reviews, list[str], int]:
    """The reviews of both classes; those with another label are dropped and reported.

    Returns:
        The reviews, of word numbers; the word of each number; how many of the reviews are in the
        first file or folder, which is that for training, if there are two.
    """
    wanted = source.negative + source.positive  # empty: all
    counts: Counter[str] = Counter()
    labels, sizes = [], []

    def texts() -> Iterator[str]:
        for place in find_splits(Path(source.path)):
            before = counts.total()
            with reading(place):
                for label, text in labelled_texts(place, source):
                    counts[label] += 1
                    if not wanted or label in wanted:
                        labels.append(sys.intern(label))
                        yield text
                if counts.total() == before:
                    raise ValueError("there is no row")
            sizes.append(len(labels))

    values, offsets, words = number_words(map(TOKENIZERS[source.tokenizer], texts()))
    positive = positive_labels(source, counts)
    is_positive = np.array([label in positive for label in labels], np.uint8)
    return Reviews(values, offsets, is_positive), words, sizes[0]


def positive_labels(source: CsvParams, counts: Counter[str]) -> list[str]:
    """The labels of positive reviews; reports how they were found, and which others there are."""
    negative, positive = source.negative, source.positive
    if not positive:
        if len(counts) != 2 or "" in counts:
            raise InputError(
                f"{source.path}: the labels are {listed(counts)}; expected two, or a choice in "
                "params.yaml such as data.csv.positive: [4, 5] and data.csv.negative: [1, 2]"
            )
        negative, positive = ([label] for label in sorted(counts))
        warn(f"{source.path}: label {positive[0]!r} is positive, {negative[0]!r} is negative")
    for labels in (negative, positive):
        if counts.keys().isdisjoint(labels):
            name = " or ".join(map(repr, labels))
            raise InputError(f"{source.path}: no review has the label {name}, but {listed(counts)}")
    others = Counter({k: n for k, n in counts.items() if k not in negative + positive})
    if others:
        dropped = f"{others.total():,} of {counts.total():,} reviews"
        warn(f"{source.path}: dropped {dropped}, labelled {listed(others)}")
    return positive


def listed(counts: Counter[str]) -> str:
    """The most frequent labels, each with its count."""
    names = [f"{label!r} ({count:,})" for label, count in counts.most_common(10)]
    return ", ".join(names) + ", …" * (len(counts) > len(names))


def find_splits(path: Path) -> list[Path]:
    """The file or folder itself, or what is called train and test in the folder."""
    if not path.exists():
        raise InputError(
            f"{path}: there is no such file; queue and --temp copy only what Git or DVC tracks: "
            f"run `git add {path}` or `dvc add {path}`"
        )
    if not path.is_dir():
        return [path]
    inside = [each for each in path.iterdir() if each.suffix != ".dvc"]  # of `dvc add`
    train, test = (
        [each for each in inside if each.name.split(".")[0] == split] for split in ("train", "test")
    )
    return [*train, *test] if len(train) == len(test) == 1 else [path]


def labelled_texts(place: Path, source: CsvParams) -> Iterator[tuple[str, str]]:
    """The label and the text of each review, in the order of rows or of file names."""
    if place.is_dir():
        for path in tqdm(text_files(place), desc=str(place), unit=" files", disable=None):
            with reading(path), path.open("rb") as stream:
                text = "".join(read_lines(stream, source.encoding))
            yield label_name(path.parent.name), text
        return
    kind, size, columns = kind_of(place), place.stat().st_size, [source.text, source.label]
    if kind == "lines":
        raise ValueError("its name must end in .csv, .tsv or .jsonl, and then .gz, .bz2 or .xz")
    bar = tqdm(desc=place.name, total=size, unit="B", unit_scale=True, disable=None)
    with place.open("rb") as file, bar:
        rows = read_rows(unpack(file, place), kind, columns, source.encoding, source.delimiter)
        for _, row in rows:
            yield label_name(row[source.label]), row[source.text]
            bar.update(file.tell() - bar.n)


def text_files(folder: Path) -> list[Path]:
    """The .txt files in the folder of each label, by name, without hidden ones."""
    labels = [path for path in sorted(folder.glob("[!.]*")) if path.is_dir()]
    for path in (folder, *labels):
        if path.is_symlink():
            raise InputError(f"{path}: expected a folder, not a link, which DVC does not follow")
    files = [file for label in labels for file in sorted(label.glob("[!.]*.txt"))]
    if not files:
        raise InputError(
            f"{folder}: expected one file train.* and one file test.*, or a folder of .txt files "
            "for each label, perhaps in folders train and test"
        )
    return files


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


def unsegmented_share(corpus: Corpus) -> float:
    """The share of the training reviews' words that are UNSEGMENTED."""
    counts = np.bincount(corpus.training.values, minlength=len(corpus.words) + 1)[1:]
    is_unsegmented = [UNSEGMENTED.search(word) is not None for word in corpus.words]
    return float(counts[is_unsegmented].sum() / counts.sum())
