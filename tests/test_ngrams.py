"""Word n-grams: by hand, and against a direct count, word by word."""

import math
import pickle
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from workflow.base.errors import InputError
from workflow.base.reviews import Reviews
from workflow.features.encoders import load_encoder
from workflow.features.ngrams import MAX_COLUMNS, REVIEWS_AT_ONCE, NGramEncoder
from workflow.features.params import NGramParams, PositionWeights

NGram = tuple[int, ...]
Lists = list[list[int]]
Row = dict[NGram, float]

FLAT = PositionWeights(end=0, end_length=1, start=0, start_length=1)
LARGEST_WORD = (1 << 24) - 1
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
untimed = settings(deadline=None)  # the speed of the machine is not tested


def make(lists: Lists) -> Reviews:
    offsets = np.cumsum([0, *map(len, lists)], dtype=np.int64)
    values = np.array([word for review in lists for word in review], dtype=np.uint32)
    return Reviews(values, offsets, np.zeros(len(lists), dtype=np.uint8))


def fit(
    lists: Lists,
    max_n: int = 3,
    min_reviews: int = 2,
    max_columns: int | None = None,
    weights: PositionWeights = FLAT,
) -> NGramEncoder:
    params = NGramParams(
        max_n=max_n, min_reviews=min_reviews, max_columns=max_columns, position_weights=weights
    )
    return NGramEncoder.fit(params, make(lists))


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
    assert ngrams(fit(CORPUS)) == [(1,), (2,), (3,), (1, 2), (2, 3), (3, 1), (3, 1, 2)]
    assert ngrams(fit(CORPUS, max_n=2)) == [(1,), (2,), (3,), (1, 2), (2, 3), (3, 1)]
    assert ngrams(fit(CORPUS, min_reviews=3)) == [(2,), (3,)]


def test_an_ngram_counts_once_for_each_review():
    assert ngrams(fit([[1, 2, 1, 2, 1, 2], [2]])) == [(2,)]


def test_no_ngram_reaches_from_one_review_into_the_next():
    assert ngrams(fit([[1], [2], [1], [2]])) == [(1,), (2,)]


def test_no_ngram_contains_an_unknown_word():
    assert ngrams(fit([[1, 0, 2], [1, 0, 2]])) == [(1,), (2,)]


def test_a_limit_of_columns_keeps_the_ngrams_in_the_most_reviews_of_a_tie_the_shorter_ones():
    assert ngrams(fit(CORPUS, max_columns=1)) == [(2,)]
    assert ngrams(fit(CORPUS, max_columns=2)) == [(2,), (3,)]
    assert ngrams(fit(CORPUS, max_columns=5)) == [(1,), (2,), (3,), (1, 2), (2, 3)]
    assert ngrams(fit(CORPUS, max_columns=100)) == ngrams(fit(CORPUS))


def test_of_many_ngrams_in_as_many_reviews_the_first_are_kept():
    even, odd = list(range(2, 101, 2)), list(range(1, 100, 2))
    encoder = fit([even, even + odd, even + odd], max_n=1, max_columns=70)
    assert ngrams(encoder) == sorted((word,) for word in even + odd[:20])


def test_a_limit_of_columns_finds_the_kept_words_of_a_longer_ngram():
    lists = [[1, 9], [1, 8], [2, 3, 4], [2, 3, 4], [2, 3, 4]]
    assert ngrams(fit(lists, min_reviews=1, max_columns=6)) == [
        (2,), (3,), (4,), (2, 3), (3, 4), (2, 3, 4),
    ]  # fmt: skip


def test_labels_are_ignored():
    reviews = make(CORPUS)
    positive = Reviews(reviews.values, reviews.offsets, np.ones(5, np.uint8))
    encoder = fit(CORPUS)
    assert ngrams(NGramEncoder.fit(encoder.params, positive)) == ngrams(encoder)


def test_reviews_are_counted_over_all_blocks():
    lists = [[2, 6], *[[4]] * (2 * REVIEWS_AT_ONCE), [2, 6]]
    assert ngrams(fit(lists)) == [(2,), (4,), (6,), (2, 6)]
    assert ngrams(fit(lists, max_columns=1)) == [(4,)]


