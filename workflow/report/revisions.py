"""The results of a Git revision and of the workspace: what is in metrics/ and plots/figures/."""

import io
import os
import re
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from ruamel.yaml import YAML

from workflow.base.errors import InputError, reading
from workflow.base.files import (
    CORRECT,
    FIGURES,
    HELD_OUT_REVIEWS,
    METRICS,
    RERUN_HINT,
    SCORES,
    read_json,
)
from workflow.base.schema import read_yaml
from workflow.evaluation.results import (
    Correct,
    read_correct,
    read_descriptions,
    read_facts,
    read_scores,
)

PARAMS, PIPELINE, LOCK = Path("params.yaml"), Path("dvc.yaml"), Path("dvc.lock")

RESTORE_HINT = "; `git checkout` restores the committed version"

NO_REPOSITORY = (
    "this folder is not in a Git repository: clone the project or, if you unpacked a ZIP, run "
    "`git init && git add --all && git commit -m Start`"
)


def git(*arguments: str) -> bytes:
    """What a Git command prints.

    Raises:
        InputError: the command fails; the message gives a remedy, or else Git's reason.
    """
    command, environment = ["git", *arguments], os.environ | {"LC_ALL": "C"}
    try:
        result = subprocess.run(command, capture_output=True, check=False, env=environment)  # noqa: S603
    except FileNotFoundError:
        raise InputError("git is not on PATH: install Git") from None
    if result.returncode:
        reason = result.stderr.decode(errors="replace")
        if "not a git repository" in reason:
            raise InputError(NO_REPOSITORY)
        if remedy := re.search("git config --global --add safe.directory .*", reason):
            raise InputError(
                "this checkout belongs to another user, so Git refuses to read it; if you trust "
                f"it, run `{remedy[0]}`"
            )
        lines = [line for line in reason.splitlines() if not line.startswith("hint:")]
        reason = " ".join(" ".join(lines).split())[:600]
        raise InputError(f"`{' '.join(command)}` failed: {reason}")
    return result.stdout


def resolve(revision: str) -> str:
    """The commit that a Git revision or the name of a DVC experiment stands for.

    Raises:
        InputError: this clone does not have it, or several experiments have the name.
    """
    git("rev-parse", "--git-dir")
    with suppress(InputError):
        return git("rev-parse", "--verify", f"{revision}^{{commit}}").decode().strip()
    if commits := [e.commit for e in experiments() if e.name == revision]:
        if len(commits) == 1:
            return commits[0]
        listed = ", ".join(commit[:7] for commit in commits)
        raise InputError(f"several experiments are called {revision!r}; name a commit: {listed}")
    shallow = git("rev-parse", "--is-shallow-repository").strip() == b"true"
    message = f"this {'shallow ' if shallow else ''}clone has no revision {revision!r}"
    if shallow:
        message += "; `git fetch --unshallow` brings earlier commits"
    if re.fullmatch(r"(?![0-9a-f]{4,39}$)\w[\w./-]*", revision):
        message += f"; `git fetch origin {revision}` brings a branch or tag, as FETCH_HEAD"
    raise InputError(message)


def merge_base(commit: str) -> str:
    """The last common ancestor of a commit and HEAD; the commit itself if this clone has none."""
    try:
        return git("merge-base", commit, "HEAD").decode().strip()
    except InputError:
        return commit


class Results:
    """What compare and plot wrote, in the workspace or in a copy of a revision.

    Attributes:
        facts: of the data.
        scores: a row per variant and seed, which are its index.
        variants: their names.
        seeds: which all variants share.
        params: the values in params.yaml by dotted keys; unchecked, it may be of another version.

    Raises:
        InputError: a file is missing or damaged.
    """

    def __init__(self, folder: Path = Path(), name: str = "the workspace") -> None:
        self.name, self.folder = name, folder
        for path in (METRICS, SCORES, CORRECT):
            if not (folder / path).exists():
                raise InputError(f"{name} has no {path}; run `dvc repro` in that version")
        self.facts = read_facts(folder / METRICS)
        self.metrics: dict[str, Any] = read_json(folder / METRICS, dict[str, Any])
        self.scores = read_scores(folder / SCORES).set_index(["variant", "seed"])
        self.variants: list[str] = self.scores.index.unique("variant").tolist()
        self.seeds: list[int] = self.scores.index.unique("seed").tolist()
        self.params: dict[str, Any] = dict(flatten(read_yaml(folder / PARAMS)))

    @cached_property
    def correct(self) -> dict[str, Correct]:
        """By variant, what each seed gets right; checked against the facts and scores."""
        by_variant = {}
        for variant in self.variants:
            path, scores = self.folder / CORRECT / f"{variant}.npz", self.scores.loc[variant]
            correct = by_variant[variant] = read_correct(path)
            same_run = (
                correct.sha256.startswith(self.facts.sha256)
                and correct.seeds.tolist() == scores.index.tolist()
                and all(
                    bits.shape[1] == self.reviews(split)
                    and np.allclose(bits.mean(axis=1), scores[f"{split}_accuracy"], 0, 1e-5)
                    for split, bits in correct.by_split.items()
                )
            )
            if not same_run:
                reason = f"not of the same run as {SCORES} and {METRICS}"
                raise InputError(f"{path}: {reason}{RERUN_HINT}")
        return by_variant

    def reviews(self, split: str) -> int:
        """The number of validation or test reviews."""
        return int(getattr(self.facts, f"{split}_reviews"))

    def bits(self, variant: str, split: str, seeds: list[int]) -> NDArray[np.bool_]:
        """What these seeds get right, (seeds, reviews); all seeds if the list is empty."""
        correct = self.correct[variant]
        return correct.by_split[split][np.isin(correct.seeds, seeds or self.seeds)]

    @cached_property
    def held_out(self) -> dict[str, pd.DataFrame]:
        """By split, a row per review."""
        path = self.folder / HELD_OUT_REVIEWS
        tables = read_descriptions(path)
        if any(len(table) != self.reviews(split) for split, table in tables.items()):
            raise InputError(f"{path}: not of the same run as {METRICS}{RERUN_HINT}")
        return tables

    def stale_params(self) -> list[str]:
        """The keys of params.yaml whose values are not those that the stages ran with.

        dvc.lock has these; it also keeps stages that have left dvc.yaml, which do not count.
        """
        if not (self.folder / LOCK).exists():
            return []
        items = {key.split(".")[1] for key in self.params if key.startswith("features.")}
        items |= {"", *self.variants}
        stages = read_stages(self.folder / PIPELINE)
        stale: set[str] = set()
        for full_name, stage in read_stages(self.folder / LOCK).items():
            name, _, item = full_name.partition("@")
            if name in stages and item in items:
                for block, value in stage.get("params", {}).get(str(PARAMS), {}).items():
                    here = {k: v for k, v in self.params.items() if f"{k}.".startswith(f"{block}.")}
                    stale |= changed_values(dict(flatten(value, block)), here).keys()
        return sorted(stale)


