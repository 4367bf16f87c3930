"""Encoders: each turns reviews of word ranks into the vectors of one feature set.

An encoder is stored with the models trained on its vectors, so that the input of a network can be
made from any review, and each column can be traced back to words.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from workflow.base.errors import InputError, reading
from workflow.base.files import RERUN_HINT, read_json
from workflow.base.reviews import Reviews
from workflow.features import ngrams
from workflow.features.multi_hot import INDEX_FROM, MultiHotEncoder
from workflow.features.ngrams import NGramEncoder
from workflow.features.params import FeatureParams, FeatureSet, MultiHotParams, NGramParams


class Encoder(Protocol):
    """Makes vectors from reviews."""

    @property
    def columns(self) -> int:
        """The length of the vectors."""

    def encode(self, reviews: Reviews) -> Iterator[Reviews]:
        """The columns that are not 0, and their weights, of some of the reviews at a time."""

    def words(self, columns: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """(len(columns), n) ranks: the words that each column stands for, padded with zeros."""

    def save(self, folder: Path) -> None:
        """Write what `load_encoder` reads."""


def make_encoder(
    name: FeatureSet, params: FeatureParams, training: Reviews, vocabulary: int
) -> Encoder:
    """The encoder of a feature set, fitted on the training reviews without their labels.

    Raises:
        InputError: params.yaml asks for more words than `vocabulary`, or no n-gram is found.
    """
    if name == "multi_hot":
        num_words, limit = params.multi_hot.num_words, vocabulary + INDEX_FROM + 1
        if num_words > limit:
            raise InputError(
                f"params.yaml: features.multi_hot.num_words: {num_words} is more than these "
                f"reviews have: {vocabulary} words and 4 reserved indices make at most {limit}"
            )
        return MultiHotEncoder(params.multi_hot)
    found = ngrams.find(
        training, params.ngrams.max_n, params.ngrams.min_reviews, params.ngrams.max_columns
    )
    if not len(found):
        raise InputError(
            f"params.yaml: features.ngrams.min_reviews: {params.ngrams.min_reviews}: no n-gram "
            f"occurs in so many of the {len(training)} training reviews"
        )
    return NGramEncoder(params.ngrams, found)


def load_encoder(folder: Path) -> Encoder:
    """The encoder that `save` wrote; InputError if it is missing or damaged."""
    if (path := folder / "multi_hot.json").exists():
        return MultiHotEncoder(read_json(path, MultiHotParams))
    params = read_json(folder / "ngrams.json", NGramParams)
    with reading(folder, RERUN_HINT):
        return NGramEncoder(params, ngrams.NGramVocabulary.load(folder))
