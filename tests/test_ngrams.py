"""Word n-grams: by hand, and against a direct count, word by word."""

import math
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from workflow.base.errors import InputError
from workflow.base.reviews import Reviews
from workflow.features.encoders import load_encoder
from workflow.features.ngrams import MAX_COLUMNS, REVIEWS_AT_ONCE, NGramEncoder
from workflow.features.params import NGramParams, PositionWeights
from workflow.text.corpus import MAX_WORDS

NGram = tuple[int, ...]
Lists = list[list[int]]
Row = dict[NGram, float]

FLAT = PositionWeights(end=0, end_length=1, start=0, start_length=1)
CORPUS = [[1, 2, 3, 1, 2], [2, 3], [3, 1, 2], [], [4]]

# Few words, so that n-grams recur; 0 is an unknown word.
corpora = st.lists(st.lists(st.integers(0, 4), max_size=12), min_size=1, max_size=12)
any_weights = st.builds(
    PositionWeights,
    end=st.floats(0, 3),
    end_length=st.floats(0.1, 100),
    start=st.floats(0, 3),
    start_length=st.floats(0.1, 100),
)
any_params = st.builds(
    NGramParams,
    max_n=st.integers(1, 5),
    min_reviews=st.integers(1, 4),
    max_columns=st.none() | st.integers(1, 30),
    position_weights=any_weights,
)


def make(lists: Lists) -> Reviews:
    offsets = np.cumsum([0, *map(len, lists)], dtype=np.int64)
    values = np.array([word for review in lists for word in review], dtype=np.uint32)
    return Reviews(values, offsets, np.zeros(len(lists), dtype=np.uint8))


def fit(lists: Lists, **changes: Any) -> NGramEncoder:
    params = {"max_n": 3, "min_reviews": 2, "position_weights": FLAT} | changes
    return NGramEncoder.fit(NGramParams.model_validate(params), make(lists))


def ngrams(encoder: NGramEncoder) -> list[NGram]:
    """The n-gram of each column."""
    rows = encoder.words(np.arange(encoder.columns)).tolist()
    return [tuple(word for word in row if word) for row in rows]


def encode(encoder: NGramEncoder, lists: Lists) -> list[Row]:
    """The n-grams of each review and their weights."""
    names, rows = ngrams(encoder), []
    for block in encoder.encode(make(lists)):
        assert block.weights is not None
        for start, stop in pairwise(block.offsets):
            columns = block.values[start:stop].tolist()
            assert columns == sorted(set(columns))
            weights = block.weights[start:stop].tolist()
            row = zip(columns, weights, strict=True)
            rows.append({names[column]: weight for column, weight in row})
    return rows


# --- which n-grams are columns --------------------------------------------------------------------


def test_columns_are_the_ngrams_in_enough_reviews_shorter_ones_first():
    """Of a limited number, those in the most reviews, and in a tie those that come first."""
    assert ngrams(fit(CORPUS)) == [(1,), (2,), (3,), (1, 2), (2, 3), (3, 1), (3, 1, 2)]
    assert ngrams(fit(CORPUS, max_n=2)) == [(1,), (2,), (3,), (1, 2), (2, 3), (3, 1)]
    assert ngrams(fit(CORPUS, min_reviews=3)) == [(2,), (3,)]
    assert ngrams(fit(CORPUS, max_columns=1)) == [(2,)]
    assert ngrams(fit(CORPUS, max_columns=5)) == [(1,), (2,), (3,), (1, 2), (2, 3)]


def test_of_many_ngrams_in_as_many_reviews_the_first_are_kept():
    even, odd = list(range(2, 101, 2)), list(range(1, 100, 2))
    encoder = fit([even, even + odd, even + odd], max_n=1, max_columns=70)
    assert ngrams(encoder) == sorted((word,) for word in even + odd[:20])


def test_the_words_of_a_column_come_after_zeros():
    encoder = fit(CORPUS)
    assert encoder.words(np.array([0, 3, 6])).tolist() == [[0, 0, 1], [0, 1, 2], [3, 1, 2]]
    assert encoder.words(np.array([5, 0])).tolist() == [[3, 1], [0, 1]]


def test_the_last_word_of_the_largest_corpus_is_a_column():
    lists = [[MAX_WORDS, MAX_WORDS], [MAX_WORDS, MAX_WORDS]]
    assert ngrams(fit(lists)) == [(MAX_WORDS,), (MAX_WORDS, MAX_WORDS)]


# --- what a review becomes ------------------------------------------------------------------------


def test_a_review_becomes_its_known_ngrams():
    assert encode(fit(CORPUS), [[3, 1, 2, 4], [4, 0, 2, 2], [], [2, 0, 3]]) == [
        {(1,): 1, (2,): 1, (3,): 1, (1, 2): 1, (3, 1): 1, (3, 1, 2): 1},
        {(2,): 1},
        {},
        {(2,): 1, (3,): 1},
    ]