def changed_values(old: dict[str, Any], new: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Both values of each key where they differ; a missing one is None."""
    values = {key: {"old": old.get(key), "new": new.get(key)} for key in {**old, **new}}
    return {key: value for key, value in values.items() if value["old"] != value["new"]}


def flatten(value: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings by their dotted keys; a list is a leaf."""
    if not isinstance(value, dict):
        yield above, value
        return
    for key, inner in value.items():
        yield from flatten(inner, f"{above}.{key}" if above else str(key))


def read_stages(path: Path) -> dict[str, dict[str, Any]]:
    """The stages in dvc.yaml or dvc.lock by name; InputError if it cannot be read."""
    with reading(path, RESTORE_HINT):
        stages = (YAML(typ="safe").load(path) or {}).get("stages") or {}
        return {name: stage.get("do", stage) for name, stage in stages.items()}


class Experiment(NamedTuple):
    """What `dvc exp run` keeps in Git, as refs/exps/BA/SE…/NAME."""

    commit: str
    tree: str  # the same files, the same tree
    base: str
    name: str


def experiments() -> list[Experiment]:
    """DVC's experiments in this clone."""
    listed = git("for-each-ref", "--format=%(objectname) %(tree) %(refname)", "refs/exps").decode()
    reference = r"^(\w+) (\w+) refs/exps/([0-9a-f]{2})/([0-9a-f]{38})/(.+)$"
    found = re.findall(reference, listed, re.MULTILINE)
    return [Experiment(commit, tree, a + b, name) for commit, tree, a, b, name in found]


def without_results(base: str) -> dict[str, str]:
    """The DVC experiments on a commit that are queued or failed: which of the two, by name.

    DVC keeps them as two stashes of Git, with messages like "commit:dvc-exp:HEAD:BASE:NAME".
    """
    listed = git("log", "-g", "--format=%gD %gs", "--glob=refs/exps/celery").decode()
    states = {"stash": "queued", "failed": "failed"}
    found = re.findall(rf"^refs/exps/celery/(\w+)@.*:{base}:([^:\n]+)", listed, re.MULTILINE)
    return {name: states[place] for place, name in found if place in states}


def stored_results(commit: str = "") -> dict[str, str]:
    """The Git objects of metrics/correct by variant, in a commit or in the workspace."""
    if not commit:
        paths = sorted(CORRECT.glob("*.npz"))
        objects = git("hash-object", *map(str, paths)).decode().split()
        return {path.stem: name for path, name in zip(paths, objects, strict=True)}
    listed = git("ls-tree", commit, f"./{CORRECT}/").decode().splitlines()
    return {Path(line).stem: line.split()[2] for line in listed}


@contextmanager
def revision(name: str) -> Iterator[tuple[Results, str]]:
    """The results that a revision has in Git, in a temporary folder, and its commit.

    Raises:
        InputError: this clone has no such revision, or its results are missing or damaged, also if
            that is found only in the body: `dvc repro`, which other messages name, cannot mend it.
    """
    commit = resolve(name)
    title = name if commit.startswith(name) else f"{name} ({commit[:7]})"
    listed = git("ls-tree", "--name-only", "-z", commit, "./").decode().split("\0")
    wanted = (str(PARAMS), str(PIPELINE), str(LOCK), METRICS.parts[0], FIGURES.parts[0])
    with tempfile.TemporaryDirectory() as folder:
        if paths := [path for path in wanted if path in listed]:
            archive = git("archive", "--format=zip", "-0", commit, "--", *paths)
            with zipfile.ZipFile(io.BytesIO(archive)) as files:
                files.extractall(folder)  # writes neither links nor outside of the folder
        try:
            yield Results(Path(folder), title), commit
        except InputError as error:
            if folder not in str(error):
                raise
            message = str(error).replace(f"{folder}{os.sep}", "")
            message = message.removesuffix(RERUN_HINT).removesuffix(RESTORE_HINT)
            raise InputError(f"{message}; this is in {title}: compare with another") from None
