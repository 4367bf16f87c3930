"""The form that every source brings its reviews into: labelled word ranks in flat arrays."""

import hashlib
import itertools
from array import array as flat_array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workflow.base.reviews import Reviews
from workflow.text.params import Tokenizer

MOST_WORDS = 50_000_000  # in the lists of an archive; that of Keras has 6 million
MOST_DIFFERENT = (1 << 24) - 1  # so many can n-grams tell apart
BLOCK = 10_000  # reviews renumbered at once


class Corpus(NamedTuple):
    """Tokenized reviews: the words of each as ranks, 1 for the most frequent word."""

    training: Reviews
    test: Reviews
    word_index: dict[str, int]  # word -> rank, by rank
    tokenizer: Tokenizer = "ascii"  # how texts were divided into these words
    file: str = ""  # the name of the user's file that they are from


def make_corpus(train: Reviews, test: Reviews, words: Sequence[str]) -> Corpus:
    """Put reviews of ranks into Keras's order.

    The order is that of `keras.datasets.imdb`: one `RandomState(113)` shuffles train, then test.

    Raises:
        ValueError: there is no word at all, there are too many, or a rank is not one of them.
    """
    if not words:
        raise ValueError("there is no word in any review to train on")
    if len(words) > MOST_DIFFERENT:
        raise ValueError(f"{len(words):,} different words are more than {MOST_DIFFERENT:,}")
    random = np.random.RandomState(113)
    splits: list[Reviews] = []
    for reviews in (train, test):
        ranks = reviews.values
        if len(ranks) and not 1 <= ranks.min() <= ranks.max() <= len(words):
            raise ValueError(
                f"ranks run from {ranks.min()} to {ranks.max()}, words from 1 to {len(words)}"
            )
        order = np.arange(len(reviews))
        random.shuffle(order)
        splits.append(pick(reviews, order))
    return Corpus(splits[0], splits[1], {word: rank for rank, word in enumerate(words, 1)})


def pick(reviews: Reviews, rows: NDArray[np.int64]) -> Reviews:
    """A copy of these reviews, in this order."""
    starts, stops = (
        bounds[rows].tolist() for bounds in (reviews.offsets[:-1], reviews.offsets[1:])
    )
    parts = [reviews.values[a:b] for a, b in zip(starts, stops, strict=True)]
    lengths = np.diff(reviews.offsets)[rows]
    return Reviews(
        np.concatenate([reviews.values[:0], *parts]), with_start(lengths), reviews.labels[rows]
    )


def with_start(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Offsets: where reviews of these lengths begin, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


# --- from lists of ranks --------------------------------------------------------------------------


def flatten(reviews: Sequence[Any], labels: NDArray[Any]) -> Reviews:
    """Lists of ranks, which `check_lists` knows, as one flat array with offsets.

    Raises:
        ValueError: a rank is out of range, a label is not one, or their numbers differ.
    """
    flat = flat_array("I")
    try:
        for review in reviews:
            flat.fromlist(review)
    except OverflowError:
        raise ValueError("a rank is negative or has more than 32 bits") from None
    offsets = with_start(np.array([*map(len, reviews)], np.int64))
    return Reviews(np.frombuffer(flat, np.uint32), offsets, check_labels(labels, len(reviews)))


def check_lists(reviews: Sequence[Any]) -> None:
    """ValueError or TypeError if they are anything but lists of integers, not too long."""
    check_types(list, reviews)
    if (number := sum(map(len, reviews))) > MOST_WORDS:
        raise ValueError(f"{number:,} words are more than {MOST_WORDS:,}")
    check_types(int, itertools.chain.from_iterable(reviews))


def check_labels(labels: NDArray[Any], number: int) -> NDArray[np.uint8]:
    """The labels of so many reviews; ValueError if that is not what they are."""
    if labels.shape != (number,) or number == 0:
        raise ValueError(f"{number} reviews have labels of shape {labels.shape}")
    if labels.dtype.kind not in "iu" or not np.isin(labels, (0, 1)).all():
        raise ValueError("a label is neither 0 nor 1")
    return labels.astype(np.uint8)


def check_types(expected: type, values: Iterable[Any]) -> None:
    """TypeError if one is anything else, be it a subclass: True is no number here."""
    if others := set(map(type, values)) - {expected}:
        names = ", ".join(sorted(other.__name__ for other in others))
        raise TypeError(f"{names} where {expected.__name__} is expected")


# --- from texts -----------------------------------------------------------------------------------


def number_words(
    texts: Iterable[list[str]],
) -> tuple[NDArray[np.uint32], NDArray[np.int64], list[str]]:
    """The words of all texts as numbers, where each text begins, and the word of each number.

    A text is forgotten once it is read: what stays are 4 bytes for each of its words.
    """
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__  # 0, 1, …: in order of first appearance
    values, offsets = flat_array("I"), flat_array("q", [0])
    for words in texts:
        values.extend(map(numbers.__getitem__, words))
        offsets.append(len(values))
    return np.frombuffer(values, np.uint32), np.frombuffer(offsets, np.int64), [*numbers]


def rank_words(train: Reviews, test: Reviews, words: Sequence[str]) -> Corpus:
    """A corpus of reviews, still in their order, in which `number_words` gave a word its number.

    Words are ranked by falling count in the training reviews; those with the same count in order
    of first appearance. A test word that no training review has is dropped, as in the archive.
    The numbers are replaced in place.
    """
    counts = pd.Series(train.values).value_counts(sort=False)  # in order of first appearance
    ranked = counts.index.to_numpy()[np.argsort(-counts.to_numpy(), kind="stable")]
    rank = np.zeros(len(words), np.uint32)
    rank[ranked] = np.arange(1, len(ranked) + 1)
    train, test = renumber(train, rank), renumber(test, rank)
    return make_corpus(train, test, [words[i] for i in ranked.tolist()])


def renumber(reviews: Reviews, rank: NDArray[np.uint32]) -> Reviews:
    """Each number replaced, in place, by its rank; without those whose rank is 0."""
    for block in reviews.blocks(BLOCK):
        block.values[:] = rank[block.values]
    if reviews.values.all():
        return reviews
    kept = np.concatenate([[0], np.cumsum(reviews.values > 0)])
    return Reviews(reviews.values[reviews.values > 0], kept[reviews.offsets], reviews.labels)


def content_hash(corpus: Corpus) -> str:
    """The sha256 of all arrays and of the words by rank: the same data, the same hash."""
    digest = hashlib.sha256("\n".join(corpus.word_index).encode())
    for reviews in (corpus.training, corpus.test):
        for array in (reviews.values, reviews.offsets, reviews.labels):
            digest.update(array.data)
    return digest.hexdigest()
