"""Reviews of one's own: what is read from a file, how it is divided, and what is refused."""

import bz2
import csv
import gzip
import io
import json
import lzma
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tests.conftest import PROJECT, call, edit_params
from workflow.base.errors import InputError
from workflow.base.files import FeatureFacts, ReviewFacts, data_line, features_folder, read_json
from workflow.base.reviews import Reviews
from workflow.params import load_params
from workflow.text.corpus import Corpus, content_hash
from workflow.text.own_reviews import csv_reviews
from workflow.text.params import CsvParams, label_name
from workflow.text.rows import read_rows

PARAMS = load_params(PROJECT / "params.yaml")


def as_csv(labels: Iterable[Any]) -> str:
    return "text,label\n" + "".join(f"w{i} schön,{label}\n" for i, label in enumerate(labels))


def as_json(labels: Iterable[Any]) -> str:
    rows = ({"text": f"w{i} schön", "label": label} for i, label in enumerate(labels))
    return "".join(json.dumps(row | {"id": [1, None]}) + "\n" for row in rows)


TEN, TEN_JSON = as_csv(["no", "yes"] * 5), as_json(["no", "yes"] * 5)
EXPECTED = {f"{'-+'[i % 2]}w{i} schön" for i in range(10)}


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(content: str | bytes, name: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_bytes(content.encode() if isinstance(content, str) else content)


def read(content: str | bytes = "", name: str = "own.csv", seed: int = 1, **own: Any) -> Corpus:
    """The corpus of a file with this content; `label=…` sets data.csv.label."""
    write(content, name)
    own = {"path": name, "positive": "yes", "negative": "no"} | own
    source = CsvParams(**PARAMS.data.csv.model_dump() | own)
    return csv_reviews(PARAMS.data.model_copy(update={"csv": source, "seed": seed}))


def refused(*arguments: Any, **own: Any) -> str:
    """The sentence about a file with this content."""
    with pytest.raises(InputError) as error:
        read(*arguments, **own)
    assert "\n" not in str(error.value)
    return str(error.value)


def texts(reviews: Reviews, corpus: Corpus) -> list[str]:
    """Sorted, each with a + or - in front."""
    words = ["", *corpus.words]
    return sorted(
        "-+"[review.labels[0]] + " ".join(words[rank] for rank in review.values)
        for review in reviews.blocks(1)
    )


def check_ten(corpus: Corpus) -> None:
    """The reviews of TEN, of which one of each label was drawn for the test."""
    assert len(EXPECTED & {*texts(corpus.training, corpus)}) == 8
    assert texts(corpus.test, corpus) == ["+schön", "-schön"]  # w0 … are in no training review


# --- what is read ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "own"),
    [
        ("OWN.CSV", TEN, {}),
        ("windows.csv", TEN.replace("\n", "\r\n"), {}),
        ("macintosh.csv", TEN.replace("\n", "\r"), {}),
        ("blank lines.csv", TEN.replace("\n", "\n\n"), {}),
        ("mark.csv", "\ufeff" + TEN, {}),
        ("more columns.csv", "".join(f"9,{line},x\n" for line in TEN.splitlines()), {}),
        ("own.csv.gz", gzip.compress(TEN.encode(), mtime=0), {}),
        ("own.tsv.bz2", bz2.compress(TEN.replace(",", "\t").encode()), {}),
        ("own.jsonl.xz", lzma.compress(TEN_JSON.encode()), {}),
        ("latin.csv", TEN.encode("latin-1"), {"encoding": "latin-1"}),
        ("wide.csv", TEN.encode("utf-16"), {"encoding": "utf-16"}),
        ("tilde.csv", TEN.replace(",", "~"), {"delimiter": "~"}),
    ],
)
def test_the_kinds_of_files(capsys, name: str, content: Any, own: dict[str, Any]):
    corpus = read(content, name, **own)
    check_ten(corpus)
    assert corpus.file == name
    assert "delimiter" not in capsys.readouterr().err


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(st.lists(st.tuples(TEXTS, TEXTS.filter(bool)), min_size=1))
def test_what_is_written_comes_back(rows: list[tuple[str, str]]):
    contents = {"jsonl": "".join(json.dumps({"text": t, "label": s}) + "\n" for t, s in rows)}
    for kind, delimiter in (("csv", ","), ("tsv", "\t")):
        file = io.StringIO(newline="")
        csv.writer(file, delimiter=delimiter).writerows([("text", "label"), *rows])
        contents[kind] = file.getvalue()
    for kind, content in contents.items():
        read_back = read_rows(io.BytesIO(content.encode()), kind, ["text", "label"], "utf-8")
        assert [(row["text"], row["label"]) for _, row in read_back] == rows


