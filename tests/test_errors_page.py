"""The page of `make errors`: its figures, what it does not let in, and what it says without data."""

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.calibration
import sklearn.metrics
from scipy import stats

from commands import errors
from tests.conftest import PROJECT, call, make_workspace, refusal
from workflow import mistakes, model_card
from workflow.features import MultiHot
from workflow.params import MultiHot as Settings
from workflow.results import Correct
from workflow.storage import FeatureFacts, Reviews, write_json

SEEDS, REVIEWS, WORDS = 3, 400, 60
EVIL = [
    "<script>stolen=1</script>",
    "<img/src=x/onerror=stolen=1>",
    "</article>",
    "a&b",
    "'\"quoted",
]
FACTS = {"sha256": "ab" * 32, "vocabulary": WORDS, "test_reviews": REVIEWS}
FACTS |= {"source": "csv:<b>reviews</b>.csv"}
MORE = {"train_reviews": 9, "validation_reviews": 6, "columns": 40, "weighted": False}
Folder = pytest.TempPathFactory


def made_up(seed: int) -> tuple[Any, Any]:
    """Labels, and (seeds, reviews) probabilities that are right in most reviews."""
    random = np.random.default_rng(1)
    labels = random.integers(0, 2, REVIEWS).astype(np.uint8)
    random = np.random.default_rng(seed)
    log_odds = random.normal(2 * (labels - 0.5), 1.0) + random.normal(0, 0.5, (SEEDS, REVIEWS))
    return labels, (1 / (1 + np.exp(-2 * log_odds))).astype(np.float32)


def write_results(folder: Path) -> None:
    """Reviews, the predictions of two variants, and the candidate's encoder."""
    random = np.random.default_rng(2)
    lengths = random.integers(1, 30, REVIEWS)
    ranks = random.integers(1, WORDS + 1, lengths.sum()).astype(np.uint32)
    reviews = Reviews(ranks, np.cumsum([0, *lengths], dtype=np.int64), made_up(0)[0])
    for name in ("data/reviews", "models/candidate/encoder"):
        (folder / name).mkdir(parents=True)
    reviews.save(folder / "data/reviews", "test")
    write_json(folder / "data/reviews/facts.json", FACTS)
    words = [*EVIL, *(f"w{rank}" for rank in range(len(EVIL) + 1, WORDS + 1))]
    index = {word: rank for rank, word in enumerate(words, 1)}
    (folder / "data/reviews/word_index.json").write_text(json.dumps(index))
    MultiHot(Settings(num_words=40)).save(folder / "models/candidate/encoder")
    for number, variant in enumerate(["single", "candidate"]):
        (folder / "data/predictions" / variant).mkdir(parents=True)
        write_json(folder / "data/predictions" / variant / "facts.json", FACTS | MORE)
        np.save(folder / "data/predictions" / variant / "test.npy", made_up(number)[1])


