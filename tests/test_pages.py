"""What the pages and the notebook in docs/ contain is true of the code and of the results."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest

from commands.notebook import PAGE, execute
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


def outputs(notebook: nbformat.NotebookNode) -> list[str]:
    return [str(cell.outputs) for cell in notebook.cells if cell.cell_type == "code"]


def test_the_notebook_runs_from_its_folder_and_from_the_projects(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.delenv("MPLBACKEND", raising=False)  # the kernel sets its own
    shutil.copy(PROJECT / PAGE, copy / PAGE)
    notebook = nbformat.read(copy / PAGE, as_version=4)
    again = nbformat.NotebookNode(notebook.cells[1] | {"id": "again"})
    notebook.cells.insert(2, again)  # its first cell, run twice
    execute(notebook, copy / "docs")
    first = nbformat.writes(notebook)
    expected = ["", "", "units", "gain", "ative", "image/png", "array", "", "split"]
    for output, word in zip(outputs(notebook), expected, strict=True):
        assert word in output
        assert "stderr" not in output
        assert str(copy) not in output
    execute(notebook, copy)
    assert nbformat.writes(notebook) == first


@pytest.mark.published
def test_the_notebook_shows_the_committed_results():
    metrics = json.loads((PROJECT / "metrics/metrics.json").read_text())
    (table,) = [text for text in outputs(nbformat.read(PROJECT / PAGE, 4)) if "gain" in text]
    for variant in metrics.keys() - {"data"}:
        assert str(metrics[variant]["test_accuracy"]) in table
