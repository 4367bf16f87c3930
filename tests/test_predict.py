"""Texts to probabilities: from a folder of models, on the command line, and inside TensorFlow."""

import bz2
import contextlib
import csv
import gzip
import io
import itertools
import json
import lzma
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import pytest
import requests
from scipy.special import logit

from commands import predict
from tests.conftest import PROJECT, call, edit_params, make_workspace, refusal
from tests.test_remotes import free_port, serving
from workflow.base.files import PREDICTIONS, REVIEWS, read_json, write_json
from workflow.base.reviews import Reviews, load_reviews
from workflow.model.libraries import keras
from workflow.serving.predictor import Predictor, column_weights, sparse
from workflow.text.vocabulary import Vocabulary, with_line_breaks

VARIANTS = ("candidate", "deep")  # n-grams and multi-hot vectors


@pytest.fixture(scope="module")
def trained(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with two trained variants; tests only look at it."""
    folder = make_workspace(tmp_path_factory.mktemp("trained") / "a workspace", mirror)
    variants = {
        "candidate": {"recipe": "model", "features": "ngrams"},
        "deep": {"recipe": "baselines.three_regularized", "features": "multi_hot"},
    }
    edit_params(
        folder,
        variants=variants,
        compare__reference="deep",
        features__ngrams__min_reviews=1,
        baselines__three_regularized__epochs=2,
    )
    with contextlib.chdir(folder):
        call("stages.download")
        for variant, settings in variants.items():
            call("stages.vectorize", settings["features"])
            call("stages.train", variant)
            call("stages.evaluate", variant)
    return folder


@pytest.fixture(autouse=True)
def _there(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained)


@pytest.fixture(scope="module")
def predictors(trained: Path) -> dict[str, Predictor]:
    return {variant: Predictor(trained / "models" / variant) for variant in VARIANTS}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A copy of the candidate's folder."""
    return Path(shutil.copytree("models/candidate", tmp_path / "model"))


def decoded(split: str = "test") -> list[str]:
    reviews, words = load_reviews(split), Vocabulary.load(REVIEWS)
    return [words.decode(reviews.between(i, i + 1).values) for i in range(len(reviews))]


# --- the predictor --------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", VARIANTS)
def test_decoded_test_reviews_give_the_predictions(variant: str, predictors):
    predicted = predictors[variant].predict(decoded())
    expected = np.load(PREDICTIONS / variant / "test.npy")
    assert predicted.shape == expected.shape == (3, 40)
    assert expected.std() > 0.01
    np.testing.assert_allclose(predicted, expected, atol=1e-6)


@pytest.mark.parametrize("variant", VARIANTS)
def test_any_text_can_be_predicted_and_unknown_words_are_dropped(variant: str, predictors):
    texts = ["", " \n", "很好", "😀", "\0\x1b[31m\u2028", "<br /><br />", "\udcff", "w1 " * 350_000]
    predictor = predictors[variant]
    empty, _, chinese, *others, with_it, without = predictor.predict(
        [*texts, "W1 blorf <b>w2", "w1 w2"]
    ).T
    np.testing.assert_array_equal(empty, chinese)
    np.testing.assert_array_equal(with_it, without)
    assert np.isfinite(others).all()
    for text in texts:
        assert all(np.isfinite(contribution) for _, contribution in predictor.contributions(text))
    assert predictor.predict([]).shape == (3, 0)


def test_the_contribution_of_an_n_gram_is_what_the_log_odds_fall_by_without_its_column(predictors):
    predictor, text = predictors["candidate"], decoded("training")[0]
    (whole,) = predictor.encoder.encode(predictor.vocabulary.encode([text]))
    names = [predictor.vocabulary.decode(n) for n in predictor.encoder.words(whole.values)]

    def log_odds(kept: np.ndarray) -> float:
        offsets = np.array([0, kept.sum()])
        rest = Reviews(whole.values[kept], offsets, whole.labels, column_weights(whole)[kept])
        vectors = sparse(rest, predictor.encoder.columns)
        return float(logit(np.mean([network(vectors)[0, 0] for network in predictor.networks])))

    numbers = np.arange(len(names))
    falls = [log_odds(numbers >= 0) - log_odds(numbers != number) for number in numbers]
    contributions = predictor.contributions(text)
    assert dict(contributions) == pytest.approx(dict(zip(names, falls, strict=True)), abs=1e-5)
    assert [value for _, value in contributions] == sorted(dict(contributions).values())[::-1]
    assert max(len(name.split()) for name in names) == 3


def test_of_single_words_each_is_named_with_what_a_text_without_it_would_lose(predictors):
    """Words beyond the most frequent are one column, and so is the start."""
    deep = predictors["deep"]
    texts = {"w1": "w31 w2 w60", "w2": "w1 w31 w60", "w31": "w1 w2 w60"}
    texts["(rare words)"] = "w1 w2 w31"
    without = logit(deep.predict(list(texts.values())).mean(axis=0))
    (whole,) = logit(deep.predict(["w1 w2 w31 w60"]).mean(axis=0))
    contributions = dict(deep.contributions("w1 w2 w31 w60"))
    assert contributions.pop("(start)")
    assert contributions == pytest.approx(dict(zip(texts, whole - without, strict=True)), abs=1e-5)


def test_a_sure_network_can_be_explained_too(trained: Path):
    """Where float32 probabilities are 1, their log-odds would be infinite."""
    predictor = Predictor(trained / "models/candidate")
    kernel = predictor.networks[0].layers[-1].kernel
    kernel.assign(kernel.numpy() * 10_000)
    assert all(np.isfinite(value) for _, value in predictor.contributions("w1 w2 w3"))


# --- a damaged folder -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("seed-1.keras", b"", r"seed-1\.keras: .*; run `dvc repro`"),
        ("seed-1.keras", None, r"seed-1\.keras: it takes 50 columns, its encoder has \d+"),
        ("encoder/word_index.json", b'{"a": 2}', r"the ranks are not 1, 2, 3"),
        ("encoder/facts.json", b"", r"facts\.json: .*json_invalid"),
        ("encoder/keys.npy", b"", r"keys\.npy: "),
    ],
)
def test_a_damaged_folder_is_one_sentence(
    name: str, content: bytes | None, sentence: str, model: Path
):
    other = Path("models/deep", name)
    (model / name).write_bytes(other.read_bytes() if content is None else content)
    assert re.search(
        sentence, refusal("commands.predict", "--model", str(model), "--sentence", "w1")
    )


