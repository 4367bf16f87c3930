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

import keras
import numpy as np
import pytest
import requests
import tensorflow as tf
from scipy.special import logit

from commands import predict
from tests.conftest import PROJECT, call, edit_params, environment, make_workspace, refusal
from tests.test_remotes import free_port, serving
from workflow.base.files import PREDICTIONS, REVIEWS, read_json, write_json
from workflow.base.reviews import Reviews, load_reviews
from workflow.serving import saved_model
from workflow.serving.predictor import Predictor, column_weights, sparse
from workflow.text.vocabulary import Vocabulary, with_line_breaks

VARIANTS = ("candidate", "deep")  # n-grams and multi-hot vectors


@pytest.fixture(scope="module")
def trained(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with two trained variants; tests only look at it."""
    home = tmp_path_factory.mktemp("home")
    folder = make_workspace(home / "a workspace", mirror)
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
    with contextlib.chdir(folder), mock.patch.dict(os.environ, environment(mirror, home)):
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
def test_a_contribution_is_what_the_log_odds_fall_by_without_the_column(variant: str, predictors):
    predictor = predictors[variant]
    text = decoded("training")[0]
    (whole,) = predictor.encoder.encode(predictor.vocabulary.encode([text]))

    def log_odds(kept: np.ndarray) -> float:
        offsets = np.array([0, kept.sum()])
        rest = Reviews(whole.values[kept], offsets, whole.labels, column_weights(whole)[kept])
        vectors = sparse(rest, predictor.encoder.columns)
        return float(logit(np.mean([network(vectors)[0, 0] for network in predictor.networks])))

    everything = np.ones(len(whole.values), bool)
    falls = [
        log_odds(everything) - log_odds(np.arange(len(everything)) != i)
        for i in range(len(everything))
    ]
    contributions = predictor.contributions(text)
    np.testing.assert_allclose(
        [p for _, p in contributions], sorted(falls, reverse=True), atol=1e-5
    )
    assert len({name for name, _ in contributions}) == len(contributions)
    longest = {"candidate": 3, "deep": 1}[variant]
    assert max(len(re.findall(r"w\d+", name)) for name, _ in contributions) == longest


def test_of_single_words_each_is_named_with_what_a_text_without_it_would_lose(predictors):
    """Words beyond the most frequent are one column, and so is the start."""
    deep = predictors["deep"]
    texts = {
        "w1": "w31 w2 w60",
        "w2": "w1 w31 w60",
        "w31": "w1 w2 w60",
        "(rare words)": "w1 w2 w31",
    }
    without = logit(deep.predict(list(texts.values())).mean(axis=0))
    (whole,) = logit(deep.predict(["w1 w2 w31 w60"]).mean(axis=0))
    contributions = dict(deep.contributions("w1 w2 w31 w60"))
    assert contributions.pop("(start)")
    assert contributions == pytest.approx(dict(zip(texts, whole - without, strict=True)), abs=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_word_that_is_not_in_the_vocabulary_is_dropped(variant: str, predictors):
    predictor = predictors[variant]
    with_it, without = predictor.predict(["W1 blorf <b>w2", "w1 w2"]).T
    np.testing.assert_array_equal(with_it, without)


@pytest.mark.parametrize("variant", VARIANTS)
def test_any_text_has_a_probability(variant: str, predictors):
    texts = ["", " \n", "很好", "😀", "\0\x1b[31m\u2028", "<br /><br />", "\udcff", "w1 " * 350_000]
    predictor = predictors[variant]
    probabilities = predictor.predict(texts)
    assert np.isfinite(probabilities).all()
    np.testing.assert_array_equal(probabilities[:, 0], probabilities[:, 2])
    for text in texts:
        assert all(np.isfinite(contribution) for _, contribution in predictor.contributions(text))
    assert predictor.predict([]).shape == (3, 0)


def test_a_sure_network_can_be_explained_too(predictors):
    """Where float32 probabilities are 1, their log-odds would be infinite."""
    predictor = predictors["candidate"]
    kernel = predictor.networks[0].layers[-1].kernel
    before = kernel.numpy()
    try:
        kernel.assign(before * 10_000)
        assert all(
            np.isfinite(contribution) for _, contribution in predictor.contributions("w1 w2 w3")
        )
    finally:
        kernel.assign(before)


def test_texts_are_divided_as_the_training_reviews_were(tmp_path):
    folder = shutil.copytree("models/candidate/encoder", tmp_path / "encoder")
    facts = json.loads((REVIEWS / "facts.json").read_text())
    for tokens, words in (("ascii", ["w1", "straße", "ß"]), ("unicode", ["w1", "strasse", "ss"])):
        write_json(folder / "facts.json", facts | {"tokenizer": tokens})
        assert Vocabulary.load(folder).tokenize("W1 straße—ß") == words


# --- a damaged folder -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("seed-1.keras", b"", r"seed-1\.keras: .*; run `dvc repro`"),
        ("seed-1.keras", None, r"seed-1\.keras: it takes 50 columns, its encoder has \d+"),
        ("encoder/word_index.json", b"{", r"word_index\.json: .*json_invalid"),
        ("encoder/word_index.json", b'{"a": 2}', r"the ranks are not 1, 2, 3"),
        ("encoder/facts.json", b"", r"facts\.json: .*json_invalid"),
        ("encoder/ngrams.json", b"{}", r"ngrams\.json"),
        ("encoder/keys.npy", b"", r"keys\.npy: "),
    ],
)
def test_a_damaged_folder_is_one_sentence(
    name: str, content: bytes | None, sentence: str, tmp_path
):
    folder = shutil.copytree("models/candidate", tmp_path / "model")
    other = Path("models/deep", name)
    (folder / name).write_bytes(other.read_bytes() if content is None else content)
    assert re.search(
        sentence, refusal("commands.predict", "--model", str(folder), "--sentence", "w1")
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
    predicted = np.array([by_seed]).T
    fixed: Any = SimpleNamespace(
        vocabulary=predictors["candidate"].vocabulary, predict=lambda _: predicted
    )
    (answer,) = predict.answers(fixed, [text], explain=False)
    assert predict.as_text(text, answer).startswith(f"{label}  ")
    assert answer["unknown"] == (["blorf"] if "blorf" in text.lower() else [])


def run_on(content: str | bytes, tmp_path: Path, *options: str) -> str:
    """What is printed for a file."""
    path = tmp_path / "reviews"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        call("commands.predict", "candidate", str(path), *options)
    return out.getvalue()


def test_lines_become_json(tmp_path, predictors):
    lines = [*decoded(), "", "w1 unheard"]
    answers = [
        json.loads(line)
        for line in run_on("\r\n".join(lines), tmp_path, "--json", "--explain").splitlines()
    ]
    probabilities = predictors["candidate"].predict(lines).astype(float)
    for answer, line, by_seed in zip(answers, lines, probabilities.T, strict=True):
        assert answer["text"] == line
        assert answer["probability"] == pytest.approx(by_seed.mean(), abs=1e-6)
        assert answer["lowest"] == pytest.approx(by_seed.min(), abs=1e-6)
        assert answer["highest"] == pytest.approx(by_seed.max(), abs=1e-6)
        assert answer["agree"] == ((by_seed > 0.5) == (by_seed.mean() > 0.5)).sum()
        assert answer["seeds"] == 3
        assert all(contribution > 0 for contribution in answer["for"].values())
        assert all(contribution < 0 for contribution in answer["against"].values())
    assert answers[-1]["unknown"] == ["unheard"]
    assert any(answer["against"] for answer in answers)


def test_a_table_keeps_its_columns(tmp_path):
    table = '\ufeffid,review\n7,"w1, ""w2""\nw3 😀"\n8,\n'
    out = run_on(table, tmp_path, "--csv", "--text", "review")
    header, first, second = csv.reader(out.splitlines(keepends=True))
    assert header == "id review probability lowest highest agree seeds known unknown".split()
    assert first[:2] == ["7", 'w1, "w2"\nw3 😀']
    assert (first[-1], second[:2], second[-1]) == ("😀", ["8", ""], "")


def test_blocks_give_the_same_as_the_whole(tmp_path, monkeypatch):
    def probabilities() -> list[float]:
        out = run_on("\n".join(decoded()), tmp_path, "--json")
        return [json.loads(line)["probability"] for line in out.splitlines()]

    whole = probabilities()
    monkeypatch.setattr(predict, "BLOCK", 7)
    assert probabilities() == pytest.approx(whole, abs=2e-6)


def test_an_endless_input_is_read_as_it_is_needed(monkeypatch):
    monkeypatch.setattr(predict, "BLOCK", 5)
    rows = ({"text": "w1"} for _ in itertools.count())
    assert [len(b) for b in itertools.islice(predict.blocks(rows, "text", None), 3)] == [5, 5, 5]
    long = ({"text": "w" * 3_000_000} for _ in itertools.count())
    assert len(next(predict.blocks(long, "text", None))) == 2


def test_no_line_no_answer(tmp_path):
    assert run_on("", tmp_path) == run_on("", tmp_path, "--csv") == ""


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "txt"])
@pytest.mark.parametrize("pack", ["", "gz", "bz2", "xz"])
def test_tables_and_texts_packed_or_not_are_read_by_their_name(kind: str, pack: str, tmp_path):
    content = {
        "csv": "text,id\nw1 é,7\n",
        "tsv": "text\tid\nw1 é\t7\n",
        "jsonl": '{"text": "w1 é", "id": "7"}\n',
        "txt": "w1 é\n",
    }[kind]
    path = tmp_path / ".".join(filter(None, ["reviews", kind, pack]))
    packed: dict[str, Callable[[bytes], bytes]] = {
        "": bytes,
        "gz": gzip.compress,
        "bz2": bz2.compress,
        "xz": lzma.compress,
    }
    path.write_bytes(packed[pack](content.encode("cp1252")))
    with contextlib.redirect_stdout(io.StringIO()) as out:
        call("commands.predict", str(path), "--encoding", "cp1252", "--json")
    answer = json.loads(out.getvalue())
    assert answer["text"] == "w1 é"
    assert answer.get("id") == (None if kind == "txt" else "7")


def test_json_lines_pass_through_whatever_letters_the_output_has():
    printed = subprocess.run(
        [sys.executable, "-m", "commands.predict", "--input", "jsonl", "--json"],
        input='{"text": "w1 😀"}\n'.encode(),
        env=os.environ | {"PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=True,
    ).stdout
    assert b"\\ud83d\\ude00" in printed
    assert json.loads(printed)["text"] == "w1 😀"


@pytest.mark.parametrize(
    ("content", "options", "sentence"),
    [
        (b"a\ndon\x92t\n", [], "line 2: not in the encoding utf-8; it may be in cp1252: set "),
        (b"a" * 10_000_001, [], "line 1 has more than 10,000,000 characters"),
        (b"a,b\n1,2\n", ["--text", "x"], "no column is called 'x'; there are 'a', 'b'"),
        (b'a,x\n1,"2\n', ["--text", "x"], "row 2: unexpected end of data; is a quote left open?"),
        (b"x,seeds\n1,2\n", ["--text", "x"], "rename column seeds"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(
    content: bytes, options: list[str], sentence: str, tmp_path
):
    path = tmp_path / "reviews"
    path.write_bytes(content)
    message = refusal("commands.predict", "candidate", str(path), *options)
    assert message.startswith(f"error: {path}: {sentence}")


def test_a_file_that_cannot_be_opened_is_one_sentence():
    assert "error: x: [Errno 2] No such file" in refusal("commands.predict", "candidate", "x")
    assert "error: .: [Errno 21] Is a directory" in refusal("commands.predict", "candidate", ".")


@pytest.mark.parametrize(
    "line",
    [
        "candidate --text review {file}",
        "{file} --text review",
        "--text review candidate {file}",
        "candidate --model {model} {file} --text review",
        "--model {model} --text review {file}",
    ],
)
def test_arguments_come_in_any_order(line: str, tmp_path, capsys):
    path = tmp_path / "reviews.csv"
    path.write_text("id,review\n7,w1\n")
    (tmp_path / "model").symlink_to(Path("models/candidate").absolute())
    call("commands.predict", *line.format(file=path, model=tmp_path / "model").split())
    assert re.fullmatch(r"\w+ .* seeds  w1\n", capsys.readouterr().out)


@pytest.mark.parametrize("line", ["a b c", "a b --sentence c", "--csv --json", "--encoding utf-9"])
def test_arguments_that_make_no_sense_end_with_the_usage(line: str, capsys):
    with pytest.raises(SystemExit) as ended:
        call("commands.predict", *line.split())
    assert ended.value.code == 2


@contextlib.contextmanager
def talking(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The command in a process of its own, which has answered the only line of its input so far.

    It has nothing but the folder of the model, as after `dvc get`.
    """
    with subprocess.Popen(
        # A shell makes its background jobs ignore Ctrl-C, and all that they start.
        [
            *("env", "--default-signal=INT", sys.executable),
            *("-m", "commands.predict", "--model", str(folder), "--json"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
    ) as process:
        assert process.stdin
        assert process.stdout
        watchdog = threading.Timer(120, process.kill)
        watchdog.start()
        process.stdin.write(b"w1\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["text"] == "w1"
        yield process
        watchdog.cancel()


def test_a_pipe_that_stays_open_is_answered_line_by_line(tmp_path):
    with talking(shutil.copytree("models/candidate", tmp_path / "got")) as process:
        process.stdin.write(b"w2\nw3")  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]
        assert json.loads(process.stdout.readline())["text"] == "w2"  # type: ignore[union-attr]
        out, _ = process.communicate()
        assert json.loads(out)["text"] == "w3"
        assert process.returncode == 0


def test_ctrl_c_and_a_closed_pipe_are_quiet(tmp_path):
    folder = shutil.copytree("models/candidate", tmp_path / "got")
    with talking(folder) as process:
        process.send_signal(signal.SIGINT)
        assert process.communicate()[1] == b""
        assert process.returncode == -signal.SIGINT
    with talking(folder) as process:
        process.stdout.close()  # type: ignore[union-attr]
        process.stdin.write(b"w1\n")  # type: ignore[union-attr]
        process.stdin.close()  # type: ignore[union-attr]
        assert process.stderr.read() == b""  # type: ignore[union-attr]
        assert process.wait() == 0


def test_tensorflow_is_configured_before_it_is_imported():
    """Else it prints notices, and its sums depend on the processor."""
    own = {
        name: value for name, value in os.environ.items() if not name.startswith(("TF_", "KERAS"))
    }
    for module in ("workflow.serving.predictor", "workflow.model.network"):
        result = subprocess.run(
            [sys.executable, "-c", f"import {module}"],
            cwd=PROJECT,
            env=own,
            capture_output=True,
            text=True,
            check=True,
        )
        assert result.stderr == ""


def test_a_network_that_does_not_fit_into_memory_is_not_called_damaged(
    trained: Path, monkeypatch: pytest.MonkeyPatch
):
    """NumPy refuses what Keras wants to read, as under `ulimit -v`."""
    folder = trained / "models/candidate"

    def too_large(*_: object) -> None:
        raise MemoryError("Unable to allocate 28.5 MiB for an array with data type f4")

    monkeypatch.setattr(keras.layers.Dense, "load_own_variables", too_large)
    with pytest.raises(MemoryError, match=r"^Unable to allocate 28\.5 MiB for .* data type f4$"):
        Predictor(folder)


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
    call("commands.decode", "0", "--split", "training")
    assert "candidate: " in capsys.readouterr().out
    call("commands.decode", "59", "--split", "training")
    assert "candidate: " not in capsys.readouterr().out


@pytest.mark.parametrize("number", ["40", "-1"])
def test_a_review_that_is_not_there_is_one_sentence(number: str):
    expected = f"error: there is no review {number}; expected 0 to 39"
    assert refusal("commands.decode", "--", number) == expected


def test_predictions_of_other_reviews_are_not_shown(trained, tmp_path, monkeypatch):
    shutil.copytree(trained / "data", tmp_path / "data")
    shutil.copy(trained / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    facts = PREDICTIONS / "deep/facts.json"
    write_json(facts, read_json(facts, dict) | {"sha256": "another"})
    assert "not of the reviews in data/reviews" in refusal("commands.decode", "0")
    edit_params(
        tmp_path,
        variants={"candidate": {"recipe": "model", "features": "ngrams"}},
        compare__reference="candidate",
    )
    call("commands.decode", "0")  # nothing is asked of a variant that is no more


# --- a SavedModel ---------------------------------------------------------------------------------

SERVE = """
import json, sys
import tensorflow as tf
texts, folders = json.load(sys.stdin)
for folder in folders:
    model = tf.saved_model.load(folder)
    served = {name: values.numpy().tolist() for name, values in model.serve(texts).items()}
    signature = model.signatures["serving_default"](texts=tf.constant(texts))
    assert {name: values.numpy().tolist() for name, values in signature.items()} == served
    assert model.serve([])["probability"].shape == 0
    assert not {"workflow", "commands"} & set(sys.modules)
    print(json.dumps(served))
"""


def test_what_an_export_prints_can_be_run_as_printed(tmp_path: Path, trained: Path, capsys):
    with contextlib.chdir(tmp_path):
        call("commands.export", "--model", str(trained / "models/deep"))
        first, line = capsys.readouterr().out.splitlines()
        assert first.startswith("exports/deep: 3 seeds")
        line = line.removeprefix("use it:  ")
        program = f"import tensorflow as tf\n{line.replace('; ', '; print(', 1)})"
        printed = subprocess.check_output([sys.executable, "-I", "-c", program], text=True)
    assert "'probability': <tf.Tensor" in printed


def test_an_export_needs_tensorflow_alone(tmp_path, predictors, trained):
    random = np.random.default_rng(1)
    known = [*predictors["candidate"].vocabulary.words, "blorf", "É", "\uff57\uff11", "w1'", "\0"]
    texts = ["", " ", "\n", "W1,W2.w3<br />w4\tw5", "很好😀", *decoded()]
    joints = [" ", "\r\n", ",", "\\", "]", "^", "\u2019", "\u2014", "\u200b", "&nbsp;", "<br />"]
    while len(texts) < 100:
        words = random.choice(known, random.integers(1, 40))
        texts.append("".join(w + random.choice(joints, p=[0.9] + [0.01] * 10) for w in words))
    with contextlib.chdir(tmp_path):
        for variant in VARIANTS:
            call("commands.export", variant, "--model", str(trained / "models" / variant))
    folders = [str(tmp_path / "exports" / variant) for variant in VARIANTS]
    served = subprocess.run(
        [sys.executable, "-I", "-c", SERVE],
        input=json.dumps([texts, folders]),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert served.returncode == 0, served.stderr
    for variant, line in zip(VARIANTS, served.stdout.splitlines(), strict=True):
        by_seed, found = predictors[variant].predict(texts), json.loads(line)
        expected = np.stack([by_seed.mean(axis=0), by_seed.min(axis=0), by_seed.max(axis=0)])
        served_values = [found[name] for name in ("probability", "lowest", "highest")]
        np.testing.assert_allclose(served_values, expected, atol=1e-4)


def test_the_largest_weights_are_halved_unless_they_are_too_large(predictors):
    kernels = saved_model.classifier(predictors["candidate"]).kernels
    assert (kernels.dtype, kernels.shape[1]) == (tf.float16, 3 * 4)  # seeds, units
    kept = saved_model.half_precision(tf.constant([70_000.0]))
    assert (kept.dtype, float(kept[0])) == (tf.float32, 70_000)


def test_the_page_on_serving_can_be_followed(tmp_path, trained, capsys):
    """Its server, on another port, and its line without a server."""
    page = (PROJECT / "docs/serving.md").read_text("utf-8")
    (app,) = re.findall("```python\n(.*?)```", page, re.DOTALL)
    (asked,) = re.findall(r"curl .*--json '(.*)'", page)
    (tmp_path / "app.py").write_text(app, "utf-8")
    port = free_port()
    with contextlib.chdir(tmp_path):
        call("commands.export", "candidate", "--model", str(trained / "models/candidate"))
        (line,) = re.findall("    (saved_model_cli run .*)", page)
        printed = subprocess.check_output(["sh", "-c", line], text=True)
        server = ("uvicorn", "app:app", "--log-level", "warning", "--port", str(port))
        with serving(port, *server):
            url = f"http://127.0.0.1:{port}/predict"
            answer = requests.post(url, json=json.loads(asked), timeout=60).json()
    assert answer.keys() == {"probability", "lowest", "highest"}
    assert [len(values) for values in answer.values()] == [2, 2, 2]
    (shown,) = re.findall(r"output key probability:\n\[([\d.]+)\]", printed)
    assert float(shown) == pytest.approx(answer["probability"][0], abs=1e-6)


def test_an_encoder_without_operations_of_tensorflow_is_refused(predictors):
    other: Any = SimpleNamespace(encoder=object(), networks=[], vocabulary=Vocabulary(["w1"]))
    with pytest.raises(TypeError, match="object: no such encoder in TensorFlow's operations"):
        saved_model.classifier(other)


@pytest.mark.parametrize("name", ["../models/candidate", "/elsewhere", "a/b", "..", ""])
def test_an_export_is_written_below_exports_alone(name: str, trained: Path):
    before = sorted((trained / "models/candidate").rglob("*"))
    assert refusal("commands.export", name, "--model", "models/candidate") == (
        f"error: {name!r} is not the name of a variant; give a folder with --model"
    )
    assert sorted((trained / "models/candidate").rglob("*")) == before


def test_a_tokenizer_without_operations_of_tensorflow_is_refused(tmp_path, monkeypatch):
    folder = shutil.copytree("models/candidate", tmp_path / "model")
    facts = json.loads((REVIEWS / "facts.json").read_text())
    write_json(folder / "encoder/facts.json", facts | {"tokenizer": "unicode"})
    monkeypatch.chdir(tmp_path)
    assert "no operations for the tokenizer unicode" in refusal(
        "commands.export", "--model", str(folder)
    )
    assert not list(tmp_path.glob("exports/*"))
