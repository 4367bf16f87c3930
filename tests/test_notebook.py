"""docs/from_the_notebook.ipynb runs, on small results, and shows the results that are here."""

import json
import shutil
from pathlib import Path

import nbformat
import pytest

from commands.notebook import PAGE, execute
from tests.conftest import PROJECT


def outputs(notebook: nbformat.NotebookNode) -> list[str]:
    return [str(cell.outputs) for cell in notebook.cells if cell.cell_type == "code"]


def test_it_runs_from_its_folder_and_from_the_projects(
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
def test_it_shows_the_committed_results():
    metrics = json.loads((PROJECT / "metrics/metrics.json").read_text())
    (table,) = [text for text in outputs(nbformat.read(PROJECT / PAGE, 4)) if "gain" in text]
    for variant in metrics.keys() - {"data"}:
        assert str(metrics[variant]["test_accuracy"]) in table