def test_a_variant_that_is_not_trained_is_one_sentence(trained, tmp_path, monkeypatch):
    shutil.copytree(trained / ".dvc", tmp_path / ".dvc")
    monkeypatch.chdir(tmp_path)
    sentence = "error: models/nothing: no trained model; run "
    assert refusal("commands.predict", "nothing", "--sentence", "w1") == f"{sentence}`dvc repro`"
    with Path(".dvc/config").open("a") as file:
        file.write("['remote \"storage\"']\n    url = /elsewhere\n")
    refused = refusal("commands.predict", "nothing", "--sentence", "w1")
    assert refused == f"{sentence}`dvc pull` or `dvc repro`"


def test_a_network_that_does_not_fit_into_memory_is_not_called_damaged(monkeypatch):
    """NumPy refuses what Keras wants to read, as under `ulimit -v`."""
    message = "Unable to allocate 28.5 MiB for an array with data type f4"
    refuse = mock.Mock(side_effect=MemoryError(message))
    monkeypatch.setattr(keras.layers.Dense, "load_own_variables", refuse)
    with pytest.raises(MemoryError, match=f"^{message}$"):
        Predictor(Path("models/candidate"))


# --- the command ----------------------------------------------------------------------------------


def test_a_sentence_is_explained(capsys):
    call("commands.predict", "--sentence", 'W1 "blorf" 😀 w31 w2 \x1b[31m')
    first, *others = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r'(posi|nega|undeci)\w+ 0\.\d{3}  0\.\d{3} to 0\.\d{3}  [123]/3 seeds  W1 "blorf" .*',
        first,
    )
    assert "\x1b" not in first
    assert "  not in the vocabulary: blorf 😀" in "\n".join(others)
    assert re.search(r"for (positive|negative): .*w\d+ [+-]\d\.\d\d", "\n".join(others))