def test_the_words_of_a_column_come_after_zeros():
    encoder = fit(CORPUS)
    assert encoder.words(np.array([0, 3, 6])).tolist() == [[0, 0, 1], [0, 1, 2], [3, 1, 2]]
    assert encoder.words(np.array([5, 0])).tolist() == [[3, 1], [0, 1]]


def direct_counts(lists: Lists, max_n: int, min_reviews: int) -> dict[NGram, int]:
    counts = Counter(
        ngram for review in lists for ngram in {ngram for _, ngram in occurrences(review, max_n)}
    )
    return {ngram: count for ngram, count in counts.items() if count >= min_reviews}


def occurrences(review: list[int], max_n: int) -> list[tuple[int, NGram]]:
    every = [
        (i, tuple(review[i : i + n]))
        for n in range(1, max_n + 1)
        for i in range(len(review) - n + 1)
    ]
    return [(i, ngram) for i, ngram in every if 0 not in ngram]


@untimed
@given(corpora, st.integers(1, 5), st.integers(1, 4), st.none() | st.integers(1, 30))
def test_columns_are_those_of_a_direct_count(
    lists: Lists, max_n: int, min_reviews: int, max_columns: int | None
):
    counts = direct_counts(lists, max_n, min_reviews)
    assume(counts)
    ranked = sorted(counts, key=lambda ngram: (-counts[ngram], len(ngram), ngram))
    expected = sorted(ranked[:max_columns], key=lambda ngram: (len(ngram), ngram))
    assert ngrams(fit(lists, max_n, min_reviews, max_columns)) == expected


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
    (row,) = encode(fit(CORPUS, weights=weights), [[3, 1, 2]])
    assert row == pytest.approx(
        {
            (3,): 1 + 0.367879 + 2,  # exp(-2 / 2), exp(-0 / 4)
            (1,): 1 + 0.606531 + 2 * 0.778801,  # exp(-1 / 2), exp(-1 / 4)
            (2,): 1 + 1 + 2 * 0.606531,  # exp(-0 / 2), exp(-2 / 4)
            (3, 1): 1 + 0.367879 + 2,  # that of its first word
            (1, 2): 1 + 0.606531 + 2 * 0.778801,
            (3, 1, 2): 1 + 0.367879 + 2,
        },
        abs=2e-6,
    )


def test_the_position_is_that_in_the_own_review():
    weights = PositionWeights(end=1, end_length=2, start=2, start_length=4)
    encoder = fit(CORPUS, weights=weights)
    (alone,) = encode(encoder, [[3, 1, 2]])
    assert encode(encoder, [[2, 2], [], [3, 1, 2], [1]])[2] == alone


def test_an_ngram_that_recurs_has_its_largest_weight():
    near_start = PositionWeights(end=0, end_length=1, start=1, start_length=1)
    near_end = PositionWeights(end=1, end_length=1, start=0, start_length=1)
    for weights, review in [(near_start, [1, 4, 4, 1, 4]), (near_end, [4, 1, 4, 4, 1])]:
        assert encode(fit(CORPUS, weights=weights), [review]) == [{(1,): 2}]


def test_reviews_of_all_blocks_are_encoded_in_order_with_their_labels():
    lists = [[2, 6], *[[4]] * (2 * REVIEWS_AT_ONCE), [6]]
    encoder = fit(lists, min_reviews=1)
    rows = encode(encoder, lists)
    assert rows[0] == {(2,): 1, (6,): 1, (2, 6): 1}
    assert rows[1:-1] == [{(4,): 1}] * (2 * REVIEWS_AT_ONCE)
    assert rows[-1] == {(6,): 1}

    labels = np.arange(len(lists), dtype=np.uint8) % 2
    reviews = make(lists)
    blocks = encoder.encode(Reviews(reviews.values, reviews.offsets, labels))
    assert np.concatenate([block.labels for block in blocks]).tolist() == labels.tolist()


def test_vectors_have_the_types_of_their_files():
    (block,) = fit(CORPUS).encode(make(CORPUS))
    assert block.weights is not None
    types = [array.dtype for array in (block.values, block.offsets, block.weights)]
    assert types == [np.uint32, np.int64, np.float32]


