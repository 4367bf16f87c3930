"""Files that are damaged, hostile or nonsense: each is read as what it says, or refused.

FUZZ_EXAMPLES=20000 tries so many instead of the few that suit every run.
"""

import copy
import io
import itertools
import json
import os
import pickle
import re
import subprocess
import sys
import zipfile
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

from tests.conftest import PROJECT, write_archive
from workflow.base.errors import InputError, reading
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
from workflow.text import bundled
from workflow.text.corpus import Corpus, content_hash
from workflow.text.keras_archive import parse_archive

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


MERGES = "a0: &a0 {x: 1, y: 2}\n" + "".join(
    f"a{i}: &a{i}\n  <<: [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
)
LAUGHS = "a0: &a0 [ha, ha]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(MERGES, "write out what \\*a0 stands for", id="merges of merges"),
        pytest.param(LAUGHS, "write out what \\*a0 stands for", id="billion laughs"),
        pytest.param("a: &a [*a]", "write out what", id="itself"),
        pytest.param("[" * 50_000, "recursion", id="deep list"),
        pytest.param("{" * 5_000, "recursion", id="deep mapping"),
        pytest.param("a: [" + "1," * 100_000 + "]", "more than 100,000", id="long"),
        pytest.param("a: 2001-99-99", "month", id="no date"),
        pytest.param("a: !!int x", "invalid literal", id="no integer"),
        pytest.param("a: !!int ''", "cannot be read", id="empty integer"),
        pytest.param("a: !!bool x", "cannot be read", id="no boolean"),
        pytest.param("a: " + "9" * 5000, "limit", id="decimal of 5000 digits"),
        pytest.param("a: 0x" + "f" * 5000, "thousands of digits", id="hexadecimal of 5000 digits"),
        pytest.param("a: !!python/object/apply:os.system [x]", "python/object", id="an object"),
        pytest.param("--- 1\n--- 2", "single document", id="two documents"),
        pytest.param("data: 1\ndata: 2", "duplicate", id="a key twice"),
        pytest.param("data:\n\tseed: 1", "character", id="a tab"),
        pytest.param('a: "\\ud800"', "params.yaml", id="half a surrogate pair"),
        pytest.param("? [a]\n: 1", "unknown key", id="a list for a key"),
        pytest.param("5", "params.yaml", id="a scalar"),
    ],
)
def test_hostile_parameters(tmp_path, content: str, reason: str):
    with pytest.raises(InputError, match=f"(?i){reason}"):
        load_bytes(tmp_path, content.encode())


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


# --- the archive ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    folder = write_archive(tmp_path_factory.mktemp("archive"))
    return (folder / "imdb.npz").read_bytes(), (folder / "imdb_word_index.json").read_bytes()


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def members_of(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as members:
        return {name.removesuffix(".npy"): members.read(name) for name in members.namelist()}


def npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def with_pickle(content: bytes, count: int = 60) -> bytes:
    """A .npy file of `count` objects whose pickle is `content`."""
    header = npy(np.empty(count, dtype=object)).split(b"\n")[0] + b"\n"
    return header + content


def check_corpus(corpus: Corpus | None) -> None:
    if corpus:
        words = len(corpus.word_index)
        assert list(corpus.word_index.values()) == list(range(1, words + 1))
        for reviews in (corpus.training, corpus.test):
            assert set(reviews.labels.tolist()) <= {0, 1}
            ranks, offsets, *_ = astuple(reviews)
            assert offsets[-1] == len(ranks)
            assert 1 <= ranks.min(initial=1) <= ranks.max(initial=1) <= words
        content_hash(corpus)


@fuzz
@given(data=st.data())
def test_a_damaged_archive(files, data: st.DataObject):
    archive = data.draw(damaged(files[0]))
    check_corpus(read_or_refused(lambda: parse_archive(archive, files[1])))


@fuzz
@given(data=st.data())
def test_a_damaged_member_of_the_archive(files, data: st.DataObject):
    members = members_of(files[0])
    name = data.draw(st.sampled_from(sorted(members)))
    archive = zipped(members | {name: data.draw(damaged(members[name]))})
    check_corpus(read_or_refused(lambda: parse_archive(archive, files[1])))


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 70) | st.floats() | st.text(max_size=3)
    | st.binary(max_size=3) | st.sampled_from([2**31, 2**40, 10**30, -(10**30)]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.integers(1, 9), inner, max_size=2)
    ),
    max_leaves=5,
)  # fmt: skip


