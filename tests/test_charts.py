"""DVC's charts by the templates in .dvc/plots, its page, and the style that Matplotlib draws."""

import csv
import re
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
import vl_convert
from dvc_render.vega import VegaRenderer  # type: ignore[import-untyped]
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Annotation
from ruamel.yaml import YAML

from commands.plots_page import VEGA_LITE, page
from stages import curves, plot
from tests.conftest import PROJECT, TRAINED, Dvc, attempt, seen_in_chromium
from workflow.base.files import DataFacts
from workflow.charts import style
from workflow.evaluation.params import CompareParams
from workflow.evaluation.results import Correct
from workflow.evaluation.significance import difference
from workflow.model.params import Layer, Recipe

HISTORIES = sorted((PROJECT / "plots/history").glob("*.csv"))
TABLES = [PROJECT / "metrics/differences.csv", PROJECT / "metrics/scores.csv"]
Rows = list[dict[str, Any]]


def settings() -> dict[str, dict[str, str]]:
    """What dvc.yaml says of the charts, by the name of the template."""
    stages = YAML(typ="safe").load(PROJECT / "dvc.yaml")["stages"].values()
    plots = [of for stage in stages for of in stage.get("do", stage).get("plots", [])]
    found = [of for named in plots for of in named.values() if "template" in of]
    return {of["template"]: of for of in found}


def chart(template: str, rows: Rows) -> dict[str, Any]:
    """The template as DVC fills it."""
    names = {"x", "y", "x_label", "title"} & settings()[template].keys()
    wanted = {name: settings()[template][name] for name in names}
    folder = str(PROJECT / ".dvc/plots")
    renderer = VegaRenderer(rows, "chart", template=template, template_dir=folder, **wanted)
    filled: dict[str, Any] = renderer.get_filled_template()
    return filled


def svg(template: str, rows: Rows, capfd: pytest.CaptureFixture[str]) -> str:
    """The chart drawn; a warning of Vega-Lite fails the test."""
    filled = chart(template, rows)
    capfd.readouterr()
    drawn = vl_convert.vegalite_to_svg(filled, vl_version=VEGA_LITE, show_warnings=True)
    said = capfd.readouterr()
    assert said.out + said.err == ""
    assert "NaN" not in drawn
    assert "undefined" not in drawn
    return str(drawn)


def described(drawn: str, mark: str) -> list[tuple[dict[str, str], str]]:
    """What the marks of a kind stand for, as for screen readers, and their outlines."""
    found = re.findall(
        rf'aria-label="([^"]*)" role="graphics-symbol" aria-roledescription="{mark}"([^>]*)>', drawn
    )
    return [(dict(part.split(": ", 1) for part in text.split("; ")), more) for text, more in found]


def of_two_revisions(path: Path) -> Rows:
    """The rows as DVC reads them, all values strings; the numbers of the other one are smaller."""
    with path.open(encoding="utf-8") as file:
        rows: Rows = list(csv.DictReader(file))
    numbers = {"loss", "accuracy", "test_accuracy", "mean", "low", "high"}
    smaller = [{k: f"{float(v) - 0.01}" if k in numbers else v for k, v in r.items()} for r in rows]
    return [r | {"rev": "workspace"} for r in rows] + [r | {"rev": "HEAD"} for r in smaller]


@pytest.mark.parametrize("path", [*TABLES, *HISTORIES], ids=lambda path: path.stem)
def test_a_chart_of_two_revisions_is_drawn_without_a_warning(path: Path, capfd: Any):
    rows = of_two_revisions(path)
    drawn = svg(path.stem if path in TABLES else "learning_curves", rows, capfd)
    assert ">workspace<" in drawn
    assert ">HEAD<" in drawn
    if path in TABLES:
        assert all(f">{row['variant']}<" in drawn for row in rows)


