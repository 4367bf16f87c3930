"""What a variant gets wrong, against values worked out by hand, and the page of `make errors`."""

import html
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest

from commands import errors
from tests.conftest import call, make_workspace, refusal, seen_in_chromium
from workflow.base.files import RERUN_HINT, PredictionFacts, write_json
from workflow.base.files import REVIEWS as FOLDER
from workflow.base.reviews import Reviews, load_reviews, save_reviews
from workflow.evaluation.scores import mean_and_std
from workflow.features.multi_hot import MultiHotEncoder
from workflow.report import error_analysis, error_charts
from workflow.report.error_analysis import Predictions
from workflow.text.vocabulary import Vocabulary

SEEDS, REVIEWS, WORDS = 3, 400, 60
FACTS: dict[str, Any] = {"sha256": "ab" * 32, "vocabulary": WORDS, "test_reviews": REVIEWS}
FACTS |= {"source": "keras", "train_reviews": 9, "validation_reviews": 6, "columns": 40}
FACTS |= {"weighted": False, "average": {}, "weights": 9, "bytes": 99, "larger_class": 0.5}
EVIL = ["<script>stolen=1</script>", "<img/src=x/onerror=stolen=1>", "</article>", "a&b", "'\"q"]


def made_up(seed: int) -> tuple[Any, Any]:
    """Labels, and (seeds, reviews) probabilities that are right in most reviews."""
    labels = np.random.default_rng(1).integers(0, 2, REVIEWS).astype(np.uint8)
    random = np.random.default_rng(seed)
    log_odds = random.normal(2 * (labels - 0.5), 1.0) + random.normal(0, 0.5, (SEEDS, REVIEWS))
    return labels, (1 / (1 + np.exp(-2 * log_odds))).astype(np.float32)


def predictions(labels: Any, by_seed: Any) -> Predictions:
    facts = PredictionFacts.model_validate(FACTS)
    return Predictions(facts, np.array(by_seed, np.float32), np.array(labels) == 1)


# --- the values -----------------------------------------------------------------------------------


def test_the_errors_of_each_group_are_those_of_the_mean():
    labels = [0, 0, 1, 1, 1]
    by_seed = [[0.9, 0.1, 0.9, 0.4, 0.1], [0.8, 0.2, 0.8, 0.4, 0.2], [0.1, 0.1, 0.7, 0.9, 0.3]]
    of_variant = predictions(labels, by_seed)  # wrong: the first, with two seeds, and the last
    reviews = {"label": labels, "words": [10, 20, 30, 40, 50], "unknown": [0, 0, 0, 20, 25]}
    rates = error_analysis.error_rates(of_variant, pd.DataFrame(reviews))
    assert [tuple(row) for row in rates.iloc[:, :4].itertuples(index=False)] == [
        ("label", "negative", 2, 1),
        ("label", "positive", 3, 1),
        *(("words", f"{n}", 1, int(n in (10, 50))) for n in (10, 20, 30, 40, 50)),
        ("unknown words", "0.0%", 3, 1),
        ("unknown words", "50.0%", 2, 1),
        ("agreement", "3 of 3 seeds", 3, 1),
        ("agreement", "2 of 3 seeds", 1, 1),
        ("agreement", "1 of 3 seeds", 1, 0),
    ]
    of_three = rates.iloc[1]
    wilson = of_three["rate"], of_three["low"], of_three["high"]
    assert wilson == pytest.approx((1 / 3, 0.0615, 0.7923), abs=1e-4)
    assert of_variant.wrong_in_every_seed().tolist() == [4]


def test_groups_are_about_as_large_and_named_by_what_is_in_them():
    values = np.array([3, 1, 2, 5, 4, 9, 8, 7, 6, 10])
    groups = error_analysis.quintiles(values, str)
    assert list(groups.categories) == ["1 to 2", "3 to 4", "5 to 6", "7 to 8", "9 to 10"]
    assert groups[0] == "3 to 4"
    same_name = error_analysis.quintiles(np.array([0.001, 0.002, 0.4]), "{:.0%}".format)
    assert list(same_name) == ["0%", "0%", "40%"]


