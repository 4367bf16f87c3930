"""Word n-grams against a direct computation, word by word."""

import math
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.base.reviews import Reviews
from workflow.features import ngrams
from workflow.features.ngrams import NGramVocabulary, find
from workflow.features.params import PositionWeights

NGram = tuple[int, ...]
Lists = list[list[int]]

# Few words, so that n-grams come again; 0 is a word that is not known.
corpora = st.lists(st.lists(st.integers(0, 4), max_size=12), max_size=12)
weightings = st.builds(
    PositionWeights,
    end=st.floats(0, 3),
    end_length=st.floats(0.1, 100),
    start=st.floats(0, 3),
    start_length=st.floats(0.1, 100),
)


DEFAULTS = PositionWeights(end=1.0, end_length=40.0, start=0.5, start_length=20.0)


def make(lists: Lists) -> Reviews:
    offsets = np.cumsum([0, *map(len, lists)], dtype=np.int64)
    values = np.array([word for review in lists for word in review], dtype=np.uint32)
    return Reviews(values, offsets, np.zeros(len(lists), dtype=np.uint8))


def find_in(
    lists: Lists, max_n: int = 3, fewest: int = 2, most: int | None = None
) -> NGramVocabulary:
    return find(make(lists), max_n, fewest, most)


def decoded(vocabulary: NGramVocabulary) -> list[NGram]:
    rows = vocabulary.words(np.arange(len(vocabulary))).tolist()
    return [tuple(word for word in row if word) for row in rows]


def encode(
    vocabulary: NGramVocabulary, lists: Lists, weights: PositionWeights
) -> list[dict[int, float]]:
    """The columns and weights of each review."""
    rows = []
    for block in vocabulary.encode(make(lists), weights):
        assert block.weights is not None
        assert block.values.dtype == np.uint32
        assert block.weights.dtype == np.float32
        for i in range(len(block)):
            row = block.between(i, i + 1)
            assert row.weights is not None
            assert (np.diff(row.values.astype(int)) > 0).all()
            rows.append(dict(zip(row.values.tolist(), row.weights.tolist(), strict=True)))
    return rows


def places(review: list[int], max_n: int) -> list[tuple[int, NGram]]:
    every = [
        (i, tuple(review[i : i + n]))
        for n in range(1, max_n + 1)
        for i in range(len(review) - n + 1)
    ]
    return [(i, ngram) for i, ngram in every if 0 not in ngram]


def direct_counts(lists: Lists, max_n: int, fewest: int) -> dict[NGram, int]:
    counts = Counter(
        ngram for review in lists for ngram in {ngram for _, ngram in places(review, max_n)}
    )
    return {ngram: count for ngram, count in counts.items() if count >= fewest}


def direct_row(
    review: list[int], vocabulary: list[NGram], weights: PositionWeights
) -> dict[int, float]:
    columns = {ngram: column for column, ngram in enumerate(vocabulary)}
    row: dict[int, float] = {}
    for i, ngram in places(review, 5):
        if ngram in columns:
            weight = (
                1
                + weights.end * math.exp(-(len(review) - 1 - i) / weights.end_length)
                + weights.start * math.exp(-i / weights.start_length)
            )
            row[columns[ngram]] = max(weight, row.get(columns[ngram], 0))
    return row


@given(corpora, st.integers(1, 5), st.integers(1, 4))
def test_the_vocabulary_is_what_enough_reviews_have(lists: Lists, max_n: int, fewest: int):
    found = decoded(find_in(lists, max_n, fewest))
    expected = direct_counts(lists, max_n, fewest)
    assert found == sorted(expected, key=lambda ngram: (len(ngram), ngram))


@given(corpora, st.integers(1, 5), st.integers(1, 3), st.integers(1, 30))
def test_a_cap_keeps_those_in_the_most_reviews(lists: Lists, max_n: int, fewest: int, most: int):
    counts = direct_counts(lists, max_n, fewest)
    ranked = sorted(counts, key=lambda ngram: (-counts[ngram], len(ngram), ngram))
    capped = find_in(lists, max_n, fewest, most)
    assert sorted(decoded(capped)) == sorted(ranked[:most])
    assert (np.diff(capped.keys) > 0).all()


@given(corpora, corpora.filter(bool), st.integers(1, 4), weightings, st.none() | st.integers(1, 20))
def test_a_row_has_the_largest_weight_of_each_ngram_of_the_text(
    train: Lists, lists: Lists, max_n: int, weights: PositionWeights, most: int | None
):
    vocabulary = find_in(train, max_n, 2, most)
    for review, row in zip(lists, encode(vocabulary, lists, weights), strict=True):
        expected = direct_row(review, decoded(vocabulary), weights)
        assert sorted(row) == sorted(expected)
        assert row == pytest.approx(expected, rel=1e-6)


@given(corpora.filter(bool))
def test_without_position_weights_all_are_1(lists: Lists):
    flat = PositionWeights(end=0, end_length=1, start=0, start_length=1)
    assert {weight for row in encode(find_in(lists), lists, flat) for weight in row.values()} <= {1}