def curve(rev: str, seed: int, losses: list[float]) -> Rows:
    """Of one seed: the first fit, and a refit whose loss is far from all others."""
    of_seed = {"rev": rev, "seed": f"{seed}"}
    first = [
        {"fit": "first", "epoch": f"{epoch}", "split": split, "loss": loss, "accuracy": loss}
        for epoch, loss in enumerate(map(str, losses), 1)
        for split in ("train", "validation")
    ]
    refit = {"fit": "refit", "epoch": "1", "split": "train", "loss": "99", "accuracy": "99"}
    return [of_seed | row for row in [*first, refit]]


def test_the_band_of_the_learning_curves_goes_from_the_least_to_the_most(capfd: Any):
    rows = [
        *curve("main", 1, [0.9, 0.5, 0.1]),  # the third epoch is of this seed alone
        *curve("main", 2, [0.6, 0.5]),
        *curve("main", 3, [0.0, 0.2]),
        *curve("workspace", 1, [0.3, 10.0]),
    ]
    drawn = svg("learning_curves", rows, capfd)
    bands, lines = described(drawn, "area mark"), described(drawn, "line mark")
    each = 2 * 2 * 2  # quantities, splits, revisions
    assert (len(bands), len(lines)) == (each, each)
    (outline,) = {
        re.findall(r' d="([^"]*)"', more)[0]
        for of, more in bands
        if of["rev"] == "main" and of["split"] == "train"
    }
    corners = [tuple(map(float, c.split(","))) for c in outline.strip("MZ").split("L")]
    assert len(corners) == 4
    ((low_1, low_2), (high_2, high_1)) = ([y for _, y in corners[i : i + 2]] for i in (0, 2))
    # In pixels downwards: 0.0 to 0.9 in the first epoch, 0.2 to 0.5 in the second.
    assert (low_1 - high_1) == pytest.approx(3 * (low_2 - high_2), rel=1e-3)
    assert (low_1 - low_2) == pytest.approx((low_1 - high_1) * 2 / 9, rel=1e-3)
    assert {of["epoch"] for of, _ in described(drawn, "point")} == {"1", "2"}


def test_the_colour_tells_the_revisions_apart_as_in_dvcs_clients_and_the_dash_the_reviews(
    capfd: Any,
):
    rows = [*curve("main", 1, [0.3, 0.2]), *curve("workspace", 1, [0.4, 0.1])]
    lines = described(svg("learning_curves", rows, capfd), "line mark")

    def of(attribute: str, key: str) -> set[tuple[str, str]]:
        return {(what[key], re.findall(f'{attribute}="([^"]*)"', m)[0]) for what, m in lines}

    assert of("stroke-dasharray", "reviews") == {("train", "6,4"), ("validation", "1,0")}
    assert of("stroke", "rev") == {("main", "#945dd6"), ("workspace", "#13adc7")}


@pytest.mark.parametrize("template", ["scores", "differences", "learning_curves"])
def test_a_template_fits_a_panel_and_has_no_colour_that_a_light_or_dark_theme_hides(template: str):
    text = (PROJECT / f".dvc/plots/{template}.json").read_text("utf-8")
    assert set(re.findall(r'"(#\w+|black|white)"', text)) <= {"#888", "#8884"}
    assert '"color": "<DVC_METRIC_COLOR>"' in text
    if template != "learning_curves":  # two panels, which cannot have the size of the whole
        assert '"width": "<DVC_METRIC_PLOT_WIDTH>"' in text
        assert '"height": "<DVC_METRIC_PLOT_HEIGHT>"' in text


def test_a_difference_of_one_seed_has_no_interval(capfd: Any):
    row = {"variant": "one", "mean": "0.01", "low": "", "high": "", "seeds": "1", "rev": "main"}
    drawn = svg("differences", [row | {"split": s} for s in ("validation", "test")], capfd)
    assert [of["points"] for of, _ in described(drawn, "point")] == ["1", "1"]


def test_the_page_is_what_the_command_makes():
    assert (PROJECT / ".dvc/plots/page.html").read_text("utf-8") == page()


