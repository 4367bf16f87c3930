"""A tiny corpus in the layout of Keras's archive, and a workspace whose params.yaml pins it."""

import contextlib
import fcntl
import hashlib
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from ruamel.yaml import YAML

from workflow.base.errors import run

PROJECT = Path(__file__).parent.parent
WORDS = 60

# The tests and the processes that they start read no settings but their own. The processes of
# pytest-xdist inherit the environment of the first one, which makes a home for all.
FOREIGN = tuple(
    "AWS_ DASK_ DVC GIT_ JUPYTER KERAS LANGUAGE MAKE MFLAGS MPL PIP_ PYTHON TF_ XDG_".split()
)
IS_FIRST = "PYTEST_XDIST_WORKER" not in os.environ
if IS_FIRST:
    OWN_HOME = tempfile.TemporaryDirectory(prefix="home-")
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        del os.environ[name]
    os.environ |= {
        "REAL_ARCHIVE": os.environ.get("IMDB_MIRROR", ""),
        "IMDB_MIRROR": f"{OWN_HOME.name}/mirror",
        "HOME": OWN_HOME.name,
        "XDG_CACHE_HOME": f"{OWN_HOME.name}/.cache",
        "XDG_CONFIG_HOME": f"{OWN_HOME.name}/.config",
        "DVC_GLOBAL_CONFIG_DIR": f"{OWN_HOME.name}/.config/dvc",
        "DVC_SYSTEM_CONFIG_DIR": f"{OWN_HOME.name}/.config/dvc of the system",
        "DVC_SITE_CACHE_DIR": f"{OWN_HOME.name}/.cache/dvc",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "MPLBACKEND": "agg",
        "MPLCONFIGDIR": f"{OWN_HOME.name}/.config/matplotlib",
        "PIP_CONFIG_FILE": os.devnull,
    }

# How fast the machine is tells nothing about the code.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
PATIENCE = 600  # seconds, after which a test gives up waiting for an event