def test_an_ngram_weighs_more_near_both_ends_of_a_review():
    """1 + end exp(-words to the end / end_length) + start exp(-words before / start_length)."""
    weights = PositionWeights(end=1, end_length=2, start=2, start_length=4)
    (row,) = encode(fit(CORPUS, position_weights=weights), [[3, 1, 2]])
    by_first_word = {
        3: 1 + 0.367879 + 2,  # exp(-2 / 2), exp(-0 / 4)
        1: 1 + 0.606531 + 2 * 0.778801,  # exp(-1 / 2), exp(-1 / 4)
        2: 1 + 1 + 2 * 0.606531,  # exp(-0 / 2), exp(-2 / 4)
    }
    ngrams_of_it = [(3,), (1,), (2,), (3, 1), (1, 2), (3, 1, 2)]
    expected = {ngram: by_first_word[ngram[0]] for ngram in ngrams_of_it}
    assert row == pytest.approx(expected, abs=2e-6)


def test_reviews_of_all_blocks_are_counted_and_encoded_in_order_with_their_labels():
    lists = [[2, 6], *[[4]] * (2 * REVIEWS_AT_ONCE), [2, 6]]
    encoder = fit(lists)
    pair = {(2,): 1, (6,): 1, (2, 6): 1}
    assert encode(encoder, lists) == [pair, *[{(4,): 1}] * (2 * REVIEWS_AT_ONCE), pair]
    reviews = make(lists)
    labels = np.arange(len(lists), dtype=np.uint8) % 2
    first, *others = encoder.encode(Reviews(reviews.values, reviews.offsets, labels))
    assert [*first.labels, *(label for o in others for label in o.labels)] == labels.tolist()
    assert first.weights is not None
    types = [array.dtype for array in (first.values, first.offsets, first.weights)]
    assert types == [np.uint32, np.int64, np.float32]  # of their files


def occurrences(review: list[int], max_n: int) -> list[tuple[int, NGram]]:
    every = [
        (i, tuple(review[i : i + n]))
        for n in range(1, max_n + 1)
        for i in range(len(review) - n + 1)
    ]
    return [(i, ngram) for i, ngram in every if 0 not in ngram]


def direct_row(review: list[int], known: list[NGram], weights: PositionWeights) -> Row:
    row: Row = {}
    for i, ngram in occurrences(review, 5):
        if ngram in known:
            end = weights.end * math.exp(-(len(review) - 1 - i) / weights.end_length)
            start = weights.start * math.exp(-i / weights.start_length)
            row[ngram] = max(1 + end + start, row.get(ngram, 0))
    return row


@given(training=corpora, lists=corpora, params=any_params)
def test_columns_and_rows_are_those_of_a_direct_count(
    training: Lists, lists: Lists, params: NGramParams
):
    by_review = [{ngram for _, ngram in occurrences(review, params.max_n)} for review in training]
    counts = Counter(ngram for found in by_review for ngram in found)
    frequent = [ngram for ngram, count in counts.items() if count >= params.min_reviews]
    assume(frequent)
    ranked = sorted(frequent, key=lambda ngram: (-counts[ngram], len(ngram), ngram))
    encoder = NGramEncoder.fit(params, make(training))
    columns = ngrams(encoder)
    assert columns == sorted(ranked[: params.max_columns], key=lambda ngram: (len(ngram), ngram))
    for review, row in zip(lists, encode(encoder, lists), strict=True):
        expected = direct_row(review, columns, params.position_weights)
        assert row == pytest.approx(expected, rel=1e-6)


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "keys",
    [[[1, 2]], [2, 1], [1, 1], [1.0, 2.0], [-1], np.array([Path("unpickled")], object)],
    ids=["a table", "descending", "twice the same", "floats", "negative", "a pickle"],
)
def test_damaged_keys_are_refused(keys, tmp_path: Path):
    fit(CORPUS).save(tmp_path)
    np.save(tmp_path / "keys.npy", keys, allow_pickle=True)
    sentence = r"keys\.npy: .*(ascending|allow_pickle=False).*; run `dvc"
    with pytest.raises(InputError, match=sentence):
        load_encoder(tmp_path)


@pytest.mark.parametrize("lists", [[[]], [[], [1, 2], []], [[0, 0], [0, 0]]])
def test_no_ngram_in_enough_reviews_is_refused(lists: Lists):
    with pytest.raises(InputError, match=f"2: no n-gram occurs in so many of the {len(lists)} tr"):
        fit(lists)


def test_too_many_columns_are_refused():
    params = fit(CORPUS).params
    most = np.broadcast_to(np.int64(1), MAX_COLUMNS)  # takes no memory
    assert NGramEncoder(params, most).columns == 536_870_911
    too_many = np.broadcast_to(np.int64(1), MAX_COLUMNS + 1)
    with pytest.raises(InputError, match=r"536,870,912 n-grams; at most 536,870,911 are possible"):
        NGramEncoder(params, too_many)
