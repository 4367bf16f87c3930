"""The block features of params.yaml: the feature sets, one block each."""

from typing import Annotated, Literal

from pydantic import Field

from workflow.base.schema import Block

FeatureSet = Literal["multi_hot", "ngrams"]  # in file names


class MultiHotParams(Block):
    """Each review as the set of its words among the `num_words` most frequent, or among all."""

    num_words: Annotated[int, Field(ge=5, le=1_000_000)]


class PositionWeights(Block):
    """How much more an n-gram counts near the end and near the start of a review.

    `end` and `start` are added to 1 at the last and the first word; `…_length` is the number of
    words in which that falls to 1/e.
    """

    end: Annotated[float, Field(ge=0, le=1000)]
    end_length: Annotated[float, Field(ge=0.1, le=1e6)]
    start: Annotated[float, Field(ge=0, le=1000)]
    start_length: Annotated[float, Field(ge=0.1, le=1e6)]


class NGramParams(Block):
    """Each review as its n-grams of 1, …, `max_n` words that enough training reviews have."""

    max_n: Annotated[int, Field(ge=1, le=10)]
    min_reviews: Annotated[int, Field(ge=1, le=1_000_000)]
    max_columns: Annotated[int, Field(ge=1)] | None = None
    position_weights: PositionWeights


class FeatureParams(Block):
    """The feature sets; each has a block of its own."""

    multi_hot: MultiHotParams
    ngrams: NGramParams
