"""The parameters of every stage: the whole of params.yaml, checked before any work is done.

Every stage calls `load_params` first, so that a mistake anywhere in the file stops the pipeline at
once. The schema of each block is in the package that uses it. A stage depends on its own packages
alone: the schema of another one can refuse a file, but changes nothing that this stage writes.
"""

import sys
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
        for name, variant in self.variants.items():
            if name == "data":
                raise ValueError(
                    "variants.data: the metrics use this name for the facts of the data set"
                )
            if variant.recipe not in self.recipes:
                raise ValueError(
                    f"variants.{name}.recipe: {shortened(variant.recipe)} is not a recipe in this "
                    f"file; expected one of {', '.join(self.recipes)}"
                )
        if self.compare.reference not in self.variants:
            raise ValueError(
                f"compare.reference: {shortened(self.compare.reference)} is not a variant; "
                f"expected one of {', '.join(self.variants)}"
            )
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
            raise InputError(
                f"{name!r} is not a variant; expected one of {', '.join(self.variants)}"
            )
        return self.variants[name]


def feature_set(name: str) -> FeatureSet:
    """`name` if there is such a feature set; else InputError."""
    for known in get_args(FeatureSet):
        if name == known:
            return known  # type: ignore[no-any-return]
    expected = ", ".join(get_args(FeatureSet))
    raise InputError(f"{name!r} is not a feature set; expected one of {expected}")


def item_from_argv() -> str:
    """The variant or feature set that dvc.yaml puts on a stage's command line."""
    return sys.argv[1] if len(sys.argv) > 1 else ""


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check the parameters.

    Raises:
        InputError: a line for each mistake: the key, its value, what is allowed.
    """
    if not path.exists():
        raise InputError(
            f"there is no {path} here: run stages and commands in the project's folder"
        )
    params: Params = validate(Params, read_yaml(path), path, RENAMED)
    return params