EXCEL = TEN.replace("text,label", "text,stars,label").replace(" schön,", ' schön,"3,5",')


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_in_the_header(capsys, suffix: str, delimiter: str):
    quoted = EXCEL.replace(",", delimiter).replace(f"3{delimiter}5", "3,5")
    check_ten(read(quoted if delimiter == "," else quoted.replace('"', ""), f"own.{suffix}"))
    is_usual = delimiter == {"csv": ",", "tsv": "\t"}[suffix]
    reported = f"read with the delimiter {delimiter!r}, which fits the header"
    assert (reported in capsys.readouterr().err) != is_usual


def test_a_file_of_excel_in_germany():
    content = TEN.replace("schön", "schön \u2013 don\u2019t").replace(",", ";").encode("cp1252")
    assert f"line 2: {UTF8.format('cp1252')}" in refused(content)
    corpus = read(content, encoding="cp1252")
    assert texts(corpus.test, corpus) == ["+schön don't", "-schön don't"]


# --- labels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, -1], ids=["as they come", "backwards"])
def test_labels_told_from_the_file(capsys, order: int):
    header, *rows = TEN.splitlines(keepends=True)
    content = "".join([header, *rows[::order]])
    told = read(content, positive=None, negative=None)
    assert "own.csv: label 'yes' is positive, 'no' is negative" in capsys.readouterr().err
    assert content_hash(told) == content_hash(read(content))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("name", "content", "other"),
    [
        ("own.csv", as_csv([1, 2, 3, "4.0", "5.00", 1.0, "", 2, 4, 5, 3]), "''"),
        ("own.jsonl", as_json([1, 2, 3, "4", "5.0", 1.0, "None", "2", 4, 5.0, 3]), "'None'"),
    ],
)
@pytest.mark.parametrize("positive", [[4.0, "5"], ["4", "5", "6"]], ids=str)
def test_stars(capsys, name: str, content: str, other: str, positive: list[Any]):
    """A number is the same in every form; reviews with other labels are dropped and reported."""
    corpus = read(content, name, positive=positive, negative=[1, 2.0])
    expected = {f"{label} schön" for label in "-w0 -w1 -w5 -w7 +w3 +w4 +w8 +w9".split()}
    assert len(expected & {*texts(corpus.training, corpus)}) == 6
    assert texts(corpus.test, corpus) == ["+schön", "-schön"]
    assert (
        f"{name}: dropped 3 of 11 reviews, labelled '3' (2), {other} (1)" in capsys.readouterr().err
    )


def test_reviews_without_a_word_are_counted(capsys):
    read('text,label\n"",yes\n" ",no\n' + TEN.partition("\n")[2])
    assert "own.csv: reviews without a word: 2\n" in capsys.readouterr().err
    read(TEN)
    assert "without a word" not in capsys.readouterr().err


def test_zeros_are_only_dropped_after_a_decimal_point():
    labels: list[str | float] = [10, 10.0, "10.0", "4.50", "0.0", "20", "1.0.0"]
    assert [label_name(label) for label in labels] == ["10"] * 3 + ["4.5", "0", "20", "1.0.0"]


def test_the_hash_tells_where_a_review_ends():
    def hash_of(*offsets: int) -> str:
        values, labels = np.ones(3, np.uint32), np.zeros(2, np.uint8)
        reviews = Reviews(values, np.array(offsets), labels)
        return content_hash(Corpus(reviews, reviews, ["a"]))

    assert hash_of(0, 1, 3) != hash_of(0, 2, 3)


