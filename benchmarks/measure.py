"""What the parts of the benchmark share: commands that are run and measured, clones, spreads."""

import json
import os
import platform
import statistics
import subprocess
import tempfile
import textwrap
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from tabulate import tabulate

from workflow.base.files import FIGURES, HISTORY
from workflow.model.seeds import CLUSTER
from workflow.params import load_params
from workflow.text.fetch import find

PROJECT = Path(__file__).parent.parent
MEASURED = Path(__file__).parent / "measured"  # a file for each part


class Run(NamedTuple):
    """A command that has ended: what it printed, and what it and all it started needed."""

    output: str
    seconds: float
    peak: float  # MB, of the largest process; at least that of the benchmark, some 150 MB


def run(folder: Path, *command: str, limit: float = 0, environment: dict[str, str]) -> Run:
    """Run a command to its end; `limit` is how many GB each of its processes may allocate.

    Raises:
        CalledProcessError: it failed; what it printed is added.
    """
    if limit:
        command = "prlimit", f"--data={limit * 1e9:.0f}", *command
    inherited = {name: value for name, value in os.environ.items() if name != CLUSTER}
    with tempfile.TemporaryFile("w+") as output:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=output, env=inherited | environment)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:  # the benchmark is ended: this process too
            process.terminate()
            raise
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        printed = output.read()
        if status:
            error = subprocess.CalledProcessError(process.returncode, command)
            error.add_note(printed[-2000:])
            raise error
        return Run(printed, seconds, usage.ru_maxrss * 1024 / 1e6)


def edit_params(folder: Path, edit: Callable[[Any], None]) -> None:
    path, yaml = folder / "params.yaml", YAML()
    params = yaml.load(path)
    edit(params)
    yaml.dump(params, path)


def keep_variants(folder: Path, names: tuple[str, ...], seeds: int | None = None) -> None:
    """These alone, with so many seeds; nothing is left of the others."""

    def edit(params: Any) -> None:
        params["train"]["seeds"] = seeds or params["train"]["seeds"]
        params["variants"] = {name: params["variants"][name] for name in names}

    edit_params(folder, edit)
    for path in (*(folder / HISTORY).glob("*"), *(folder / FIGURES).glob("learning_curves_*")):
        path.unlink()


def archive(folder: Path) -> Path:
    """A folder with the two files of keras.datasets.imdb, their hashes checked."""
    source = load_params(PROJECT / "params.yaml").data.keras
    for name, hashes in (
        ("imdb.npz", source.archive_sha256),
        ("imdb_word_index.json", source.word_index_sha256),
    ):
        (folder / name).write_bytes(find(name, hashes, source.url))
    return folder


def size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())


def measured(part: str) -> list[dict[str, Any]]:
    """All repetitions of a part; none if it was not measured."""
    path = MEASURED / f"{part}.json"
    return json.loads(path.read_text("utf-8"))["repetitions"] if path.exists() else []


def table(rows: list[dict[str, str]]) -> str:
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


def paragraph(text: str) -> str:
    """As lines of a page."""
    return textwrap.fill(
        " ".join(text.split()), 100, break_long_words=False, break_on_hyphens=False
    )


def spread(values: list[float], digits: int) -> str:
    """The median, with the lowest and the highest."""
    middle, low, high = (f"{f(values):,.{digits}f}" for f in (statistics.median, min, max))
    return middle if low == high else f"{middle} [{low}, {high}]"


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    cpu = next(line.split(": ")[1] for line in lines if line.startswith("model name"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = "tensorflow-cpu keras numpy scipy scikit-learn dvc".split()
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        f"{cpu}, {os.cpu_count()} cores, {memory:.0f} GiB; {platform.system()}, "
        f"Python {platform.python_version()}, {versions}"
    )
