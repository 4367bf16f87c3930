"""Reviews of one's own: what is read from a file, how it is divided, and what is refused."""

import bz2
import csv
import gzip
import io
import json
import lzma
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tests.conftest import PROJECT, call, edit_params, refusal, results
from workflow.base.errors import InputError
from workflow.base.files import (
    REVIEWS,
    FeatureFacts,
    ReviewFacts,
    data_line,
    features_folder,
    read_json,
)
from workflow.base.reviews import load_reviews
from workflow.base.schema import validate
from workflow.params import RENAMED, Params, load_params
from workflow.text import own_reviews
from workflow.text.corpus import content_hash

TEN = "text,label\n" + "".join(f"w{i} all,{('no', 'yes')[i % 2]}\n" for i in range(10))


PARAMS = load_params(PROJECT / "params.yaml")


@pytest.fixture
def use(workspace: Path) -> Callable[..., None]:
    """Make the workspace read a file with this content; `label=…` sets data.csv.label."""

    def use(content: str | bytes, name: str = "own.csv", **changes: Any) -> None:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
        path = str(Path(name).parent) if "/" in name else name
        own = {"path": path, "positive": "yes", "negative": "no"} | changes
        own = {f"data__csv__{key}": value for key, value in own.items()}
        edit_params(workspace, data__sources=["csv"], **own)

    return use


def many(positive: int, negative: int) -> str:
    rows = [f"w{i} all,{'yes' if i < positive else 'no'}\n" for i in range(positive + negative)]
    return "text,label\n" + "".join(rows)


def texts_of(split: str) -> list[str]:
    """Sorted: words by their ranks, with a + or - in front."""
    words = ["", *json.loads((REVIEWS / "word_index.json").read_text())]
    reviews = load_reviews(split)
    parts = [reviews.between(i, i + 1) for i in range(len(reviews))]
    return sorted("-+"[p.labels[0]] + " ".join(words[r] for r in p.values) for p in parts)


def all_texts() -> list[str]:
    return sorted(texts_of("training") + texts_of("test"))


EXPECTED = sorted(f"{'-+'[i % 2]}w{i} all" for i in range(10))


# --- what is read ---------------------------------------------------------------------------------


def as_json_lines(content: str) -> str:
    rows = csv.DictReader(io.StringIO(content))
    return "".join(json.dumps(row | {"id": [1, None]}) + "\n" for row in rows)


CONTENTS: dict[str, str | bytes] = {
    "own.csv": TEN,
    "own.tsv": TEN.replace(",", "\t"),
    "own.jsonl": as_json_lines(TEN),
    "OWN.CSV": TEN,
    "quoted.csv": TEN.replace("w0 all", '"w0\nall"'),
    "windows.csv": TEN.replace("\n", "\r\n"),
    "macintosh.csv": TEN.replace("\n", "\r"),
    "blank lines.csv": TEN.replace("\n", "\n\n"),
    "mark.csv": "\ufeff" + TEN,
    "mark.jsonl": "\ufeff" + as_json_lines(TEN),
    "more columns.csv": "".join(f"9,{line},x\n" for line in TEN.splitlines()),
    "end.csv": TEN.rstrip(),
    "own.csv.gz": gzip.compress(TEN.encode()),
    "own.tsv.bz2": bz2.compress(TEN.replace(",", "\t").encode()),
    "own.jsonl.xz": lzma.compress(as_json_lines(TEN).encode()),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_the_kinds_of_files(use, name: str):
    use(CONTENTS[name], name)
    call("stages.download")
    assert len(set(EXPECTED) & set(texts_of("training"))) == 8
    assert {text[0] for text in all_texts()} == {"+", "-"}
    facts = read_json(REVIEWS / "facts.json", ReviewFacts)
    assert (facts.source, facts.tokenizer, facts.test_reviews) == (f"csv:{name}", "ascii", 2)


def test_another_encoding(use):
    use(TEN.replace("all", "schön").encode("latin-1"), encoding="latin-1")
    call("stages.download")
    assert "schön" in json.loads((REVIEWS / "word_index.json").read_text())
    for encoding in ("utf-16", "utf-8-sig", "utf-8"):  # the last of a file with a mark all the same
        written = "utf-8-sig" if encoding == "utf-8" else encoding
        use(TEN.replace("all", "schön").encode(written), encoding=encoding)
        call("stages.download")
        assert "schön" in json.loads((REVIEWS / "word_index.json").read_text())


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS.filter(bool)), min_size=1), st.sampled_from(["csv", "tsv"]))
def test_what_is_written_comes_back(rows: list[tuple[str, str]], kind: str):
    def written(path: Path) -> list[tuple[str, str]]:
        rows = own_reviews.file_rows(path, PARAMS.data.csv)
        return [(row["text"], row["label"]) for _, row in rows]

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"own.{kind}")
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter={"csv": ",", "tsv": "\t"}[kind])
            writer.writerows([("text", "label"), *rows])
        assert written(path) == rows
        path = path.with_suffix(".jsonl")
        path.write_text("".join(json.dumps({"text": t, "label": s}) + "\n" for t, s in rows))
        assert written(path) == rows