@pytest.mark.parametrize(("negative", "positive"), [(0, 1), (False, True), ("false", "true")])
def test_numbers_and_truth_values_as_json_has_them(negative: Any, positive: Any):
    labels = [json.loads(str(name).lower()) for name in (negative, positive)]
    corpus = read(as_json(labels * 5), "own.jsonl", positive=positive, negative=negative)
    assert sorted(corpus.training.labels) == [0] * 4 + [1] * 4


# --- how they are divided -------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_the_share_is_drawn_of_each_label_by_the_seed(share: float):
    content = as_csv(["yes"] * 80 + ["no"] * 20)
    corpus, again, other = (read(content, test_share=share, seed=seed) for seed in (1, 1, 2))
    assert (len(corpus.test), corpus.test.labels.sum()) == (100 * share, 80 * share)
    assert len(corpus.training) == 100 - 100 * share
    assert content_hash(corpus) == content_hash(again) != content_hash(other)


def test_training_reviews_come_in_an_order_that_is_drawn():
    """Else the first of them, which validate, would have one label if the file is sorted."""
    corpus = read(as_csv(["no"] * 50 + ["yes"] * 50))
    assert corpus.training.labels[:8].tolist() == [0, 0, 0, 1, 1, 1, 1, 0]


def test_a_folder_has_training_and_test_reviews():
    write(TEN, "own/train.csv")
    write("outs: []", "own/train.csv.dvc")
    corpus = read("text,label\nschön new w0,yes\n", "own/test.csv", path="own")
    assert {*texts(corpus.training, corpus)} == EXPECTED
    assert texts(corpus.test, corpus) == ["+schön w0"]  # a word of no training review is dropped
    assert (corpus.file, len(corpus.words)) == ("own", 11)


def write_folder(texts: dict[str, str]) -> None:
    for name, text in texts.items():
        write(text.encode("latin-1"), f"own/{name}")


def test_a_folder_of_texts_by_class(capsys, monkeypatch):
    write_folder({f"{('no', 'yes')[i % 2]}/{i}.txt": f"w{i}\nschön" for i in range(10)})
    corpus = read(path="own", encoding="latin-1", positive=None, negative=None)
    assert "own: label 'yes' is positive" in capsys.readouterr().err
    check_ten(corpus)
    hidden = {"no/.hidden.txt": "hidden", ".hidden/1.txt": "hidden"}
    write_folder({"unsup/1.txt": "nothing", "no/1.feat": "0:1", "urls.txt": "https"} | hidden)
    listed = Path.glob
    monkeypatch.setattr(Path, "glob", lambda *args: [*listed(*args)][::-1])  # as another disk may
    assert content_hash(read(path="own", encoding="latin-1")) == content_hash(corpus)
    assert "own: dropped 1 of 11 reviews, labelled 'unsup' (1)" in capsys.readouterr().err


def test_folders_of_training_and_test_texts():
    write_folder(
        {f"train/{('1', '5.0')[i % 2]}/{i}.txt": f"w{i} schön" for i in range(10)}
        | {"test/5.0/0.txt": "schön new w0", "test/1/0.txt": "w1", "train/urls_pos.txt": "https"}
        | {"test.dvc": "outs: []", "imdb.vocab": "the"}
    )
    corpus = read(path="own", positive=[5], negative=[1], encoding="latin-1")
    assert {*texts(corpus.training, corpus)} == EXPECTED
    assert texts(corpus.test, corpus) == ["+schön w0", "-w1"]


@pytest.mark.parametrize(("duplicates", "left"), [("drop", 9), ("keep", 10)])
def test_training_reviews_that_are_test_reviews_too(capsys, duplicates: str, left: int):
    write(TEN, "own/train.csv")
    test = 'text,label\n"W3, schön!",yes\nschön w3,no\n'
    corpus = read(test, "own/test.csv", path="own", duplicates=duplicates)
    assert (len(corpus.training), len(corpus.test)) == (left, 2)
    what = {"drop": "dropped from training", "keep": "kept"}[duplicates]
    assert f"own: training reviews that are also in test: 1, {what}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "tokenizer", "is_reported"),
    [
        ("这本书很好看", "ascii", True),
        ("这本书 很好看", "ascii", False),
        ("这本书很好看", "characters", False),
    ],
)
def test_words_without_spaces_are_noticed(capsys, text: str, tokenizer: str, *, is_reported: bool):
    read(TEN.replace("schön", f"{text}\uff0c{text}"), tokenizer=tokenizer)
    reported = "own.csv: 67% of the words are several without spaces between them; set data.csv.tok"
    assert (reported in capsys.readouterr().err) == is_reported


