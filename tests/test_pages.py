"""What the pages in docs/ and the templates in .dvc/plots contain is true of the code."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import PROJECT, call, edit_params
from workflow.charts.style import COLOURS


def snippets(page: str) -> list[str]:
    """The blocks of Python in a page of docs/."""
    text = (PROJECT / "docs" / page).read_text("utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_the_five_lines_decode_a_review(repository: Path):
    """Ranks need no shift; the word of rank 7 of the small archive is w7."""
    lines = snippets("data.md")[0]
    assert len([line for line in lines.splitlines() if line]) == 5
    printed = subprocess.check_output([sys.executable, "-c", lines], cwd=repository, text=True)
    values, offsets = (
        np.load(repository / f"data/reviews/training_{kind}.npy") for kind in ("values", "offsets")
    )
    first = values[offsets[0] : offsets[1]].tolist()
    assert printed.split() == [f"w{rank}" for rank in first]


@pytest.mark.published
def test_the_copies_in_the_archive_are_as_many_as_the_page_says(
    real_archive: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("IMDB_MIRROR", str(real_archive))
    pins = (PROJECT / "params.yaml").read_text("utf-8")
    (workspace / "params.yaml").write_text(pins, "utf-8")
    edit_params(workspace, data__sources=["keras"])
    call("stages.download")
    (workspace / "metrics").symlink_to(PROJECT / "metrics")
    printed = subprocess.check_output([sys.executable, "-c", snippets("data.md")[1]], text=True)
    assert printed in (PROJECT / "docs/data.md").read_text("utf-8").replace("    ", "")
    assert printed.count("\n") == 2


def test_the_page_of_errors_has_the_colours_of_the_pictures():
    page = (PROJECT / "commands/errors.html").read_text("utf-8")
    names = {"blue": "train", "positive": "train", "negative": "validation"}
    for name, split in names.items():
        light = re.findall(rf"--{name}: ([^;]+);", page)[0]
        red, green, blue = bytes.fromhex(COLOURS[split].removeprefix("#"))
        assert light in (COLOURS[split].lower(), f"{red} {green} {blue}")


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
