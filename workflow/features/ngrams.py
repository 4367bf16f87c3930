"""Word n-grams: those in enough of the training reviews, each a column, and any review as a row.

An n-gram is a shorter one, its prefix, and a last word. It is in no more reviews than its prefix;
so whatever is in enough reviews extends what is, and most n-grams are never looked at.

An n-gram has a number, its column + 1; that of no words has the number 0. Its key is one integer
for any length: its prefix's number << WORD_BITS | its last word.
"""

import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workflow.base.files import write_json
from workflow.base.reviews import Reviews
from workflow.features.params import NGramParams, PositionWeights

Integers = NDArray[np.int64]
Result = TypeVar("Result")

# A key and a number of reviews are packed into the 63 bits of an int64 that is not negative: NumPy
# sorts one array of integers many times faster than it finds the order of two.
WORD_BITS = 24
COUNT_BITS = 13
MOST_COLUMNS = (1 << (63 - WORD_BITS - COUNT_BITS)) - 1

# Sorted at once: few enough for the processor's cache and for COUNT_BITS.
COUNTED = 1 << 12  # reviews
ENCODED = 1 << 7  # reviews
MERGED = 1 << 17  # n-grams, about

WORKERS = min(4, os.cpu_count() or 1)  # each has a block in memory

SAMPLED = 1 << 8  # one n-gram in so many is looked at to divide them into parts of size MERGED

LAST_WORD = (1 << WORD_BITS) - 1
NONE = np.empty(0, np.int64)


def position_weights(reviews: Reviews, weights: PositionWeights) -> NDArray[np.float32]:
    """The weight of each of `reviews.values`: 1, and more near the end and near the start."""
    lengths = np.diff(reviews.offsets)
    from_start = np.arange(len(reviews.values)) - np.repeat(reviews.offsets[:-1], lengths)
    from_end = np.repeat(lengths - 1, lengths) - from_start
    end = weights.end * np.exp(-from_end / weights.end_length)
    start = weights.start * np.exp(-from_start / weights.start_length)
    return (1 + end + start).astype(np.float32)