@fuzz
@given(x=st.lists(anything, max_size=3), y=st.lists(st.integers(0, 1), max_size=3))
def test_reviews_of_anything(files, x: list[Any], y: list[int]):
    array = np.empty(len(x), dtype=object)
    array[:] = x
    archive = zipped(members_of(files[0]) | {"x_test": npy(array), "y_test": npy(np.array(y, int))})
    corpus = read_or_refused(lambda: parse_archive(archive, files[1]))
    valid = len(x) == len(y) > 0 and all(
        type(review) is list and all(type(rank) is int and 1 <= rank <= 60 for rank in review)
        for review in x
    )
    assert (corpus is not None) == valid
    check_corpus(corpus)


@pytest.mark.parametrize(
    "review",
    [[True], [1.0], [1.5], ["a"], [None], [[1]], [0], [-1], [61], [2**40], "a", b"1", {1: 2}, None],
    ids=repr,
)
def test_a_review_of_another_kind(files, review: Any):
    array = np.empty(1, dtype=object)
    array[0] = review
    archive = zipped(members_of(files[0]) | {"x_test": npy(array), "y_test": npy(np.array([1]))})
    with pytest.raises(InputError, match="the archive is not that of keras"):
        parse_archive(archive, files[1])


@pytest.mark.parametrize(
    "labels",
    [
        np.full(40, 2),
        np.full(40, -1),
        np.zeros(40),
        np.full(40, np.nan),
        np.zeros(40, bool),
        np.zeros(40, complex),
        np.zeros((40, 1), int),
        np.zeros(40, "M8[s]"),
        np.zeros(40, "V0"),
        np.zeros(40, "U1"),
        np.zeros(40, [("a", int)]),
        np.array(1),
        np.zeros(40, object),
    ],
    ids=lambda labels: f"{labels.dtype} {labels.shape}",
)
def test_labels_of_another_kind(files, labels: Any):
    archive = zipped(members_of(files[0]) | {"y_test": npy(labels)})
    with pytest.raises(InputError, match="the archive is not that of keras"):
        parse_archive(archive, files[1])


def call(function: str, *arguments: Any) -> bytes:
    """A pickle that calls a global."""
    module, name = function.rsplit(".", 1)
    body = pickle.dumps(arguments, protocol=2)[2:-1]
    return b"\x80\x02" + f"c{module}\n{name}\n".encode() + body + b"R."


def shared_lists() -> bytes:
    """A million references to one list of a million ranks."""
    head = b"\x80\x02cnumpy._core.multiarray\n_reconstruct\n)R(K\x01K\x3c\x85N\x89](]q\x00("
    return head + b"K\x01" * 1_000_000 + b"e" + b"h\x00" * 1_000_000 + b"etb."


HEADER = "{{'descr': {}, 'fortran_order': False, 'shape': {}, }}"


def header(descr: str, shape: str) -> bytes:
    text = HEADER.format(descr, shape).encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


BOMBS: dict[str, dict[str, bytes]] = {
    "os.system": {"x_test": with_pickle(call("os.system", "touch hacked"))},
    "eval": {"x_test": with_pickle(call("builtins.eval", "open('hacked', 'w')"))},
    "a huge array": {"x_test": with_pickle(call("numpy.ndarray", (10**12,)))},
    "a huge string": {"x_test": with_pickle(b"\x80\x04\x8d" + (2**62).to_bytes(8, "little"))},
    "a huge bytearray": {"x_test": with_pickle(b"\x80\x05\x96" + (2**36).to_bytes(8, "little"))},
    "a huge memo": {"x_test": with_pickle(b"\x80\x02]r\xff\xff\xff\x7f.")},
    "deep lists": {"x_test": with_pickle(b"\x80\x02" + b"(" * 1_000_000 + b"l" * 1_000_000 + b".")},
    "shared lists": {"x_test": with_pickle(shared_lists())},
    "huge shape": {"y_test": header("'<i8'", "(10000000000,)")},
    "huge empty items": {"y_test": header("'V0'", "(10000000000,)")},
    "huge shape of objects": {"x_test": header("'|O'", "(10000000000,)")},
    "a header of brackets": {"y_test": header("[" * 50, "(1,)")},
}


LIMITED = """
import os, resource, sys
from pathlib import Path
from workflow.errors import run
from workflow.sources.keras_archive import parse_archive

memory, index, *folders = sys.argv[1:]
for folder in folders:  # each in a process of its own; the imports are done once
    if not os.fork():
        resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
        os.chdir(folder)
        for number, name in enumerate(("stdout", "stderr"), 1):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT), number)
        read = Path("imdb.npz").read_bytes(), Path(index).read_bytes()
        run(lambda: parse_archive(*read) and None)
        sys.exit()
    status = os.waitstatus_to_exitcode(os.wait()[1])
    Path(folder, "status").write_text(str(status))
"""
COMPRESSED = {
    "compressed (bzip2)": zipfile.ZIP_BZIP2,
    "compressed (lzma)": zipfile.ZIP_LZMA,
}