def wait_for(event: Callable[[], Any]) -> Any:
    """What `event` returns once that is true."""
    deadline = time.monotonic() + PATIENCE
    while not (value := event()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return value


def write_archive(folder: Path, save: Callable[..., None] = np.savez, **arrays: Any) -> Path:
    """imdb.npz and imdb_word_index.json with 60 training and 40 test reviews.

    Words 1 to 30 are more frequent in positive reviews, 31 to 60 in negative ones.
    """
    random = np.random.default_rng(7)

    def reviews(n: int) -> tuple[Any, Any]:
        y = random.integers(0, 2, n)
        x = np.empty(n, dtype=object)
        for i, label in enumerate(y):
            ranks = random.integers(1, WORDS // 2 + 1, random.integers(5, 20))
            flip = random.random(len(ranks)) < (0.2 if label else 0.8)
            x[i] = (ranks + flip * (WORDS // 2)).tolist()
        return x, y

    (x_train, y_train), (x_test, y_test) = reviews(60), reviews(40)
    content = {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test} | arrays
    folder.mkdir(parents=True, exist_ok=True)
    save(folder / "imdb.npz", **content)
    index = {f"w{rank}": rank for rank in range(1, WORDS + 1)}
    (folder / "imdb_word_index.json").write_text(json.dumps(index))
    return folder


if IS_FIRST:
    write_archive(Path(os.environ["IMDB_MIRROR"]))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The folder with the tiny corpus."""
    return Path(os.environ["IMDB_MIRROR"])


def edit_params(workspace: Path, **changes: Any) -> None:
    """Set dotted keys of the workspace's params.yaml: `data__seed=2` sets data.seed."""
    path, yaml = workspace / "params.yaml", YAML()
    params = yaml.load(path)
    for key, value in changes.items():
        *parents, last = key.split("__")
        block = params
        for parent in parents:
            block = block[parent]
        block[last] = value
    yaml.dump(params, path)


def pin(workspace: Path, mirror: Path) -> None:
    """Make the workspace accept the archive in `mirror`."""
    edit_params(
        workspace,
        data__keras__archive_sha256=[sha256(mirror / "imdb.npz")],
        data__keras__word_index_sha256=[sha256(mirror / "imdb_word_index.json")],
    )


@pytest.fixture
def workspace(tmp_path: Path, mirror: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of the test: this project, its params.yaml made small."""
    folder = make_workspace(tmp_path / "a workspace", mirror)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return folder


def make_workspace(folder: Path, mirror: Path) -> Path:
    folder.mkdir(parents=True)
    for name in ("params.yaml", "dvc.yaml", ".gitignore", ".gitattributes", ".dvcignore"):
        shutil.copy(PROJECT / name, folder)
    for name in ("commands", "docs", "examples", "stages", "workflow", ".dvc/plots"):
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / ".dvc/config", folder / ".dvc/config")
    pin(folder, mirror)
    edit_params(
        folder,
        features__multi_hot__num_words=50,
        train__seeds=3,
        variants={
            "single": {"recipe": "baselines.single", "features": "multi_hot"},
            "candidate": {"recipe": "model", "features": "ngrams"},
        },
        model__epochs=10,
        model__units=4,
        model__dropout=0.3,
        model__learning_rate=0.05,
        baselines__single__epochs=2,
    )
    return folder


@pytest.fixture(scope="session")
def real_archive() -> Path:
    """The folder with the archive that Keras serves: IMDB_MIRROR as the tests were started."""
    folder = Path(os.environ["REAL_ARCHIVE"])
    if not (folder / "imdb.npz").is_file():
        pytest.skip("set IMDB_MIRROR to a folder with imdb.npz to test on the real archive")
    return folder.absolute()


# --- a stage or a command in this process: without the seconds that its imports take --------------


def call(module: str, *arguments: str) -> None:
    """What `python -m MODULE ARGUMENTS` does in the current folder."""
    with mock.patch.object(sys, "argv", [module, *arguments]):
        run(importlib.import_module(module).main)


def refusal(module: str, *arguments: str) -> str:
    """The sentence with which it ends; any other exception, as a traceback, fails the test."""
    with pytest.raises(SystemExit) as ended:
        call(module, *arguments)
    assert isinstance(ended.value.code, str)
    return ended.value.code


# --- a page in a browser ----------------------------------------------------------------------


def seen_in_chromium(page: Path, width: int, script: str, *, dark: bool = False) -> Any:
    """The value of a JavaScript expression in the page, drawn without a network."""
    chromium = shutil.which("chromium")
    if not chromium:
        pytest.skip("apt-get install chromium to test the pages")
    start, _, end = page.read_text("utf-8").rpartition("</body>")
    report = f"""<script>addEventListener("load", () => setTimeout(() => {{
      const seen = JSON.stringify({script});
      document.body.innerHTML = `<pre>${{seen}}</pre>`;
    }}, 3000));</script></body>"""
    copy = page.with_name("seen.html")
    copy.write_text(start + report + end, "utf-8")
    options = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync"
    options += " --disable-background-networking --disable-component-update --dump-dom"
    seen = subprocess.run(
        [
            *(chromium, *options.split(), f"--user-data-dir={page.with_name('profile')}"),
            *("--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=20000"),
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            *(f"--window-size={width},900", copy.as_uri()),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    return json.loads(re.findall("<pre>(.*)</pre>", seen.stdout)[-1])


# --- a Git repository with DVC results ------------------------------------------------------------

TRAINED = ["single", "candidate"]
PER_VARIANT = ("train", "evaluate")
STAGES = ["download", "vectorize@multi_hot", "vectorize@ngrams"]
STAGES += [f"{stage}@{variant}" for stage in PER_VARIANT for variant in TRAINED]
STAGES += ["compare", "plot"]


def stages_run(output: str) -> list[str]:
    """In order of their names: DVC runs what can be run in any order."""
    return sorted(re.findall("Running stage '(.*)'", output))


def results(folder: Path) -> dict[str, Any]:
    """The hash of every file that the pipeline wrote, and dvc.lock with its stages in any order."""
    hashes = {
        str(path.relative_to(folder)): sha256(path)
        for top in ("data", "models", "metrics", "plots")
        for path in sorted((folder / top).rglob("*"))
        if path.is_file()
    }
    return hashes | {"dvc.lock": YAML(typ="safe").load(folder / "dvc.lock")}


def try_in(
    folder: Path, line: str, *more: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the words of `line` and `more`; a path may have spaces, so it is one of `more`."""
    assert "/" not in line
    return subprocess.run(
        [*line.split(), *more],
        cwd=folder,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def run_in(folder: Path, line: str, *more: str) -> str:
    """The output of a command that must succeed."""
    result = try_in(folder, line, *more)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def commit_in(folder: Path) -> None:
    run_in(folder, "git add --all")
    run_in(folder, "git commit --quiet --message Results")


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that the first process to need it makes for all; so tests only look at it."""
    base = factory.getbasetemp()
    shared = base if IS_FIRST else base.parent
    folder, begun = shared / "a path with spaces" / name, shared / f"{name} begun"
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            make(begun)
            folder.parent.mkdir(exist_ok=True)
            begun.rename(folder)
    return folder


def run_stages() -> None:
    """Every stage, in the current folder and in this process."""
    for stage in STAGES:
        name, *item = stage.split("@")
        call(f"stages.{name}", *item)


@pytest.fixture(scope="session")
def repository(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository in which all stages have run once; their results are committed.

    DVC has recorded them, but not run them: an experiment and test_elsewhere.py do that.
    """

    def make(folder: Path) -> None:
        make_workspace(folder, mirror)
        run_in(folder, "git init --quiet --initial-branch main")
        run_in(folder, "git config user.email someone@example.org")
        run_in(folder, "git config user.name Someone")
        with contextlib.chdir(folder):
            run_stages()
        run_in(folder, "dvc commit --force")
        forget_what_only_git_keeps(folder / ".dvc/cache")
        commit_in(folder)

    return made_once(tmp_path_factory, "repository", make)


def forget_what_only_git_keeps(cache: Path) -> None:
    """`dvc commit` keeps runs of stages with such outputs, and lists of files; `dvc repro` not."""
    lock = YAML(typ="safe").load(cache.parent.parent / "dvc.lock")["stages"]
    for stage in ("compare", "plot"):
        for out in lock[stage]["outs"]:
            if out["md5"].endswith(".dir"):
                (cache / "files/md5" / out["md5"][:2] / out["md5"][2:]).unlink()
    for record in [*(cache / "runs").glob("*/*/*")]:
        if re.search(r"stages\.(compare|plot)", record.read_text()):
            shutil.rmtree(record.parent)


class Experiment(NamedTuple):
    folder: Path
    output: str  # of DVC


@pytest.fixture(scope="session")
def experiment(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    """A copy of the repository in which DVC has tried another candidate."""

    def make(folder: Path) -> None:
        shutil.copytree(repository, folder)
        change = "dvc exp run --name one -S model.dropout=0.9 -S model.epochs=1"
        (folder / "output").write_text(run_in(folder, change))

    folder = made_once(tmp_path_factory, "experiment", make)
    return Experiment(folder, (folder / "output").read_text())


@pytest.fixture
def copy(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of the test: a copy of the repository, to be changed."""
    folder = Path(shutil.copytree(repository, tmp_path / "a copy"))
    monkeypatch.chdir(folder)
    return folder


Dvc = Callable[..., str]


@pytest.fixture
def dvc(copy: Path) -> Dvc:
    """Run dvc in the copy."""
    return lambda line, *more: run_in(copy, f"dvc {line}", *more)
