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
TYPO = CANDIDATE | {"typo": 1}


@pytest.mark.parametrize(
    ("key", "value", "answer"),
    [
        ("model__dropout", 1.5, "model.dropout: 1.5 is not allowed: input should be less than 1"),
        ("model__dropout", "0.5", "model.dropout: '0.5' is not allowed: input should be a valid n"),
        ("model__dropuot", 0.5, "model.dropuot: unknown key (0.5); expected one of layers, units,"),
        ("model__epochs", 0, "model.epochs: 0 is not allowed: input should be greater than or equ"),
        ("model__batch_size", 10**30, "model.batch_size: 1000"),
        ("model__layers", [{"unit": 1}], "model.layers.0.unit: unknown key (1); expected one of u"),
        ("model__layers", [{"units": 65_536}] * 2, "model: 4,950,392,832 weights"),
        ("model__optimizer", "adamm", "model.optimizer: 'adamm' is not allowed: expected one of a"),
        ("model__loss", "accuracy", "model.loss: 'accuracy' is not allowed: expected one of BCE,"),
        ("model__activation", "rellu", "model.activation: 'rellu' is not allowed: expected one of"),
        ("data__sources", ["kaggle"], "data.sources.0: 'kaggle' is not allowed: expected one of "),
        ("data__csv__label", "text", "data.csv: text and label are both 'text'"),
        ("data__csv__positive", None, "data.csv: positive and negative must be both null or both"),
        ("data__csv__positive", "negative", "data.csv: positive and negative are both 'negative'"),
        ("data__csv__positive", [], "data.csv.positive: [] is not allowed: expected a label, or"),
        ("data__csv__positive", [4, ""], "data.csv.positive: [4, ''] is not allowed"),
        ("data__csv__encoding", "utf-9", "data.csv.encoding: 'utf-9' is not allowed: expected a t"),
        ("data__csv__encoding", "undefined", "data.csv.encoding: 'undefined' is not allowed"),
        ("data__csv__delimiter", '"', "data.csv.delimiter: '\"' is not allowed"),
        ("typo", 1, "typo: unknown key (1); expected one of data, features, train, variants, co"),
        ("variants__mine", MINE, "variants.mine.recipe: 'baselines.mine' is not a recipe in th"),
        ("variants__mine", {"recipe": "model"}, "variants.mine.features: missing"),
        ("variants__recipe", TYPO, "variants.recipe.typo: unknown key (1); expected one of recipe"),
        ("variants__data", CANDIDATE, "variants.data: the metrics use this name"),
        ("variants", {"../x": CANDIDATE}, "variants.../x.[key]: '../x' is not allowed"),
        ("compare__reference", "best", "compare.reference: 'best' is not a variant; expected one"),
    ],
)
def test_what_is_wrong_is_named(path: Path, key: str, value: Any, answer: str):
    edit_params(path.parent, **{key: value})
    sentence = refusal(path).removeprefix(f"{path}: ")
    assert sentence.casefold().startswith(answer.casefold())
    assert "\n" not in sentence


def test_labels_are_compared_as_numbers(path: Path):
    edit_params(path.parent, data__csv__positive=[1, "1.0"], data__csv__negative=1.0)
    assert refusal(path) == f"{path}: data.csv: positive and negative are both '1'"


def reported(path: Path) -> list[str]:
    """The lines without the path."""
    return [line.split(": ", 1)[1] for line in refusal(path).splitlines()]


def test_every_mistake_gets_its_line(path: Path):
    wrong = {
        "data__sources": [],
        "data__validation": 1.0,
        "data__csv__path": "",
        "data__csv__positive": float("nan"),
        "data__csv__test_share": 1.0,
        "data__csv__delimiter": ";;",
        "data__csv__tokenizer": "words",
        "data__csv__duplicates": True,
        "features__multi_hot__num_words": -1,
        "features__ngrams__max_n": 20,
        "features__ngrams__max_columns": 0,
        "train__seeds": 0,
        "variants__single__features": "bag",
        "variants__mine": "model",
        "compare__min_effect": -0.1,
        "model__units": 2.5,
        "model__dropout": float("nan"),
        "model__epochs": True,
    }
    edit_params(path.parent, **wrong)
    for line, (key, value) in zip(reported(path), wrong.items(), strict=True):
        assert line.startswith(f"{key.replace('__', '.')}: {value!r} is not allowed: ")


def test_an_old_name_is_answered_by_the_new_one(path: Path):
    renamed = {
        "data__csv__tokens": "tokenizer",
        "features__ngrams__largest_n": "max_n",
        "features__ngrams__fewest_reviews": "min_reviews",
        "features__ngrams__most_columns": "max_columns",
        "features__ngrams__weights": "position_weights",
        "compare__smallest": "min_effect",
        "model__naive_bayes": "naive_bayes_scaling",
        "model__lazy": "sparse_updates",
    }
    edit_params(path.parent, **renamed)
    assert reported(path) == [
        f"{old.replace('__', '.')}: this key is now called {new}" for old, new in renamed.items()
    ]


def test_a_layer_takes_what_it_does_not_set_from_its_recipe():
    params = load_params(PROJECT / "params.yaml")
    first, second, third = params.recipe("three_regularized").hidden_layers
    assert [first.dropout, second.dropout, third.dropout] == [0.5, 0.5, 0.0]
    assert [first.kernel_l1, second.kernel_l1, third.kernel_l1] == [0.0, 0.01, 0.0]
    assert {layer.activation for layer in (first, second, third)} == {"tanh"}
    changes = {"dropout": 0.5, "units": 64, "activation": "elu", "kernel_l2": 0.1}
    (layer,) = params.model.model_copy(update=changes).hidden_layers
    assert changes.items() <= layer.model_dump().items()


def test_the_names_are_those_of_keras():
    from workflow.model.libraries import keras

    optimizers, source = keras.optimizers, keras.src
    assert set(ACTIVATIONS) == set(source.activations.ALL_OBJECTS_DICT)
    # Two abstract classes are in Keras's table that are no losses.
    assert set(LOSSES) == set(source.losses.ALL_OBJECTS_DICT) - {"Loss", "LossFunctionWrapper"}
    for name in OPTIMIZERS:
        assert isinstance(optimizers.get(name), optimizers.Optimizer)
    table = optimizers.get.__globals__["ALL_OBJECTS_DICT"]
    wrappers = {"optimizer", "lossscaleoptimizer", "multioptimizer", "optimizermap"}
    assert set(OPTIMIZERS) == set(table) - wrappers


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model.dropout", 0.5),
        ("features.ngrams.max_columns", 1000),
        ("train.seeds", 3),
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
    assert values == [["好"], ["好", "很好"]]


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