EXCEL = TEN.replace("text,label", "text,stars,label").replace(" all,", ' all,"3,5",')


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_in_the_header(use, capsys, suffix: str, delimiter: str):
    quoted = EXCEL.replace(",", delimiter).replace(f"3{delimiter}5", "3,5")
    use(quoted if delimiter == "," else quoted.replace('"', ""), f"own.{suffix}")
    call("stages.download")
    assert len(all_texts()) == 10
    is_usual = delimiter == {"csv": ",", "tsv": "\t"}[suffix]
    reported = f"read with the delimiter {delimiter!r}, which fits the header"
    assert (reported in capsys.readouterr().err) != is_usual


def test_a_delimiter_can_be_set(use, capsys):
    use(TEN.replace(",", "~"), delimiter="~")
    call("stages.download")
    assert len(all_texts()) == 10
    assert "delimiter" not in capsys.readouterr().err


def test_a_file_of_excel_in_germany(use):
    content = "text;label;Note\n" + "".join(
        f"w{i} schön \u2013 don\u2019t;{('no', 'yes')[i % 2]};3,5\n" for i in range(10)
    )
    use(content.encode("cp1252"))
    sentence = refusal("stages.download")
    assert "line 2: not in the encoding utf-8; it may be in cp1252: set data.csv.enc" in sentence
    edit_params(Path(), data__csv__encoding="cp1252")
    call("stages.download")
    expected = {f"{'-+'[i % 2]}w{i} schön don't" for i in range(10)}
    assert len(expected & set(texts_of("training"))) == 8


# --- labels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, -1], ids=["as they come", "backwards"])
def test_labels_told_from_the_file(use, capsys, order: int):
    header, *rows = TEN.splitlines(keepends=True)
    use("".join([header, *rows[::order]]), positive=None, negative=None)
    call("stages.download")
    assert "own.csv: label 'yes' is positive, 'no' is negative" in capsys.readouterr().err
    told = results(Path())
    use("".join([header, *rows[::order]]))
    call("stages.download")
    assert results(Path()) == told
    assert "positive, 'no'" not in capsys.readouterr().err


def as_csv(labels: list[Any]) -> str:
    return "text,label\n" + "".join(f"w{i},{label}\n" for i, label in enumerate(labels))


def as_lines(labels: list[Any]) -> str:
    rows = ({"text": f"w{i}", "label": label} for i, label in enumerate(labels))
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("own.csv", as_csv([1, 2, 3, "4.0", "5.00", 1.0, "", 2, 4, 5])),
        ("own.jsonl", as_lines([1, 2, 3, "4", "5.0", 1.0, "None", "2", 4, 5.0])),
    ],
)
@pytest.mark.parametrize("positive", [[4, 5], [4.0, "5"], ["4", "5", "6"]], ids=str)
def test_stars(use, capsys, name: str, content: str, positive: list[Any]):
    """A number is the same in every form; reviews with other labels are dropped and reported."""
    use(content, name, positive=positive, negative=[1, 2.0])
    call("stages.download")
    expected = {"-w0", "-w1", "-w5", "-w7", "+w3", "+w4", "+w8", "+w9"}
    assert len(expected & {*texts_of("training")}) == 6
    assert [text[0] for text in all_texts()] == ["+"] * 4 + ["-"] * 4
    other = {"own.csv": "''", "own.jsonl": "'None'"}[name]
    dropped = f"{name}: dropped 2 reviews labelled '3' (1), {other} (1)"
    assert dropped in capsys.readouterr().err


