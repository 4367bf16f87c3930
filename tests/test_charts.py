"""DVC's charts by the templates in .dvc/plots, its page, and the style that Matplotlib draws."""

import csv
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import vl_convert
from dvc_render.vega import VegaRenderer  # type: ignore[import-untyped]
from ruamel.yaml import YAML

from commands.plots_page import VEGA_LITE, page
from stages import curves, plot
from tests.conftest import PROJECT, command, commit
from workflow.base.files import DataFacts
from workflow.charts import style
from workflow.evaluation.params import CompareParams
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
        if of["rev"] == "main" and of["reviews"] == "train"
    }
    corners = [tuple(map(float, c.split(","))) for c in outline.strip("MZ").split("L")]
    assert len(corners) == 4
    ((low_1, low_2), (high_2, high_1)) = ([y for _, y in corners[i : i + 2]] for i in (0, 2))
    # In pixels downwards: 0.0 to 0.9 in the first epoch, 0.2 to 0.5 in the second.
    assert (low_1 - high_1) == pytest.approx(3 * (low_2 - high_2), rel=1e-3)
    assert (low_1 - low_2) == pytest.approx((low_1 - high_1) * 2 / 9, rel=1e-3)
    assert {of["epoch"] for of, _ in described(drawn, "point")} == {"1", "2"}


def test_the_dash_tells_the_revisions_apart_and_the_colour_the_reviews(capfd: Any):
    rows = [*curve("main", 1, [0.3, 0.2]), *curve("workspace", 1, [0.4, 0.1])]
    lines = described(svg("learning_curves", rows, capfd), "line mark")

    def of(attribute: str, key: str) -> set[tuple[str, str]]:
        return {(what[key], re.findall(f'{attribute}="([^"]*)"', m)[0]) for what, m in lines}

    assert len(of("stroke-dasharray", "revision")) == 2
    assert of("stroke", "reviews") == {(s, style.COLOURS[s]) for s in ("train", "validation")}


def test_a_difference_of_one_seed_has_no_interval(capfd: Any):
    row = {"variant": "one", "mean": "0.01", "low": "", "high": "", "seeds": "1", "rev": "main"}
    drawn = svg("differences", [row | {"split": s} for s in ("validation", "test")], capfd)
    assert [of["points"] for of, _ in described(drawn, "point")] == ["1", "1"]


def test_the_page_is_what_the_command_makes():
    assert (PROJECT / ".dvc/plots/page.html").read_text("utf-8") == page()


def make_two_revisions(folder: Path, mirror: Path, home: Path) -> None:
    """A repository with the results that are here, and others in its workspace."""
    for name in ("metrics", "plots", ".dvc/plots"):
        shutil.copytree(PROJECT / name, folder / name)
    for name in ("dvc.yaml", "params.yaml", ".dvc/config"):
        shutil.copy(PROJECT / name, folder / name)
    command(folder, mirror, home, "git init --quiet --initial-branch main")
    command(folder, mirror, home, "git config user.email someone@example.org")
    command(folder, mirror, home, "git config user.name Someone")
    commit(folder, mirror, home)
    for table in (*folder.glob("metrics/*.csv"), *folder.glob("plots/history/*.csv")):
        table.write_text(re.sub(r"0\.(\d)", r"0.0\1", table.read_text()))


