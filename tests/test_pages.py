"""What the pages of docs/ show and name is so."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.conftest import PROJECT


def test_the_five_lines_decode_a_review(repository: Path):
    """Ranks need no shift; the word of rank 7 of the small archive is w7."""
    page = (PROJECT / "docs/data.md").read_text("utf-8")
    (lines,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len([line for line in lines.splitlines() if line]) == 5
    printed = subprocess.check_output([sys.executable, "-c", lines], cwd=repository, text=True)
    values, offsets = (
        np.load(repository / f"data/reviews/training_{kind}.npy") for kind in ("values", "offsets")
    )
    first = values[offsets[0] : offsets[1]].tolist()
    assert printed.split() == [f"w{rank}" for rank in first]


def test_the_tests_that_the_page_of_faults_names_exist():
    page = (PROJECT / "docs/reliability.md").read_text("utf-8")
    named = set(re.findall(r"\btest_\w+\b(?!\.py)", page))
    defined = {
        name
        for path in (PROJECT / "tests").glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
    }
    assert len(named) > 70
    assert sorted(named - defined) == []