@pytest.mark.parametrize(("negative", "positive"), [(0, 1), (False, True), ("false", "true")])
def test_numbers_and_truth_values_as_json_has_them(use, negative: Any, positive: Any):
    labels = [json.loads(str(name).lower()) for name in (negative, positive)]
    use(as_lines(labels * 5), "own.jsonl", positive=positive, negative=negative)
    call("stages.download")
    assert [text[0] for text in all_texts()] == ["+"] * 5 + ["-"] * 5


# --- how they are divided -------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_the_share_is_drawn_of_each_label(use, share: float):
    use(many(80, 20), test_share=share)
    call("stages.download")
    test = load_reviews("test")
    assert len(test) == 100 * share
    assert test.labels.sum() == 80 * share
    assert len(load_reviews("training")) == 100 - len(test)


def test_equal_seeds_equal_bytes(use):
    hashes = []
    for seed in (1, 1, 2):
        use(many(30, 30))
        edit_params(Path(), data__seed=seed)
        call("stages.download")
        hashes.append(results(Path()))
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_folder_has_training_and_test_reviews(use):
    use(TEN, "own/train.csv")
    use("outs: []", "own/train.csv.dvc")
    use("text,label\nall new w0,yes\n", "own/test.csv")
    call("stages.download")
    assert texts_of("training") == EXPECTED
    assert texts_of("test") == ["+all w0"]  # a word that no training review has is dropped
    facts = read_json(REVIEWS / "facts.json", ReviewFacts)
    assert (facts.source, facts.vocabulary, facts.test_reviews) == ("csv:own", 11, 1)


def write_folder(texts: dict[str, str]) -> None:
    for name, text in texts.items():
        path = Path("own", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("latin-1"))


OTHERS = {
    "unsup/1.txt": "nothing",
    "no/.hidden.txt": "hidden",
    ".hidden/1.txt": "hidden",
    "no/1.feat": "0:1",
    "urls.txt": "https",
}


@pytest.mark.parametrize(("negative", "positive"), [("no", ["yes"]), (None, None)])
def test_a_folder_of_texts_by_class(use, capsys, negative: Any, positive: Any):
    named = bool(positive)
    texts = {f"{('no', 'yes')[i % 2]}/{i}.txt": f"w{i}\nschön" for i in range(10)}
    write_folder(texts | (OTHERS if named else {}))
    use("", "other.csv", path="own", encoding="latin-1", positive=positive, negative=negative)
    call("stages.download")
    expected = [f"{'-+'[i % 2]}w{i} schön" for i in range(10)]
    assert len({*expected} & {*texts_of("training")}) == 8
    assert [text[0] for text in all_texts()] == ["+"] * 5 + ["-"] * 5
    facts = read_json(REVIEWS / "facts.json", ReviewFacts)
    assert (facts.source, facts.test_reviews) == ("csv:own", 2)
    reported = capsys.readouterr().err
    assert ("dropped 1 reviews labelled 'unsup' (1)" in reported) == named
    assert ("label 'yes' is positive" in reported) != named


def test_the_order_of_files_is_that_of_their_names(use, monkeypatch):
    texts = {f"{('no', 'yes')[i % 2]}/{i}.txt": f"w{i}" for i in range(10)}
    write_folder(texts)
    use("", "other.csv", path="own")
    hashes = [content_hash(own_reviews.csv_reviews(load_params().data))]
    listed = Path.glob
    monkeypatch.setattr(Path, "glob", lambda *args: [*listed(*args)][::-1])
    hashes.append(content_hash(own_reviews.csv_reviews(load_params().data)))
    assert hashes[0] == hashes[1]


def test_folders_of_training_and_test_texts(use):
    write_folder(
        {f"train/{('1', '5.0')[i % 2]}/{i}.txt": f"w{i} all" for i in range(10)}
        | {"test/5.0/0.txt": "all new w0", "test/1/0.txt": "w1", "train/urls_pos.txt": "https"}
        | {"test.dvc": "outs: []", "imdb.vocab": "the"}
    )
    use("", "other.csv", path="own", positive=[5], negative=[1])
    call("stages.download")
    assert texts_of("training") == EXPECTED
    assert texts_of("test") == ["+all w0", "-w1"]