@pytest.mark.parametrize(
    ("by_seed", "text", "label"),
    [
        ([0.6, 0.7], "W1 blorf", "positive 0.650"),
        ([0.4, 0.3], "w1", "negative 0.350"),
        ([0.49, 0.7], "w1", "undecided 0.595"),
        ([0.6, 0.7], "Blorf, blorf", "undecided 0.650"),
        ([0.6, 0.7], "", "undecided 0.650"),
    ],
)
def test_undecided_are_texts_on_which_seeds_disagree_or_without_a_known_word(
    by_seed: list[float], text: str, label: str, predictors
):
    vocabulary, predicted = predictors["candidate"].vocabulary, np.array([by_seed]).T
    fixed: Any = SimpleNamespace(vocabulary=vocabulary, predict=lambda _: predicted)
    (answer,) = Predictor.answers(fixed, [text], explain=False)
    assert predict.as_text(text, answer).startswith(f"{label}  ")
    assert answer["unknown"] == (["blorf"] if "blorf" in text.lower() else [])


def run_on(content: str | bytes, path: Path, *options: str) -> str:
    """What is printed for a file, which is written first."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        call("commands.predict", "candidate", str(path), *options)
    return out.getvalue()


def test_an_answer_for_people_has_each_value_in_its_place():
    values = {"probability": 0.595, "lowest": 0.49, "highest": 0.7, "agree": 1, "seeds": 2}
    words = {"known": 2, "unknown": ["blorf"], "for": {"good": 0.5}, "against": {"bad": -0.25}}
    assert predict.as_text("A text", values | words).splitlines() == [
        "undecided 0.595  0.490 to 0.700  1/2 seeds  A text",
        "  for positive: good +0.50",
        "  for negative: bad -0.25",
        "  not in the vocabulary: blorf",
    ]
    (line,) = predict.as_text("", values | {"known": 0}).splitlines()
    assert line == "undecided 0.595  0.490 to 0.700  no known word  "


def test_lines_become_json(tmp_path, predictors, monkeypatch):
    monkeypatch.setattr(predict, "BLOCK", 7)  # reviews predicted together
    lines = [*decoded(), "", "w1 w1 unheard"]
    out = run_on("\r\n".join(lines), tmp_path / "reviews", "--json", "--explain")
    answers = [json.loads(line) for line in out.splitlines()]
    probabilities = predictors["candidate"].predict(lines).astype(float)
    for answer, line, by_seed in zip(answers, lines, probabilities.T, strict=True):
        assert answer["text"] == line
        assert answer["probability"] == pytest.approx(by_seed.mean(), abs=2e-6)
        assert answer["lowest"] == pytest.approx(by_seed.min(), abs=2e-6)
        assert answer["highest"] == pytest.approx(by_seed.max(), abs=2e-6)
        assert answer["agree"] == ((by_seed > 0.5) == (by_seed.mean() > 0.5)).sum()
        assert answer["seeds"] == 3
        largest = predictors["candidate"].contributions(line)
        positive = {name: value for name, value in largest[:5] if value >= 0.005}
        negative = {name: value for name, value in largest[-5:] if value <= -0.005}
        assert answer["for"] == pytest.approx(positive, abs=2e-4)
        assert answer["against"] == pytest.approx(negative, abs=2e-4)
    assert (answers[-1]["known"], answers[-1]["unknown"]) == (2, ["unheard"])
    assert any(answer["against"] for answer in answers)


def test_a_table_keeps_its_columns(tmp_path):
    table = '\ufeffid,review\n7,"w1, ""w2""\nw3 😀"\n8,\n'
    out = run_on(table, tmp_path / "reviews", "--csv", "--text", "review")
    header, first, second = csv.reader(out.splitlines(keepends=True))
    assert header == "id review probability lowest highest agree seeds known unknown".split()
    assert first[:2] == ["7", 'w1, "w2"\nw3 😀']
    assert (first[-1], second[:2], second[-1]) == ("😀", ["8", ""], "")
    assert first[-2] == "3"  # w3 is known too
    assert float(first[3]) < float(first[2]) < float(first[4])
    assert run_on("", tmp_path / "empty", "--csv") == ""


def test_an_endless_input_is_read_as_it_is_needed(monkeypatch):
    monkeypatch.setattr(predict, "BLOCK", 5)
    rows = ({"text": "w1"} for _ in itertools.count())
    assert [len(b) for b in itertools.islice(predict.blocks(rows, "text", None), 3)] == [5, 5, 5]
    long = ({"text": "w" * 3_000_000} for _ in itertools.count())
    assert len(next(predict.blocks(long, "text", None))) == 2


@pytest.mark.parametrize(
    ("name", "content", "pack"),
    [
        ("reviews.csv", "text,id\nw1 é,7\n", bytes),
        ("reviews.tsv.gz", "text\tid\nw1 é\t7\n", gzip.compress),
        ("reviews.jsonl.bz2", '{"text": "w1 é", "id": "7"}\n', bz2.compress),
        ("reviews.txt.xz", "w1 é\n", lzma.compress),
    ],
)
def test_tables_and_texts_packed_or_not_are_read_by_their_name(
    name: str, content: str, pack: Callable[[bytes], bytes], tmp_path
):
    packed = pack(content.encode("cp1252"))
    answer = json.loads(run_on(packed, tmp_path / name, "--encoding", "cp1252", "--json"))
    assert answer["text"] == "w1 é"
    assert answer.get("id") == (None if ".txt" in name else "7")


@pytest.mark.parametrize(
    ("content", "options", "sentence"),
    [
        (b"a\ndon\x92t\n", [], "line 2: not in the encoding utf-8; it may be in cp1252: set "),
        (b"a" * 10_000_001, [], "line 1 has more than 10,000,000 characters"),
        (b"a,b\n1,2\n", ["--text", "x"], "no column is called 'x'; there are 'a', 'b'"),
        (b"x,seeds\n1,2\n", ["--text", "x"], "rename column seeds"),
        (None, [], "[Errno 2] No such file"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(
    content: bytes | None, options: list[str], sentence: str, tmp_path
):
    path = tmp_path / "reviews"
    if content is not None:
        path.write_bytes(content)
    message = refusal("commands.predict", "candidate", str(path), *options)
    assert message.startswith(f"error: {path}: {sentence}")


@pytest.mark.parametrize(
    "line",
    [
        "candidate --text review {file}",
        "{file} --text review --input csv",
        "--text review candidate {file}",
        "candidate --model {model} {file} --text review",
        "--model {model} --text review {file}",
    ],
)
def test_arguments_come_in_any_order(line: str, tmp_path, model: Path, capsys):
    path = tmp_path / "reviews"
    path.write_text("id,review\n7,w1\n")
    call("commands.predict", *line.format(file=path, model=model).split())
    assert re.fullmatch(r"\w+ .* seeds  w1\n", capsys.readouterr().out)


@pytest.mark.parametrize("line", ["a b c", "a b --sentence c", "--csv --json", "--encoding utf-9"])
def test_arguments_that_make_no_sense_end_with_the_usage(line: str):
    with pytest.raises(SystemExit) as ended:
        call("commands.predict", *line.split())
    assert ended.value.code == 2


@contextlib.contextmanager
def talking(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], Any, Any]]:
    """The command in a process of its own, which has answered the only line of its input so far.

    It has nothing but the folder of the model, as after `dvc get`, and prints no notice of
    TensorFlow's. Its output has an encoding without the characters of its input.
    """
    own = {name: v for name, v in os.environ.items() if not name.startswith(("TF_", "KERAS"))}
    command = ["-m", "commands.predict", "--model", str(folder), "--json"]
    with subprocess.Popen(
        # A shell makes its background jobs ignore Ctrl-C, and all that they start.
        ["env", "--default-signal=INT", sys.executable, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        cwd=folder,
        env=own | {"PYTHONPATH": str(PROJECT), "PYTHONIOENCODING": "latin-1"},
    ) as process:
        watchdog = threading.Timer(120, process.kill)
        watchdog.start()
        typed: Any = process.stdin
        printed: Any = process.stdout
        typed.write("w1 😀\n".encode())
        line = printed.readline()
        assert b"\\ud83d\\ude00" in line
        assert json.loads(line)["text"] == "w1 😀"
        yield process, typed, printed
        watchdog.cancel()


def test_a_pipe_is_answered_line_by_line_until_ctrl_c(model: Path):
    with talking(model) as (process, typed, printed):
        typed.write(b"w2\nw3")
        assert json.loads(printed.readline())["text"] == "w2"
        process.send_signal(signal.SIGINT)
        assert process.communicate() == (b"", b"")
        assert process.returncode == -signal.SIGINT


def test_a_closed_pipe_ends_a_prediction_quietly(model: Path):
    with talking(model) as (process, typed, printed):
        printed.close()
        typed.write(b"w1\n")
        typed.close()
        assert process.stderr.read() == b""  # type: ignore[union-attr]
        assert process.wait() == 0


# --- a review of the corpus -----------------------------------------------------------------------


def test_a_review_is_decoded(capsys):
    call("commands.decode", "3")
    text, label, *variants = capsys.readouterr().out.replace("\n\n", "\n").splitlines()
    assert text == decoded()[3]
    positive = load_reviews("test").labels[3]
    assert label == f"label: {'positive' if positive else 'negative'}"
    by_seed = np.load(PREDICTIONS / "candidate/test.npy")[:, 3].astype(float)
    word = "positive" if by_seed.mean() > 0.5 else "negative"
    right = ((by_seed > 0.5) == positive).sum()
    assert variants[0] == f"candidate: {word} {by_seed.mean():.3f}, {right}/3 seeds right"
    assert variants[1].startswith("deep: ")


def test_what_is_left_of_br_tags_is_read_as_a_line_break():
    text = "br a film br br from br brazil br"
    assert with_line_breaks(text).split("\n") == ["", "a film", "from", "brazil", ""]


def test_of_the_training_reviews_the_first_have_predictions(capsys):
    labels = load_reviews("training").labels
    predicted = np.load(PREDICTIONS / "candidate/validation.npy").T.astype(float)
    for number, by_seed in enumerate(predicted[:5]):
        call("commands.decode", str(number), "--split", "training")
        right = ((by_seed > 0.5) == labels[number]).sum()
        answer = rf"candidate: \w+ {by_seed.mean():.3f}, {right}/3 seeds right"
        assert re.search(answer, capsys.readouterr().out)
    call("commands.decode", "59", "--split", "training")
    assert "candidate: " not in capsys.readouterr().out


def test_a_review_that_is_not_there_is_one_sentence():
    for number in ("40", "-1"):
        expected = f"error: there is no review {number}; expected 0 to 39"
        assert refusal("commands.decode", "--", number) == expected


def test_predictions_of_other_reviews_are_not_shown(trained, tmp_path, monkeypatch):
    shutil.copytree(trained / "data", tmp_path / "data")
    shutil.copy(trained / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    facts = PREDICTIONS / "deep/facts.json"
    write_json(facts, read_json(facts, dict) | {"sha256": "another"})
    assert "of other reviews than data/reviews" in refusal("commands.decode", "0")
    variants = {"candidate": {"recipe": "model", "features": "ngrams"}}
    edit_params(tmp_path, variants=variants, compare__reference="candidate")
    call("commands.decode", "0")  # nothing is asked of a variant that is no more


# --- a SavedModel ---------------------------------------------------------------------------------

SERVE = """
import json, sys
import tensorflow as tf
texts, lines = json.load(sys.stdin)
for line in lines:
    exec(line)
    served = {name: values.numpy().tolist() for name, values in model.serve(texts).items()}
    signature = model.signatures["serving_default"](texts=tf.constant(texts))
    assert {name: values.numpy().tolist() for name, values in signature.items()} == served
    assert model.serve([])["probability"].shape == 0
    assert model.kernels.dtype == tf.float16
    assert not {"workflow", "commands"} & set(sys.modules)
    print(json.dumps(served))