def test_dvc_draws_its_charts_without_a_network(copy: Path, dvc: Dvc):
    """Of the results and of smaller ones in the workspace; at 500 pixels nothing is cut off."""
    for changed in (*copy.glob("metrics/*.csv"), *copy.glob("plots/history/*.csv")):
        changed.write_text(re.sub(r"0\.(\d)", r"0.0\1", changed.read_text()))
    dvc("plots diff HEAD")
    html = copy / "dvc_plots/index.html"
    assert not re.findall(r"<script[^>]* src=|<link ", html.read_text("utf-8"))
    script = """(() => {
      const place = (element) => element.getBoundingClientRect();
      const texts = (chart) => [...chart.querySelectorAll("text")].map((t) => t.textContent);
      const charts = [...document.querySelectorAll("svg.marks")];
      charts.sort((one, other) => place(one).top - place(other).top);
      const images = [...document.images];
      return {
        charts: charts.map(texts), images: images.map((image) => image.naturalWidth),
        cut: [...images, ...charts].filter((drawn) => place(drawn).right > innerWidth).length,
      };
    })()"""
    found = seen_in_chromium(html, 500, script)
    differences, accuracies, *learning_curves = found["charts"]  # these come last
    assert all({"workspace", "HEAD"} <= set(texts) for texts in found["charts"])
    assert "Accuracy minus that of single" in differences
    assert "Test accuracy" in accuracies
    assert len(learning_curves) == len(TRAINED)
    (single,) = [texts for texts in learning_curves if "single" in texts]
    assert [text for text in single if re.fullmatch(r"\d", text)] == ["1", "2"] * 2  # epochs
    assert found["images"]
    assert all(found["images"])  # widths
    assert found["cut"] == 0
    fill = 'document.querySelector("svg.marks text").getAttribute("fill")'
    assert [seen_in_chromium(html, 500, fill, dark=dark) for dark in (False, True)] == [
        "#000",
        "#fff",
    ]


# --- what Matplotlib draws ------------------------------------------------------------------------