@dataclass(frozen=True)
class NGramVocabulary:
    """A vocabulary of n-grams, one column each: the shorter ones first, then in a fixed order.

    Attributes:
        keys: (columns,) int64, ascending.
    """

    keys: Integers

    def __len__(self) -> int:
        return len(self.keys)

    def save(self, folder: Path) -> None:
        """Write keys.npy into `folder`."""
        np.save(folder / "keys.npy", self.keys)

    @classmethod
    def load(cls, folder: Path) -> "NGramVocabulary":
        """Memory-map what `save` wrote; ValueError if it is damaged."""
        keys = np.load(folder / "keys.npy", mmap_mode="r", allow_pickle=False)
        if keys.dtype != np.int64 or keys.ndim != 1 or (np.diff(keys, prepend=0) <= 0).any():
            raise ValueError("the keys of the n-grams are damaged")
        return cls(keys)

    @cached_property
    def index(self) -> "pd.Index[int]":
        """The column of every key, hashed."""
        return pd.Index(self.keys)

    def words(self, columns: NDArray[np.integer[Any]]) -> Integers:
        """(len(columns), longest n) int64: each one's words, after zeros if it is shorter."""
        words: list[Integers] = []
        numbers = columns.astype(np.int64) + 1
        while not words or numbers.any():
            keys = np.where(numbers > 0, self.keys[numbers - 1], 0)
            numbers = keys >> WORD_BITS
            words.insert(0, keys & LAST_WORD)
        return np.stack(words, axis=1)

    def encode(self, reviews: Reviews, weights: PositionWeights) -> Iterator[Reviews]:
        """The reviews in order, ENCODED or fewer at a time, as columns (uint32) and their weights.

        The weight of an n-gram is that of its first word; where a review has it more than once, the
        largest.

        Raises:
            ValueError: a word has more than WORD_BITS bits.
        """
        # row * columns + column, which is sorted with the bits of a weight, may have 31 bits.
        size = min(ENCODED, (1 << 31) // max(1, len(self)))
        return parallel_map(partial(self.encode_block, weights=weights), reviews.blocks(size))

    def encode_block(self, block: Reviews, weights: PositionWeights) -> Reviews:
        """Few reviews, as `encode` has them."""
        words, rows = separated(block)
        # Floats above 0 are in the order of their bits, so that the largest is sorted last.
        bits = position_weights(block, weights).view(np.uint32)
        cells = rows * len(self) << 32 | np.insert(bits, block.offsets[1:], 0)
        found = islice(self.occurrences(words), 1, None)
        packed = np.concatenate([NONE, *(cells[at] + (i - 1 << 32) for at, i in found)])
        packed.sort()
        packed = packed[last_of_each(packed >> 32)]
        largest = packed.astype(np.uint32).view(np.float32)  # of its 64 bits, the lower 32
        first_cells = np.arange(len(block) + 1) * len(self)
        offsets = np.searchsorted(packed >> 32, first_cells)
        columns = (packed >> 32) - np.repeat(first_cells[:-1], np.diff(offsets))
        return Reviews(columns.astype(np.uint32), offsets, block.labels, largest)

    def occurrences(self, words: Integers) -> Iterator[tuple[Integers, Integers]]:
        """For n = 0, 1, …: where in `words` an n-gram begins, ascending, and its number."""
        at, numbers, n = np.arange(len(words)), np.zeros(len(words), np.int64), 0
        while len(at):
            yield at, numbers
            keys = pd.Index(numbers << WORD_BITS | words[at + n], copy=False)
            numbers = self.index.get_indexer(keys) + 1
            known = np.flatnonzero(numbers)  # of which more is made faster than of a mask
            at, numbers, n = at[known], numbers[known], n + 1


@dataclass(frozen=True)
class NGramEncoder:
    """Each review as the set of its n-grams, weighted by their position in the review."""

    params: NGramParams
    vocabulary: NGramVocabulary

    @property
    def columns(self) -> int:
        return len(self.vocabulary)

    def encode(self, reviews: Reviews) -> Iterator[Reviews]:
        return self.vocabulary.encode(reviews, self.params.position_weights)

    def words(self, columns: NDArray[np.integer[Any]]) -> Integers:
        return self.vocabulary.words(columns)

    def save(self, folder: Path) -> None:
        write_json(folder / "ngrams.json", self.params.model_dump())
        self.vocabulary.save(folder)


def find(
    reviews: Reviews, max_n: int, min_reviews: int, max_columns: int | None = None
) -> NGramVocabulary:
    """The n-grams of 1, …, `max_n` words that at least `min_reviews` reviews have.

    Reviews are counted some at a time: memory is needed for the n-grams found, and room in the
    folder for temporary files for 8 bytes for each n-gram of each COUNTED reviews.

    Args:
        reviews: words from 1; no n-gram has the word 0, which stands for any that is not known.
        max_n: at least 1.
        min_reviews: at least 1.
        max_columns: if there are more, those in the most reviews are kept; of those in as many,
            the shorter ones first. None: all.

    Raises:
        ValueError: a word has more than WORD_BITS bits, or there are more than MOST_COLUMNS.
    """
    ngrams, counts = NGramVocabulary(NONE), NONE
    for n in range(max_n):
        with tempfile.TemporaryFile() as file:
            ends = [0]
            counted = partial(count, ngrams=ngrams, n=n)
            for run in parallel_map(counted, reviews.blocks(COUNTED)):
                run.tofile(file)
                ends.append(ends[-1] + len(run))
            if ends[-1] == 0:  # which cannot be mapped
                break
            file.flush()
            written = np.asarray(np.memmap(file, np.int64, "r"))
            parts = list(merge([written[a:b] for a, b in pairwise(ends)], min_reviews))
        keys = np.concatenate([ngrams.keys, *(keys for keys, _ in parts)])
        counts = np.concatenate([counts, *(counts for _, counts in parts)])
        if len(keys) > MOST_COLUMNS:
            raise ValueError(f"{len(keys):,} n-grams are more than {MOST_COLUMNS:,}")
        ngrams = NGramVocabulary(keys)
    return ngrams if max_columns is None else most_frequent(ngrams, counts, max_columns)


def most_frequent(ngrams: NGramVocabulary, counts: Integers, columns: int) -> NGramVocabulary:
    """Those in the most reviews; of those in as many, the first.

    The prefix of an n-gram is in as many reviews or more and comes before it: it is kept too.
    """
    kept = np.sort(np.argsort(-counts, kind="stable")[:columns])
    numbers = np.zeros(len(ngrams) + 1, np.int64)
    numbers[kept + 1] = np.arange(len(kept)) + 1
    keys = ngrams.keys[kept]
    return NGramVocabulary(numbers[keys >> WORD_BITS] << WORD_BITS | keys & LAST_WORD)


def count(reviews: Reviews, ngrams: NGramVocabulary, n: int) -> Integers:
    """Which extensions of n-grams of n words are in how many of at most COUNTED reviews.

    Ascending: key << COUNT_BITS | number of reviews.
    """
    words, rows = separated(reviews)
    at, numbers = next(islice(ngrams.occurrences(words), n, None), (NONE, NONE))
    known = np.flatnonzero(words[at + n])
    at, numbers = at[known], numbers[known]
    pairs = (numbers << WORD_BITS | words[at + n]) << COUNT_BITS | rows[at]
    pairs.sort()
    keys = pairs[last_of_each(pairs)] >> COUNT_BITS
    last = last_of_each(keys)
    return keys[last] << COUNT_BITS | np.diff(last, prepend=-1)


def merge(runs: list[Integers], fewest: int) -> Iterator[tuple[Integers, Integers]]:
    """The keys whose counts in all runs make `fewest` or more, ascending, and those sums.

    In parts, each with all that the runs have between two keys.
    """
    sample = np.sort(np.concatenate([run[::SAMPLED] for run in runs]))
    bounds = sample[:: MERGED // SAMPLED] >> COUNT_BITS << COUNT_BITS
    cuts = np.array([[*np.searchsorted(run, bounds), len(run)] for run in runs])
    for starts, stops in pairwise(cuts.T):
        part = np.concatenate([run[a:b] for run, a, b in zip(runs, starts, stops, strict=True)])
        part.sort(kind="stable")  # merges what is sorted already
        keys = part >> COUNT_BITS
        last = last_of_each(keys)
        sums = np.cumsum(part & ((1 << COUNT_BITS) - 1))[last]
        counts = np.diff(sums, prepend=0)
        enough = np.flatnonzero(counts >= fewest)
        yield keys[last[enough]], counts[enough]


def parallel_map(task: Callable[[Reviews], Result], blocks: Iterator[Reviews]) -> Iterator[Result]:
    """`task` of each block, in their order, WORKERS at once.

    In threads: sorts and look-ups, which take most of the time, let others run.
    """
    with ThreadPoolExecutor(WORKERS) as pool:
        begun: deque[Future[Result]] = deque()
        for block in blocks:
            begun.append(pool.submit(task, block))
            if len(begun) > WORKERS:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()


def separated(reviews: Reviews) -> tuple[Integers, Integers]:
    """All words with a 0 after each review, which no n-gram reaches across, and their rows.

    Raises:
        ValueError: a word has more than WORD_BITS bits.
    """
    words = np.insert(reviews.values.astype(np.int64), reviews.offsets[1:], 0)
    if (largest := words.max(initial=0)) >> WORD_BITS:
        raise ValueError(f"word {largest:,} is not below {1 << WORD_BITS:,}")
    return words, np.repeat(np.arange(len(reviews)), np.diff(reviews.offsets) + 1)


def last_of_each(values: Integers) -> Integers:
    """The index of the last of each run of equal values."""
    return np.flatnonzero(np.append(values[1:] != values[:-1], True)[: len(values)])
