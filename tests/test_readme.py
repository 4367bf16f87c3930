"""`make readme` fills the pages with values of the results, and the published pages have them."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from commands import readme
from tests.conftest import PROJECT, call
from workflow.base.errors import InputError
from workflow.base.files import DIFFERENCES, HELD_OUT, HISTORY, METRICS, NOTEBOOK_VALUES, SCORES
from workflow.params import load_params
from workflow.report.notebook import CONCLUSIONS


@pytest.fixture
def results(copy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Small results in a checkout with pages; the current folder of the test."""
    shutil.copytree(PROJECT / "benchmarks", copy / "benchmarks")
    monkeypatch.chdir(copy)
    return copy


def test_only_what_stands_between_the_marks_is_regenerated(results: Path):
    page = "before\n<!-- results -->\nBEFORE\n<!-- /results -->\nafter <!-- other --> end\n"
    for name in ("README.md", "MODEL_CARD.md"):
        (results / name).write_text(page)
    call("commands.readme")
    for name in ("README.md", "MODEL_CARD.md"):
        filled = (results / name).read_text("utf-8")
        assert re.sub(r"\|.*\|\n", "", filled) == page.replace("BEFORE\n", "")
        rows = [line.split("|") for line in filled.splitlines() if line.startswith("| `")]
        # The candidate is refitted on all 60 training reviews, of which 24 validate before.
        assert [(row[1].strip(), row[-2].strip()) for row in rows] == [
            ("`single`", "36"),
            ("`candidate`", "60"),
        ]


def test_what_is_said_of_the_notebook_stays_if_one_of_its_variants_is_gone(results: Path):
    sources = readme.read_sources(results)
    page = "\n".join(f"<!-- {name} -->\nBEFORE\n<!-- /{name} -->" for name in readme.OF_NOTEBOOK)
    assert readme.fill(page, sources) == page  # single_regularized is not trained here
    values, conclusions = sources.notebook_values, sources.notebook_conclusions
    fewer = sources._replace(
        notebook_values=values[values["variant"] == "single"],
        notebook_conclusions=conclusions.assign(variant="candidate", other="single"),
    )
    assert "BEFORE" not in readme.fill(page, fewer)


def test_errors_are_counted_if_the_predictions_are_here(results: Path):
    page = "<!-- card_errors -->\nBEFORE\n<!-- /card_errors -->\n"
    for name in ("README.md", "MODEL_CARD.md"):
        (results / name).write_text(page)
    shutil.move("models", "elsewhere")
    call("commands.readme")
    assert (results / "MODEL_CARD.md").read_text() == page
    shutil.move("elsewhere", "models")
    call("commands.readme")
    rows = [line.split("|") for line in (results / "MODEL_CARD.md").read_text().splitlines()]
    labels = [int(row[3]) for row in rows if len(row) > 3 and row[1].strip() == "label"]
    assert sum(labels) == 40  # test reviews


def test_the_pipeline_is_drawn_with_one_node_for_all_variants_of_a_stage(results: Path):
    arrows = readme.pipeline(readme.read_sources(results)).splitlines()[2:-1]
    assert [arrow.split() for arrow in arrows] == [
        ["compare", "-->", "plot"],
        ["download", "-->", "compare"],
        ["download", "-->", "vectorize"],
        ["evaluate", "-->", "compare"],
        ["train", "-->", "curves"],
        ["train", "-->", "evaluate"],
        ["vectorize", "-->", "curves"],
        ["vectorize", "-->", "evaluate"],
        ["vectorize", "-->", "train"],
    ]


@pytest.mark.parametrize("damage", ["conflict", "cut"])
@pytest.mark.parametrize(
    "path",
    [SCORES, DIFFERENCES, HISTORY / "single.csv", NOTEBOOK_VALUES, CONCLUSIONS],
    ids=str,
)
def test_a_damaged_table_is_named(results: Path, path: Path, damage: str):
    lines = (results / path).read_text("utf-8").splitlines()
    lines = [lines[0], "<<<<<<< HEAD", *lines[1:]] if damage == "conflict" else [*lines[:2], "a,"]
    (results / path).write_text("\n".join(lines), "utf-8")
    with pytest.raises(InputError, match=path.name):
        readme.read_sources(results)


# --- what holds for the published results: `make check` -------------------------------------------


@pytest.fixture
def committed(tmp_path: Path) -> Path:
    """The files of the last commit."""
    archive = tmp_path / "archive.zip"
    command = ["git", "archive", "--output", str(archive), "HEAD"]
    if subprocess.run(command, cwd=PROJECT, check=False).returncode:
        pytest.skip("not a Git checkout")
    shutil.unpack_archive(archive, tmp_path / "committed")
    return tmp_path / "committed"


@pytest.mark.published
def test_the_committed_pages_have_the_committed_values(committed: Path):
    sources = readme.read_sources(committed)
    pages = [*committed.glob("*.md"), *(committed / "docs").glob("*.md")]
    texts = {page.name: page.read_text("utf-8") for page in pages}
    assert "| `candidate`" in texts["README.md"]
    stale = [name for name, text in texts.items() if readme.fill(text, sources) != text]
    assert stale == []  # `make readme` updates them
    wrong = (~sources.correct["candidate"].by_split["test"]).all(axis=0).sum()
    assert f"\n{wrong:,} of 25,000 test reviews" in texts["MODEL_CARD.md"]


@pytest.mark.published
def test_the_example_in_the_readme_changes_the_committed_results(committed: Path):
    """If the candidate changed: CONTRIBUTING.md says how to regenerate the example."""
    text = (committed / "README.md").read_text("utf-8")
    before = json.loads((committed / METRICS).read_text())["candidate"]
    for block in ("average", "size"):
        before |= {f"{block}.{name}": value for name, value in before[block].items()}
    diff = re.findall(
        r"^metrics/metrics.json +candidate\.([\w.]+) +(\S+) +(\S+) +(\S+)$", text, re.MULTILINE
    )
    assert diff
    for name, old, new, change in diff:
        assert float(old) == before[name]
        assert float(new) - float(old) == pytest.approx(float(change), abs=1e-6)
    review = re.findall(
        r"^\| `candidate` +\| (\w+) +\| ([\d.]+) +\| ([\d.]+) +\| (\S+) ", text, re.MULTILINE
    )
    assert [split for split, *_ in review] == [*HELD_OUT]
    for split, old, new, points in review:
        assert float(old) == before[f"{split}_accuracy"]
        assert 100 * (float(new) - float(old)) == pytest.approx(float(points), abs=0.011)


@pytest.mark.published
@pytest.mark.parametrize("page", ["rounding", "optimism"])
def test_what_was_measured_of_the_variants_was_measured_of_these(committed: Path, page: str):
    measured = (committed / f"benchmarks/{page}.md").read_text("utf-8")
    variants = load_params(committed / "params.yaml").variants
    assert set(re.findall(r"^\| `(\w+)`", measured, re.MULTILINE)) == set(variants)