@pytest.mark.parametrize("link", ["own", "own/yes", "own/train"])
def test_a_link_to_a_folder_is_refused(refused, link: str):
    write_folder({"yes/1.txt": "a", "no/2.txt": "b", "test/yes/3.txt": "c"})
    elsewhere = Path("elsewhere").absolute()
    if Path(link).exists():
        Path(link).rename(elsewhere)
    else:
        elsewhere.mkdir()
    Path(link).symlink_to(elsewhere)
    sentence = f"{link}: expected a folder, not a link, which DVC does not follow"
    assert refused("", "other.csv", path="own") == sentence


def test_a_text_in_another_encoding_is_named(refused):
    write_folder({"yes/1.txt": "a", "no/2.txt": "b\nschön"})
    assert refused("", "other.csv", path="own").startswith(
        f"own/no/2.txt: line 2: {UTF8.format('cp1252')}"
    )


@pytest.mark.parametrize(("duplicates", "left"), [("drop", 9), ("keep", 10)])
def test_training_reviews_that_are_test_reviews_too(use, capsys, duplicates: str, left: int):
    use(TEN, "own/train.csv")
    use('text,label\n"W3, all!",yes\nall w3,no\n', "own/test.csv", duplicates=duplicates)
    call("stages.download")
    assert len(load_reviews("training")) == left
    assert len(load_reviews("test")) == 2
    what = {"drop": "dropped from training", "keep": "kept"}[duplicates]
    assert f"own: 1 training reviews are also in test: {what}" in capsys.readouterr().err


# --- what is refused ------------------------------------------------------------------------------


