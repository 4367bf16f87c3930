"""The figures in README.md are those of metrics/ and benchmarks/."""

import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from commands import readme
from tests.conftest import PROJECT


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


def test_a_figure_holds_where_one_more_run_would_fall():
    values = pd.Series([0.85, 0.86, 0.87])
    low, high = readme.prediction_interval(values)
    # 4.303 is the 97.5% point of Student's t with two degrees of freedom.
    assert high - 0.86 == pytest.approx(4.303 * 0.01 * (4 / 3) ** 0.5, rel=1e-3)
    assert 0.86 - low == pytest.approx(high - 0.86)