@given(
    corpora.filter(bool),
    st.integers(1, 3),
    st.integers(1, 13),
    st.integers(1, 13),
    st.integers(0, 6),
    st.integers(0, 3),
)
def test_blocks_of_any_size_give_the_same(
    lists: Lists, fewest: int, counted: int, encoded: int, merged: int, sampled: int
):
    whole = find_in(lists, 4, fewest)
    rows = encode(whole, lists, DEFAULTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ngrams, "COUNTED", counted)
        patch.setattr(ngrams, "ENCODED", encoded)
        patch.setattr(ngrams, "SAMPLED", 1 << sampled)
        patch.setattr(ngrams, "MERGED", 1 << sampled + merged)
        assert find_in(lists, 4, fewest).keys.tobytes() == whole.keys.tobytes()
        assert encode(whole, lists, DEFAULTS) == rows


@given(corpora, st.lists(st.integers(0, 4), max_size=12))
def test_what_is_saved_comes_back_and_encodes_a_new_sentence(lists: Lists, sentence: list[int]):
    vocabulary = find_in(lists)
    with tempfile.TemporaryDirectory() as folder:
        vocabulary.save(Path(folder))
        loaded = NGramVocabulary.load(Path(folder))
        assert isinstance(loaded.keys, np.memmap)
        assert loaded.keys.tobytes() == vocabulary.keys.tobytes()
        expected = encode(vocabulary, [sentence], DEFAULTS)
        assert encode(loaded, [sentence], DEFAULTS) == expected
        assert decoded(loaded) == decoded(vocabulary)


GOLDEN = [[1, 2, 3, 1, 2], [2, 3], [3, 1, 2], [], [4]]


def test_golden_vocabulary():
    vocabulary = find_in(GOLDEN)
    assert vocabulary.words(np.arange(7)).tolist() == [
        [0, 0, 1], [0, 0, 2], [0, 0, 3], [0, 1, 2], [0, 2, 3], [0, 3, 1], [3, 1, 2],
    ]  # fmt: skip
    assert vocabulary.words(np.array([5, 0])).tolist() == [[3, 1], [0, 1]]


def test_golden_weights():
    """Of 1 2 3 1 2 the first word has 1 + exp(-4/2) + 2 and the last 1 + 1 + 2 exp(-4/4)."""
    weights = PositionWeights(end=1, end_length=2, start=2, start_length=4)
    expected = [
        {0: 3.135335, 1: 2.780731, 2: 2.580941, 3: 3.135335, 4: 2.780731, 5: 2.580941, 6: 2.580941},
        {1: 3.606531, 2: 3.557602, 4: 3.606531},
        {0: 3.164132, 1: 3.213061, 2: 3.367879, 3: 3.164132, 5: 3.367879, 6: 3.367879},
        {},
        {},
    ]
    for row, right in zip(encode(find_in(GOLDEN), GOLDEN, weights), expected, strict=True):
        assert row == pytest.approx(right, abs=1e-6)


def test_golden_cap_keeps_the_shorter_of_a_tie():
    assert decoded(find_in(GOLDEN, most=5)) == [(1,), (2,), (3,), (1, 2), (2, 3)]
    assert decoded(find_in(GOLDEN, most=1)) == [(2,)]


@pytest.mark.parametrize("lists", [[], [[]], [[], [1, 2], []], [[0, 0], [0, 0]]])
def test_nothing_is_in_enough_reviews(lists: Lists):
    vocabulary = find_in(lists)
    assert len(vocabulary) == 0
    assert encode(vocabulary, [[1, 2, 3], []], DEFAULTS) == [{}, {}]


def test_a_word_that_is_too_large_is_refused():
    with pytest.raises(ValueError, match="word 16,777,216 is not below 16,777,216"):
        find_in([[1 << 24]])
    with pytest.raises(ValueError, match="word 16,777,216"):
        encode(find_in([[1], [1]]), [[1 << 24]], DEFAULTS)


def test_the_largest_word_is_no_other():
    lists = [[(1 << 24) - 1, 1], [(1 << 24) - 1, 1]]
    assert decoded(find_in(lists)) == [(1,), ((1 << 24) - 1,), ((1 << 24) - 1, 1)]


def test_too_many_columns_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ngrams, "MOST_COLUMNS", 2)
    assert len(find_in([[1, 2], [2], [1]])) == 2
    with pytest.raises(ValueError, match="3 n-grams are more than 2"):
        find_in([[1, 2], [1, 2]])


def test_so_many_columns_that_a_block_has_few_reviews(monkeypatch: pytest.MonkeyPatch):
    vocabulary = find_in(GOLDEN)
    assert len(vocabulary.index) == 7  # made now, of as many as there are
    monkeypatch.setattr(NGramVocabulary, "__len__", lambda _: 1 << 30)
    assert [len(block) for block in vocabulary.encode(make(GOLDEN), DEFAULTS)] == [2, 2, 1]


def test_labels_are_never_looked_at():
    reviews = make(GOLDEN)
    positive = Reviews(reviews.values, reviews.offsets, np.ones(5, np.uint8))
    assert find(positive, 3, 2).keys.tobytes() == find_in(GOLDEN).keys.tobytes()


@pytest.mark.parametrize(
    "keys", [np.zeros((2, 2), np.int64), np.array([2, 1]), np.array([1.0, 2.0]), np.array([-1])]
)
def test_damaged_keys_are_refused(keys, tmp_path):
    np.save(tmp_path / "keys.npy", keys)
    with pytest.raises(ValueError, match="damaged"):
        NGramVocabulary.load(tmp_path)