def test_a_bad_file_is_one_sentence_and_leaves_nothing_behind(use):
    use("")
    assert refusal("stages.download") == (
        "error: source csv is not available:\n  own.csv: there is no row"
    )
    assert not Path("data").exists()


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What is said of a file with this content; `label=…` sets data.csv.label."""
    monkeypatch.chdir(tmp_path)

    def refused(content: str | bytes, name: str = "own.csv", **changes: Any) -> str:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
        own = {"path": name, "positive": "yes", "negative": "no"} | changes
        source = PARAMS.data.csv.model_copy(update=own)
        with pytest.raises(InputError) as error:
            own_reviews.csv_reviews(PARAMS.data.model_copy(update={"csv": source}))
        assert "\n" not in str(error.value)
        return str(error.value)

    return refused


def with_row(row: str | bytes) -> bytes:
    """TEN, in which row 5 is this."""
    lines = TEN.encode().splitlines()
    lines[4] = row.encode() if isinstance(row, str) else row
    return b"\n".join(lines)


UTF8 = "not in the encoding utf-8; it may be in {}: set data.csv.encoding in params.yaml"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "there is no row"),
        ("\n", "there is no row"),
        ("text,label\n", "there is no row"),
        ("review,label\na,yes\n", "no column is called 'text'; there are 'review', 'label'"),
        ("text/label\na/yes\n", "no column is called 'text'; there are 'text/label'"),
        ("text,label,text\na,yes,b\n", "2 columns are called 'text'"),
        (with_row("a"), "row 5: 1 values, but the header has 2 columns"),
        (with_row("a,b,yes"), "row 5: 3 values, but the header has 2 columns"),
        (with_row('"a,yes'), "row 5: unexpected end of data; is a quote left open?"),
        (with_row('"a"b,yes'), "row 5: ',' expected after '\"'; is a quote left open?"),
        (with_row("a\0b,yes"), f"line 5: {UTF8.format('utf-16')}"),
        (with_row(b"don\x92t,yes"), f"line 5: {UTF8.format('cp1252')}"),
        (with_row(b"caf\xe9,yes"), f"line 5: {UTF8.format('cp1252')}"),
        (with_row(b"\x81,yes"), f"line 5: {UTF8.format('latin-1')}"),
        (TEN.encode("utf-16"), f"line 1: {UTF8.format('utf-16')}"),
        (TEN.encode("utf-16-le"), f"line 1: {UTF8.format('utf-16')}"),
        (TEN.replace("no", "yes"), "no review has the label 'no', but 'yes' (10)"),
        (many(1, 1), "of 2 reviews, 2 are left to train on and 0 to test"),
        ("text,label\n" + ",yes\n?,no\n" * 5, "of 10 reviews, 0 are left to train on"),
    ],
)
def test_bad_files(refused, content: str | bytes, reason: str):
    sentence = refused(content)
    assert sentence.startswith("own.csv: ")
    assert reason in sentence


@pytest.mark.parametrize("file", ["own.csv", "train.csv", "train.csv.gz", "yes/a.TXT"])
def test_another_folder_is_refused(refused, file: str):
    sentence = "own: expected one file train.* and one file test.*, or a folder of .txt files for"
    assert refused(TEN, f"own/{file}", path="own").startswith(sentence)


def test_no_word_at_all(refused):
    sentence = refused("text,label\n" + ",yes\n?,no\n" * 5, duplicates="keep")
    assert sentence.startswith("own.csv: there are 0 different words in the reviews to train on")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "row 3: unexpected end of data"),
        ("[1]", "row 3, column 'text': expected a text or a number"),
        ('{"text": "a"}', "row 3, column 'label': expected a text"),
        ('{"text": null, "label": "yes"}', "row 3, column 'text': expected a text"),
        ('{"text": ["a"], "label": "yes"}', "row 3, column 'text': expected a text"),
        ('{"text": "\\ud800", "label": "yes"}', "row 3: "),
        (b'{"text": "\xff", "label": "yes"}', f"line 3: {UTF8.format('cp1252')}"),
        ("[" * 100_000, "row 3: "),
    ],
)
def test_bad_json_lines(refused, line: str | bytes, reason: str):
    lines = as_json_lines(TEN).encode().splitlines()
    lines[2] = line.encode() if isinstance(line, str) else line
    assert refused(b"\n".join(lines), "own.jsonl").startswith(f"own.jsonl: {reason}")


def test_a_file_in_another_encoding_of_two_bytes(refused):
    sentence = refused(TEN.encode() + b"w", encoding="utf-16-le")
    assert "own.csv: line 1: not in the encoding utf-16-le; it may be in utf-8: set " in sentence


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (["yes"] * 3, "'yes' (3)"),
        (["yes", "", "yes"], "'yes' (2), '' (1)"),
        (["no", "maybe", "yes", "no"], "'no' (2), 'maybe' (1), 'yes' (1)"),
        ([*range(11), 0], ", ".join(["'0' (2)", *(f"'{i}' (1)" for i in range(1, 10)), "…"])),
    ],
)
def test_labels_that_are_not_two(refused, labels: list[Any], found: str):
    assert refused(as_csv(labels), positive=None, negative=None) == (
        f"own.csv: the labels are {found}; expected two, or a choice in params.yaml such as "
        "data.csv.positive: [4, 5] and data.csv.negative: [1, 2]"
    )


def test_endless_lines_and_quotes(refused, monkeypatch):
    monkeypatch.setattr("workflow.text.rows.MAX_LENGTH", 100)
    assert "line 5 has more than 100 characters" in refused(with_row("a" * 101))
    sentence = refused(with_row('"a') + b"\nb,yes" * 50)
    assert "row 5: field larger than field limit (100); is a quote left open?" in sentence


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("own.xlsx", b"PK", "its name must end in .csv, .tsv or .jsonl"),
        ("own.csv.zst", b"\x28\xb5", "its name must end in .csv, .tsv or .jsonl"),
        ("own.csv.gz", TEN, "Not a gzipped file"),
        ("own.csv.gz", gzip.compress(TEN.encode(), mtime=0)[:-20], "Compressed file ended"),
        ("own.csv.bz2", TEN, "Invalid data stream"),
        ("own.csv.xz", TEN, "Input format not supported"),
    ],
)
def test_files_of_another_kind(refused, name: str, content: str | bytes, reason: str):
    assert refused(content, name).startswith(f"{name}: {reason}")


def test_a_missing_file(refused):
    """As an untracked one is in an experiment's copy of the project."""
    sentence = refused(TEN, path="nowhere.csv")
    assert "nowhere.csv: there is no such file" in sentence
    assert "`git add nowhere.csv` or `dvc add nowhere.csv`" in sentence


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"label": "text"}, "data.csv: text and label are both 'text'"),
        ({"positive": None}, "data.csv: positive and negative must be both null or both given"),
        ({"positive": "negative"}, "data.csv: positive and negative are both 'negative'"),
        ({"positive": [1, "1.0"], "negative": 1.0}, "data.csv: positive and negative are both '1'"),
        ({"positive": []}, "data.csv.positive: [] is not allowed: expected a label, or a list of"),
        ({"positive": [4, ""]}, "data.csv.positive: [4, ''] is not allowed"),
        ({"positive": [None]}, "data.csv.positive: [None] is not allowed"),
        ({"positive": float("nan")}, "data.csv.positive: nan is not allowed"),
        ({"path": ""}, "data.csv.path: '' is not allowed"),
        ({"test_share": 1.0}, "data.csv.test_share: 1.0 is not allowed"),
        (
            {"encoding": "utf-9"},
            "data.csv.encoding: 'utf-9' is not allowed: expected a text encoding",
        ),
        ({"delimiter": ";;"}, "data.csv.delimiter: ';;' is not allowed"),
        ({"delimiter": '"'}, "data.csv.delimiter: '\"' is not allowed"),
        ({"encoding": "base64"}, "data.csv.encoding: 'base64' is not allowed"),
        ({"encoding": "undefined"}, "data.csv.encoding: 'undefined' is not allowed"),
        ({"tokenizer": "words"}, "data.csv.tokenizer: 'words' is not allowed"),
        ({"duplicates": True}, "data.csv.duplicates: True is not allowed"),
        ({"test_path": "x.csv"}, "data.csv.test_path: unknown key"),
    ],
)
def test_bad_parameters(changes: dict[str, Any], reason: str):
    values = PARAMS.model_dump(exclude_unset=True)
    values["data"]["csv"] |= changes
    with pytest.raises(InputError) as error:
        validate(Params, values, Path("params.yaml"), RENAMED)
    assert str(error.value).startswith(f"params.yaml: {reason}")


