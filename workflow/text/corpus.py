"""The form that every source brings its reviews into: labelled word ranks in flat arrays."""

import hashlib
from array import array as flat_array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workflow.base.reviews import Reviews
from workflow.text.params import Tokenizer

MAX_WORDS = (1 << 24) - 1  # n-grams tell no more words apart
BLOCK = 10_000_000  # words counted at once

Integers = NDArray[np.int64]


class Corpus(NamedTuple):
    """Tokenized reviews: the words of each as ranks, 1 for the most frequent word."""

    training: Reviews
    test: Reviews
    words: list[str]  # by rank
    tokenizer: Tokenizer = "ascii"
    file: str = ""  # the name of the user's file


def number_words(
    texts: Iterable[list[str]],
) -> tuple[NDArray[np.uint32], Integers, list[str]]:
    """Number words in order of first appearance.

    Only 4 bytes for each word of a text stay in memory.

    Returns:
        The numbers of the words of all texts, the offsets of the texts, the word of each number.
    """
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__  # a new word gets the next number
    values, offsets = flat_array("I"), flat_array("q", [0])
    for words in texts:
        values.extend(map(numbers.__getitem__, words))
        offsets.append(len(values))
    return np.frombuffer(values, np.uint32), np.frombuffer(offsets, np.int64), [*numbers]


def rank_words(
    reviews: Reviews, words: Sequence[str], training_rows: Integers, test_rows: Integers
) -> Corpus:
    """Divide reviews, numbered by `number_words`, into training and test reviews of word ranks.

    Words are ranked by falling count in the training reviews; those with the same count by their
    number. A word that no training review has is dropped from the test reviews, as in the archive.

    Raises:
        ValueError: there is no word in the training reviews, or there are more than MAX_WORDS.
    """
    counts = count_words(reviews, len(words), training_rows)
    ranked = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    if not 0 < len(ranked) <= MAX_WORDS:
        raise ValueError(
            f"there are {len(ranked):,} different words in the reviews to train on; "
            f"expected 1 to {MAX_WORDS:,}"
        )
    rank = np.zeros(len(words), np.uint32)
    rank[ranked] = np.arange(1, len(ranked) + 1)
    return Corpus(
        pick(reviews, training_rows, rank),
        pick(reviews, test_rows, rank),
        [words[number] for number in ranked.tolist()],
    )


def count_words(reviews: Reviews, words: int, rows: Integers) -> Integers:
    """(words,): how often each word number occurs in the reviews of these rows."""
    is_counted = np.zeros(len(reviews), bool)
    is_counted[rows] = True
    is_counted = np.repeat(is_counted, np.diff(reviews.offsets))
    counts = np.zeros(words, np.int64)
    for start in range(0, len(is_counted), BLOCK):
        block = slice(start, start + BLOCK)
        counts += np.bincount(reviews.values[block][is_counted[block]], minlength=words)
    return counts


def pick(reviews: Reviews, rows: Integers, rank: NDArray[np.uint32]) -> Reviews:
    """The reviews of these rows, in this order, their words ranked and those of rank 0 dropped."""
    starts, stops = reviews.offsets[rows], reviews.offsets[rows + 1]
    values, offsets = np.empty((stops - starts).sum(), np.uint32), [0]
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        ranks = rank[reviews.values[start:stop]]
        ranks = ranks[ranks > 0]
        offsets.append(offsets[-1] + len(ranks))
        values[offsets[-2] : offsets[-1]] = ranks
    return Reviews(values[: offsets[-1]], np.array(offsets, np.int64), reviews.labels[rows])


def content_hash(corpus: Corpus) -> str:
    """The sha256 of all arrays and of the words by rank: the same data, the same hash."""
    digest = hashlib.sha256("\n".join(corpus.words).encode())
    for reviews in (corpus.training, corpus.test):
        for array in (reviews.values, reviews.offsets, reviews.labels):
            digest.update(array.data)
    return digest.hexdigest()
