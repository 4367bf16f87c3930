"""The figures in README.md are those of metrics/ and benchmarks/."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from commands import readme
from tests.conftest import PROJECT
from workflow.base.errors import InputError
from workflow.base.files import DIFFERENCES, HELD_OUT, HISTORY, METRICS, NOTEBOOK_VALUES, SCORES
from workflow.params import load_params
from workflow.report import model_card
from workflow.report.model_card import ERRORS


@pytest.fixture
def committed(tmp_path: Path) -> Path:
    """The files of the last commit."""
    archive = tmp_path / "archive.zip"
    command = ["git", "archive", "--output", str(archive), "HEAD"]
    if subprocess.run(command, cwd=PROJECT, check=False).returncode:
        pytest.skip("not a Git checkout")
    shutil.unpack_archive(archive, tmp_path / "committed")
    return tmp_path / "committed"


def test_the_committed_pages_have_the_committed_figures(committed: Path):
    sources = readme.read_sources(committed)
    pages = [*committed.glob("*.md"), *(committed / "docs").glob("*.md")]
    texts = {page.name: page.read_text("utf-8") for page in pages}
    assert "| `candidate`" in texts["README.md"]
    other = [name for name, text in texts.items() if readme.filled(text, sources) != text]
    assert other == []  # `make readme` brings them up to date


def test_the_example_in_the_readme_changes_the_committed_results(committed: Path):
    """Where the candidate changed, CONTRIBUTING.md says how the example is made anew."""
    text = (committed / "README.md").read_text("utf-8")
    before = json.loads((committed / METRICS).read_text())["candidate"]
    diff = re.findall(
        r"^metrics/metrics.json +candidate\.(\w+) +(\S+) +(\S+) +(\S+)$", text, re.MULTILINE
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


@pytest.mark.parametrize("page", ["rounding", "optimism"])
def test_what_was_measured_of_the_variants_was_measured_of_these(committed: Path, page: str):
    measured = (committed / f"benchmarks/{page}.md").read_text("utf-8")
    assert set(re.findall(r"^\| `(\w+)`", measured, re.MULTILINE)) == set(
        load_params(PROJECT / "params.yaml").variants
    )


def test_the_card_says_so_of_own_reviews(committed: Path):
    card = readme.read_sources(committed).card
    own = card._replace(facts=card.facts.model_copy(update={"source": "csv:own.csv"}))
    said = "**Not the reviews above, but own ones.** "
    assert [model_card.data(of).startswith(said) for of in (card, own)] == [False, True]


DAMAGED = [
    SCORES,
    DIFFERENCES,
    HISTORY / "single.csv",
    NOTEBOOK_VALUES,
    readme.CONCLUSIONS,
    ERRORS,
]


@pytest.mark.parametrize("damage", ["conflict", "cut"])
@pytest.mark.parametrize("path", DAMAGED, ids=str)
def test_a_damaged_table_is_named(committed: Path, path: Path, damage: str):
    lines = (committed / path).read_text("utf-8").splitlines()
    lines = [lines[0], "<<<<<<< HEAD", *lines[1:]] if damage == "conflict" else [*lines[:3], "a,"]
    (committed / path).write_text("\n".join(lines), "utf-8")
    with pytest.raises(InputError, match=path.name):
        readme.read_sources(committed)


def test_what_is_said_of_the_notebook_stays_where_a_variant_of_it_is_no_more(committed: Path):
    sources = readme.read_sources(committed)
    blocks = [
        f"<!-- {name} -->\n<!-- /{name} -->" for name in ("figures", "conclusions", "in_short")
    ]
    text = "\n".join(blocks)
    assert readme.filled(text, sources) != text
    for lost in ("single", "single_regularized"):
        fewer = {name: bits for name, bits in sources.correct.items() if name != lost}
        curves = {name: curve for name, curve in sources.validation.items() if name != lost}
        scores = sources.scores.query("variant != @lost")
        less = sources._replace(correct=fewer, validation=curves, scores=scores)
        assert readme.filled(text, less) == text
        assert f"| `{lost}`" not in readme.filled("<!-- results -->\n<!-- /results -->", less)


def test_a_figure_holds_where_one_more_run_would_fall():
    values = pd.Series([0.85, 0.86, 0.87])
    low, high = readme.prediction_interval(values)
    # 4.303 is the 97.5% point of Student's t with two degrees of freedom.
    assert high - 0.86 == pytest.approx(4.303 * 0.01 * (4 / 3) ** 0.5, rel=1e-3)
    assert 0.86 - low == pytest.approx(high - 0.86)