def test_a_word_is_known_if_it_has_a_column_of_its_own(monkeypatch):
    words = np.array([1, 4, 4, 2], np.uint32)
    reviews = Reviews(words, np.array([0, 3, 4, 4]), np.zeros(3, np.uint8))
    columns = np.array([[0, 0, 3], [0, 3, 4], [0, 0, 1]])
    encoder = mock.Mock(columns=3, words=columns.__getitem__)
    monkeypatch.setattr(error_analysis, "load_encoder", lambda _: encoder)
    monkeypatch.setattr(error_analysis, "load_reviews", lambda _: reviews)
    rates = error_analysis.read_error_rates("any", predictions([0] * 3, [[0.9, 0.1, 0.1]]))
    groups = rates.query("by == 'unknown words'")[["group", "wrong"]]
    assert groups.to_numpy().tolist() == [["0.0%", 0], ["66.7%", 1], ["100.0%", 0]]


def test_variants_disagree_where_their_means_are_on_other_sides():
    sides = {
        "one": [0.9, 0.9, 0.1, 0.1],
        "two": [0.6, 0.4, 0.1, 0.1],
        "three": [0.9, 0.9, 0.1, 0.4],
    }
    shares = error_analysis.disagreement({v: predictions([0] * 4, [p]) for v, p in sides.items()})
    assert shares.to_numpy().tolist() == [[0, 0.25, 0], [0.25, 0, 0.25], [0, 0.25, 0]]


def test_the_contribution_of_an_n_gram_is_shared_among_its_words():
    contributions = [("good", 1.0), ("film", 0.01), ("not good", -3.0)]
    assert errors.highlighted("not good br good film".split(), contributions) == [
        ("not", "negative", 6, "-1.50"),
        ("good", "negative", 2, "-0.50"),
        ("\n", "negative", 0, "+0.00"),
        ("good", "positive", 4, "+1.00"),
        ("film", "positive", 0, "+0.01"),
    ]


# --- the charts -----------------------------------------------------------------------------------


def test_the_groups_that_can_be_compared_share_an_axis():
    """The agreement of the seeds goes further: where they disagree, half are wrong."""
    rows = [
        ("label", "negative", 100, 0.1, 0.174),
        ("label", "positive", 100, 0.2, 0.289),
        ("words", "1 to 9", 200, 0.15, 0.206),
        ("agreement", "1 of 3", 4, 0.5, 0.85),
    ]
    table = pd.DataFrame(rows, columns=["by", "group", "reviews", "rate", "high"])
    made_up_errors = predictions(*made_up(1))
    charts = error_charts.all_charts(made_up_errors, table, pd.DataFrame())
    label, words, agreement = (
        charts[f"by-{by}"]["layer"][0]["encoding"]["x"]["scale"]["domain"][1]
        for by in ("label", "words", "agreement")
    )
    assert (label, words, agreement) == (0.289, 0.289, 0.85)
    (drawn, together) = charts["by-label"]["datasets"].values()
    assert [row["row"] for row in drawn] == ["negative|10.0% of 100", "positive|20.0% of 100"]
    assert together == [{"rate": made_up_errors.wrong.mean()}]
    axes = [layer["encoding"] for layer in charts["by-label"]["layer"]]
    ends = [(axis["x"]["field"], axis.get("x2", {}).get("field")) for axis in axes]
    assert ends == [("rate", None), ("low", "high"), ("rate", None)]


