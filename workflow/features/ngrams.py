"""Reviews as word n-grams: those that enough training reviews contain, each a column.

An n-gram consists of its prefix, which is one word shorter, and its last word. It occurs in no more
reviews than its prefix, so only extensions of n-grams that are frequent enough are counted.

The number of an n-gram is its column + 1; the empty n-gram has the number 0. The key of an n-gram
of any length is one integer: the number of its prefix << WORD_BITS | its last word.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workflow.base.errors import InputError, reading
from workflow.base.files import RERUN_HINT, read_json, write_json
from workflow.base.reviews import Reviews
from workflow.features.params import NGramParams, PositionWeights

Integers = NDArray[np.int64]

# A key and the row of a review in its block share the 63 bits of a non-negative int64: NumPy sorts
# one array of integers many times faster than pairs.
WORD_BITS = 24
LAST_WORD = (1 << WORD_BITS) - 1
ROW_BITS = 10
MAX_COLUMNS = (1 << (63 - WORD_BITS - ROW_BITS)) - 1
REVIEWS_AT_ONCE = 1 << ROW_BITS


@dataclass(frozen=True)
class NGramEncoder:
    """Each review as the set of its n-grams, weighted by their position in the review.

    Attributes:
        params: the block features.ngrams of params.yaml.
        keys: (columns,) int64, ascending: shorter n-grams first; InputError if too many.
    """

    params: NGramParams
    keys: Integers

    def __post_init__(self) -> None:
        if self.columns > MAX_COLUMNS:
            raise InputError(
                f"params.yaml: features.ngrams: {self.columns:,} n-grams; at most {MAX_COLUMNS:,} "
                "are possible: raise min_reviews or lower max_n"
            )

    @classmethod
    def fit(cls, params: NGramParams, reviews: Reviews) -> "NGramEncoder":
        """The encoder for the n-grams of at most `max_n` words that `min_reviews` reviews contain.

        The word 0 is unknown and part of no n-gram. All n-grams of one length are sorted in
        memory, which takes about 10 bytes for each word of the reviews.

        Raises:
            InputError: no n-gram is frequent enough, or there are too many.
        """
        counts = np.empty(0, np.int64)
        encoder = cls(params, counts)
        for n in range(params.max_n):
            keys = np.empty(len(reviews.values), np.int64)  # half the memory of concatenated parts
            size = 0
            for block in reviews.blocks(REVIEWS_AT_ONCE):
                found = encoder.extensions(block, n)
                keys[size : size + len(found)] = found
                size += len(found)
            keys = keys[:size]
            keys.sort()
            first = first_of_each(keys)
            frequencies = np.diff(first, append=len(keys))
            frequent = frequencies >= params.min_reviews
            counts = np.concatenate([counts, frequencies[frequent]])
            encoder = cls(params, np.concatenate([encoder.keys, keys[first[frequent]]]))
        if not encoder.columns:
            raise InputError(
                f"params.yaml: features.ngrams.min_reviews: {params.min_reviews}: no n-gram "
                f"occurs in so many of the {len(reviews)} training reviews"
            )
        if params.max_columns is None:
            return encoder
        return cls(params, most_frequent(encoder.keys, counts, params.max_columns))

    @classmethod
    def load(cls, folder: Path) -> "NGramEncoder":
        """What `save` wrote; InputError if it is missing or damaged."""
        params = read_json(folder / "ngrams.json", NGramParams)
        with reading(folder / "keys.npy", RERUN_HINT):
            keys = np.load(folder / "keys.npy", allow_pickle=False)
            if keys.dtype != np.int64 or keys.ndim != 1 or (np.diff(keys, prepend=0) <= 0).any():
                raise ValueError("the keys are not ascending integers")
        return cls(params, keys)

    def save(self, folder: Path) -> None:
        """Write what `load_encoder` reads."""
        write_json(folder / "ngrams.json", self.params.model_dump())
        np.save(folder / "keys.npy", self.keys)

    @property
    def columns(self) -> int:
        """The length of the vectors."""
        return len(self.keys)

    @cached_property
    def index(self) -> "pd.Index[int]":
        """From keys to columns, hashed."""
        return pd.Index(self.keys)

    def encode(self, reviews: Reviews) -> Iterator[Reviews]:
        """Blocks of reviews, in order, as columns (uint32) and weights (float32)."""
        return (self.encode_block(block) for block in reviews.blocks(REVIEWS_AT_ONCE))

    def encode_block(self, block: Reviews) -> Reviews:
        """The weight of an n-gram is that of its first word; the largest if it recurs."""
        words, rows = with_separators(block)
        _, *found = self.occurrences(words, self.params.max_n)
        starts, numbers = (np.concatenate(parts) for parts in zip(*found, strict=True))
        weights = position_weights(block, self.params.position_weights)
        cells = rows[starts] * self.columns + numbers - 1
        order = np.argsort(cells)
        cells, starts = cells[order], starts[order]
        first = first_of_each(cells)
        # Each row before this one has a separator that has no weight.
        largest = np.maximum.reduceat(weights[starts - rows[starts]], first)
        cells = cells[first]
        offsets = np.searchsorted(cells, np.arange(len(block) + 1) * self.columns)
        return Reviews((cells % self.columns).astype(np.uint32), offsets, block.labels, largest)

    def words(self, columns: NDArray[np.integer[Any]]) -> Integers:
        """(len(columns), longest n) int64: the words of each column, padded with zeros in front."""
        words: list[Integers] = []
        numbers = columns.astype(np.int64) + 1
        while not words or numbers.any():
            keys = np.where(numbers > 0, self.keys[numbers - 1], 0)
            numbers = keys >> WORD_BITS
            words.insert(0, keys & LAST_WORD)
        return np.stack(words, axis=1)

    def occurrences(self, words: Integers, max_n: int) -> Iterator[tuple[Integers, Integers]]:
        """For n = 0, …, `max_n`: where in `words` an n-gram begins, ascending, and its number."""
        starts, numbers = np.arange(len(words)), np.zeros(len(words), np.int64)
        yield starts, numbers
        for n in range(max_n):
            keys = pd.Index(numbers << WORD_BITS | words[starts + n])
            numbers = self.index.get_indexer(keys) + 1
            known = np.flatnonzero(numbers)
            starts, numbers = starts[known], numbers[known]
            yield starts, numbers

    def extensions(self, block: Reviews, n: int) -> Integers:
        """The keys of known n-grams of `n` words and one more word, once for each review."""
        words, rows = with_separators(block)
        *_, (starts, numbers) = self.occurrences(words, n)
        last_words = words[starts + n]
        pairs = (numbers << WORD_BITS | last_words) << ROW_BITS | rows[starts]
        pairs = np.sort(pairs[last_words > 0])  # 0: the review ends, or the word is unknown
        return pairs[first_of_each(pairs)] >> ROW_BITS


def most_frequent(keys: Integers, counts: Integers, columns: int) -> Integers:
    """The keys of the n-grams with the highest counts; of equal counts, those that come first."""
    # The prefix of an n-gram has the same count or a higher one and comes first: it is kept too.
    kept = np.sort(np.argsort(-counts, kind="stable")[:columns])
    numbers = np.zeros(len(keys) + 1, np.int64)
    numbers[kept + 1] = np.arange(len(kept)) + 1
    prefixes: Integers = numbers[keys[kept] >> WORD_BITS]
    return prefixes << WORD_BITS | keys[kept] & LAST_WORD


def position_weights(reviews: Reviews, weights: PositionWeights) -> NDArray[np.float32]:
    """The weight of each of `reviews.values`: 1, and more near the end and near the start."""
    lengths = np.diff(reviews.offsets)
    from_start = np.arange(len(reviews.values)) - np.repeat(reviews.offsets[:-1], lengths)
    from_end = np.repeat(lengths - 1, lengths) - from_start
    end = weights.end * np.exp(-from_end / weights.end_length)
    start = weights.start * np.exp(-from_start / weights.start_length)
    return (1 + end + start).astype(np.float32)


def with_separators(reviews: Reviews) -> tuple[Integers, Integers]:
    """All words, with a 0 after each review that no n-gram crosses, and the row of each."""
    words = np.insert(reviews.values.astype(np.int64), reviews.offsets[1:], 0)
    return words, np.repeat(np.arange(len(reviews)), np.diff(reviews.offsets) + 1)


def first_of_each(values: Integers) -> Integers:
    """The index of the first of each run of equal values."""
    differs = np.ones(len(values), dtype=bool)
    differs[1:] = values[1:] != values[:-1]
    return np.flatnonzero(differs)
