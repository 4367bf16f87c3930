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
from workflow.params import load_params
from workflow.storage import HELD_OUT, METRICS


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
    """Its own figures can be had from a training alone: `python -m commands.readme EXPERIMENT`."""
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


def test_a_figure_holds_where_one_more_run_would_fall():
    values = pd.Series([0.85, 0.86, 0.87])
    low, high = readme.prediction_interval(values)
    # 4.303 is the 97.5% point of Student's t with two degrees of freedom.
    assert high - 0.86 == pytest.approx(4.303 * 0.01 * (4 / 3) ** 0.5, rel=1e-3)
    assert 0.86 - low == pytest.approx(high - 0.86)
