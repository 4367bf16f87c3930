"""DVC's charts by the templates in .dvc/plots, its page, and the pictures that Matplotlib draws."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
import vl_convert
from dvc_render.vega import VegaRenderer  # type: ignore[import-untyped]
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from ruamel.yaml import YAML

from commands.plots_page import VEGA_LITE, page
from stages import plot
from tests.conftest import PROJECT, TRAINED, Dvc, edit_params, seen_in_chromium, try_in
from workflow.base.files import DataFacts
from workflow.charts.learning_curves import epoch_ticks, learning_curves
from workflow.charts.style import COLOURS
from workflow.evaluation.params import CompareParams
from workflow.evaluation.results import Correct
from workflow.evaluation.significance import difference
from workflow.model.params import Layer, Recipe

TABLES = [PROJECT / f"metrics/{name}.csv" for name in ("differences", "scores")]
HISTORIES = [PROJECT / f"plots/history/{name}.csv" for name in ("single", "candidate")]
Rows = list[dict[str, Any]]


def svg(template: str, rows: Rows, capfd: pytest.CaptureFixture[str]) -> str:
    """The chart as DVC draws it by dvc.yaml; a warning of Vega-Lite fails the test."""
    stages = YAML(typ="safe").load(PROJECT / "dvc.yaml")["stages"].values()
    plots = [p for stage in stages for p in stage.get("do", stage).get("plots", [])]
    (settings,) = [s for p in plots for s in p.values() if s.get("template") == template]
    wanted = {k: v for k, v in settings.items() if k in ("x", "y", "x_label", "title", "template")}
    renderer = VegaRenderer(rows, "chart", template_dir=str(PROJECT / ".dvc/plots"), **wanted)
    filled: dict[str, Any] = renderer.get_filled_template()
    capfd.readouterr()
    drawn = vl_convert.vegalite_to_svg(filled, vl_version=VEGA_LITE, show_warnings=True)
    assert "".join(capfd.readouterr()) == ""
    assert not re.search("NaN|undefined", drawn)
    return str(drawn)


def described(drawn: str, mark: str) -> list[tuple[dict[str, str], str]]:
    """What the marks of a kind stand for, as for screen readers, and their outlines."""
    found = re.findall(
        rf'aria-label="([^"]*)" role="graphics-symbol" aria-roledescription="{mark}"([^>]*)>', drawn
    )
    return [(dict(part.split(": ", 1) for part in text.split("; ")), more) for text, more in found]


@pytest.mark.parametrize("path", [*TABLES, *HISTORIES], ids=lambda path: path.stem)
def test_a_chart_of_two_revisions_is_drawn_without_a_warning(path: Path, capfd: Any):
    """Of the rows as DVC reads them, all values strings."""
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    both: Rows = [row | {"rev": rev} for rev in ("workspace", "HEAD") for row in rows]
    drawn = svg(path.stem if path in TABLES else "learning_curves", both, capfd)
    shown = {"workspace", "HEAD"} | {row["variant"] for row in rows if path in TABLES}
    assert all(f">{text}<" in drawn for text in shown)


def curve(rev: str, seed: int, losses: list[float], fit: str = "first") -> Rows:
    return [
        {"rev": rev, "seed": f"{seed}", "fit": fit, "epoch": f"{epoch}", "split": split}
        | {"loss": f"{loss}", "accuracy": f"{loss}"}
        for epoch, loss in enumerate(losses, 1)
        for split in ("train", "validation")
    ]


def test_learning_curves_have_a_band_from_least_to_most_in_the_epochs_that_all_seeds_have(
    capfd: Any,
):
    """So other seeds between the two, later epochs and refits do not change it."""
    highest, lowest = curve("main", 1, [0.9, 0.5]), curve("main", 2, [0.0, 0.2])
    bands = described(svg("learning_curves", [*highest, *lowest], capfd), "area mark")
    assert {(what["lowest"], what["highest"]) for what, _ in bands} == {("0", "0.9")}  # epoch 1
    between, refit = curve("main", 3, [0.6, 0.4]), curve("main", 1, [99], "refit")
    longer = curve("main", 1, [0.9, 0.5, 0.1])
    drawn = svg("learning_curves", [*longer, *lowest, *between, *refit], capfd)
    assert described(drawn, "area mark") == bands
    assert len(bands) == 2 * 2  # quantities, splits


def test_learning_curves_have_the_colours_of_dvcs_clients_and_a_dash_for_each_split(capfd: Any):
    rows = [*curve("main", 1, [0.3, 0.2]), *curve("workspace", 1, [0.4, 0.1])]
    lines = described(svg("learning_curves", rows, capfd), "line mark")

    def attribute(name: str, key: str) -> set[tuple[str, str]]:
        return {(what[key], re.findall(f'{name}="([^"]*)"', more)[0]) for what, more in lines}

    assert attribute("stroke-dasharray", "reviews") == {("train", "6,4"), ("validation", "1,0")}
    assert attribute("stroke", "rev") == {("main", "#945dd6"), ("workspace", "#13adc7")}


def test_a_difference_of_one_seed_has_no_interval(capfd: Any):
    row = {"variant": "one", "mean": "0.01", "low": "", "high": "", "seeds": "1", "rev": "main"}
    drawn = svg("differences", [row | {"split": s} for s in ("validation", "test")], capfd)
    assert [what["points"] for what, _ in described(drawn, "point")] == ["1", "1"]


@pytest.mark.parametrize("template", ["scores", "differences", "learning_curves"])
def test_a_template_fits_a_panel_and_has_no_colour_that_a_light_or_dark_theme_hides(template: str):
    text = (PROJECT / f".dvc/plots/{template}.json").read_text("utf-8")
    assert set(re.findall(r'"(#\w+|black|white)"', text)) <= {"#888", "#8884"}
    wanted = {"COLOR", "PLOT_WIDTH", "PLOT_HEIGHT"}
    if template == "learning_curves":  # two panels, which cannot have the size of the whole
        wanted = {"COLOR"}
    assert wanted <= set(re.findall(r'"<DVC_METRIC_(\w+)>"', text))


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
        fill: charts[0].querySelector("text").getAttribute("fill"),
      };
    })()"""
    light, dark = (seen_in_chromium(html, 500, script, dark=dark) for dark in (False, True))
    assert all({"workspace", "HEAD"} <= set(texts) for texts in light["charts"])
    differences, accuracies, *histories = light["charts"]  # these come last
    assert "Accuracy minus that of single" in differences
    assert "Test accuracy" in accuracies
    assert len(histories) == len(TRAINED)
    (single,) = [texts for texts in histories if "single" in texts]
    assert [text for text in single if re.fullmatch(r"\d", text)] == ["1", "2"] * 2  # epochs
    assert len(light["images"]) == 2  # error_rates.png of both: the other pictures are charts, too
    assert all(light["images"])  # widths
    assert light["cut"] == 0
    assert [light["fill"], dark["fill"]] == ["#000", "#fff"]


