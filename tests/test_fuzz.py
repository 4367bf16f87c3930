"""Files that are damaged, hostile or nonsense: each is read as what it says, or refused.

FUZZ_EXAMPLES=20000 tries so many instead of the few that suit every run.
"""

import copy as copies
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tests.conftest import PROJECT, TRAINED
from workflow.base.errors import InputError
from workflow.base.files import (
    CORRECT,
    HISTORY,
    METRICS,
    SCORES,
    FeatureFacts,
    features_folder,
    read_json,
)
from workflow.base.reviews import Reviews, load_vectors
from workflow.evaluation.results import Correct, read_correct, read_facts, read_history, read_scores
from workflow.params import Params, load_params

NGRAMS, BITS, CURVES = features_folder("ngrams"), CORRECT / "single.npz", HISTORY / "single.csv"
SEEDS = range(1, 4)
REAL = (PROJECT / "params.yaml").read_bytes()
WRITTEN = YAML(typ="safe", pure=True).load(REAL)

fuzz = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "60")),
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def read_or_refused(read: Callable[[], Any]) -> Any:
    """What is read, or None if it is refused with a sentence; anything else fails the test."""
    try:
        return read()
    except InputError:
        return None


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """`content`, of which one to four pieces are replaced, removed, repeated or the end of it."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, max(len(content) - 1, 0)))
        stop = start + draw(st.integers(0, 40) | st.just(len(content)))
        piece = draw(st.binary(max_size=8) | st.just(2 * content[start:stop]))
        content = content[:start] + piece + content[stop:]
    return content


# --- params.yaml ----------------------------------------------------------------------------------

odd = [0, -1, 10**30, -(10**400), 2**63, 1e308, 1e-320, -0.0, "x" * 20_000, b"\0", None, False]
scalars = st.one_of(st.integers(), st.floats(), st.text(max_size=20), st.dates())
values = st.recursive(
    st.sampled_from(odd) | scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


def load_bytes(folder: Path, content: bytes) -> Params:
    path = folder / "params.yaml"
    path.write_bytes(content)
    return load_params(path)


def places(block: Any, *above: Any) -> list[tuple[Any, ...]]:
    """The way to everything inside."""
    if not isinstance(block, dict | list):
        return []
    found: list[tuple[Any, ...]] = []
    for key, value in block.items() if isinstance(block, dict) else enumerate(block):
        found += [(*above, key), *places(value, *above, key)]
    return found


@fuzz
@given(content=damaged(REAL))
def test_damaged_parameters(tmp_path_factory, content: bytes):
    read_or_refused(lambda: load_bytes(tmp_path_factory.getbasetemp(), content))


@fuzz
@given(way=st.sampled_from(places(WRITTEN)), value=values)
def test_parameters_are_what_the_file_says(tmp_path_factory, way: tuple[Any, ...], value: Any):
    written = copies.deepcopy(WRITTEN)
    block = written
    for key in way[:-1]:
        block = block[key]
    block[way[-1]] = value
    file = io.BytesIO()
    YAML(typ="safe", pure=True).dump(written, file)
    read = read_or_refused(lambda: load_bytes(tmp_path_factory.getbasetemp(), file.getvalue()))
    is_label = way[-1] in ("positive", "negative")  # 4.0 is read as the label 4
    if read and not is_label and not isinstance(value, list | dict):
        read = read.model_dump()
        for key in way:
            read = read[key]
        assert read == (value.lower() if way[-1] == "optimizer" else value)
        assert isinstance(value, bool) == isinstance(read, bool)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param("", "params.yaml", id="empty"),
        pytest.param("- a list", "params.yaml", id="a list"),
        pytest.param("data: [", "params.yaml", id="not YAML"),
        pytest.param(b"data: \xff\xfe", "params.yaml", id="not UTF-8"),
        pytest.param("a: 2001-99-99", "month", id="no date"),
        pytest.param("a: !!bool x", "cannot be read", id="no boolean"),
        pytest.param("a: " + "9" * 5000, "limit", id="decimal of 5000 digits"),
        pytest.param("a: 0x" + "f" * 5000, "thousands of digits", id="hexadecimal of 5000 digits"),
        pytest.param("a: !!python/object/apply:os.system [x]", "python/object", id="an object"),
        pytest.param("--- 1\n--- 2", "single document", id="two documents"),
        pytest.param("data: 1\ndata: 2", "duplicate", id="a key twice"),
        pytest.param("data:\n\tseed: 1", "character", id="a tab"),
        pytest.param('a: "\\ud800"', "params.yaml", id="half a surrogate pair"),
    ],
)
def test_hostile_parameters(tmp_path, content: str | bytes, reason: str):
    with pytest.raises(InputError, match=f"(?i){reason}"):
        load_bytes(tmp_path, content.encode() if isinstance(content, str) else content)


# --- what the stages hand on ----------------------------------------------------------------------


@pytest.fixture
def handed_on(copy: Path, monkeypatch: pytest.MonkeyPatch) -> dict[Path, Callable[[], Any]]:
    """Files that the stages wrote, and how each is read."""
    monkeypatch.chdir(copy)
    return {
        NGRAMS / "facts.json": lambda: read_json(NGRAMS / "facts.json", FeatureFacts),
        METRICS: read_facts,
        BITS: lambda: read_correct(BITS),
        SCORES: lambda: read_scores(SCORES, TRAINED, SEEDS),
        CURVES: lambda: read_history("single", SEEDS),
    } | dict.fromkeys(NGRAMS.glob("test_*.npy"), lambda: load_vectors(NGRAMS, "test"))


@fuzz
@given(data=st.data())
def test_damage_to_what_is_handed_on(handed_on, data: st.DataObject):
    columns = read_json(NGRAMS / "facts.json", FeatureFacts).columns
    path = data.draw(st.sampled_from(sorted(handed_on)))
    whole = path.read_bytes()
    assert handed_on[path]() is not None
    path.write_bytes(data.draw(damaged(whole)))
    read = read_or_refused(handed_on[path])
    path.write_bytes(whole)
    match read:
        case Reviews():
            assert [len(review) for review in read.blocks(1)] == [1] * 40
            assert read.values.max() < columns
        case Correct():
            assert len(read.seeds) == len(set(read.seeds.tolist()))
            assert {bits.dtype for bits in read.by_split.values()} == {np.dtype(bool)}
        case pd.DataFrame():
            assert np.isfinite(read.filter(regex="accuracy|loss$|epoch")).all(axis=None)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("values", lambda values: np.full_like(values, np.iinfo(values.dtype).max)),
        ("values", lambda values: values.astype(np.int64)),
        ("values", lambda values: values[:, None]),
        ("values", lambda values: values[1:]),
        ("offsets", lambda offsets: offsets[[0, 2, 1, *range(3, len(offsets))]]),
        ("offsets", lambda offsets: offsets[1:]),
        ("offsets", lambda offsets: np.maximum(offsets, 1)),
        ("offsets", lambda offsets: offsets.astype(float)),
        ("offsets", lambda offsets: offsets[-1]),
        ("weights", lambda weights: weights * np.nan),
        ("weights", lambda weights: weights.astype(float)),
        ("weights", lambda weights: weights[1:]),
        ("labels", lambda labels: labels + 1),
        ("labels", lambda labels: labels.astype(float)),
        ("labels", lambda labels: labels[1:]),
    ],
)
def test_arrays_of_another_kind(handed_on, name: str, change: Callable[[Any], Any]):
    path = NGRAMS / f"test_{name}.npy"
    np.save(path, change(np.load(path)))
    with pytest.raises(InputError, match="ngrams: the test arrays are damaged; run `dvc repro"):
        load_vectors(NGRAMS, "test")


@pytest.mark.parametrize(
    "changes",
    [
        {"seeds": np.array([1, 1, 2])},
        {"seeds": np.array([1.0, 2, 3])},
        {"seeds": np.arange(20)},
        {"test": np.zeros((1, 40))},
        {"test": np.zeros((1, 41), np.uint8)},
        {"test": np.zeros((1, 40), object)},
    ],
    ids=str,
)
def test_bits_of_another_kind(handed_on, changes: dict[str, Any]):
    with np.load(BITS) as arrays:
        whole = dict(arrays)
    np.savez(BITS, **whole | changes)
    with pytest.raises(InputError, match=r"single\.npz: .*; run `dvc repro` to regenerate it"):
        read_correct(BITS)


@pytest.mark.parametrize("path", [SCORES, CURVES], ids=str)
def test_a_table_with_lines_too_few(handed_on, path: Path):
    lines = path.read_text().splitlines(keepends=True)
    lacking = [lines[:i] + lines[i + 1 :] for i in range(len(lines))]
    for left in (*lacking, [], lines[:-4]):
        path.write_text("".join(left))
        with pytest.raises(InputError, match="run `dvc repro` to regenerate it"):
            handed_on[path]()