def direct_row(review: list[int], known: list[NGram], weights: PositionWeights) -> Row:
    row: Row = {}
    for i, ngram in occurrences(review, 5):
        if ngram in known:
            weight = (
                1
                + weights.end * math.exp(-(len(review) - 1 - i) / weights.end_length)
                + weights.start * math.exp(-i / weights.start_length)
            )
            row[ngram] = max(weight, row.get(ngram, 0))
    return row


@untimed
@given(corpora, corpora, st.integers(1, 5), any_weights, st.none() | st.integers(1, 20))
def test_rows_are_those_of_a_direct_count(
    training: Lists, lists: Lists, max_n: int, weights: PositionWeights, max_columns: int | None
):
    assume(direct_counts(training, max_n, 2))
    encoder = fit(training, max_n, 2, max_columns, weights)
    for review, row in zip(lists, encode(encoder, lists), strict=True):
        assert row == pytest.approx(direct_row(review, ngrams(encoder), weights), rel=1e-6)


# --- what is stored -------------------------------------------------------------------------------


def test_a_stored_encoder_is_the_same(tmp_path: Path):
    weights = PositionWeights(end=1, end_length=40, start=0.5, start_length=20)
    encoder = fit(CORPUS, weights=weights)
    encoder.save(tmp_path)
    loaded = load_encoder(tmp_path)
    assert isinstance(loaded, NGramEncoder)
    assert loaded.params == encoder.params
    assert ngrams(loaded) == ngrams(encoder)
    assert encode(loaded, CORPUS) == encode(encoder, CORPUS)


@pytest.mark.parametrize(
    "keys",
    [np.array([[1, 2]]), np.array([2, 1]), np.array([1, 1]), np.array([1.0, 2.0]), np.array([-1])],
    ids=["a table", "descending", "twice the same", "floats", "negative"],
)
def test_damaged_keys_are_refused(keys, tmp_path: Path):
    fit(CORPUS).save(tmp_path)
    np.save(tmp_path / "keys.npy", keys)
    with pytest.raises(InputError, match=r"keys\.npy: the keys are not ascending .*; run `dvc"):
        load_encoder(tmp_path)


class Pickled:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self):
        return Path.mkdir, (self.folder,)


def test_what_is_stored_is_never_executed(tmp_path: Path):
    fit(CORPUS).save(tmp_path)
    (tmp_path / "keys.npy").write_bytes(pickle.dumps(Pickled(tmp_path / "executed")))
    with pytest.raises(InputError, match=r"keys\.npy"):
        load_encoder(tmp_path)
    assert not (tmp_path / "executed").exists()


# --- limits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("lists", [[[]], [[], [1, 2], []], [[0, 0], [0, 0]]])
def test_no_ngram_in_enough_reviews_is_refused(lists: Lists):
    with pytest.raises(InputError) as refused:
        fit(lists)
    assert str(refused.value) == (
        "params.yaml: features.ngrams.min_reviews: 2: no n-gram occurs in so many of the "
        f"{len(lists)} training reviews"
    )


def test_the_largest_possible_word_is_found():
    lists = [[LARGEST_WORD, LARGEST_WORD], [LARGEST_WORD, LARGEST_WORD]]
    assert ngrams(fit(lists)) == [(LARGEST_WORD,), (LARGEST_WORD, LARGEST_WORD)]


def test_a_larger_word_is_refused():
    message = "features.ngrams: 16,777,216 words; at most 16,777,215 are possible"
    with pytest.raises(InputError, match=message):
        fit([[LARGEST_WORD + 1]])
    with pytest.raises(InputError, match=message):
        encode(fit(CORPUS), [[LARGEST_WORD + 1]])


def test_too_many_columns_are_refused():
    params = fit(CORPUS).params
    most = np.broadcast_to(np.int64(1), MAX_COLUMNS)  # takes no memory
    assert NGramEncoder(params, most).columns == 536_870_911
    too_many = np.broadcast_to(np.int64(1), MAX_COLUMNS + 1)
    with pytest.raises(InputError, match=r"536,870,912 n-grams; at most 536,870,911 are possible"):
        NGramEncoder(params, too_many)
