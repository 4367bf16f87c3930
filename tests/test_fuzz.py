"""Files that are damaged, hostile or nonsense: each is read as what it says, or refused.

FUZZ_EXAMPLES=20000 tries so many instead of the few that suit every run.
"""

import copy
import io
import itertools
import os
import re
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tests.conftest import PROJECT
from workflow.base.errors import InputError
from workflow.base.files import (
    CORRECT,
    HISTORY,
    METRICS,
    SCORES,
    DataFacts,
    FeatureFacts,
    features_folder,
    read_json,
    write_json,
)
from workflow.base.reviews import Reviews, load_vectors, save_reviews
from workflow.evaluation.results import Correct, read_correct, read_facts, read_history, read_scores
from workflow.params import Params, load_params
from workflow.text.imdb import parse_archive

MULTI_HOT = features_folder("multi_hot")

T = TypeVar("T")
REAL = (PROJECT / "params.yaml").read_bytes()
WRITTEN = YAML(typ="safe", pure=True).load(REAL)
MEMORY = 3_000_000_000  # bytes of address space; importing the stage takes half of it

fuzz = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "60")),
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def read_or_refused(read: Callable[[], T]) -> T | None:
    """What is read, or None if it is refused with a sentence; anything else fails the test."""
    try:
        return read()
    except InputError:
        return None


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """`content` after one to four cuts, insertions and flipped bits."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, max(len(content) - 1, 0)))
        match draw(st.sampled_from(["flip", "insert", "delete", "truncate", "repeat"])):
            case "flip":
                flipped = content[start : start + 1]
                flipped = bytes([flipped[0] ^ draw(st.integers(1, 255))]) if flipped else b""
                content = content[:start] + flipped + content[start + 1 :]
            case "insert":
                content = content[:start] + draw(st.binary(max_size=8)) + content[start:]
            case "delete":
                content = content[:start] + content[start + draw(st.integers(1, 40)) :]
            case "truncate":
                content = content[:start]
            case "repeat":
                content = content[: start + 20] + content[start:]
    return content


# --- params.yaml ----------------------------------------------------------------------------------

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, -1, 10**30, -(10**400), 2**63, 1e308, 1e-320, -0.0])
    | st.floats()
    | st.text(max_size=20)
    | st.dates()
    | st.binary(max_size=5)
    | st.just("x" * 20_000)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)


def load_bytes(folder: Path, content: bytes) -> Params:
    path = folder / "params.yaml"
    path.write_bytes(content)
    return load_params(path)


def places(block: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to everything inside."""
    keys = (
        block if isinstance(block, dict) else range(len(block)) if isinstance(block, list) else []
    )
    return [way for key in keys for way in [(*above, key), *places(block[key], (*above, key))]]


@fuzz
@given(content=damaged(REAL))
def test_damaged_parameters(tmp_path_factory, content: bytes):
    read_or_refused(lambda: load_bytes(tmp_path_factory.getbasetemp(), content))


@fuzz
@given(data=st.data())
def test_parameters_are_what_the_file_says(tmp_path_factory, data: st.DataObject):
    written = copy.deepcopy(WRITTEN)
    *way, last = data.draw(st.sampled_from(places(written)))
    block = written
    for key in way:
        block = block[key]
    block[last] = data.draw(values)
    file = io.BytesIO()
    YAML(typ="safe", pure=True).dump(written, file)
    params = read_or_refused(lambda: load_bytes(tmp_path_factory.getbasetemp(), file.getvalue()))
    if params:
        read = params.model_dump(by_alias=True)
        for key in (*way, last):
            read = read[key]
        expected = block[last]
        if last == "optimizer":
            expected = expected.lower()
        if not isinstance(expected, list | dict):
            assert read == expected
            assert isinstance(expected, bool) == isinstance(read, bool)


@fuzz
@given(
    text=st.text(alphabet=st.sampled_from("{}[]:,-?&*!|>'\"%@`#<= \n\tabz019._~xoe"), max_size=60)
)
def test_parameters_of_punctuation(tmp_path_factory, text: str):
    assert (
        read_or_refused(lambda: load_bytes(tmp_path_factory.getbasetemp(), text.encode())) is None
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param("", "params.yaml", id="empty"),
        pytest.param("- a list", "params.yaml", id="a list"),
        pytest.param("data: [", "params.yaml", id="not YAML"),
        pytest.param(b"data: \xff\xfe", "params.yaml", id="not UTF-8"),
        pytest.param("a: 2001-99-99", "month", id="no date"),
        pytest.param("a: !!int x", "invalid literal", id="no integer"),
        pytest.param("a: !!bool x", "cannot be read", id="no boolean"),
        pytest.param("a: " + "9" * 5000, "limit", id="decimal of 5000 digits"),
        pytest.param("a: 0x" + "f" * 5000, "thousands of digits", id="hexadecimal of 5000 digits"),
        pytest.param("a: !!python/object/apply:os.system [x]", "python/object", id="an object"),
        pytest.param("--- 1\n--- 2", "single document", id="two documents"),
        pytest.param("data: 1\ndata: 2", "duplicate", id="a key twice"),
        pytest.param("data:\n\tseed: 1", "character", id="a tab"),
        pytest.param('a: "\\ud800"', "params.yaml", id="half a surrogate pair"),
        pytest.param("5", "params.yaml", id="a scalar"),
    ],
)
def test_hostile_parameters(tmp_path, content: str | bytes, reason: str):
    with pytest.raises(InputError, match=f"(?i){reason}"):
        load_bytes(tmp_path, content.encode() if isinstance(content, str) else content)


