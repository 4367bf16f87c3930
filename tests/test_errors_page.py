"""The page of `make errors`: its values, what it keeps out, how it refuses to be made."""

import json
import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from commands import errors
from tests.conftest import call, make_workspace, refusal, seen_in_chromium
from tests.test_error_analysis import FACTS, MORE, REVIEWS, WORDS, made_up, predictions
from workflow.base.files import RERUN_HINT, write_json
from workflow.base.files import REVIEWS as FOLDER
from workflow.base.reviews import Reviews, load_reviews, save_reviews
from workflow.features.multi_hot import MultiHotEncoder
from workflow.features.params import MultiHotParams
from workflow.report import error_analysis
from workflow.text.vocabulary import Vocabulary

EVIL = [
    "<script>stolen=1</script>",
    "<img/src=x/onerror=stolen=1>",
    "</article>",
    "a&b",
    "'\"quoted",
]
OWN = {"source": "csv:<b>reviews</b>.csv"}


def write_results(folder: Path) -> None:
    """Reviews, the predictions of two variants, and the candidate's encoder."""
    random = np.random.default_rng(2)
    lengths = random.integers(1, 30, REVIEWS)
    ranks = random.integers(1, WORDS + 1, lengths.sum()).astype(np.uint32)
    reviews = Reviews(ranks, np.cumsum([0, *lengths], dtype=np.int64), made_up(0)[0])
    for name in ("data/reviews", "models/candidate/encoder"):
        (folder / name).mkdir(parents=True)
    save_reviews([reviews], folder / "data/reviews", "test")
    write_json(folder / "data/reviews/facts.json", FACTS)
    words = [*EVIL, *(f"w{rank}" for rank in range(len(EVIL) + 1, WORDS + 1))]
    index = {word: rank for rank, word in enumerate(words, 1)}
    (folder / "data/reviews/word_index.json").write_text(json.dumps(index))
    MultiHotEncoder(MultiHotParams(num_words=40)).save(folder / "models/candidate/encoder")
    for number, variant in enumerate(["single", "candidate"]):
        (folder / "data/predictions" / variant).mkdir(parents=True)
        write_json(folder / "data/predictions" / variant / "facts.json", FACTS | MORE)
        np.save(folder / "data/predictions" / variant / "test.npy", made_up(number)[1])


