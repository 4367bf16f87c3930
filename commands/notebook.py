"""Run docs/from_the_notebook.ipynb on the results that are here and keep what it shows.

usage   python -m commands.notebook     with the packages of `make setup-dev`
reads   params.yaml, data/reviews, models/candidate, metrics/, plots/history
writes  docs/from_the_notebook.ipynb
"""

from copy import deepcopy
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from workflow.base.errors import run

PAGE = Path("docs/from_the_notebook.ipynb")


def execute(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Run its cells in this folder, without a trace of the machine and the time."""
    metadata = deepcopy(notebook.metadata)
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(
        notebook, timeout=600, record_timing=False, coalesce_streams=True, resources=resources
    ).execute()
    notebook.metadata = metadata
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]


def main() -> None:
    notebook = nbformat.read(PAGE, as_version=4)
    execute(notebook, PAGE.parent)
    nbformat.write(notebook, PAGE)
    print(f"{PAGE}: {PAGE.stat().st_size:,} bytes")


if __name__ == "__main__":
    run(main)