@pytest.mark.parametrize("tokenizer", ["ascii", "characters"])
@pytest.mark.parametrize(
    ("text", "unsegmented"), [("这本书很好看", True), ("这本书 很好看", False)]
)
def test_words_without_spaces_are_noticed(
    use, capsys, text: str, tokenizer: str, *, unsegmented: bool
):
    use(TEN.replace("all", f"{text}\uff0c{text}"), tokenizer=tokenizer)
    call("stages.download")
    reported = "own.csv: 67% of the words are several without spaces between them; set data.csv.tok"
    assert (reported in capsys.readouterr().err) == (unsegmented and tokenizer == "ascii")


def test_unicode_tokens_are_chosen_and_handed_on(use):
    use(TEN.replace("all", "ÄRGER"), tokenizer="unicode")
    call("stages.download")
    call("stages.vectorize", "multi_hot")
    encoder = features_folder("multi_hot") / "encoder"
    assert "ärger" in json.loads((encoder / "word_index.json").read_text())
    assert read_json(encoder / "facts.json", ReviewFacts).tokenizer == "unicode"
    facts = read_json(features_folder("multi_hot") / "facts.json", FeatureFacts)
    assert facts.tokenizer == "unicode"


# --- the rest of the pipeline ---------------------------------------------------------------------


def test_the_example_has_200_different_reviews_half_of_them_positive():
    source = PARAMS.data.csv
    rows = [row for _, row in own_reviews.file_rows(PROJECT / source.path, source)]
    assert len({row["text"] for row in rows}) == 200
    assert [row["label"] for row in rows].count("positive") == 100


def test_dvc_knows_the_file():
    download = YAML(typ="safe").load(PROJECT / "dvc.yaml")["stages"]["download"]
    assert "${data.csv.path}" in download["deps"]
    assert {"data.csv", "data.limit"} <= {*download["params"]}


def test_the_figures_name_the_file(use):
    use(TEN, "50$ or 60$.csv")
    call("stages.download")
    call("stages.vectorize", "multi_hot")
    facts = read_json(features_folder("multi_hot") / "facts.json", FeatureFacts)
    line = "reviews from 50$ or 60$.csv: 5 train, 3 validation, 2 test"
    assert data_line(facts) == line
    assert data_line(facts.model_copy(update={"limit": 1000})) == f"{line}, data.limit 1,000"


def test_the_next_source_is_used_instead(use, mirror, capsys):
    use("text,label\n")
    edit_params(Path(), data__sources=["csv", "keras"])
    call("stages.download")
    assert "source csv is not available:\n  own.csv: there is no row" in capsys.readouterr().err
    assert read_json(REVIEWS / "facts.json", ReviewFacts).source == "keras"
