"""docs/from_the_notebook.ipynb runs, on small results, and is kept without outputs."""

import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import PROJECT

NOTEBOOK = PROJECT / "docs/from_the_notebook.ipynb"


@pytest.mark.parametrize("folder", ["docs", "."])
def test_it_runs_from_its_folder_and_from_the_projects(
    folder: str, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.delenv("MPLBACKEND", raising=False)  # the kernel sets its own
    shutil.copy(NOTEBOOK, copy / "docs")
    notebook = nbformat.read(copy / "docs" / NOTEBOOK.name, as_version=4)
    notebook.cells.insert(2, notebook.cells[1].copy())  # its first cell, run twice
    where = {"metadata": {"path": str(copy / folder)}}
    NotebookClient(notebook, timeout=600, resources=where).execute()
    outputs = [str(cell.get("outputs")) for cell in notebook.cells if cell.cell_type == "code"]
    expected = ["", "", "units", "gain", "ative", "image/png", "array", "", "split"]
    for output, word in zip(outputs, expected, strict=True):
        assert word in output


def test_it_is_kept_without_outputs():
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