# --- what is refused ------------------------------------------------------------------------------


def with_row(row: str | bytes, content: str = TEN) -> bytes:
    """The content, in which line 5 is this."""
    lines = content.encode().splitlines()
    lines[4] = row.encode() if isinstance(row, str) else row
    return b"\n".join(lines)


def with_json(line: str | bytes) -> bytes:
    return with_row(line, TEN_JSON)


UTF8 = "not in the encoding utf-8; it may be in {}: set data.csv.encoding in params.yaml"
NO_WORD = "text,label\n" + ",yes\n?,no\n" * 5


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "there is no row"),
        ("text,label\n", "there is no row"),
        ("review,label\na,yes\n", "no column is called 'text'; there are 'review', 'label'"),
        ("text,label,text\na,yes,b\n", "2 columns are called 'text'"),
        (with_row("a"), "row 5: 1 values, but the header has 2 columns"),
        (with_row("a,b,yes"), "row 5: 3 values, but the header has 2 columns"),
        (with_row('"a,yes'), "row 5: unexpected end of data; is a quote left open?"),
        (with_row('"a"b,yes'), "row 5: ',' expected after '\"'; is a quote left open?"),
        (with_row("a\0b,yes"), f"line 5: {UTF8.format('utf-16')}"),
        (with_row(b"don\x92t,yes"), f"line 5: {UTF8.format('cp1252')}"),
        (with_row(b"\x81,yes"), f"line 5: {UTF8.format('latin-1')}"),
        (TEN.encode("utf-16"), f"line 1: {UTF8.format('utf-16')}"),
        (TEN.replace("no", "yes"), "no review has the label 'no', but 'yes' (10)"),
        (as_csv(["yes", "no"]), "of 2 reviews, 2 are left to train on and 0 to test"),
        (NO_WORD, "of 10 reviews, 0 are left to train on"),
        (with_json("{"), "row 5: unexpected end of data"),
        (with_json("[1]"), "row 5, column 'text': expected a text or a number"),
        (with_json('{"text": "a"}'), "row 5, column 'label': expected a text"),
        (with_json('{"text": ["a"], "label": "yes"}'), "row 5, column 'text': expected a text"),
        (with_json(b'{"text": "\xff", "label": "yes"}'), f"line 5: {UTF8.format('cp1252')}"),
        (with_json("[" * 100_000), "row 5: "),
    ],
)
def test_bad_files(content: Any, reason: str):
    name = "own.jsonl" if content[:1] == b"{" else "own.csv"
    assert refused(content, name).startswith(f"{name}: {reason}")


@pytest.mark.parametrize(
    ("name", "content", "own", "reason"),
    [
        ("own.csv", NO_WORD, {"duplicates": "keep"}, "there are 0 different words in the reviews"),
        ("own.csv", TEN.encode() + b"w", {"encoding": "utf-16-le"}, "line 1: not in the encoding"),
        ("own.xlsx", b"PK", {}, "its name must end in .csv, .tsv or .jsonl"),
        ("own.csv.gz", TEN, {}, "Not a gzipped file"),
        ("own.csv.gz", gzip.compress(TEN.encode(), mtime=0)[:-20], {}, "Compressed file ended"),
        ("own.csv.xz", TEN, {}, "Input format not supported"),
    ],
)
def test_files_of_another_kind(name: str, content: Any, own: dict[str, str], reason: str):
    assert refused(content, name, **own).startswith(f"{name}: {reason}")


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (["yes"] * 3, "'yes' (3)"),
        (["yes", "", "yes"], "'yes' (2), '' (1)"),
        (["no", "maybe", "yes", "no"], "'no' (2), 'maybe' (1), 'yes' (1)"),
        ([*range(11), 0], ", ".join(["'0' (2)", *(f"'{i}' (1)" for i in range(1, 10)), "…"])),
    ],
)
def test_labels_that_are_not_two(labels: list[Any], found: str):
    assert refused(as_csv(labels), positive=None, negative=None) == (
        f"own.csv: the labels are {found}; expected two, or a choice in params.yaml such as "
        "data.csv.positive: [4, 5] and data.csv.negative: [1, 2]"
    )