class Known:
    """Stands for the networks: says of a review what the predictions have, without TensorFlow."""

    def __init__(self, folder: Path) -> None:
        reviews = errors.load_reviews("test")
        vocabulary = errors.Vocabulary.load(errors.REVIEWS)
        decoded = (vocabulary.decode(block.values) for block in reviews.blocks(1))
        self.of_text = dict(zip(decoded, made_up(1)[1].T, strict=True))

    def predict(self, texts: list[str]) -> Any:
        return np.stack([self.of_text[text] for text in texts], axis=1)

    def pushes(self, text: str) -> list[tuple[str, float]]:
        words = dict.fromkeys(text.split(" "))
        return [(word, 1 - 2 * number / len(words)) for number, word in enumerate(words)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: Folder, mirror: Path) -> Path:
    """A workspace with made-up results, in which the command has run."""
    folder = make_workspace(tmp_path_factory.mktemp("errors") / "a workspace", mirror)
    write_results(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setitem(sys.modules, "workflow.predictor", SimpleNamespace(Predictor=Known))
        call("commands.errors")
    return folder


@pytest.fixture
def here(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in which the test is."""
    copied = shutil.copytree(folder, tmp_path / "copy")
    monkeypatch.chdir(copied)
    monkeypatch.setitem(sys.modules, "workflow.predictor", SimpleNamespace(Predictor=Known))
    return Path(copied)


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "errors/candidate.html").read_text("utf-8")


def answers(seed: int = 1) -> mistakes.Answers:
    labels, of_seeds = made_up(seed)
    facts = FeatureFacts.model_validate(FACTS | MORE)
    return mistakes.Answers(facts, of_seeds, labels == 1)


# --- figures --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_the_scores_are_those_of_scikit_learn(seed: int):
    of = answers(seed)
    p = np.round(of.of_seeds[0].astype(np.float64), 2)  # with ties
    found = mistakes.scores(of.labels, p)
    assert found["accuracy"] == sklearn.metrics.accuracy_score(of.labels, p > 0.5)
    assert found["auc"] == pytest.approx(sklearn.metrics.roc_auc_score(of.labels, p))
    assert found["brier"] == pytest.approx(sklearn.metrics.brier_score_loss(of.labels, p))


def test_the_calibration_is_that_of_scikit_learn():
    of = answers()
    table = mistakes.calibration(of.labels, of.mean)
    positive, said = sklearn.calibration.calibration_curve(of.labels, of.mean, n_bins=10)
    assert table["found"].to_numpy() == pytest.approx(positive)
    assert table["said"].to_numpy() == pytest.approx(said)
    assert table["reviews"].sum() == REVIEWS
    bins = np.minimum((of.mean * 10).astype(int), 9)
    parts = [bins == number for number in range(10)]
    gaps = [abs(of.labels[part].mean() - of.mean[part].mean()) * part.mean() for part in parts]
    assert mistakes.scores(of.labels, of.mean)["ece"] == pytest.approx(sum(gaps))


def test_the_drawn_roc_curve_lies_on_the_whole_one():
    of = answers()
    whole = mistakes.roc(of.labels, of.mean)
    false, true, _ = sklearn.metrics.roc_curve(of.labels, of.mean, drop_intermediate=False)
    assert whole[0] == pytest.approx(false)
    assert whole[1] == pytest.approx(true)
    drawn = set(zip(*mistakes.seen(whole), strict=True))
    assert drawn <= set(zip(*whole, strict=True))
    assert {(0.0, 0.0), (1.0, 1.0)} <= drawn
    assert len(drawn) <= mistakes.POINTS


def test_reviews_of_one_label_have_no_area_under_a_curve():
    assert np.isnan(mistakes.scores(np.ones(3, bool), np.array([0.1, 0.5, 0.9]))["auc"])


def test_the_intervals_are_those_of_wilson():
    table = pd.DataFrame({"reviews": [10, 400, 5], "wrong": [0, 37, 5]})
    for row in mistakes.with_intervals(table).itertuples():
        exact = stats.binomtest(row.wrong, row.reviews).proportion_ci(method="wilson")
        assert (row.low, row.high) == pytest.approx((exact.low, exact.high))


def test_groups_are_about_as_large_and_named_by_what_is_in_them():
    values = np.array([3, 1, 2, 5, 4, 9, 8, 7, 6, 10])
    assert list(mistakes.fifths(values, str).categories) == [
        "1 to 2", "3 to 4", "5 to 6", "7 to 8", "9 to 10",
    ]  # fmt: skip
    assert list(mistakes.fifths(np.zeros(5), str)) == ["0.0"] * 5


def test_every_kind_has_all_reviews_and_all_mistakes(folder: Path):
    table = pd.read_csv(folder / model_card.ERRORS, keep_default_na=False)
    of = answers()
    every, kinds = table.iloc[0], table.iloc[1:].groupby("by")[["reviews", "wrong"]].sum()
    assert every["wrong"] == ((of.of_seeds > 0.5) != of.labels).all(axis=0).sum() > 0
    assert set(kinds.index) == set(errors.KINDS)
    assert (kinds["reviews"] == REVIEWS).all()
    assert (kinds["wrong"] == ((of.of_seeds.mean(axis=0) > 0.5) != of.labels).sum()).all()


def test_a_word_is_known_if_it_has_a_column_of_its_own():
    known = mistakes.known_words(np.array([[0, 0, 3], [0, 3, 4], [0, 0, 1]]), 4)
    assert known.tolist() == [False, True, False, True, False]
    reviews = Reviews(np.array([1, 4, 4, 2], np.uint32), np.array([0, 3, 4, 4]), np.zeros(3))
    assert mistakes.unknown_share(reviews, known).tolist() == [2 / 3, 1, 0]


def test_the_push_of_an_n_gram_is_shared_among_its_words():
    pushes = [("good", 1.0), ("film", 0.01), ("not good", -3.0)]
    assert errors.shades("not good a fine good film".split(), pushes) == [
        ("not", "negative", 6, "-1.50"),
        ("good", "negative", 2, "-0.50"),
        ("a fine", "", 0, ""),
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


def test_the_page_says_what_it_is_of(page: str, folder: Path):
    of = answers()
    wrong = len(of.worst())
    assert f"<h1>{wrong} of 400 test reviews are wrong in every seed of candidate</h1>" in page
    assert "9 train, 6 validation, 400 test" in page
    assert "3 seeds" in page
    mean = mistakes.scores(of.labels, of.mean)
    for style, key in ((".4f", "auc"), (".4f", "brier"), (".2%", "ece"), (".2%", "accuracy")):
        assert f"<td>{mean[key]:{style}}</td>" in page
    shown = [int(number) for number in re.findall(r"Review (\d+) · label", page)]
    assert shown == of.worst()[:50].tolist()
    sure = np.abs(of.mean[shown] - 0.5)
    assert (np.diff(sure) <= 0).all()


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
    assert "&lt;b&gt;reviews&lt;/b&gt;.csv" in page
    assert page.count("<article>") == page.count("</article>")


def test_the_page_is_small_and_the_same_again(page: str, here: Path):
    assert len(page.encode()) < 2_000_000
    call("commands.errors")
    assert Path("errors/candidate.html").read_text("utf-8") == page


def test_chromium_draws_the_charts_and_runs_nothing_of_a_review(page: str, tmp_path: Path):
    chromium = shutil.which("chromium")
    if not chromium:
        pytest.skip("apt-get install chromium to test the page of make errors")
    count = """<script>addEventListener("load", () => setTimeout(() => {
      document.body.innerHTML = `<pre>${JSON.stringify([
        document.querySelectorAll("svg.marks").length, typeof stolen,
        document.documentElement.scrollWidth - innerWidth,
      ])}</pre>`;
    }, 3000));</script></body>"""
    html = tmp_path / "page.html"
    html.write_text(page.replace("</body>", count), "utf-8")
    options = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync"
    options += " --disable-background-networking --disable-component-update --dump-dom"
    seen = subprocess.run(
        [
            *(chromium, *options.split(), f"--user-data-dir={tmp_path / 'profile'}"),
            *("--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=20000"),
            *("--window-size=500,900", html.as_uri()),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    charts, stolen, too_wide = json.loads(re.findall("<pre>(.*)</pre>", seen.stdout)[-1])
    assert charts == len(errors.KINDS) + 3
    assert stolen == "undefined"
    assert too_wide <= 0


def test_the_real_network_explains_its_mistakes(copy: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(copy)
    call("commands.errors", "single", "--reviews", "3")
    page = Path("errors/single.html").read_text("utf-8")
    assert "test reviews are wrong in every seed of single" in page
    assert not model_card.ERRORS.exists()  # which are of the candidate
    if "All of them" not in page:
        assert len(re.findall(r"Review \d+ · label", page)) == 3


# --- mistakes of its user -------------------------------------------------------------------------


def test_an_unknown_variant_is_one_sentence(here: Path):
    assert "'other' is not a variant; there are single" in refusal("commands.errors", "other")


def test_missing_results_are_one_sentence_each(here: Path):
    shutil.rmtree("data/predictions/candidate")
    assert "candidate: no predictions; `dvc repro`" in refusal("commands.errors")
    shutil.rmtree("data/reviews")
    assert refusal("commands.errors").endswith("`dvc repro` makes it anew")


def test_predictions_of_other_reviews_are_refused(here: Path):
    write_json(here / "data/predictions/single/facts.json", FACTS | MORE | {"sha256": "other"})
    assert "of other reviews than data/reviews" in refusal("commands.errors")


def test_a_model_that_says_something_else_is_refused(here: Path):
    np.save("data/predictions/candidate/test.npy", 1 - made_up(1)[1])
    assert "the model does not say what data/predictions has" in refusal("commands.errors")


@pytest.mark.parametrize("package", ["altair", "vl_convert", "jinja2"])
def test_a_missing_package_is_one_sentence(
    package: str, here: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delitem(sys.modules, "workflow.mistake_charts", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    assert refusal("commands.errors") == (
        f"error: {package} is not installed; `make setup-dev` installs it"
    )


# --- the model card -------------------------------------------------------------------------------


def test_the_card_refuses_figures_of_other_results(tmp_path: Path):
    for name in ("metrics", "docs"):
        shutil.copytree(PROJECT / name, tmp_path / name)
    shutil.copy(PROJECT / "params.yaml", tmp_path)
    bits = {split: np.zeros((SEEDS, 7), bool) for split in ("validation", "test")}
    right = Correct("", np.arange(SEEDS), bits)
    (tmp_path / "metrics/correct/candidate.npz").write_bytes(right.to_bytes())
    table = pd.DataFrame({"by": [""], "group": ["all"], "reviews": [7], "wrong": [7]})
    table.to_csv(tmp_path / model_card.ERRORS, index=False)
    assert "7 of 7 test reviews (100.0%)" in str(model_card.errors(model_card.read_card(tmp_path)))
    table.assign(wrong=6).to_csv(tmp_path / model_card.ERRORS, index=False)
    with pytest.raises(errors.InputError, match="of other results than metrics/"):
        model_card.read_card(tmp_path)