@pytest.mark.parametrize(
    ("key", "value", "answer"),
    [
        ("batch_size", 10**30, "model.batch_size: "),
        ("first_seed", 10**30, "train.first_seed: "),
        ("seed", f"0x{'f' * 5000}", "data.seed: a number of thousands of digits"),
        ("dropout", 10**400, "model.dropout: "),
        ("dropout", "on", "model.dropout: 'on'"),
        ("epochs", "2020-01-01", "model.epochs: datetime.date"),
        ("num_words", "1000000\n    num_words: 5", "cannot be read"),
        ("layers", "[{units: 65536}, {units: 65536}]", "model: 4,950,392,832 w"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_values_that_cannot_be_run(tmp_path, key: str, value: Any, answer: str):
    """In the place of the first such key in the file."""
    old = rf"(?m)^( *{key}):.*\n(?: *- .*\n)*"
    text, found = re.subn(old, rf"\1: {value}\n", REAL.decode(), count=1)
    assert found
    with pytest.raises(InputError, match=answer):
        load_bytes(tmp_path, text.encode())


# --- the word index of the archive ----------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{}", b"[]", b"1", b"null", b'"a"', b'{"a": 1.0}', b'{"a": true}', b'{"a": null}',
        b'{"a": NaN}', b'{"a": 2}', b'{"a": 1, "b": 1}', b'{"a": 1, "b": 3}', b'{"a": -1}',
        b'{"a": [1]}', b'{"a": "1"}', b'{"\\ud800": 1}', b'{"\xff": 1}', b'[["a", 1]]',
        b'{"a": 1' + b"0" * 5000 + b"}", b"[" * 1_000_000, b'{"a":' * 100_000,
    ],
    ids=lambda content: repr(content[:20]),
)  # fmt: skip
def test_a_word_index_of_another_kind_is_refused(content: bytes):
    with pytest.raises(InputError, match="the archive is not that of keras"):
        parse_archive(b"", content)


# --- what the stages hand on ----------------------------------------------------------------------

VARIANTS, SEEDS, NUM_WORDS = ("a", "b"), range(1, 4), 50


@pytest.fixture
def handed_on(tmp_path, monkeypatch) -> dict[Path, Callable[[], object]]:
    """Small files such as the stages write, and how each is read."""
    monkeypatch.chdir(tmp_path)
    for path in (MULTI_HOT, CORRECT, HISTORY):
        path.mkdir(parents=True)
    values = np.array([1, 4, 49, 2, 3, 7], np.uint8)
    offsets, labels = np.array([0, 3, 3, 6]), np.array([1, 0, 1], np.uint8)
    weights = np.array([1, 1.5, 2, 1, 0.5, 1], np.float32)
    save_reviews([Reviews(values, offsets, labels, weights)], MULTI_HOT, "test")
    facts = {"source": "keras", "sha256": "0", "vocabulary": 60}
    sizes = {f"{split}_reviews": 3 for split in ("train", "validation", "test")}
    write_json(MULTI_HOT / "facts.json", facts | sizes | {"columns": NUM_WORDS, "weighted": True})
    write_json(METRICS, {"data": facts | sizes, "a": {"test_accuracy": 0.5}})
    bits = np.array([[0, 1, 1]] * 3, bool)
    correct = Correct("0", np.array(SEEDS), {"validation": bits, "test": bits})
    (CORRECT / "a.npz").write_bytes(correct.to_bytes())
    columns = ["train_accuracy", "validation_accuracy", "test_accuracy", "test_loss"]
    counts = [f"test_{a}_{b}" for a in ("true", "false") for b in ("positives", "negatives")]
    rows = [
        {"variant": variant, "seed": seed, "best_epoch": 2}
        | dict.fromkeys(columns, 0.5)
        | dict.fromkeys(counts, 1)
        for variant in VARIANTS
        for seed in SEEDS
    ]
    pd.DataFrame(rows).to_csv(SCORES, index=False)
    epochs = [
        {"variant": "a", "seed": seed, "fit": "first", "epoch": epoch, "split": split, "loss": 0.5}
        | {"accuracy": 0.5, "kept": int(epoch == 2)}
        for seed in SEEDS
        for epoch in (1, 2)
        for split in ("train", "validation")
    ]
    pd.DataFrame(epochs).to_csv(HISTORY / "a.csv", index=False)
    arrays = [f"test_{name}.npy" for name in ("values", "offsets", "labels", "weights")]
    return {
        MULTI_HOT / "facts.json": lambda: read_json(MULTI_HOT / "facts.json", FeatureFacts),
        METRICS: read_facts,
        CORRECT / "a.npz": lambda: read_correct(CORRECT / "a.npz"),
        SCORES: lambda: read_scores(SCORES, VARIANTS, SEEDS),
        HISTORY / "a.csv": lambda: read_history("a", SEEDS),
    } | {MULTI_HOT / name: lambda: load_vectors(MULTI_HOT, "test") for name in arrays}


def check_handed_on(read: object) -> None:
    match read:
        case Reviews():
            assert max(astuple(read)[0], default=0) < NUM_WORDS
            assert len(read) == 3
            assert [len(read.between(i, i + 1)) for i in range(3)] == [1, 1, 1]
        case DataFacts():
            assert read.test_reviews >= 0
        case Correct():
            assert len(read.seeds) == len(set(read.seeds.tolist()))
            for bits in read.by_split.values():
                assert bits.dtype == bool
                assert len(bits) == len(read.seeds)
        case pd.DataFrame():
            assert np.isfinite(read.select_dtypes("number").to_numpy()).all()


def test_what_is_handed_on_is_read(handed_on):
    for read in handed_on.values():
        check_handed_on(read())


@fuzz
@given(data=st.data())
def test_damage_to_what_is_handed_on(handed_on, data: st.DataObject):
    path = data.draw(st.sampled_from(sorted(handed_on)))
    whole = path.read_bytes()
    path.write_bytes(data.draw(damaged(whole)))
    try:
        check_handed_on(read_or_refused(handed_on[path]))
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("test_values", np.array([1, 4, 50, 2, 3, 7], np.uint8)),
        ("test_values", np.array([1, 4, 49, 2, 3, 7], np.int8)),
        ("test_values", np.array([1.0, 4, 49, 2, 3, 7])),
        ("test_values", np.ones((6, 1), np.uint8)),
        ("test_values", np.ones(5, np.uint8)),
        ("test_offsets", np.array([0, 4, 3, 6])),
        ("test_offsets", np.array([0, 3, 6])),
        ("test_offsets", np.array([0.0, 3, 3, 6])),
        ("test_offsets", np.array(6)),
        ("test_weights", np.array([1, 1, 1, 1, np.nan, 1], np.float32)),
        ("test_weights", np.ones(6)),
        ("test_weights", np.ones(5, np.float32)),
        ("test_labels", np.array([1, 0, 2], np.uint8)),
        ("test_labels", np.array([1, 0, 0.5])),
        ("test_labels", np.array([1, 0], np.uint8)),
    ],
    ids=str,
)
def test_arrays_of_another_kind(handed_on, name: str, array: Any):
    np.save(MULTI_HOT / f"{name}.npy", array)
    with pytest.raises(
        InputError, match="data/multi_hot: the test arrays are damaged; run `dvc repro"
    ):
        load_vectors(MULTI_HOT, "test")