RECIPE = Recipe(
    layers=[Layer()],
    units=1,
    activation="relu",
    optimizer="adam",
    loss="mean_squared_error",
    epochs=1,
    batch_size=1,
)
FACTS = DataFacts(
    source="keras",
    sha256="",
    vocabulary=1,
    test_reviews=5000,
    train_reviews=20,
    validation_reviews=10,
)
KERAS = "IMDB reviews, archive of keras.datasets.imdb: 20 train, 10 validation, 5,000 test"
COMPARE = CompareParams(reference="single", min_effect=0.002)
TEST, VALIDATION, TRAIN = (style.COLOURS[split] for split in ("test", "validation", "train"))


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The figures drawn so far, which are not written."""
    figures: list[Any] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plt, "close", figures.append)
    monkeypatch.setattr(Figure, "savefig", Mock())
    return figures


def lines(axis: Any, **wanted: Any) -> list[Any]:
    """The x and y of each line of this colour, marker, …"""
    found = [of for of in axis.lines if all(plt.getp(of, k) == v for k, v in wanted.items())]
    return [
        (
            np.round(np.asarray(of.get_xdata(), float), 6).tolist(),
            np.asarray(of.get_ydata()).tolist(),
        )
        for of in found
    ]


def texts(axis: Any) -> list[str]:
    return [text.get_text() for text in axis.texts]


def names(axis: Any) -> list[str]:
    return [label.get_text() for label in axis.get_yticklabels()]


def legend(axis: Any) -> list[str]:
    shown = axis.get_legend()
    return [text.get_text() for text in shown.get_texts()] if shown else []


def notes(figure: Figure) -> list[str]:
    return str(figure.get_supxlabel()).split("\n")


def segments(axis: Axes, colour: str) -> list[Any]:
    """The ends (low, high, row) of the horizontal lines of this colour."""
    of_colour = np.array([to_rgba(colour)])
    (drawn,) = [c for c in axis.collections if np.array_equal(c.get_edgecolor(), of_colour)]
    assert isinstance(drawn, LineCollection)
    ends = [np.round(np.asarray(path.vertices), 6) for path in drawn.get_paths()]
    return [(low, high, row) for ((low, row), (high, _)) in ends]


def beside(axis: Axes) -> list[tuple[str, float]]:
    """The texts at the right end of the rows, and the row."""
    return [(text.get_text(), round(text.get_position()[1], 6)) for text in axis.texts]


def scores(**variants: list[tuple[float, int, int]]) -> pd.DataFrame:
    """Of each seed: validation accuracy, false positives of 10, false negatives of 20 reviews."""
    return pd.DataFrame(
        {"variant": variant, "seed": seed, "validation_accuracy": accuracy}
        | {"test_false_positives": fp, "test_true_negatives": 10 - fp}
        | {"test_false_negatives": fn, "test_true_positives": 20 - fn}
        for variant, of_seeds in variants.items()
        for seed, (accuracy, fp, fn) in enumerate(of_seeds, 1)
    )


FIVE = scores(single=[(0.8, 1, 8), (0.82, 3, 4), (0.84, 2, 6)], other=[(0.9, 5, 1), (0.9, 5, 1)])
NAN = float("nan")


def table(**variants: Any) -> pd.DataFrame:
    """Mean, ends and verdict on the validation and on the test reviews."""
    return pd.DataFrame(
        [
            (name, split, 3, *row)
            for name, of_splits in variants.items()
            for split, row in zip(("validation", "test"), of_splits, strict=True)
        ],
        columns=["variant", "split", "seeds", "mean", "low", "high", "verdict"],
    )


ABOVE, BELOW = -0.17, 0.17
ACCURACIES = table(
    single=[(0.8, 0.75, 0.85, ""), (0.95, 0.9, 1.0, "")],
    other=[(0.9, 0.85, 0.95, ""), (0.7, 0.6, 0.8, "")],
)


def test_the_accuracies_are_drawn_with_their_intervals_the_best_on_validation_first(
    drawn: list[Any],
):
    path = plot.test_accuracy(ACCURACIES, {"single": 0.85, "book": 0.7}, FACTS)
    (figure,) = drawn
    (axis,) = figure.axes
    assert path == Path("plots/figures/test_accuracy.png")
    assert figure.get_suptitle() == "Most validation reviews right: other 90.00%, single 80.00%"
    note = "3 seeds per variant; interval over seeds and reviews; "
    assert notes(figure) == [note + "ordered by validation accuracy", KERAS]
    assert names(axis) == ["other", "single"]
    rows = {VALIDATION: [ABOVE, 1 + ABOVE], TEST: [BELOW, 1 + BELOW]}
    assert lines(axis, color=VALIDATION, marker="s") == [([0.9, 0.8], rows[VALIDATION])]
    assert lines(axis, color=TEST, marker="o") == [([0.7, 0.95], rows[TEST])]
    assert segments(axis, VALIDATION) == [(0.85, 0.95, ABOVE), (0.75, 0.85, 1 + ABOVE)]
    assert segments(axis, TEST) == [(0.6, 0.8, BELOW), (0.9, 1, 1 + BELOW)]
    assert lines(axis, color="black", marker="D", fillstyle="none") == [([0.85], [1 + BELOW])]
    assert legend(axis) == ["validation", "test", "the notebook's one run, test"]
    assert sorted(beside(axis), key=lambda of: of[1]) == [
        ("90.00% [85.00, 95.00]", ABOVE),
        ("70.00% [60.00, 80.00]", BELOW),
        ("80.00% [75.00, 85.00]", 1 + ABOVE),
        ("95.00% [90.00, 100.00]", 1 + BELOW),
    ]
    assert axis.get_xlabel() == "accuracy, with 95% interval"
    assert axis.xaxis.get_major_formatter()(0.825, 0) == "82.5%"


def test_an_accuracy_is_that_of_the_bits_with_the_interval_of_the_model_card():
    """Of 6 seeds and 4 reviews; in the split test all are right in the same reviews."""
    validation = np.array([[1, 1, 1, 0], [1, 1, 0, 0]] * 3, bool)
    test = np.array([[1, 1, 1, 0]] * 6, bool)
    bits = Correct("", np.arange(6), {"validation": validation, "test": test})
    of_validation, of_test = plot.accuracies({"single": bits}).to_dict("records")
    assert (of_validation["split"], of_validation["mean"]) == ("validation", 0.625)
    assert (of_test["split"], of_test["mean"]) == ("test", 0.75)
    # The reviews vary, the seeds do not: a normal interval with the standard error of four bits.
    error = np.std([1, 1, 1, 0], ddof=1) / 2
    assert of_test["low"] == pytest.approx(0.75 - 1.96 * error, abs=2e-3)
    assert of_test["high"] == pytest.approx(0.75 + 1.96 * error, abs=2e-3)
    card = difference(validation, np.zeros_like(validation))
    assert (of_validation["low"], of_validation["high"]) == (card.low, card.high)


def test_the_notebook_is_drawn_for_its_own_reviews_alone_and_one_seed_has_no_interval(
    drawn: list[Any],
):
    one = table(single=[(0.8, NAN, NAN, "")] * 2).assign(seeds=1)
    csv_facts = FACTS.model_copy(update={"source": "csv:mine.csv"})
    plot.test_accuracy(one, {"single": 0.85}, csv_facts)
    plot.test_accuracy(one.assign(variant="mine"), {"single": 0.85}, FACTS)
    for figure, source in zip(drawn, ("reviews from mine.csv", "IMDB reviews"), strict=True):
        (axis,) = figure.axes
        assert legend(axis) == ["validation", "test"]
        assert texts(axis) == ["80.00%"] * 2
        assert notes(figure)[0].startswith("one seed per variant")
        assert notes(figure)[1].startswith(source)


def test_variants_that_are_as_good_stay_in_the_order_of_params_yaml(drawn: list[Any]):
    alike = table(**dict.fromkeys("bca", [(0.8, 0.7, 0.9, "~")] * 2))
    plot.test_accuracy(alike, {}, FACTS)
    plot.differences(alike, COMPARE, FACTS)
    plot.error_rates(scores(**{name: [(0.8, 1, 1)] for name in "bca"}), FACTS)
    assert [names(figure.axes[0]) for figure in drawn] == [["b", "c", "a"]] * 3
    assert drawn[0].get_suptitle() == "Most validation reviews right: b 80.00%, c 80.00%"


def test_the_notebooks_accuracies_are_those_of_its_test_reviews(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(PROJECT)
    assert plot.notebook_accuracies()["single"] == 0.8532  # In [104]


def test_a_difference_is_drawn_with_its_interval_and_its_verdict(drawn: list[Any]):
    rows = table(
        worst=[(-0.02, -0.03, -0.01, "worse"), (-0.01, -0.04, 0.02, "~")],
        best=[(0.01, 0.005, 0.02, "better"), (0.03, 0.01, 0.04, "better")],
    )
    path = plot.differences(rows, COMPARE, FACTS)
    (figure,) = drawn
    (axis,) = figure.axes
    assert path == Path("plots/figures/differences.png")
    assert figure.get_suptitle() == "Better than single on the validation reviews: 1 of 2 variants"
    assert notes(figure) == [KERAS]
    assert names(axis) == ["best", "worst"]
    assert segments(axis, VALIDATION) == [(0.5, 2, ABOVE), (-3, -1, 1 + ABOVE)]
    assert lines(axis, color=VALIDATION, marker="s") == [([1, -2], [ABOVE, 1 + ABOVE])]
    assert segments(axis, TEST) == [(1, 4, BELOW), (-4, 2, 1 + BELOW)]
    assert lines(axis, color=TEST, marker="o") == [([3, -1], [BELOW, 1 + BELOW])]
    marked = [text for text in axis.texts if isinstance(text, Annotation)]
    words = [(text.get_text().strip(), *np.round(text.xy, 6).tolist()) for text in marked]
    assert sorted(words) == [
        ("better", 2, ABOVE),
        ("better", 4, BELOW),
        ("worse", -1, 1 + ABOVE),
        ("~", 2, 1 + BELOW),
    ]
    assert legend(axis) == ["validation", "test", "less than 0.2 points: does not matter"]
    assert lines(axis, color="black", linewidth=0.8) == [([0, 0], [0, 1])]
    (span,) = axis.patches
    assert isinstance(span, Rectangle)
    assert span.get_facecolor() == to_rgba("lightgray", 0.6)
    assert span.get_x() == pytest.approx(-0.2)
    assert span.get_width() == pytest.approx(0.4)
    assert axis.get_xlabel() == "accuracy minus that of single, in points, with 95% interval"
    assert axis.xaxis.get_major_formatter()(1, 0) == "+1"


def test_without_an_interval_or_a_smallest_effect_neither_is_drawn(drawn: list[Any]):
    rows = table(one=[(0.01, NAN, NAN, "too few seeds"), (0.02, NAN, NAN, "too few seeds")])
    plot.differences(rows, CompareParams(reference="single", min_effect=0), FACTS)
    plot.differences(table(), COMPARE, FACTS)
    axis, nothing = (figure.axes[0] for figure in drawn)
    assert lines(axis, marker="s") == [([1], [ABOVE])]
    assert [text.xy for text in axis.texts] == [(1, ABOVE), (2, BELOW)]
    assert legend(axis) == ["validation", "test"]
    assert drawn[0].get_suptitle().endswith("0 of 1 variants")
    assert drawn[1].get_suptitle().endswith("0 of 0 variants")
    assert names(nothing) == []


def test_the_error_rates_are_the_shares_of_negative_and_of_positive_reviews(drawn: list[Any]):
    """Of 10 negative and 20 positive reviews; the best on the validation reviews comes first."""
    path = plot.error_rates(FIVE, FACTS)
    (figure,) = drawn
    negative, positive = figure.axes
    assert path == Path("plots/figures/error_rates.png")
    assert figure.get_suptitle() == "Error rates on negative and on positive test reviews"
    note = "3 seeds per variant, each a dot; line: their mean; ordered by validation accuracy"
    assert notes(figure) == [note, KERAS]
    assert names(negative) == ["other", "single"]
    dots = {"color": TEST, "marker": "o", "alpha": 0.5}
    assert lines(negative, **dots) == [([0.5, 0.5], [0, 0]), ([0.1, 0.3, 0.2], [1, 1, 1])]
    assert lines(positive, **dots) == [([0.05, 0.05], [0, 0]), ([0.4, 0.2, 0.3], [1, 1, 1])]
    means = {"color": "black", "marker": "|", "markersize": 14}
    assert lines(negative, **means) == [([0.5], [0]), ([0.2], [1])]
    assert lines(positive, **means) == [([0.05], [0]), ([0.3], [1])]
    assert texts(negative) == ["50.0%", "20.0%"]
    assert texts(positive) == ["5.0%", "30.0%"]
    assert negative.get_xlabel() == "negative reviews taken for positive"
    assert positive.get_xlabel() == "positive reviews taken for negative"
    assert [axis.get_xlim()[1] for axis in figure.axes] == pytest.approx([0.525, 0.525])


def test_variants_without_an_error_and_labels_without_a_review_are_drawn(drawn: list[Any]):
    right = scores(single=[(1.0, 0, 0)])
    plot.error_rates(right.assign(test_true_negatives=0), FACTS)
    (figure,) = drawn
    assert [texts(axis) for axis in figure.axes] == [["0.0%"], ["0.0%"]]
    assert figure.axes[0].get_xlim() == pytest.approx((0, 0.0105))


def history(*seeds: list[tuple[float, float]], kept: list[int]) -> pd.DataFrame:
    """Of each seed the train and the validation loss of its epochs; accuracies are 1 less."""
    return pd.DataFrame(
        {"variant": "single", "seed": seed, "fit": "first", "epoch": epoch, "split": split}
        | {"loss": loss, "accuracy": 1 - loss, "kept": int(epoch == kept[seed])}
        for seed, of_seed in enumerate(seeds)
        for epoch, of_epoch in enumerate(of_seed, 1)
        for split, loss in zip(("train", "validation"), of_epoch, strict=True)
    )


TWO = history(
    [(0.5, 0.6), (0.3, 0.4), (0.1, 0.5)],
    [(0.7, 0.8), (0.5, 0.2)],
    kept=[2, 2],
)


def band(axis: Any, number: int) -> dict[Any, Any]:
    """By epoch the lower and the upper end."""
    (path,) = axis.collections[number].get_paths()
    corners = np.round(np.asarray(path.vertices), 6)
    heights = {x: corners[corners[:, 0] == x, 1] for x in set(corners[:, 0].tolist())}
    return {epoch: (ys.min(), ys.max()) for epoch, ys in heights.items()}


def test_a_learning_curve_is_the_mean_of_the_seeds_within_their_range(drawn: list[Any]):
    """In the two epochs that both have; what follows is drawn of the first seed alone."""
    path = curves.learning_curves(TWO, RECIPE, FACTS)
    (figure,) = drawn
    loss, accuracy = figure.axes
    assert path == Path("plots/figures/learning_curves_single.png")
    assert figure.get_suptitle() == (
        "single: kept as soon as the validation loss is lowest, after epoch 2"
    )
    thin = "thin: the seeds that were trained for more than 2 epochs"
    assert notes(figure) == [f"mean and range over 2 seeds; {thin}", KERAS]
    for axis, sign, start in ((loss, 1, 0), (accuracy, -1, 1)):
        means = {TRAIN: [0.6, 0.4], VALIDATION: [0.7, 0.3]}
        ends = [{1: (0.5, 0.7), 2: (0.3, 0.5)}, {1: (0.6, 0.8), 2: (0.2, 0.4)}]
        rest = {TRAIN: [0.3, 0.1], VALIDATION: [0.4, 0.5]}
        for number, (split, dashes) in enumerate(((TRAIN, "--"), (VALIDATION, "-"))):
            ((epochs, values),) = lines(axis, color=split, marker=".", linestyle=dashes)
            assert epochs == [1, 2]
            assert values == pytest.approx([start + sign * mean for mean in means[split]])
            ((epochs, values),) = lines(axis, color=split, linewidth=0.7, linestyle=dashes)
            assert epochs == [2, 3]
            assert values == pytest.approx([start + sign * value for value in rest[split]])
            (colour,) = np.asarray(axis.collections[number].get_facecolor())
            assert tuple(colour) == to_rgba(split, 0.2)
            for epoch, (low, high) in ends[number].items():
                expected = sorted(start + sign * end for end in (low, high))
                assert band(axis, number)[epoch] == pytest.approx(expected)
        hollow = {"markerfacecolor": "none", "markeredgecolor": "black", "markersize": 10}
        ((epochs, values),) = lines(axis, marker="o", **hollow)
        assert epochs == [2]
        assert values == pytest.approx([start + sign * 0.3])
        assert texts(axis) == []  # all seeds keep this epoch
        assert axis.get_xlabel() == "epoch"
        assert axis.get_xticks().tolist() == [1, 2, 3]
        assert axis.get_xlim() == pytest.approx((0.91, 3.09))
    assert lines(loss, color=VALIDATION, marker="v") == [([2], pytest.approx([0.3]))]
    assert legend(loss) == ["train", "validation", "kept", "lowest mean"]
    assert legend(accuracy) == []
    assert loss.get_ylabel() == "loss: mean squared error"
    assert accuracy.get_ylabel() == "accuracy"


def test_losses_that_would_flatten_the_rest_are_above_the_axis(drawn: list[Any]):
    """The axis ends at three times the highest validation loss after the lowest: 0.2 of epoch 3."""
    curves.learning_curves(history([(9, 5), (0.1, 0.1), (0, 0.2)], kept=[3]), RECIPE, FACTS)
    curves.learning_curves(history([(0.5, 0.5), (0.1, 0.1), (0, 0.2)], kept=[3]), RECIPE, FACTS)
    curves.learning_curves(history([(9, 5), (0.1, 0.1)], kept=[2]), RECIPE, FACTS)
    clipped, whole, to_the_end = drawn
    assert clipped.axes[0].get_ylim() == pytest.approx((0, 0.6))
    assert to_the_end.axes[0].get_ylim() == pytest.approx((0, 0.3))
    assert "; the first losses are above the axis" in notes(clipped)[0]
    assert whole.axes[0].get_ylim()[1] > 0.5
    assert "above" not in notes(whole)[0]


def test_an_epoch_that_some_seeds_keep_says_how_many(drawn: list[Any]):
    losses = [(0.5, 0.5), (0.1, 0.1), (0, 0.2)]
    curves.learning_curves(history(losses, losses, losses, kept=[1, 2, 2]), RECIPE, FACTS)
    for axis in drawn[0].axes:
        marked = [(text.get_text(), text.xy[0]) for text in axis.texts]
        assert marked == [("1 of 3", 1), ("2 of 3", 2)]
    assert "kept, by how many seeds" in legend(drawn[0].axes[0])


def test_a_refit_and_penalties_are_said_but_a_refit_is_not_drawn(drawn: list[Any]):
    refit = TWO[TWO["split"] == "train"].assign(fit="refit", loss=9.0, accuracy=9.0, epoch=9)
    penalized = RECIPE.model_copy(update={"activity_l2": 0.1})
    curves.learning_curves(pd.concat([TWO[TWO["epoch"] < 3], refit]), penalized, FACTS)
    (figure,) = drawn
    assert all(np.max(line.get_xdata()) <= 2 for axis in figure.axes for line in axis.lines)
    assert figure.axes[0].get_ylabel() == "loss: mean squared error and penalties"
    assert "; then trained " in notes(figure)[0]
    assert "thin" not in notes(figure)[0]


def test_the_title_says_whether_the_epoch_with_the_lowest_loss_is_kept():
    def headline(kept: list[int]) -> str:
        return curves.headline(history([(9, 3), (0, 1), (0, 2)], [(9, 1), (0, 2)], kept=kept))

    assert headline([2, 1]) == "kept as soon as the validation loss is lowest, after epochs 1 to 2"
    assert headline([3, 2]) == (
        "the validation loss is lowest after epochs 1 to 2, but kept after epochs 2 to 3"
    )


def test_the_epochs_on_the_axis_are_whole_and_begin_with_one():
    assert curves.epoch_ticks(1) == [1]
    assert curves.epoch_ticks(12) == [*range(1, 13)]
    assert curves.epoch_ticks(13) == [1, 5, 10]
    assert curves.epoch_ticks(20) == [1, 5, 10, 15, 20]
    assert curves.epoch_ticks(45) == [1, 10, 20, 30, 40]
    assert curves.epoch_ticks(100) == [1, 50, 100]


@pytest.mark.filterwarnings("error")
def test_pictures_are_the_same_bytes_every_time_and_have_room_for_every_variant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    many = [f"variant_{n}{'_' * 90}" for n in range(20)]
    rows = table(**dict.fromkeys(many, [(0.1, 0.0, 0.2, "~")] * 2))
    pictures = []
    for _ in range(2):
        paths = [
            plot.test_accuracy(rows, {}, FACTS),
            plot.error_rates(scores(**dict.fromkeys(many, [(0.5, 1, 2)] * 2)), FACTS),
            plot.differences(rows, COMPARE, FACTS),
            curves.learning_curves(TWO, RECIPE, FACTS),
        ]
        pictures.append([path.read_bytes() for path in paths])
    assert pictures[0] == pictures[1]
    sizes = [np.frombuffer(picture[16:24], ">u4").tolist() for picture in pictures[0]]
    assert sizes == [[900, 1170], [900, 870], [900, 1170], [1000, 420]]
    for picture in pictures[0]:
        assert b"Software" not in picture
        assert b"tIME" not in picture


def test_a_notebooks_shell_changes_no_picture(copy: Path, mirror: Path, home: Path):
    """It names a backend that this environment may lack; Matplotlib would end the stage."""
    figure = copy / "plots/figures/differences.png"
    before = figure.read_bytes()
    figure.unlink()
    inline = {"MPLBACKEND": "module://matplotlib_inline.backend_inline_of_nobody"}
    ran = attempt(copy, mirror, home, "python -m stages.plot", **inline)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert figure.read_bytes() == before