def test_the_reliability_diagram_has_a_bar_for_each_bin_and_a_line_for_each_seed():
    by_seed = [[0.95, 0.91, 0.13, 0.33], [0.95, 0.91, 0.97, 0.35]]
    chart = error_charts.reliability_diagram(predictions([1, 1, 0, 1], by_seed))
    bars, _, lines = chart["datasets"].values()
    columns = ["start", "middle", "end", "share", "reviews"]
    expected = [
        (0.3, 0.35, 0.4, 0.25, 1),
        (0.5, 0.55, 0.6, 0.25, 1),  # the mean of 0.13 and 0.97
        (0.9, 0.95, 1.0, 0.5, 2),
    ]
    np.testing.assert_allclose(pd.DataFrame(bars)[columns], expected)
    drawn = {(row["of"], row["line"]) for row in lines}
    assert drawn == {("one seed", "0"), ("one seed", "1"), ("mean of the seeds", "mean")}
    mean = [(round(row["x"], 3), row["y"]) for row in lines if row["line"] == "mean"]
    assert mean == [(0.34, 1), (0.55, 0), (0.93, 1)]
    of_curves = chart["layer"][1]["layer"][1]["encoding"]
    titles = [of_curves[axis]["title"] for axis in "xy"]
    assert titles == ["predicted probability", "share of positives"]
    domain, colours = (of_curves["color"]["scale"][key] for key in ("domain", "range"))
    assert dict(zip(domain, colours, strict=True)) == {
        "one seed": "var(--grey)",
        "mean of the seeds": "var(--blue)",
    }


def test_the_roc_curve_is_drawn_with_few_points_and_nearly_its_whole_area():
    labels, by_seed = made_up(1)
    curve = error_analysis.drawn_roc_curve(labels == 1, by_seed[0])
    assert len(curve) <= error_analysis.MAX_POINTS
    area = error_analysis.scores(labels == 1, by_seed[0])["roc_auc"]
    assert np.trapezoid(curve["y"], curve["x"]) == pytest.approx(area, abs=2e-3)
    chart = error_charts.roc_curves(predictions(labels, by_seed))
    _, lines = chart["datasets"].values()
    assert min(row["x"] for row in lines) >= 0.001  # where its logarithmic axis begins
    mean = error_analysis.drawn_roc_curve(labels == 1, by_seed.mean(axis=0, dtype=float))
    mean = mean[mean["x"] >= 0.001].round(4)
    drawn = [(row["x"], row["y"]) for row in lines if row["of"] == "mean of the seeds"]
    assert drawn == [*mean.itertuples(index=False, name=None)]
    titles = [chart["layer"][1]["encoding"][axis]["title"] for axis in "xy"]
    assert titles == ["false positive rate", "true positive rate"]


def test_the_matrix_has_each_pair_of_variants_on_both_sides_and_none_with_itself():
    shares = pd.DataFrame([[0, 0.25], [0.25, 0]], ["one", "two"], ["one", "two"])
    chart = error_charts.disagreement_matrix(shares)
    (cells,) = chart["datasets"].values()
    assert [(*cell.values(),) for cell in cells] == [("two", "one", 0.25), ("one", "two", 0.25)]
    assert chart["layer"][1]["encoding"]["text"]["format"] == ".1%"


def test_no_probability_is_certain():
    shown = [errors.percentage(p) for p in (0, 0.00099, 0.001, 0.5, 0.999, 0.9991, 1)]
    assert shown == ["under 0.1%"] * 2 + ["0.1%", "50.0%", "99.9%"] + ["over 99.9%"] * 2


@pytest.mark.filterwarnings("ignore:No negative samples")
def test_reviews_of_one_label_have_a_curve_but_no_area():
    labels, probabilities = np.ones(3, bool), np.array([0.1, 0.5, 0.9])
    assert np.isnan(error_analysis.scores(labels, probabilities)["roc_auc"])
    assert error_analysis.drawn_roc_curve(labels, probabilities)["x"].max() == 0


# --- the page -------------------------------------------------------------------------------------


class Known:
    """Stands for the networks: says of a review what the predictions have."""

    def __init__(self, _: Path) -> None:
        reviews, vocabulary = load_reviews("test"), Vocabulary.load(FOLDER)
        decoded = (vocabulary.decode(block.values) for block in reviews.blocks(1))
        self.of_text = dict(zip(decoded, made_up(1)[1].T, strict=True))

    def predict(self, texts: list[str]) -> Any:
        return np.stack([self.of_text[text] for text in texts], axis=1)

    def contributions(self, text: str) -> list[tuple[str, float]]:
        words = dict.fromkeys(text.split(" "))
        return [(word, 1 - 2 * number / len(words)) for number, word in enumerate(words)]