@pytest.mark.parametrize(
    "changes",
    [
        {"seeds": np.array([1, 1, 2])},
        {"seeds": np.array([1.0, 2, 3])},
        {"seeds": np.array([[1, 2, 3]])},
        {"seeds": np.arange(20)},
        {"test": np.zeros((1, 3))},
        {"test": np.zeros((2, 3), np.uint8)},
        {"test": np.zeros((1, 4), np.uint8)},
        {"test": np.zeros((1, 3), object)},
        {"test_reviews": np.array("three")},
    ],
    ids=lambda changes: " ".join(f"{k} {v.dtype} {v.shape}" for k, v in changes.items()),
)
def test_bits_of_another_kind(handed_on, changes: dict[str, Any]):
    with np.load(CORRECT / "a.npz") as arrays:
        whole = dict(arrays)
    np.savez(CORRECT / "a.npz", **whole | changes)
    with pytest.raises(InputError, match=r"a\.npz: .*; run `dvc repro` to regenerate it"):
        read_correct(CORRECT / "a.npz")


@pytest.mark.parametrize("path", [SCORES, HISTORY / "a.csv"], ids=str)
def test_a_table_with_lines_too_few(handed_on, path: Path):
    lines = path.read_text().splitlines(keepends=True)
    for start, stop in [*itertools.pairwise(range(len(lines) + 1)), (len(lines) - 4, None)]:
        path.write_text("".join(lines[:start] + (lines[stop:] if stop else [])))
        with pytest.raises(InputError, match="run `dvc repro` to regenerate it"):
            handed_on[path]()