class Known:
    """Stands for the networks: says of a review what the predictions have, without TensorFlow."""

    def __init__(self, _: Path) -> None:
        reviews, vocabulary = load_reviews("test"), Vocabulary.load(FOLDER)
        decoded = (vocabulary.decode(block.values) for block in reviews.blocks(1))
        self.of_text = dict(zip(decoded, made_up(1)[1].T, strict=True))

    def predict(self, texts: list[str]) -> Any:
        return np.stack([self.of_text[text] for text in texts], axis=1)

    def contributions(self, text: str) -> list[tuple[str, float]]:
        words = dict.fromkeys(text.split(" "))
        return [(word, 1 - 2 * number / len(words)) for number, word in enumerate(words)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, mirror: Path) -> Path:
    """A workspace with made-up results, in which the command has run."""
    folder = make_workspace(tmp_path_factory.mktemp("errors") / "a workspace", mirror)
    write_results(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setitem(sys.modules, "workflow.serving.predictor", SimpleNamespace(Predictor=Known))
        call("commands.errors")
    return folder


@pytest.fixture
def here(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in which the test is."""
    copied = shutil.copytree(folder, tmp_path / "copy")
    monkeypatch.chdir(copied)
    monkeypatch.setitem(sys.modules, "workflow.serving.predictor", SimpleNamespace(Predictor=Known))
    return Path(copied)


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "errors/candidate.html").read_text("utf-8")


def test_the_groups_that_can_be_compared_share_an_axis():
    """The agreement of the seeds goes further: where they disagree, half are wrong."""
    rows = [
        ("label", "negative", 100, 10),
        ("label", "positive", 100, 20),
        ("words", "1 to 9", 200, 30),
        ("agreement", "1 of 3", 4, 2),
    ]
    table = pd.DataFrame(rows, columns=["by", "group", "reviews", "wrong"])
    charts = errors.vega_charts(predictions(*made_up(1)), table, pd.DataFrame())
    ends = {
        by: charts[f"by-{by}"]["layer"][0]["encoding"]["x"]["scale"]["domain"][1]
        for by in ("label", "words", "agreement")
    }
    assert ends["label"] == ends["words"] == pytest.approx(0.289, abs=1e-3)  # of 20 of 100: Wilson
    assert ends["agreement"] > 0.5
    (drawn, _) = charts["by-label"]["datasets"].values()
    assert [row["row"] for row in drawn] == ["negative|10.0% of 100", "positive|20.0% of 100"]


def test_the_contribution_of_an_n_gram_is_shared_among_its_words():
    contributions = [("good", 1.0), ("film", 0.01), ("not good", -3.0)]
    assert errors.highlighted("not good br good film".split(), contributions) == [
        ("not", "negative", 6, "-1.50"),
        ("good", "negative", 2, "-0.50"),
        ("\n", "negative", 0, "+0.00"),
        ("good", "positive", 4, "+1.00"),
        ("film", "positive", 0, "+0.01"),
    ]


# --- the page -------------------------------------------------------------------------------------


class Attributes(HTMLParser):
    """The tags of a page, and the attributes that could fetch something."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.fetching: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        wanted = ("src", "href", "srcset", "action", "data", "poster")
        self.fetching += [name for name, _ in attrs if name in wanted or name.startswith("on")]


def without_scripts(page: str) -> str:
    return re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)


def test_the_page_says_what_it_is_of(page: str):
    ours = predictions(*made_up(1))
    wrong = ours.wrong_in_every_seed()
    right = 1 - ours.wrong.mean()
    assert f"<h1>candidate is right in {right:.2%} of 400 test reviews</h1>" in page
    assert f"<p>{len(wrong)} ({len(wrong) / 400:.1%}) are wrong in every seed.</p>" in page
    assert "9 train, 6 validation, 400 test" in page
    assert "3 seeds" in page
    mean = error_analysis.scores(ours.labels, ours.mean)
    for score, style in errors.SCORES.items():
        assert f"<td>{mean[score]:{style}}</td>" in page
    shown = [int(number) for number in re.findall(r"Review (\d+) · label", page)]
    assert shown == wrong[:50].tolist()
    confidence = np.abs(ours.mean[shown] - 0.5)
    assert (np.diff(confidence) <= 0).all()
    assert page.count("<b>for positive, in log-odds:</b>") == len(shown)


def test_the_reviews_on_which_two_variants_differ_most_come_first(page: str):
    ours, other = predictions(*made_up(1)).mean, predictions(*made_up(0)).mean
    differ = np.flatnonzero((ours > 0.5) != (other > 0.5))
    farthest = sorted(differ, key=lambda number: -abs(ours[number] - other[number]))
    examples = [int(number) for number in re.findall(r"Review (\d+), <b>", page)]
    assert examples == farthest[: errors.EXAMPLES]


def test_nothing_is_fetched_and_markup_of_a_review_stays_text(page: str):
    parsed = Attributes(without_scripts(page))
    assert parsed.fetching == []
    assert not parsed.tags & {"img", "iframe", "link", "object", "b>reviews"}
    assert "http" not in without_scripts(page).replace("http-equiv", "")
    assert "cdn" not in page.lower()
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
    assert page.count("<script") == 2  # the charts, and Vega
    assert page.count("</script>") == 2
    assert "&lt;script&gt;stolen=1&lt;/script&gt;" in page
    assert page.count("<article>") == page.count("</article>")


def test_the_page_is_small_and_the_same_again(page: str, here: Path):
    assert len(page.encode()) < 2_000_000
    call("commands.errors")
    assert Path("errors/candidate.html").read_text("utf-8") == page


def test_own_reviews_are_named(here: Path):
    write_json(Path("data/reviews/facts.json"), FACTS | OWN)
    for variant in ("single", "candidate"):
        write_json(Path("data/predictions", variant, "facts.json"), FACTS | MORE | OWN)
    call("commands.errors", "--reviews", "0")
    assert "&lt;b&gt;reviews&lt;/b&gt;.csv" in Path("errors/candidate.html").read_text("utf-8")


def test_chromium_draws_the_charts_and_runs_nothing_of_a_review(page: str, tmp_path: Path):
    html = tmp_path / "page.html"
    html.write_text(page, "utf-8")
    script = """[
      document.querySelectorAll("svg.marks").length, typeof stolen,
      document.documentElement.scrollWidth - innerWidth,
    ]"""
    charts, stolen, too_wide = seen_in_chromium(html, 500, script)
    assert charts == 7
    assert stolen == "undefined"
    assert too_wide <= 0


def test_the_real_network_explains_its_errors(copy: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(copy)
    call("commands.errors", "single", "--reviews", "3")
    page = Path("errors/single.html").read_text("utf-8")
    assert "<h1>single is right in " in page
    if "All of them" not in page:
        assert len(re.findall(r"Review \d+ · label", page)) == 3


def test_what_is_missing_or_unknown_is_one_sentence_each(here: Path):
    assert "'other' is not a variant; expected one of single" in refusal("commands.errors", "other")
    shutil.rmtree("data/predictions/candidate")
    assert refusal("commands.errors").endswith("no predictions; run `dvc repro`")
    shutil.rmtree("data/reviews")
    assert refusal("commands.errors").endswith(RERUN_HINT)


def test_results_that_do_not_belong_together_are_refused(here: Path):
    np.save("data/predictions/candidate/test.npy", 1 - made_up(1)[1])
    assert "the model predicts something else than data/predictions" in refusal("commands.errors")
    write_json(here / "data/predictions/single/facts.json", FACTS | MORE | {"sha256": "other"})
    assert "of other reviews than data/reviews" in refusal("commands.errors")


@pytest.mark.parametrize("package", ["altair", "vl_convert", "jinja2"])
def test_a_missing_package_is_one_sentence(
    package: str, here: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delitem(sys.modules, "workflow.report.error_charts", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    assert refusal("commands.errors") == (
        f"error: {package} is not installed; run `make setup-dev`"
    )