@pytest.fixture
def here(tmp_path: Path, mirror: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with made-up reviews, predictions of two variants, and the candidate's model."""
    folder = make_workspace(tmp_path / "a workspace", mirror)
    monkeypatch.chdir(folder)
    monkeypatch.setattr("workflow.serving.predictor.Predictor", Known)
    random = np.random.default_rng(2)
    lengths = random.integers(1, 30, REVIEWS)
    ranks = random.integers(1, WORDS + 1, lengths.sum()).astype(np.uint32)
    reviews = Reviews(ranks, np.cumsum([0, *lengths], dtype=np.int64), made_up(0)[0])
    write_json(FOLDER / "facts.json", FACTS)
    save_reviews([reviews], FOLDER, "test")
    words = [*EVIL, *(f"w{rank}" for rank in range(len(EVIL) + 1, WORDS + 1))]
    index = {word: rank for rank, word in enumerate(words, 1)}
    (FOLDER / "word_index.json").write_text(json.dumps(index))
    MultiHotEncoder(columns=40).save(folder / "models/candidate/encoder")
    for number, variant in enumerate(["single", "candidate"]):
        write_json(folder / "data/predictions" / variant / "facts.json", FACTS)
        np.save(folder / "data/predictions" / variant / "test.npy", made_up(number)[1])
    return folder


@pytest.fixture
def page(here: Path) -> str:
    call("commands.errors")
    return (here / "errors/candidate.html").read_text("utf-8")


def test_the_page_says_what_it_is_of(page: str):
    ours, other = predictions(*made_up(1)), predictions(*made_up(0)).mean
    wrong = ours.wrong_in_every_seed()
    assert f"<h1>candidate is right in {1 - ours.wrong.mean():.2%} of 400 test reviews</h1>" in page
    assert f"<p>{len(wrong)} ({len(wrong) / 400:.1%}) are wrong in every seed.</p>" in page
    assert "9 train, 6 validation, 400 test" in page
    assert "3 seeds" in page
    assert "<tr><th></th><th>one seed</th><th>mean of the seeds</th></tr>" in page
    mean = error_analysis.scores(ours.labels, ours.mean)
    assert f"<td>{mean['accuracy']:.2%}</td>" in page
    briers = [error_analysis.scores(ours.labels, of_seed)["brier"] for of_seed in ours.by_seed]
    assert f"<td>{mean_and_std(briers, '.4f')}</td><td>{mean['brier']:.4f}</td>" in page
    assert "All of them." in page
    shown = [int(number) for number in re.findall(r"Review (\d+) · label", page)]
    assert shown == wrong[:50].tolist()
    reviews = load_reviews("test")
    for number, of_seeds in zip(shown, ours.by_seed[:, shown].T, strict=True):
        label, taken_for = ("negative", "positive")[:: -1 if ours.labels[number] else 1]
        low, high = errors.percentage(of_seeds.min()), errors.percentage(of_seeds.max())
        span = low if low == high else f"{low} to {high}"
        header = f"Review {number} · label <b>{label}</b> · predicted <b>{taken_for}</b>, {span} "
        words = len(reviews.between(number, number + 1).values)
        assert f"{header}positive · {words} words" in page
    assert (np.diff(np.abs(ours.mean[shown] - 0.5)) <= 0).all()  # the most confident first
    assert page.count("<b>for positive, in log-odds:</b>") == len(shown)
    differ = np.flatnonzero((ours.mean > 0.5) != (other > 0.5))
    farthest = sorted(differ, key=lambda number: -abs(ours.mean[number] - other[number]))
    examples = [int(number) for number in re.findall(r"Review (\d+), <b>", page)]
    assert examples == farthest[: errors.EXAMPLES]
    assert f"<b>single</b> disagrees on {len(differ) / 400:.1%}; the 3 largest differences" in page
    for number in examples:
        label = "positive" if ours.labels[number] else "negative"
        here, there = errors.percentage(ours.mean[number]), errors.percentage(other[number])
        header = f"Review {number}, <b>{label}</b>: candidate {here} positive, single {there}"
        assert f"{header}</header>" in page


@pytest.mark.usefixtures("here")
def test_of_an_example_the_first_words_are_shown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(errors, "EXCERPT", 2)
    call("commands.errors", "--reviews", "0")
    page = Path("errors/candidate.html").read_text("utf-8")
    assert "The first 0 of 22." in page
    shown = html.unescape(page)
    reviews, vocabulary = load_reviews("test"), Vocabulary.load(FOLDER)
    for number in map(int, re.findall(r"Review (\d+), <b>", page)):
        words = vocabulary.decode(reviews.between(number, number + 1).values).split(" ")
        excerpt = " ".join(words[:2]) + (" …" if len(words) > 2 else "")
        assert f'<p class="text">{excerpt}</p>' in shown


def test_nothing_is_fetched_and_markup_of_a_review_stays_text(page: str):
    markup = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"<[^>]*[\s/](src|href|srcset|action|data|poster|on\w+)=", markup)
    assert not re.search("<(img|iframe|link|object)", markup)
    assert "http" not in markup.replace("http-equiv", "")
    assert "cdn" not in page.lower()
    assert "default-src 'none'" in page
    assert page.count("<script") == page.count("</script>") == 3  # charts, Vega, and its call
    assert "&lt;script&gt;stolen=1&lt;/script&gt;" in page
    assert page.count("<article>") == page.count("</article>")