# --- what Matplotlib draws ------------------------------------------------------------------------

RECIPE = Recipe.model_validate(
    {"layers": [Layer()], "units": 1, "activation": "relu", "optimizer": "adam", "batch_size": 1}
    | {"loss": "mean_squared_error", "epochs": 1}
)
FACTS = DataFacts.model_validate(
    {"source": "keras", "sha256": "", "vocabulary": 1}
    | {"train_reviews": 20, "validation_reviews": 10, "test_reviews": 5000}
)
KERAS = "IMDB reviews, archive of keras.datasets.imdb: 20 train, 10 validation, 5,000 test"
COMPARE = CompareParams(reference="single", min_effect=0.002)
TEST, VALIDATION, TRAIN = (COLOURS[split] for split in ("test", "validation", "train"))
NAN = float("nan")


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The figures drawn so far, which are not written."""
    figures: list[Any] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Figure, "savefig", Mock())
    with monkeypatch.context() as patch:
        patch.setattr(plt, "close", figures.append)
        yield figures
    plt.close("all")


def marks(axis: Any) -> list[Any]:
    """Colour, marker and points of each line."""
    return [(of.get_color(), of.get_marker(), rounded(of.get_xydata())) for of in axis.lines]


def intervals(axis: Any) -> list[Any]:
    """Colour and both ends of each group of horizontal lines."""
    groups = [(c.get_edgecolor()[0], c.get_segments()) for c in axis.collections]
    return [(to_hex(colour).upper(), rounded(segments)) for colour, segments in groups]


def rounded(values: Any) -> Any:
    return np.round(np.asarray(values, float), 6).tolist()


def texts(axis: Any) -> list[Any]:
    """What is written on or beside the axis, and where."""
    places = [rounded(getattr(text, "xy", text.get_position())) for text in axis.texts]
    return [(text.get_text().strip(), *xy) for text, xy in zip(axis.texts, places, strict=True)]


def names(axis: Any) -> list[str]:
    return [label.get_text() for label in axis.get_yticklabels()]


def legend(axis: Any) -> list[str]:
    shown = axis.get_legend()
    return [text.get_text() for text in shown.get_texts()] if shown else []


def words(figure: Any) -> list[str]:
    """The title and the notes."""
    return [figure.get_suptitle(), *figure.get_supxlabel().split("\n")]


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


def scores(**variants: list[tuple[float, int, int]]) -> pd.DataFrame:
    """Of each seed: validation accuracy, false positives of 10, false negatives of 20 reviews."""
    return pd.DataFrame(
        {"variant": variant, "seed": seed, "validation_accuracy": accuracy}
        | {"test_false_positives": fp, "test_true_negatives": 10 - fp}
        | {"test_false_negatives": fn, "test_true_positives": 20 - fn}
        for variant, of_seeds in variants.items()
        for seed, (accuracy, fp, fn) in enumerate(of_seeds, 1)
    )


def test_the_accuracies_are_drawn_with_their_intervals_the_best_on_validation_first(
    drawn: list[Any],
):
    rows = table(
        single=[(0.8, 0.75, 0.85, ""), (0.95, 0.9, 1.0, "")],
        other=[(0.9, 0.85, 0.95, ""), (0.7, 0.6, 0.8, "")],
    )
    plot.test_accuracy(rows, {"single": 0.85, "book": 0.7}, FACTS)
    (figure,) = drawn
    (axis,) = figure.axes
    assert words(figure) == [
        "Most validation reviews right: other 90.00%, single 80.00%",
        "3 seeds per variant; interval over seeds and reviews; ordered by validation accuracy",
        KERAS,
    ]
    assert names(axis) == ["other", "single"]
    assert axis.get_ylim() == (1.5, -0.5)  # from below: row 0 is on top
    assert marks(axis) == [
        (VALIDATION, "s", [[0.9, -0.17], [0.8, 0.83]]),
        (TEST, "o", [[0.7, 0.17], [0.95, 1.17]]),
        ("black", "D", [[0.85, 1.17]]),
    ]
    assert legend(axis) == ["validation", "test", "the notebook's one run, test"]
    assert intervals(axis) == [
        (VALIDATION, [[[0.85, -0.17], [0.95, -0.17]], [[0.75, 0.83], [0.85, 0.83]]]),
        (TEST, [[[0.6, 0.17], [0.8, 0.17]], [[0.9, 1.17], [1, 1.17]]]),
    ]
    assert texts(axis) == [
        ("90.00% [85.00, 95.00]", 1.02, -0.17),
        ("70.00% [60.00, 80.00]", 1.02, 0.17),
        ("80.00% [75.00, 85.00]", 1.02, 0.83),
        ("95.00% [90.00, 100.00]", 1.02, 1.17),
    ]
    assert axis.get_xlabel() == "accuracy, with 95% interval"
    assert axis.xaxis.get_major_formatter()(0.825, 0) == "82.5%"


def test_an_accuracy_is_that_of_the_bits_with_the_interval_of_the_model_card():
    """Of 6 seeds and 4 reviews; in the split test all are right in the same reviews."""
    validation = np.array([[1, 1, 1, 0], [1, 1, 0, 0]] * 3, bool)
    test = np.array([[1, 1, 1, 0]] * 6, bool)
    bits = Correct("", np.arange(6), {"validation": validation, "test": test}, test[0])
    validation_row, test_row = plot.accuracies({"single": bits}).to_dict("records")
    card = difference(validation, np.zeros_like(validation))
    assert {"mean": 0.625, "low": card.low, "high": card.high}.items() <= validation_row.items()
    # The reviews vary, the seeds do not: a normal interval with the standard error of four bits.
    half = 1.96 * np.std([1, 1, 1, 0], ddof=1) / 2
    expected = pytest.approx([0.75, 0.75 - half, 0.75 + half], abs=2e-3)
    assert [test_row[name] for name in ("mean", "low", "high")] == expected


def test_the_notebook_is_drawn_for_its_own_reviews_alone_and_one_seed_has_no_interval(
    drawn: list[Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(PROJECT)
    notebook = plot.notebook_accuracies()
    assert notebook["single"] == 0.8532  # In [104]
    one = table(single=[(0.8, NAN, NAN, "")] * 2).assign(seeds=1)
    plot.test_accuracy(one, notebook, FACTS.model_copy(update={"source": "csv:mine.csv"}))
    plot.test_accuracy(one.assign(variant="mine"), notebook, FACTS)
    for figure, source in zip(drawn, ("reviews from mine.csv", "IMDB reviews"), strict=True):
        (axis,) = figure.axes
        assert legend(axis) == ["validation", "test"]
        assert texts(axis) == [("80.00%", 1.02, -0.17), ("80.00%", 1.02, 0.17)]
        assert words(figure)[1].startswith("one seed per variant")
        assert words(figure)[2].startswith(source)
        assert not figure.texts[1].get_parse_math()  # a file may be named a$b$.csv


@pytest.mark.filterwarnings("error")
def test_every_variant_has_a_row_and_equally_good_ones_are_in_the_order_of_params_yaml(
    drawn: list[Any],
):
    many = [f"variant_{n}{'_' * 90}" for n in range(20, 0, -1)]
    rows = table(**dict.fromkeys(many, [(0.8, 0.7, 0.9, "~")] * 2))
    plot.test_accuracy(rows, {}, FACTS)
    plot.differences(rows, COMPARE, FACTS)
    plot.error_rates(scores(**dict.fromkeys(many, [(0.5, 1, 2)] * 2)), FACTS)
    for figure in drawn:
        assert names(figure.axes[0]) == [f"{name[:31]}…" for name in many]
    assert [figure.get_figheight() for figure in drawn] == pytest.approx([11.7, 11.7, 8.7])
    title = f"Most validation reviews right: {many[0]} 80.00%, {many[1]} 80.00%"
    assert drawn[0].get_suptitle() == title


def test_a_difference_is_drawn_with_its_interval_and_its_verdict(drawn: list[Any]):
    rows = table(
        worst=[(-0.02, -0.03, -0.01, "worse"), (-0.01, -0.04, 0.02, "~")],
        best=[(0.01, 0.005, 0.02, "better"), (0.03, 0.01, 0.04, "trivial")],
    )
    plot.differences(rows, COMPARE, FACTS)
    (figure,) = drawn
    (axis,) = figure.axes
    assert words(figure) == [
        "Better than single on the validation reviews: 1 of 2 variants",
        KERAS,
    ]
    assert names(axis) == ["best", "worst"]
    assert marks(axis) == [
        (VALIDATION, "s", [[1, -0.17], [-2, 0.83]]),
        (TEST, "o", [[3, 0.17], [-1, 1.17]]),
        ("black", "None", [[0, 0], [0, 1]]),
    ]
    _, of_test = intervals(axis)
    assert of_test == (TEST, [[[1, 0.17], [4, 0.17]], [[-4, 1.17], [2, 1.17]]])
    assert texts(axis) == [
        ("better", 2, -0.17),
        ("trivial", 4, 0.17),
        ("worse", -1, 0.83),
        ("~", 2, 1.17),
    ]
    assert legend(axis) == ["validation", "test", "less than 0.2 points: does not matter"]
    (span,) = axis.patches
    assert [span.get_x(), span.get_width()] == pytest.approx([-0.2, 0.4])
    assert axis.get_xlabel() == "accuracy minus that of single, in points, with 95% interval"
    assert axis.xaxis.get_major_formatter()(1, 0) == "+1"


def test_without_an_interval_or_a_smallest_effect_neither_is_drawn(drawn: list[Any]):
    rows = table(one=[(0.01, NAN, NAN, "too few seeds"), (0.02, NAN, NAN, "too few seeds")])
    plot.differences(rows, CompareParams(reference="single", min_effect=0), FACTS)
    plot.differences(table(), COMPARE, FACTS)
    axis, nothing = (figure.axes[0] for figure in drawn)
    assert texts(axis) == [("too few seeds", 1, -0.17), ("too few seeds", 2, 0.17)]
    assert legend(axis) == ["validation", "test"]
    assert names(nothing) == []
    ends = [words(figure)[0].rpartition(": ")[2] for figure in drawn]
    assert ends == ["0 of 1 variants", "0 of 0 variants"]


def test_the_error_rates_are_the_shares_of_negative_and_of_positive_reviews(drawn: list[Any]):
    """Of 10 negative and 20 positive reviews; the best on the validation reviews comes first."""
    single, other = [(0.8, 1, 8), (0.82, 3, 4), (0.95, 2, 6)], [(0.9, 5, 1), (0.9, 5, 1)]
    plot.error_rates(scores(single=single, other=other), FACTS)
    plot.error_rates(scores(single=[(1.0, 0, 0)]).assign(test_true_negatives=0), FACTS)
    figure, without_negatives = drawn
    negative, positive = figure.axes
    assert words(figure) == [
        "Error rates on negative and on positive test reviews",
        "3 seeds per variant, each a dot; line: their mean; ordered by validation accuracy",
        KERAS,
    ]
    assert names(negative) == ["other", "single"]
    assert marks(negative) == [
        (TEST, "o", [[0.5, 0], [0.5, 0]]),
        ("black", "|", [[0.5, 0]]),
        (TEST, "o", [[0.1, 1], [0.3, 1], [0.2, 1]]),
        ("black", "|", [[0.2, 1]]),
    ]
    assert texts(negative) == [("50.0%", 1.02, 0), ("20.0%", 1.02, 1)]
    assert texts(positive) == [("5.0%", 1.02, 0), ("30.0%", 1.02, 1)]
    assert negative.get_xlabel() == "negative reviews taken for positive"
    assert positive.get_xlabel() == "positive reviews taken for negative"
    assert [axis.get_xlim()[1] for axis in figure.axes] == pytest.approx([0.525, 0.525])
    assert [texts(axis) for axis in without_negatives.axes] == [[("0.0%", 1.02, 0)]] * 2
    assert without_negatives.axes[0].get_xlim() == pytest.approx((0, 0.0105))


def history(*seeds: list[tuple[float, float]], kept: list[int]) -> pd.DataFrame:
    """Of each seed the train and the validation loss of its epochs; accuracies are 1 less."""
    return pd.DataFrame(
        {"variant": "single", "seed": seed, "fit": "first", "epoch": epoch, "split": split}
        | {"loss": loss, "accuracy": 1 - loss, "kept": int(epoch == kept[seed])}
        for seed, of_seed in enumerate(seeds)
        for epoch, of_epoch in enumerate(of_seed, 1)
        for split, loss in zip(("train", "validation"), of_epoch, strict=True)
    )


def test_a_learning_curve_is_the_mean_of_the_seeds_within_their_range(drawn: list[Any]):
    """In the two epochs that both have; what follows is drawn of the first seed alone."""
    two = history([(0.5, 0.6), (0.3, 0.4), (0.1, 0.5)], [(0.7, 0.8), (0.5, 0.2)], kept=[2, 2])
    learning_curves(two, plot.parts_of_loss(RECIPE), FACTS)
    (figure,) = drawn
    loss, accuracy = figure.axes
    assert words(figure) == [
        "single: kept as soon as the validation loss is lowest, after epoch 2",
        "mean and range over 2 seeds; thin: the seeds that were trained for more than 2 epochs",
        KERAS,
    ]
    *means, kept, lowest = marks(loss)
    assert means == [
        (TRAIN, ".", [[1, 0.6], [2, 0.4]]),
        (TRAIN, "None", [[2, 0.3], [3, 0.1]]),
        (VALIDATION, ".", [[1, 0.7], [2, 0.3]]),
        (VALIDATION, "None", [[2, 0.4], [3, 0.5]]),
    ]
    assert kept[1:] == ("o", [[2, 0.3]])
    assert lowest == (VALIDATION, "v", [[2, 0.3]])
    assert marks(accuracy)[1] == (TRAIN, "None", [[2, 0.7], [3, 0.9]])
    assert marks(accuracy)[-1][1:] == ("o", [[2, 0.7]])
    for axis, ends in ((loss, [[0.3, 0.7], [0.2, 0.8]]), (accuracy, [[0.3, 0.7], [0.2, 0.8]])):
        bands = [band.get_paths()[0].get_extents() for band in axis.collections]
        assert rounded([band.intervaly for band in bands]) == ends
        assert rounded([band.intervalx for band in bands]) == [[1, 2], [1, 2]]
        assert [line.get_linestyle() for line in axis.lines[:4]] == ["--", "--", "-", "-"]
        assert texts(axis) == []  # all seeds keep this epoch
        assert axis.get_xlabel() == "epoch"
        assert axis.get_xticks().tolist() == [1, 2, 3]
        assert axis.get_xlim() == pytest.approx((0.91, 3.09))
    assert legend(loss) == ["train", "validation", "kept", "lowest mean"]
    assert legend(accuracy) == []
    assert loss.get_ylabel() == "loss: mean squared error"
    assert accuracy.get_ylabel() == "accuracy"
    assert accuracy.yaxis.get_major_formatter()(0.825, 0) == "82.5%"


def test_the_lowest_mean_is_that_of_the_epochs_that_all_seeds_have(drawn: list[Any]):
    uneven = history([(0.5, 0.6), (0.3, 0.4), (0.1, 0.1)], [(0.7, 0.8), (0.5, 0.2)], kept=[3, 2])
    learning_curves(uneven, plot.parts_of_loss(RECIPE), FACTS)
    assert marks(drawn[0].axes[0])[-1] == (VALIDATION, "v", [[2, 0.3]])


def test_losses_that_would_flatten_the_rest_are_above_the_axis(drawn: list[Any]):
    """The axis ends at three times the highest validation loss after the lowest: 0.2 of epoch 3."""
    for first in ((9, 5), (0.5, 0.5)):
        learning_curves(history([first, (0.1, 0.1), (0, 0.2)], kept=[3]), "mse", FACTS)
    learning_curves(history([(9, 5), (0.1, 0.1)], kept=[2]), "mse", FACTS)
    clipped, whole, to_the_end = drawn
    assert clipped.axes[0].get_ylim() == pytest.approx((0, 0.6))
    assert to_the_end.axes[0].get_ylim() == pytest.approx((0, 0.3))
    assert words(clipped)[1].endswith("; the first losses are above the axis")
    assert whole.axes[0].get_ylim()[1] > 0.5
    assert "above" not in words(whole)[1]


def test_the_picture_says_which_epochs_are_kept_and_what_a_refit_and_penalties_are(
    drawn: list[Any],
):
    """A refit, whose values are not drawn, is named, and in which epochs the loss is lowest."""
    kept = history([(4, 3), (0, 1), (0, 2)], [(4, 1), (0, 2), (0, 2)], kept=[3, 2])
    refit = kept[kept["split"] == "train"].assign(fit="refit", loss=9.0, accuracy=9.0, epoch=9)
    penalized = RECIPE.model_copy(update={"activity_l2": 0.1})
    learning_curves(pd.concat([kept, refit]), plot.parts_of_loss(penalized), FACTS)
    (figure,) = drawn
    lowest = "single: the validation loss is lowest after epochs 1 to 2, but kept after epochs"
    assert words(figure)[0] == f"{lowest} 2 to 3"
    again = "then trained again on train and validation reviews, for as many epochs"
    assert words(figure)[1] == f"mean and range over 2 seeds; {again}"
    assert figure.axes[0].get_ylabel() == "loss: mean squared error and penalties"
    assert legend(figure.axes[0])[2] == "kept, by how many seeds"
    for axis in figure.axes:
        assert [text[:2] for text in texts(axis)] == [("1 of 2", 2), ("1 of 2", 3)]
        assert max(line.get_xdata().max() for line in axis.lines) == 3


@pytest.mark.parametrize("losses", [(0.9, 0.1), (0.0022, 0.0011), (2e4, 1e4)])
def test_nothing_overlaps_within_the_fixed_margins(losses: tuple[float, float], drawn: list[Any]):
    """Whatever the length of the numbers beside the axes."""
    loss = "binary focal crossentropy and penalties"
    close = history([losses, losses[::-1]], kept=[2])
    for accuracies in ((0.3, 0.9), (0.99901, 0.99902)):
        close["accuracy"] = accuracies * 2
        learning_curves(close, loss, FACTS)
    for figure in drawn:
        left, right = (axis.get_tightbbox() for axis in figure.axes)
        assert left.x0 >= 0
        assert left.x1 <= right.x0
        assert right.x1 <= figure.bbox.x1
        title, notes = (text.get_window_extent() for text in figure.texts)
        assert notes.y1 <= left.y0 < left.y1 <= title.y0


def test_the_stage_draws_the_history_of_each_variant_with_its_own_loss(
    copy: Path, drawn: list[Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(copy)
    removed = copy / "plots/figures/learning_curves_removed.png"
    removed.touch()
    edit_params(copy, model__loss="mse", model__kernel_l2=0.1)
    plot.main()
    labels = {words(f)[0].split(":")[0]: f.axes[0].get_ylabel() for f in drawn[3:]}
    assert labels == {
        "single": "loss: mean squared error",
        "candidate": "loss: mse and penalties",
    }
    assert not removed.exists()


def test_the_epochs_on_the_axis_are_whole_and_begin_with_one():
    assert epoch_ticks(1) == [1]
    assert epoch_ticks(12) == [*range(1, 13)]
    assert epoch_ticks(13) == [1, 5, 10]
    assert epoch_ticks(45) == [1, 10, 20, 30, 40]
    assert epoch_ticks(100) == [1, 50, 100]


def test_neither_a_notebooks_shell_nor_a_users_style_changes_a_picture(copy: Path, tmp_path: Path):
    """The shell names a backend that this environment may lack; Matplotlib would end the stage."""
    figures = sorted((copy / "plots/figures").glob("*.png"))
    before = [figure.read_bytes() for figure in figures]
    for figure in figures:
        figure.unlink()
    style = tmp_path / "matplotlibrc"
    style.write_text("lines.linewidth: 9")
    inline = "module://matplotlib_inline.backend_inline_of_nobody"
    ran = try_in(copy, "python -m stages.plot", MPLBACKEND=inline, MATPLOTLIBRC=str(style))
    assert (ran.returncode, ran.stderr) == (0, "")
    assert [figure.read_bytes() for figure in figures] == before
    assert not re.search(b"Software|tIME", b"".join(before))
