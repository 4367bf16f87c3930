"""Word ranks to multi-hot vectors."""

import re
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages import vectorize
from tests.conftest import call, edit_params, refusal
from workflow.base.errors import InputError
from workflow.base.files import features_folder
from workflow.base.reviews import Reviews, load_reviews, load_vectors, save_reviews
from workflow.features import multi_hot

ranked_reviews = st.lists(st.lists(st.integers(1, 300), max_size=30), min_size=1, max_size=20)


def make(reviews: list[list[int]]) -> Reviews:
    offsets = np.cumsum([0, *map(len, reviews)])
    values = np.array([rank for review in reviews for rank in review], dtype=np.uint32)
    return Reviews(values, offsets, np.zeros(len(reviews), dtype=np.uint8))


def rows(reviews: Reviews) -> list[list[int]]:
    return [reviews.between(i, i + 1).values.tolist() for i in range(len(reviews))]


def keras_encoding(review: list[int], num_words: int) -> list[int]:
    """What keras.datasets.imdb.load_data does to one review, word by word."""
    return [w if w < num_words else 2 for w in [1, *(rank + 3 for rank in review)]]


@given(ranked_reviews, st.integers(5, 310))
def test_encode_is_the_encoding_of_keras(reviews: list[list[int]], num_words: int):
    encoded = rows(multi_hot.keras_indices(make(reviews), num_words))
    assert encoded == [keras_encoding(review, num_words) for review in reviews]


@given(ranked_reviews, st.integers(5, 310))
def test_multi_hot_has_each_word_once_and_nothing_else(reviews: list[list[int]], num_words: int):
    vectors = multi_hot.multi_hot(make(reviews), num_words)
    expected = [sorted(set(keras_encoding(review, num_words))) for review in reviews]
    assert rows(vectors) == expected


@given(ranked_reviews)
def test_tokens_come_back_from_the_arrays(reviews: list[list[int]]):
    vectors = multi_hot.multi_hot(make(reviews), 304)
    words = [[index - 3 for index in row if index > 3] for row in rows(vectors)]
    assert words == [sorted(set(review)) for review in reviews]


@pytest.mark.parametrize(("num_words", "dtype"), [(256, "uint8"), (257, "uint16"), (70_000, "u4")])
def test_indices_have_the_smallest_type_that_fits(num_words: int, dtype: str):
    assert multi_hot.multi_hot(make([[1]]), num_words).values.dtype == np.dtype(dtype)


@pytest.mark.parametrize(("reviews", "size"), [(25_000, 10_000), (5, 2), (2, 1)])
def test_two_in_five_validate(reviews: int, size: int):
    assert vectorize.validation_size(reviews, 0.4) == size


def test_the_first_of_the_training_reviews_validate(workspace):
    call("stages.download")
    call("stages.vectorize", "multi_hot")
    training = multi_hot.multi_hot(load_reviews("training"), 50)
    folder = features_folder("multi_hot")
    assert rows(load_vectors(folder, "validation")) == rows(training.between(0, 24))
    assert rows(load_vectors(folder, "train")) == rows(training.between(24, 60))
    assert rows(load_vectors(folder, "test")) == rows(multi_hot.multi_hot(load_reviews("test"), 50))


@pytest.mark.parametrize(("reviews", "share"), [(3, 0.99), (2, 0.1)])
def test_a_split_without_reviews_is_refused(reviews: int, share: float):
    with pytest.raises(InputError, match=rf"data\.validation: {share} of {reviews} .* at least 1"):
        vectorize.validation_size(reviews, share)


def test_more_words_than_the_vocabulary_are_refused(workspace):
    call("stages.download")
    edit_params(workspace, features__multi_hot__num_words=65)
    sentence = refusal("stages.vectorize", "multi_hot")
    assert re.search(r"num_words: 65 is more .* 60 words .* at most 64", sentence)
    assert not (workspace / "data/multi_hot").exists()


def test_no_ngram_in_enough_reviews_is_a_sentence(workspace):
    call("stages.download")
    edit_params(workspace, features__ngrams__min_reviews=61)
    assert refusal("stages.vectorize", "ngrams") == (
        "error: params.yaml: features.ngrams.min_reviews: 61: no n-gram is in so many of the 60 "
        "training reviews"
    )
    assert not (workspace / "data/ngrams").exists()


@pytest.mark.parametrize("arguments", [[], ["bag"]], ids=len)
def test_features_that_are_none_are_refused(workspace, arguments: list[str]):
    assert "is no feature set; there are multi_hot, ngrams" in refusal(
        "stages.vectorize", *arguments
    )


@given(ranked_reviews, st.integers(1, 21))
def test_blocks_give_the_same_files_as_the_whole(reviews: list[list[int]], size: int):
    whole = make(reviews)
    with tempfile.TemporaryDirectory() as folder:
        save_reviews([whole], Path(folder), "whole")
        save_reviews(whole.blocks(size), Path(folder), "blocks")
        for array in ("values", "offsets", "labels"):
            np.save(Path(folder) / "numpy.npy", getattr(whole, array))
            expected = (Path(folder) / "numpy.npy").read_bytes()
            assert (Path(folder) / f"whole_{array}.npy").read_bytes() == expected
            assert (Path(folder) / f"blocks_{array}.npy").read_bytes() == expected


def test_vectorizing_makes_no_dense_array():
    reviews = make([[rank] for rank in range(1, 2001)])
    tracemalloc.start()
    multi_hot.multi_hot(reviews, num_words=1_000_000)  # dense: 2 GB, a byte for each word
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000  # sorting takes 4 bytes for each word of the vocabulary
