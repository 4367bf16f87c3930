"""The parameters of every stage: the whole of params.yaml, checked before any work is done.

Every stage calls `load_params` first, so that a mistake anywhere in the file stops the pipeline at
once. The schema of each block is in the package that uses it. A stage depends on its own packages
alone: the schema of another one can refuse a file, but changes nothing that this stage writes.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, get_args

from pydantic import Field, StringConstraints, model_validator

from workflow.base.errors import InputError
from workflow.base.schema import Block, read_yaml, shortened, validate
from workflow.evaluation.params import CompareParams
from workflow.features.params import FeatureParams, FeatureSet
from workflow.model.params import Recipe, TrainParams
from workflow.text.params import DataParams

VariantName = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_]*$", max_length=100)]

RENAMED = {  # since version 0.2
    "tokens": "tokenizer",
    "largest_n": "max_n",
    "fewest_reviews": "min_reviews",
    "most_columns": "max_columns",
    "weights": "position_weights",
    "smallest": "min_effect",
    "naive_bayes": "naive_bayes_scaling",
    "lazy": "sparse_updates",
}


def unknown(name: str, kind: str, known: Iterable[str]) -> str:
    """What is wrong with a name that is none of those known."""
    return f"{shortened(name)} is not a {kind}; expected one of {', '.join(known)}"


class Variant(Block):
    """What is trained: the recipe, by its place in params.yaml, and the features it is fed."""

    recipe: str
    features: FeatureSet


class Params(Block):
    """The whole of params.yaml."""

    data: DataParams
    features: FeatureParams
    train: TrainParams
    variants: Annotated[dict[VariantName, Variant], Field(min_length=1)]
    compare: CompareParams
    model: Recipe
    baselines: dict[str, Recipe]

    @property
    def recipes(self) -> dict[str, Recipe]:
        """Every recipe by its place in params.yaml."""
        return {"model": self.model} | {f"baselines.{k}": v for k, v in self.baselines.items()}

    @model_validator(mode="after")
    def _references_exist(self) -> "Params":
        if "data" in self.variants:
            raise ValueError("variants.data: the metrics use this name for the facts of the data")
        for name, variant in self.variants.items():
            if variant.recipe not in self.recipes:
                sentence = unknown(variant.recipe, "recipe in this file", self.recipes)
                raise ValueError(f"variants.{name}.recipe: {sentence}")
        if self.compare.reference not in self.variants:
            sentence = unknown(self.compare.reference, "variant", self.variants)
            raise ValueError(f"compare.reference: {sentence}")
        return self

    @model_validator(mode="after")
    def _networks_fit_into_memory(self) -> "Params":
        # Only the data tell how many n-grams there are.
        for place, recipe in self.recipes.items():
            recipe.check_size(place, self.features.multi_hot.num_words)
        return self

    def recipe(self, variant: str) -> Recipe:
        """How `variant` is built and trained; InputError if there is no such variant."""
        return self.recipes[self._variant(variant).recipe]

    def features_of(self, variant: str) -> FeatureSet:
        """What `variant` is fed; InputError if there is no such variant."""
        return self._variant(variant).features

    def _variant(self, name: str) -> Variant:
        if name not in self.variants:
            raise InputError(unknown(name, "variant", self.variants))
        return self.variants[name]


def feature_set(name: str) -> FeatureSet:
    """`name` if there is such a feature set; else InputError."""
    known = get_args(FeatureSet)
    if name not in known:
        raise InputError(unknown(name, "feature set", known))
    return name  # type: ignore[return-value]


def item_from_argv() -> str:
    """The variant or feature set that dvc.yaml puts on a stage's command line."""
    return sys.argv[1] if len(sys.argv) > 1 else ""


def load_params(path: Path = Path("params.yaml")) -> Params:
    """The checked parameters; InputError with a line for each mistake."""
    if not path.exists():
        raise InputError(
            f"there is no {path} here: run stages and commands in the project's folder"
        )
    return validate(Params, read_yaml(path), path, RENAMED)  # type: ignore[no-any-return]
