"""The stage vectorize: word ranks to the vectors of a feature set, above all multi-hot vectors."""

import tempfile
import tracemalloc
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages import vectorize
from tests.conftest import call, edit_params, refusal
from tests.test_ngrams import make
from workflow.base.errors import InputError
from workflow.base.files import FeatureFacts, features_folder, read_json
from workflow.base.reviews import Reviews, load_reviews, load_vectors, save_reviews
from workflow.features.encoders import load_encoder
from workflow.features.multi_hot import REVIEWS_AT_ONCE, MultiHotEncoder, keras_indices, multi_hot

ranked_reviews = st.lists(st.lists(st.integers(1, 300), max_size=30), min_size=1, max_size=20)


def rows(reviews: Reviews) -> list[list[int]]:
    return [reviews.values[start:stop].tolist() for start, stop in pairwise(reviews.offsets)]


# --- multi-hot vectors ----------------------------------------------------------------------------


def test_a_multi_hot_vector_has_each_index_of_keras_once_in_ascending_order():
    """A review begins with 1, a rare word becomes 2, and the word of rank 1 is 4."""
    indices = keras_indices(make([[1, 7, 6, 1], [], [900]]), num_words=10)
    assert rows(indices) == [[1, 4, 2, 9, 4], [1], [1, 2]]
    vectors = multi_hot(make([[6, 1, 7, 900, 1], [], [2]]), num_words=10)
    assert rows(vectors) == [[1, 2, 4, 9], [1], [1, 5]]
    assert vectors.weights is None


def keras_encoding(review: list[int], num_words: int) -> list[int]:
    """What keras.datasets.imdb.load_data does to one review, word by word."""
    return [w if w < num_words else 2 for w in [1, *(rank + 3 for rank in review)]]


@given(ranked_reviews, st.integers(5, 310))
def test_multi_hot_vectors_are_the_sets_of_the_indices_of_keras(
    reviews: list[list[int]], num_words: int
):
    expected = [keras_encoding(review, num_words) for review in reviews]
    assert rows(keras_indices(make(reviews), num_words)) == expected
    assert rows(multi_hot(make(reviews), num_words)) == [sorted(set(row)) for row in expected]


@pytest.mark.parametrize(("num_words", "dtype"), [(256, "uint8"), (257, "uint16"), (70_000, "u4")])
def test_indices_have_the_smallest_type_that_fits(num_words: int, dtype: str):
    assert multi_hot(make([[1]]), num_words).values.dtype == np.dtype(dtype)


def test_reviews_of_all_blocks_are_encoded_in_order_with_their_labels():
    number = 2 * REVIEWS_AT_ONCE + 1
    reviews = make([[1 + i % 5] for i in range(number)])
    labels = np.arange(number, dtype=np.uint8) % 2
    encoder = MultiHotEncoder(columns=10)
    blocks = list(encoder.encode(Reviews(reviews.values, reviews.offsets, labels)))
    encoded = [row for block in blocks for row in rows(block)]
    assert encoded == [[1, 4 + i % 5] for i in range(number)]
    assert np.concatenate([block.labels for block in blocks]).tolist() == labels.tolist()


def test_the_columns_of_multi_hot_vectors_are_words_but_for_the_first_four():
    encoder = MultiHotEncoder(columns=10)
    words = encoder.words(np.arange(encoder.columns, dtype=np.uint8))
    assert words.tolist() == [[0], [0], [0], [0], [1], [2], [3], [4], [5], [6]]
    assert words.dtype == np.int64


def test_vectorizing_makes_no_dense_array():
    reviews = make([[rank] for rank in range(1, 2001)])
    tracemalloc.start()
    multi_hot(reviews, num_words=1_000_000)  # dense: 2 GB, a byte for each word
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000  # sorting takes 4 bytes for each word of the vocabulary


# --- the stage ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("num_words", "columns"), [(50, 50), (64, 64), (10_000, 64)])
def test_the_stage_writes_the_vectors_of_all_reviews_and_says_how_many(
    workspace, capsys, num_words: int, columns: int
):
    """Which have no more columns than 60 words and 4 reserved indices."""
    call("stages.download")
    edit_params(workspace, features__multi_hot__num_words=num_words)
    capsys.readouterr()
    call("stages.vectorize", "multi_hot")
    printed = capsys.readouterr()
    sizes = "36 reviews to train on, 24 to validate, 40 to test"
    assert printed.out == f"multi_hot: {columns} columns; {sizes}\n"
    reported = "num_words: 10,000 is more than the 60 words and 4 reserved indices"
    assert (reported in printed.err) == (num_words > columns)
    folder = features_folder("multi_hot")
    facts = read_json(folder / "facts.json", FeatureFacts)
    assert (facts.train_reviews, facts.validation_reviews, facts.test_reviews) == (36, 24, 40)
    assert facts.columns == load_encoder(folder / "encoder").columns == columns
    for split in ("training", "test"):
        assert rows(load_vectors(folder, split)) == rows(multi_hot(load_reviews(split), columns))


@pytest.mark.parametrize(("name", "weighted"), [("multi_hot", False), ("ngrams", True)])
def test_the_stored_encoder_makes_the_same_vectors(workspace, name: str, *, weighted: bool):
    call("stages.download")
    call("stages.vectorize", name)
    folder = features_folder(name)
    assert read_json(folder / "facts.json", FeatureFacts).weighted == weighted
    stored = load_vectors(folder, "training")  # which have every n-gram
    (encoded,) = load_encoder(folder / "encoder").encode(load_reviews("training"))
    assert rows(encoded) == rows(stored)
    np.testing.assert_array_equal(encoded.weights, stored.weights)


def test_two_in_five_validate_and_a_split_without_reviews_is_refused():
    sizes = [vectorize.validation_size(reviews, 0.4) for reviews in (25_000, 5, 2)]
    assert sizes == [10_000, 2, 1]
    for reviews, share in ((3, 0.99), (2, 0.1)):
        sentence = rf"data\.validation: {share} of {reviews} .* at least 1"
        with pytest.raises(InputError, match=sentence):
            vectorize.validation_size(reviews, share)


def test_what_allows_no_vectors_is_refused_and_leaves_no_folder(workspace):
    call("stages.download")
    edit_params(workspace, features__ngrams__min_reviews=61)
    assert refusal("stages.vectorize", "ngrams") == (
        "error: params.yaml: features.ngrams.min_reviews: 61: no n-gram occurs in so many of the "
        "60 training reviews"
    )
    for arguments in ([], ["bag"]):
        sentence = refusal("stages.vectorize", *arguments)
        assert "is not a feature set; expected one of multi_hot, ngrams" in sentence
    assert not (workspace / "data/ngrams").exists()


@given(ranked_reviews, st.integers(1, 21))
def test_blocks_give_the_same_files_as_the_whole(reviews: list[list[int]], size: int):
    whole = make(reviews)
    with tempfile.TemporaryDirectory() as folder:
        save_reviews(whole.blocks(size), Path(folder), "blocks")
        for name in ("values", "offsets", "labels"):
            np.save(Path(folder) / "numpy.npy", getattr(whole, name))
            expected = (Path(folder) / "numpy.npy").read_bytes()
            assert (Path(folder) / f"blocks_{name}.npy").read_bytes() == expected
