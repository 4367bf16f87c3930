"""The form that every source brings its reviews into: labelled lists of word ranks, flattened."""

import hashlib
import itertools
from array import array as flat_array
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workflow.storage import Reviews

MOST_WORDS = 50_000_000  # of all reviews of a split together; the archive has 6 million

# A list of ranks for each review, and the labels.
Labelled = tuple[Sequence[list[int]], NDArray[Any]]


class Corpus(NamedTuple):
    """Tokenized reviews: the words of each as ranks, 1 for the most frequent word."""

    training: Reviews
    test: Reviews
    word_index: dict[str, int]  # word -> rank, by rank


def make_corpus(train: Labelled, test: Labelled, words: Sequence[str]) -> Corpus:
    """Put lists of ranks into Keras's order and flatten them.

    The order is that of `keras.datasets.imdb`: one `RandomState(113)` shuffles train, then test.

    Raises:
        ValueError, TypeError: there is no word at all, a rank or a label is not one, or their
            numbers differ.
    """
    if not words:
        raise ValueError("there is no word in any review to train on")
    random = np.random.RandomState(113)
    splits: list[Reviews] = []
    for reviews, labels in (train, test):
        if labels.shape != (len(reviews),) or len(reviews) == 0:
            raise ValueError(f"{len(reviews)} reviews have labels of shape {labels.shape}")
        if labels.dtype.kind not in "iu" or not np.isin(labels, (0, 1)).all():
            raise ValueError("a label is neither 0 nor 1")
        check_lists(reviews)
        order = np.arange(len(reviews))
        random.shuffle(order)
        shuffled = [reviews[i] for i in order.tolist()]
        splits.append(flatten(shuffled, labels[order], len(words)))
    return Corpus(splits[0], splits[1], {word: rank for rank, word in enumerate(words, 1)})


def check_lists(reviews: Sequence[Any]) -> None:
    """TypeError or ValueError unless these are lists of integers, and not too many of them."""
    check_types(list, reviews)
    if (number := sum(map(len, reviews))) > MOST_WORDS:
        raise ValueError(f"{number:,} words are more than {MOST_WORDS:,}")
    check_types(int, itertools.chain.from_iterable(reviews))


def flatten(reviews: Sequence[list[int]], labels: NDArray[Any], words: int) -> Reviews:
    """Lists of ranks, each from 1 to `words`, as one flat array with offsets."""
    flat = flat_array("I")
    try:
        for review in reviews:
            flat.fromlist(review)
    except OverflowError:
        raise ValueError("a rank is negative or has more than 32 bits") from None
    ranks = np.frombuffer(flat, np.uint32)
    if len(ranks) and not 1 <= ranks.min() <= ranks.max() <= words:
        raise ValueError(f"ranks run from {ranks.min()} to {ranks.max()}, words from 1 to {words}")
    offsets = np.cumsum([0, *map(len, reviews)], dtype=np.int64)
    return Reviews(ranks, offsets, labels.astype(np.uint8))


def check_types(expected: type, values: Iterable[Any]) -> None:
    """TypeError if one is anything else, be it a subclass: True is no number here."""
    if others := set(map(type, values)) - {expected}:
        names = ", ".join(sorted(other.__name__ for other in others))
        raise TypeError(f"{names} where {expected.__name__} is expected")


def content_hash(corpus: Corpus) -> str:
    """The sha256 of all arrays and of the words by rank: the same data, the same hash."""
    digest = hashlib.sha256("\n".join(corpus.word_index).encode())
    for reviews in (corpus.training, corpus.test):
        for array in (reviews.values, reviews.offsets, reviews.labels):
            digest.update(array.data)
    return digest.hexdigest()
