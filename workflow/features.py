"""Word ranks to the columns that a network is fed: multi-hot, or n-grams with their positions.

An encoder is all that this takes. It is kept with the models that were trained on its vectors, so
that what they are fed can be made of any review, and a column can be told in words.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from workflow import ngrams, params
from workflow.errors import InputError, reading
from workflow.storage import REMEDY, Reviews, read_json, write_json

# What `keras.datasets.imdb.load_data` calls start_char, oov_char and index_from.
START, OUT_OF_VOCABULARY, INDEX_FROM = 1, 2, 3

BLOCK = 1000  # reviews made multi-hot at once: few enough for the processor's cache


class Encoder(Protocol):
    """Makes vectors of reviews."""

    @property
    def columns(self) -> int:
        """How long the vectors are."""

    def encode(self, reviews: Reviews) -> Iterator[Reviews]:
        """The columns, and their weights, of reviews of word ranks, some reviews at a time."""

    def words(self, columns: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """(len(columns), n) ranks: the words that each column stands for, after zeros."""

    def save(self, folder: Path) -> None:
        """Write what `load_encoder` reads."""


@dataclass(frozen=True)
class MultiHot:
    """Each review as the set of its words, in the encoding of the notebook."""

    settings: params.MultiHot

    @property
    def columns(self) -> int:
        return self.settings.num_words

    def encode(self, reviews: Reviews) -> Iterator[Reviews]:
        return (multi_hot(block, self.columns) for block in reviews.blocks(BLOCK))

    def words(self, columns: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        return np.maximum(columns.astype(np.int64)[:, None] - INDEX_FROM, 0)

    def save(self, folder: Path) -> None:
        write_json(folder / "multi_hot.json", self.settings.model_dump())


@dataclass(frozen=True)
class NGrams:
    """Each review as the set of its n-grams, weighted by where in the review they stand."""

    settings: params.NGrams
    vocabulary: ngrams.NGrams

    @property
    def columns(self) -> int:
        return len(self.vocabulary)

    def encode(self, reviews: Reviews) -> Iterator[Reviews]:
        return self.vocabulary.encode(reviews, self.settings.weights)

    def words(self, columns: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        return self.vocabulary.words(columns)

    def save(self, folder: Path) -> None:
        write_json(folder / "ngrams.json", self.settings.model_dump())
        self.vocabulary.save(folder)


def make_encoder(
    name: params.FeatureSet, features: params.Features, training: Reviews, vocabulary: int
) -> Encoder:
    """The encoder of a feature set; n-grams are those of the training reviews, whatever the labels.

    Raises:
        InputError: params.yaml asks for more words than `vocabulary`, or no n-gram is found.
    """
    if name == "multi_hot":
        num_words, largest = features.multi_hot.num_words, vocabulary + INDEX_FROM + 1
        if num_words > largest:
            raise InputError(
                f"params.yaml: features.multi_hot.num_words: {num_words} is more than these "
                f"reviews have: {vocabulary} words and 4 reserved indices make at most {largest}"
            )
        return MultiHot(features.multi_hot)
    settings = features.ngrams
    found = ngrams.find(
        training, settings.largest_n, settings.fewest_reviews, settings.most_columns
    )
    if not len(found):
        fewest = settings.fewest_reviews
        raise InputError(
            f"params.yaml: features.ngrams.fewest_reviews: {fewest}: no n-gram is in so many of "
            f"the {len(training)} training reviews"
        )
    return NGrams(settings, found)


def load_encoder(folder: Path) -> Encoder:
    """What `save` wrote; InputError if it is missing or damaged."""
    if (path := folder / "multi_hot.json").exists():
        return MultiHot(read_json(path, params.MultiHot))
    settings = read_json(folder / "ngrams.json", params.NGrams)
    with reading(folder, REMEDY):
        return NGrams(settings, ngrams.NGrams.load(folder))


def encode(reviews: Reviews, num_words: int) -> Reviews:
    """The word indices that `keras.datasets.imdb.load_data(num_words=num_words)` returns.

    Every review begins with START; the word of rank r becomes r + INDEX_FROM, or
    OUT_OF_VOCABULARY where that is not below `num_words`.
    """
    indices = reviews.values.astype(np.int64) + INDEX_FROM
    indices[indices >= num_words] = OUT_OF_VOCABULARY
    offsets = reviews.offsets + np.arange(len(reviews.offsets))
    return Reviews(np.insert(indices, reviews.offsets[:-1], START), offsets, reviews.labels)


def multi_hot(reviews: Reviews, num_words: int) -> Reviews:
    """The columns that are 1 in each row of the (n, num_words) multi-hot matrix, ascending."""
    encoded = encode(reviews, num_words)
    ones = np.ones(len(encoded.values), dtype=bool)
    matrix = scipy.sparse.csr_array(
        (ones, encoded.values, encoded.offsets), shape=(len(encoded), num_words)
    )
    matrix = matrix.tocsc().tocsr()  # sorts the words of each row in linear time
    matrix.sum_duplicates()
    columns = matrix.indices.astype(np.min_scalar_type(num_words - 1))
    return Reviews(columns, matrix.indptr.astype(np.int64), reviews.labels)