"""


@pytest.fixture(scope="module")
def exported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A folder with exports/ of both variants, and how the command says to use them."""
    folder, lines = tmp_path_factory.mktemp("exported"), []
    for variant in VARIANTS:
        with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()) as out:
            call("commands.export", "--model", str(trained / "models" / variant))
        first, line = out.getvalue().splitlines()
        assert first.startswith(f"exports/{variant}: 3 seeds")
        lines.append(line.removeprefix("use it:  "))
    return folder, lines


def test_an_export_is_used_as_printed_and_needs_tensorflow_alone(exported, predictors):
    random = np.random.default_rng(1)
    known = [*predictors["candidate"].vocabulary.words, "blorf", "É", "\uff57\uff11", "w1'", "\0"]
    texts = ["", " ", "\n", "W1,W2.w3<br />w4\tw5", "很好😀", *decoded()]
    joints = [" ", "\r\n", ",", "\\", "]", "^", "\u2019", "\u2014", "\u200b", "&nbsp;", "<br />"]
    while len(texts) < 100:
        words = random.choice(known, random.integers(1, 40))
        texts.append("".join(w + random.choice(joints, p=[0.9] + [0.01] * 10) for w in words))
    folder, lines = exported
    served = subprocess.run(
        [sys.executable, "-I", "-c", SERVE],
        input=json.dumps([texts, lines]),
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    assert served.returncode == 0, served.stderr
    for variant, line in zip(VARIANTS, served.stdout.splitlines(), strict=True):
        by_seed, found = predictors[variant].predict(texts), json.loads(line)
        expected = np.stack([by_seed.mean(axis=0), by_seed.min(axis=0), by_seed.max(axis=0)])
        served_values = [found[name] for name in ("probability", "lowest", "highest")]
        np.testing.assert_allclose(served_values, expected, atol=1e-4)


def test_the_page_on_serving_can_be_followed(exported, monkeypatch):
    """Its server, on another port, and its line without a server."""
    monkeypatch.chdir(exported[0])
    page = (PROJECT / "docs/serving.md").read_text("utf-8")
    (app,) = re.findall("```python\n(.*?)```", page, re.DOTALL)
    (asked,) = re.findall(r"curl .*--json '(.*)'", page)
    (line,) = re.findall("    (saved_model_cli run .*)", page)
    Path("app.py").write_text(app, "utf-8")
    printed = subprocess.check_output(["sh", "-c", line], text=True)
    port = free_port()
    with serving(port, "uvicorn", "app:app", "--log-level", "warning", "--port", str(port)):
        url = f"http://127.0.0.1:{port}/predict"
        answer = requests.post(url, json=json.loads(asked), timeout=60).json()
    assert answer.keys() == {"probability", "lowest", "highest"}
    assert [len(values) for values in answer.values()] == [2, 2, 2]
    (shown,) = re.findall(r"output key probability:\n\[([\d.]+)\]", printed)
    assert float(shown) == pytest.approx(answer["probability"][0], abs=1e-6)


@pytest.mark.parametrize("name", ["../models/candidate", "/elsewhere", "a/b", "..", ""])
def test_an_export_is_written_below_exports_alone(name: str, model: Path):
    before = sorted(model.rglob("*"))
    assert refusal("commands.export", name, "--model", str(model)) == (
        f"error: {name!r} is not the name of a variant; give a folder with --model"
    )
    assert sorted(model.rglob("*")) == before


def test_the_unicode_tokenizer_is_for_predictions_alone(model: Path, monkeypatch):
    monkeypatch.chdir(model)
    assert Vocabulary.load(Path("encoder")).tokenize("W1 straße—ß") == ["w1", "straße", "ß"]
    facts = read_json(Path("encoder/facts.json"), dict)
    write_json(Path("encoder/facts.json"), facts | {"tokenizer": "unicode"})
    assert Vocabulary.load(Path("encoder")).tokenize("W1 straße—ß") == ["w1", "strasse", "ss"]
    refused = refusal("commands.export", "--model", str(model))
    assert "no operations for the tokenizer unicode" in refused
    assert not list(model.glob("exports/*"))