def test_chromium_draws_the_charts_and_runs_nothing_of_a_review(page: str, tmp_path: Path):
    path = tmp_path / "page.html"
    path.write_text(page, "utf-8")
    script = """[
      document.querySelectorAll("svg.marks").length, typeof stolen,
      document.documentElement.scrollWidth - innerWidth,
    ]"""
    charts, stolen, too_wide = seen_in_chromium(path, 500, script)
    assert (charts, stolen) == (7, "undefined")
    assert too_wide <= 0


def test_the_page_is_small_and_the_same_again_and_names_own_reviews(page: str):
    path = Path("errors/candidate.html")
    assert path.stat().st_size < 2_000_000
    call("commands.errors")
    assert path.read_text("utf-8") == page
    facts = FACTS | {"source": "csv:<b>reviews</b>.csv"}
    write_json(Path("data/predictions/candidate/facts.json"), facts)
    call("commands.errors", "--reviews", "0")
    assert "&lt;b&gt;reviews&lt;/b&gt;.csv" in path.read_text("utf-8")


def test_the_real_network_explains_its_errors(copy: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(copy)
    call("commands.errors", "single", "--reviews", "3")
    page = Path("errors/single.html").read_text("utf-8")
    assert "<h1>single is right in " in page
    if "All of them" not in page:
        assert len(re.findall(r"Review \d+ · label", page)) == 3


def test_what_is_missing_unknown_or_inconsistent_is_one_sentence_each(here: Path):
    assert "'other' is not a variant; expected one of single" in refusal("commands.errors", "other")
    np.save("data/predictions/candidate/test.npy", 1 - made_up(1)[1])
    assert "the model predicts something else than data/predictions" in refusal("commands.errors")
    np.save("data/predictions/candidate/test.npy", made_up(1)[1][:, 1:])
    assert "test.npy is damaged; run `dvc repro`" in refusal("commands.errors")
    write_json(here / "data/predictions/single/facts.json", FACTS | {"sha256": "other"})
    assert "of other reviews than data/reviews" in refusal("commands.errors")
    shutil.rmtree("data/predictions")
    assert refusal("commands.errors").endswith("no predictions; run `dvc repro`")
    shutil.rmtree("data/reviews")
    assert refusal("commands.errors").endswith(RERUN_HINT)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("package", ["altair", "vl_convert", "jinja2"])
def test_a_missing_package_is_one_sentence(package: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, "workflow.report.error_charts")
    monkeypatch.delattr("workflow.report.error_charts")
    monkeypatch.setitem(sys.modules, package, None)
    assert refusal("commands.errors") == f"error: {package} is not installed; run `make setup-dev`"
