"""The figures in README.md are those of metrics/ and benchmarks/."""

import subprocess

import pandas as pd
import pytest
import readme

from tests.conftest import PROJECT


def committed(path: str) -> str:
    show = subprocess.run(
        ["git", "show", f"HEAD:{path}"], cwd=PROJECT, capture_output=True, check=False
    )
    if show.returncode:
        pytest.skip("not a Git checkout")
    return show.stdout.decode()


def test_the_committed_tables_are_those_of_the_committed_figures():
    text = committed("README.md")
    assert "| `candidate` |" in text
    assert "| `dvc exp run -S model.dropout=0.5`" in text
    assert "the accuracy of a seed moves by up to" in text
    files = ("metrics/scores.csv", "benchmarks/results.md", "benchmarks/rounding.md")
    assert readme.filled(text, *map(committed, files)) == text


def test_a_figure_holds_where_one_more_run_would_fall():
    values = pd.Series([0.85, 0.86, 0.87])
    low, high = readme.prediction_interval(values)
    # 4.303 is the 97.5% point of Student's t with two degrees of freedom.
    assert high - 0.86 == pytest.approx(4.303 * 0.01 * (4 / 3) ** 0.5, rel=1e-3)
    assert 0.86 - low == pytest.approx(high - 0.86)
