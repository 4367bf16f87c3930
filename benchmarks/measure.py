"""What the parts of the benchmark share: commands that are run and measured, and their results."""

import functools
import json
import operator
import os
import platform
import subprocess
import sys
import tempfile
import textwrap
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from workflow.model.seeds import CLUSTER

PROJECT = Path(__file__).parent.parent
MEASURED = Path(__file__).parent / "measured"  # a file for each part
Measured = dict[str, Any]  # what a part found


class Run(NamedTuple):
    """A command that has ended: what it printed, and what it and all it started needed."""

    output: str
    seconds: float
    peak: float  # MB, of the largest process; at least that of the benchmark, some 150 MB

    @property
    def last_json(self) -> Any:
        """The last line that it printed, read as JSON."""
        return json.loads(self.output.splitlines()[-1])


def run(folder: Path, *command: str) -> Run:
    """Run a command to its end; CalledProcessError, with what it printed, if it fails."""
    environment = {name: value for name, value in os.environ.items() if name != CLUSTER}
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, env=environment)
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
        raise subprocess.CalledProcessError(process.returncode, command, printed)
    return Run(printed, seconds, usage.ru_maxrss * 1024 / 1e6)


def python(folder: Path, module: str, *arguments: str) -> Run:
    return run(folder, sys.executable, "-m", module, *arguments)


def set_params(folder: Path, values: dict[str, Any]) -> None:
    """Set values in params.yaml; a dot in a key leads into a block."""
    path, yaml = folder / "params.yaml", YAML()
    params = yaml.load(path)
    for key, value in values.items():
        *blocks, name = key.split(".")
        functools.reduce(operator.getitem, blocks, params)[name] = value
    yaml.dump(params, path)


def size(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def measured(part: str) -> Measured:
    """What a part found; empty if it was not measured."""
    path = MEASURED / f"{part}.json"
    found: Measured = json.loads(path.read_text("utf-8"))["values"] if path.exists() else {}
    return found


def paragraph(text: str) -> str:
    """The text in lines of up to 100 letters; headings, lists and tables stay as they are."""
    if text.startswith(("#", "-", "|")):
        return text
    wrapper = textwrap.TextWrapper(100, break_long_words=False, break_on_hyphens=False)
    return wrapper.fill(" ".join(text.split()))


def write_page(name: str, *parts: str) -> None:
    """Write a page of benchmarks/."""
    content = "\n\n".join(map(paragraph, parts)) + "\n"
    Path(__file__).with_name(f"{name}.md").write_text(content, "utf-8")


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    cpu = next(line.split(": ")[1] for line in lines if line.startswith("model name"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = "tensorflow-cpu keras numpy scipy scikit-learn dvc".split()
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    system = f"{platform.system()}, Python {platform.python_version()}"
    return f"{cpu}, {os.cpu_count()} cores, {memory:.0f} GiB; {system}, {versions}"