@pytest.fixture(scope="module")
def exploded(files: tuple[bytes, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`parse_archive` on each bomb, with little memory and time: a folder for each."""
    parent, members = tmp_path_factory.mktemp("bombs"), members_of(files[0])
    zeros = {"y_test": npy(np.zeros(10, int)) + bytes(60_000_000)}
    few = {"y_test": npy(np.zeros(10, int))}  # how they are compressed is enough
    archives = {name: zipped(members | bomb, zipfile.ZIP_DEFLATED) for name, bomb in BOMBS.items()}
    archives |= {name: zipped(members | few, method) for name, method in COMPRESSED.items()}
    archives["deflated zeros"] = zipped(members | zeros, zipfile.ZIP_DEFLATED)
    for name, archive in archives.items():
        (parent / name).mkdir()
        (parent / name / "imdb.npz").write_bytes(archive)
    (parent / "index.json").write_bytes(files[1])
    folders = [str(parent / name) for name in archives]
    subprocess.run(
        [sys.executable, "-c", LIMITED, str(MEMORY), str(parent / "index.json"), *folders],
        check=True,
        timeout=120,
        env=os.environ | {"PYTHONPATH": str(PROJECT), "OPENBLAS_NUM_THREADS": "1"},
    )
    return parent


@pytest.mark.parametrize("name", [*BOMBS, *COMPRESSED, "deflated zeros"])
def test_bombs_are_refused_in_little_memory(exploded: Path, name: str):
    folder = exploded / name
    assert (folder / "status").read_text() == "1"
    error = (folder / "stderr").read_text()
    assert "error: the archive is not that of keras.datasets.imdb: " in error
    assert "Traceback" not in error
    assert ("stored nor deflated" in error) == ("(" in name)
    assert not (folder / "hacked").exists()


def test_members_that_no_one_asks_for_are_not_read(files):
    members = members_of(files[0]) | {"../../outside": b"", "/etc/x": b"junk"}
    check_corpus(parse_archive(zipped(members), files[1]))


# --- the word index and the bundled CSV -----------------------------------------------------------


@fuzz
@given(content=damaged(json.dumps({f"w{rank}": rank for rank in range(1, 20)}).encode()))
def test_a_damaged_word_index(files, content: bytes):
    check_corpus(read_or_refused(lambda: parse_archive(files[0], content)))


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
def test_a_word_index_of_another_kind(files, content: bytes):
    with pytest.raises(InputError, match="the archive is not that of keras"):
        parse_archive(files[0], content)


@fuzz
@given(
    content=damaged(
        b'text,label,source\n"good, ""great""",1,imdb\nbad,0,imdb\nnull,0,imdb\nfine,1,other\n'
    )
)
def test_a_damaged_csv(content: bytes):
    data = load_params(PROJECT / "params.yaml").data
    data = data.model_copy(update={"bundled": data.bundled.model_copy(update={"test_reviews": 1})})

    def read() -> Corpus:
        with reading("the CSV"):
            return bundled.divide(bundled.parse_table(content), data)

    check_corpus(read_or_refused(read))


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
    with pytest.raises(InputError, match="data/multi_hot: the test arrays are damaged; `dvc repro"):
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
        {"test_reviews": np.array([3, 3])},
        {"test_reviews": np.array("three")},
    ],
    ids=lambda changes: " ".join(f"{k} {v.dtype} {v.shape}" for k, v in changes.items()),
)
def test_bits_of_another_kind(handed_on, changes: dict[str, Any]):
    with np.load(CORRECT / "a.npz") as arrays:
        whole = dict(arrays)
    np.savez(CORRECT / "a.npz", **whole | changes)
    with pytest.raises(InputError, match=r"a\.npz: .*; `dvc repro` makes it anew"):
        read_correct(CORRECT / "a.npz")


@pytest.mark.parametrize("path", [SCORES, HISTORY / "a.csv"], ids=str)
def test_a_table_with_lines_too_few(handed_on, path: Path):
    lines = path.read_text().splitlines(keepends=True)
    for start, stop in [*itertools.pairwise(range(len(lines) + 1)), (len(lines) - 4, None)]:
        path.write_text("".join(lines[:start] + (lines[stop:] if stop else [])))
        with pytest.raises(InputError, match="`dvc repro` makes it anew"):
            handed_on[path]()
