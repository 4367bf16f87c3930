"""What params.yaml may say, and the line that answers what it may not."""

import functools
import operator
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from tests.conftest import PROJECT, edit_params
from workflow.base.errors import InputError
from workflow.model.params import ACTIVATIONS, LOSSES, OPTIMIZERS
from workflow.params import load_params


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A copy of the committed file."""
    return Path(shutil.copy(PROJECT / "params.yaml", tmp_path))


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as error:
        load_params(path)
    return str(error.value)


CANDIDATE = {"recipe": "model", "features": "multi_hot"}
MINE = CANDIDATE | {"recipe": "baselines.mine"}


def test_the_committed_parameters_are_valid():
    params = load_params(PROJECT / "params.yaml")
    assert {"book", "single", params.compare.reference, "candidate"} <= set(params.variants)


@pytest.mark.parametrize(
    ("key", "value", "answer"),
    [
        ("model__dropout", 1.5, "model.dropout: 1.5 is not allowed: input should be less than 1"),
        ("model__dropout", float("nan"), "model.dropout: nan is not allowed"),
        ("model__dropout", "0.5", "model.dropout: '0.5' is not allowed: input should be a valid n"),
        ("model__dropuot", 0.5, "model.dropuot: unknown key (0.5); expected one of layers, units,"),
        ("model__epochs", 0, "model.epochs: 0 is not allowed: input should be greater than or equ"),
        ("model__epochs", True, "model.epochs: True is not allowed"),
        ("model__units", 2.5, "model.units: 2.5 is not allowed"),
        ("model__layers", [{} for _ in range(33)], "model.layers: [{}, {}, "),
        (
            "model__optimizer",
            "adamm",
            "model.optimizer: 'adamm' is not allowed: expected one of ad",
        ),
        ("model__loss", "accuracy", "model.loss: 'accuracy' is not allowed: expected one of BCE,"),
        (
            "model__activation",
            "rellu",
            "model.activation: 'rellu' is not allowed: expected one of ",
        ),
        ("data__validation", 1.0, "data.validation: 1.0 is not allowed: input should be less than"),
        (
            "data__sources",
            ["kaggle"],
            "data.sources.0: 'kaggle' is not allowed: expected one of ker",
        ),
        ("data__sources", [], "data.sources: [] is not allowed"),
        ("features__multi_hot__num_words", -1, "features.multi_hot.num_words: -1 is not allowed"),
        ("features__ngrams__max_n", 0, "features.ngrams.max_n: 0 is not allowed"),
        ("features__ngrams__max_n", 20, "features.ngrams.max_n: 20 is not allowed"),
        ("features__ngrams__max_columns", 0, "features.ngrams.max_columns: 0 is not allowed"),
        ("train__seeds", 0, "train.seeds: 0 is not allowed"),
        ("typo", 1, "typo: unknown key (1); expected one of data, features, train, variants, co"),
        ("variants__mine", MINE, "variants.mine.recipe: 'baselines.mine' is not a recipe in th"),
        ("variants__mine", "model", "variants.mine: 'model' is not allowed"),
        ("variants__mine", {"recipe": "model"}, "variants.mine.features: missing"),
        ("variants__single__features", "bag", "variants.single.features: 'bag' is not allowed"),
        ("compare__min_effect", -0.1, "compare.min_effect: -0.1 is not allowed"),
        (
            "compare__reference",
            "best",
            "compare.reference: 'best' is not a variant; expected one of ",
        ),
        ("variants__data", CANDIDATE, "variants.data: the metrics use this name"),
        ("variants", {"../x": CANDIDATE}, "variants.../x.[key]: '../x' is not allowed"),
    ],
)
def test_what_is_wrong_is_named(path: Path, key: str, value: Any, answer: str):
    edit_params(path.parent, **{key: value})
    assert answer.casefold() in refusal(path).removeprefix(f"{path}: ").casefold()
    assert "\n" not in refusal(path)


def test_every_mistake_gets_its_line(path: Path):
    edit_params(path.parent, model__dropout=2.0, model__dropuot=0.5, model__unit=1, train__seeds=-1)
    assert [line.split(": ")[1] for line in refusal(path).splitlines()] == [
        "train.seeds",
        "model.dropout",
        "model.dropuot",
        "model.unit",
    ]


def test_an_old_name_is_answered_by_the_new_one(path: Path):
    edit_params(
        path.parent,
        data__csv__tokens="ascii",
        features__ngrams__largest_n=3,
        features__ngrams__fewest_reviews=2,
        features__ngrams__most_columns=None,
        features__ngrams__weights={},
        compare__smallest=0.002,
        model__naive_bayes=True,
        model__lazy=True,
    )
    assert [line.split(": ", 1)[1] for line in refusal(path).splitlines()] == [
        "data.csv.tokens: this key is now called tokenizer",
        "features.ngrams.largest_n: this key is now called max_n",
        "features.ngrams.fewest_reviews: this key is now called min_reviews",
        "features.ngrams.most_columns: this key is now called max_columns",
        "features.ngrams.weights: this key is now called position_weights",
        "compare.smallest: this key is now called min_effect",
        "model.naive_bayes: this key is now called naive_bayes_scaling",
        "model.lazy: this key is now called sparse_updates",
    ]


def test_without_the_file_one_is_in_the_wrong_folder(tmp_path: Path):
    assert "run stages and commands in the project's folder" in refusal(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("key", "value"),
    [("dropout", 0.5), ("units", 64), ("activation", "elu"), ("kernel_l2", 0.1)],
)
def test_the_candidates_layers_take_what_the_block_says(key: str, value: Any):
    model = load_params(PROJECT / "params.yaml").model
    changed = type(model)(**model.model_dump() | {key: value, "layers": model.layers})
    assert {getattr(layer, key) for layer in changed.hidden_layers} == {value}


def test_a_layer_keeps_what_it_sets_itself():
    first, second, third = (
        load_params(PROJECT / "params.yaml").recipe("three_regularized").hidden_layers
    )
    assert [first.dropout, second.dropout, third.dropout] == [0.5, 0.5, 0.0]
    assert [first.kernel_l1, second.kernel_l1, third.kernel_l1] == [0.0, 0.01, 0.0]
    assert {layer.activation for layer in (first, second, third)} == {"tanh"}


def test_the_names_are_those_of_keras():
    from keras import optimizers
    from keras.src import activations, losses

    assert set(ACTIVATIONS) == set(activations.ALL_OBJECTS_DICT)
    # Two abstract classes are in Keras's table that are no losses.
    assert set(LOSSES) == set(losses.ALL_OBJECTS_DICT) - {"Loss", "LossFunctionWrapper"}
    for name in OPTIMIZERS:
        assert isinstance(optimizers.get(name), optimizers.Optimizer)
    table = optimizers.get.__globals__["ALL_OBJECTS_DICT"]
    wrappers = {"optimizer", "lossscaleoptimizer", "multioptimizer", "optimizermap"}
    assert set(OPTIMIZERS) == set(table) - wrappers


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model.dropout", 0.5),
        ("variants.candidate.features", "multi_hot"),
        ("features.ngrams.max_columns", 1000),
        ("train.seeds", 3),
        ("data.limit", 1000),
        ("data.csv.path", "my reviews.csv"),
    ],
)
def test_an_experiment_changes_one_line_of_the_committed_file(key: str, value: Any, path: Path):
    """It is in the style that `dvc exp run -S` writes: this is the function that does."""
    before = path.read_text("utf-8").splitlines()
    apply_overrides(path, [f"{key}={value}"])
    after = path.read_text("utf-8").splitlines()
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert len(changed) == 1
    assert str(value) in changed[0][1]


def test_the_quotes_of_the_page_are_read(path: Path):
    page = (PROJECT / "docs/data.md").read_text("utf-8")
    values = []
    for setting in re.findall('-S "(data.csv.positive=.*?)"', page):
        apply_overrides(path, [setting])
        values.append(load_params(path).data.csv.positive)
    assert values == ["好", ["好", "很好"]]


@pytest.mark.parametrize("key", ["data.sources", "data.keras.archive_sha256", "model.layers"])
def test_an_experiment_may_empty_a_list(key: str, path: Path):
    """A comment beside the key would stay where the list began, in its way."""
    apply_overrides(path, [f"{key}=[]"])
    params = YAML(typ="safe", pure=True).load(path)
    assert functools.reduce(operator.getitem, key.split("."), params) == []


def test_a_mistake_is_reported_before_tensorflow_is_imported(workspace: Path):
    """Its import takes seconds, and a queued experiment with a mistake ends in the first stage."""
    edit_params(workspace, model__dropout=1.5)
    command = [sys.executable, "-X", "importtime", "-m", "stages.train", "candidate"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "error: params.yaml: model.dropout: 1.5" in result.stderr
    assert "tensorflow" not in result.stderr