def test_endless_lines_and_quotes(monkeypatch):
    monkeypatch.setattr("workflow.text.rows.MAX_LENGTH", 100)
    assert "line 5 has more than 100 characters" in refused(with_row("a" * 101))
    sentence = refused(with_row('"a') + b"\nb,yes" * 50)
    assert "row 5: field larger than field limit (100); is a quote left open?" in sentence


def test_more_words_than_n_grams_can_tell_apart(monkeypatch):
    monkeypatch.setattr("workflow.text.corpus.MAX_WORDS", 8)
    sentence = "own.csv: there are 9 different words in the reviews to train on; expected 1 to 8"
    assert refused(TEN) == sentence


def test_a_missing_file():
    """As an untracked one is in an experiment's copy of the project."""
    sentence = refused(path="nowhere.csv")
    assert "nowhere.csv: there is no such file" in sentence
    assert "`git add nowhere.csv` or `dvc add nowhere.csv`" in sentence


@pytest.mark.parametrize("file", ["own.csv", "train.csv", "train.csv.gz", "yes/a.TXT"])
def test_another_folder_is_refused(file: str):
    sentence = "own: expected one file train.* and one file test.*, or a folder of .txt files for"
    assert refused(TEN, f"own/{file}", path="own").startswith(sentence)


def test_a_text_in_another_encoding_is_named():
    write_folder({"yes/1.txt": "a", "no/2.txt": "b\nschön"})
    sentence = f"own/no/2.txt: line 2: {UTF8.format('cp1252')}"
    assert refused(path="own").startswith(sentence)


@pytest.mark.parametrize("link", ["own", "own/yes"])
def test_a_link_to_a_folder_is_refused(link: str):
    write_folder({"yes/1.txt": "a", "no/2.txt": "b"})
    Path(link).rename("elsewhere")
    Path(link).symlink_to(Path("elsewhere").absolute())
    sentence = f"{link}: expected a folder, not a link, which DVC does not follow"
    assert refused(path="own") == sentence


# --- in the pipeline ------------------------------------------------------------------------------


def test_the_example_is_read_and_dvc_knows_its_file(workspace: Path, capsys):
    edit_params(workspace, data__sources=["csv"])
    call("stages.download")
    counts = "csv: 160 training and 40 test reviews, 1,133 words; of the training reviews, 50.0%"
    assert counts in capsys.readouterr().out
    download = YAML(typ="safe").load(PROJECT / "dvc.yaml")["stages"]["download"]
    assert "${data.csv.path}" in download["deps"]
    assert {"data.csv", "data.limit"} <= {*download["params"]}


def test_the_stages_hand_on_the_tokenizer_and_the_name_of_the_file(workspace: Path):
    name, folder = "50$ or 60$.csv", features_folder("multi_hot")
    write(TEN.replace("schön", "ÄRGER"), name)
    own = {"path": name, "positive": "yes", "negative": "no", "tokenizer": "unicode"}
    own = {f"data__csv__{key}": value for key, value in own.items()}
    edit_params(workspace, data__sources=["csv"], **own)
    call("stages.download")
    call("stages.vectorize", "multi_hot")
    assert "ärger" in json.loads((folder / "encoder/word_index.json").read_text())
    assert read_json(folder / "encoder/facts.json", ReviewFacts).tokenizer == "unicode"
    facts = read_json(folder / "facts.json", FeatureFacts)
    assert (facts.source, facts.tokenizer) == (f"csv:{name}", "unicode")
    line = f"reviews from {name}: 5 train, 3 validation, 2 test"
    assert data_line(facts) == line
    assert data_line(facts.model_copy(update={"limit": 1000})) == f"{line}, data.limit 1,000"