def test_dvc_draws_its_charts_without_a_network(tmp_path: Path, mirror: Path, home: Path):
    """In Chromium, for which no address can be had; a script counts what is there."""
    chromium = shutil.which("chromium")
    if not chromium:
        pytest.skip("apt-get install chromium to test the page of dvc plots")
    folder = tmp_path / "a folder"
    make_two_revisions(folder, mirror, home)
    command(folder, mirror, home, "dvc plots diff HEAD")
    html = folder / "dvc_plots/index.html"
    told = html.read_text("utf-8")
    assert not re.findall(r"<script[^>]* src=|<link ", told)
    count = """<script>addEventListener("load", () => setTimeout(() => {
      const cut = (image) =>
        !image.naturalWidth || image.getBoundingClientRect().right > innerWidth;
      const texts = (chart) => [...chart.querySelectorAll("text")].map((t) => t.textContent);
      const charts = [...document.querySelectorAll("svg.marks")].map(texts);
      document.body.innerHTML = `<pre>${JSON.stringify({
        charts, images: document.images.length, cut: [...document.images].filter(cut).length,
      })}</pre>`;
    }, 3000));</script></body>\n</html>"""
    end = "</body>\n</html>"
    assert told.endswith(f"{end}\n")
    html.write_text(told.removesuffix(f"{end}\n") + count, "utf-8")
    options = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync"
    options += " --disable-background-networking --disable-component-update --dump-dom"
    seen = subprocess.run(
        [
            *(chromium, *options.split(), f"--user-data-dir={tmp_path / 'profile'}"),
            *("--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=20000"),
            *("--window-size=1200,900", html.as_uri()),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    found = json.loads(re.findall("<pre>(.*)</pre>", seen.stdout)[-1])
    charts = [set(texts) for texts in found["charts"] if texts]  # a new variant has no results yet
    assert len(charts) == len([*TABLES, *HISTORIES])
    assert all({"workspace", "HEAD"} <= texts for texts in charts)
    assert found["images"] >= len(HISTORIES)
    assert found["cut"] == 0


RECIPE = Recipe(
    layers=[Layer(activity_l2=0.1)],
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
    test_reviews=20,
    train_reviews=20,
    validation_reviews=20,
)


def scores(variants: list[str], seeds: int) -> pd.DataFrame:
    rows = [
        {"variant": v, "seed": s, "test_accuracy": 0.5 + 0.01 * i + 0.001 * s}
        | {"test_true_negatives": 5, "test_true_positives": 6}
        | {"test_false_negatives": 4, "test_false_positives": 0}
        for i, v in enumerate(variants)
        for s in range(seeds)
    ]
    return pd.DataFrame(rows)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("variants", "seeds"), [(1, 1), (1, 6), (5, 1), (20, 6)])
def test_figures_are_drawn_alike_of_few_and_of_many(
    variants: int, seeds: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    names = ["single", *(f"variant_{n}{'_' * 90}" for n in range(1, variants))]
    of = scores(names, seeds)
    low, high = (np.nan, np.nan) if seeds == 1 else (0.0, 0.2)
    others = [(name, split) for split in ("validation", "test") for name in names[1:]]
    table = pd.DataFrame(others, columns=["variant", "split"])
    table = table.assign(mean=0.1, low=low, high=high, seeds=seeds, verdict="better")
    compare = CompareParams(reference="single", min_effect=0.002)

    def drawn() -> list[bytes]:
        paths = [plot.test_accuracy(of, {"single": 0.85}, FACTS), plot.error_rates(of, FACTS)]
        paths.append(plot.differences(table, compare, FACTS))
        return [path.read_bytes() for path in paths]

    first = drawn()
    assert first == drawn()
    assert all(b"Software" not in picture and b"tIME" not in picture for picture in first)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("lengths", [[1], [3, 3], [2, 4, 4], [13, 30]])
def test_curves_are_drawn_of_seeds_that_end_in_different_epochs(
    lengths: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    rows = [
        {"variant": "single", "seed": seed, "fit": "first", "epoch": epoch, "split": split}
        | {"loss": 1 / epoch, "accuracy": 1 - 1 / epoch, "kept": int(epoch == length)}
        for seed, length in enumerate(lengths)
        for epoch in range(1, length + 1)
        for split in ("train", "validation")
    ]
    path = curves.learning_curves(pd.DataFrame(rows), RECIPE, FACTS)
    assert path == Path("plots/style/learning_curves_single.png")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_the_epochs_on_the_axis_are_whole_and_begin_with_one():
    assert curves.epoch_ticks(1) == [1]
    assert curves.epoch_ticks(4) == [1, 2, 3, 4]
    assert curves.epoch_ticks(20) == [1, 5, 10, 15, 20]
    assert len(curves.epoch_ticks(10_000)) < 12


def test_the_title_says_whether_the_epoch_with_the_lowest_loss_is_kept():
    rows = pd.DataFrame(
        {"seed": 1, "epoch": [1, 2, 3], "split": "validation", "loss": [3, 1, 2], "kept": [0, 1, 0]}
    )
    assert curves.headline(rows) == "kept as soon as the validation loss is lowest, after epoch 2"
    last = rows.assign(kept=[0, 0, 1])
    assert curves.headline(last).endswith("lowest after epoch 2, but kept after epoch 3")
