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
from ruamel.yaml import YAML

from workflow.base.errors import InputError, reading
from workflow.base.files import (
    CORRECT,
    FIGURES,
    HELD_OUT_REVIEWS,
    METRICS,
    RERUN_HINT,
    SCORES,
    DataFacts,
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
from workflow.params import RENAMED

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
    commits = [e.commit for e in experiments() if e.name == revision]
    if len(commits) == 1:
        return commits[0]
    if commits:
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

    Every file is checked when it is first read: InputError if it is missing or damaged.
    """

    def __init__(self, name: str, folder: Path = Path()) -> None:
        self.name, self.folder = name, folder
        for path in (METRICS, SCORES, CORRECT):
            if not (folder / path).exists():
                raise InputError(f"{name} has no {path}; run `dvc repro` in that version")

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Errors about a file of a revision name the revision: `dvc repro` cannot mend that."""
        try:
            yield
        except InputError as error:
            if self.folder == Path():
                raise
            message = str(error).removesuffix(RERUN_HINT).removesuffix(RESTORE_HINT)
            message = message.replace(f"{self.folder}{os.sep}", "")
            raise InputError(f"{message}; this is in {self.name}: compare with another") from None

    @cached_property
    def facts(self) -> DataFacts:
        with self.reading():
            return read_facts(self.folder / METRICS)

    @cached_property
    def scores(self) -> pd.DataFrame:
        """A row per variant and seed."""
        with self.reading():
            return read_scores(self.folder / SCORES)

    @cached_property
    def variants(self) -> list[str]:
        return list(self.scores["variant"].unique())

    @cached_property
    def seeds(self) -> list[int]:
        """The seeds, which all variants share."""
        return [int(seed) for seed in self.scores["seed"].unique()]

    @cached_property
    def correct(self) -> dict[str, Correct]:
        """By variant, what each seed gets right; checked against the facts and scores."""
        by_variant = {}
        for variant in self.variants:
            path = self.folder / CORRECT / f"{variant}.npz"
            with self.reading():
                bits = by_variant[variant] = read_correct(path)
                if not self._belong_together(variant, bits):
                    reason = f"not of the same run as {SCORES} and {METRICS}"
                    raise InputError(f"{path}: {reason}{RERUN_HINT}")
        return by_variant

    def _belong_together(self, variant: str, bits: Correct) -> bool:
        if not bits.sha256.startswith(self.facts.sha256):
            return False
        reviews = {"validation": self.facts.validation_reviews, "test": self.facts.test_reviews}
        for split, right in bits.by_split.items():
            accuracy = self.metric(variant, f"{split}_accuracy")
            if bits.seeds.tolist() != list(accuracy.index):
                return False
            if right.shape != (len(accuracy), reviews[split]):
                return False
            if not np.allclose(right.mean(axis=1), accuracy, rtol=0, atol=1e-5):
                return False
        return True

    @cached_property
    def held_out(self) -> "dict[str, pd.DataFrame] | None":
        """By split, a row per review; None if an earlier version wrote these results."""
        if not (self.folder / HELD_OUT_REVIEWS).exists():
            return None
        with self.reading():
            tables = read_descriptions(self.folder / HELD_OUT_REVIEWS)
            for split, table in tables.items():
                if len(table) != getattr(self.facts, f"{split}_reviews"):
                    raise InputError(
                        f"{HELD_OUT_REVIEWS}: not of the same run as {METRICS}{RERUN_HINT}"
                    )
            return tables

    def sizes(self, variant: str) -> dict[str, int]:
        """Columns, weights and bytes of a variant; empty in results of earlier versions."""
        return dict(self._metrics.get(variant, {}).get("size", {}))

    @property
    def has_rare_label(self) -> bool:
        """Whether compare found a label so rare that it wrote more scores than accuracy."""
        return any("test_f1_of_rarer_label" in self._metrics.get(v, {}) for v in self.variants)

    @cached_property
    def _metrics(self) -> dict[str, Any]:
        with self.reading():
            return read_json(self.folder / METRICS, dict[str, Any])  # type: ignore[no-any-return]

    def metric(self, variant: str, name: str) -> "pd.Series[float]":
        """A column of the scores of a variant, by seed."""
        rows = self.scores[self.scores["variant"] == variant]
        return rows.set_index("seed")[name]

    def figures(self) -> dict[str, bytes]:
        """The content of each picture by its file name."""
        return {path.name: path.read_bytes() for path in sorted((self.folder / FIGURES).glob("*"))}

    @cached_property
    def params(self) -> dict[str, Any]:
        """The values in params.yaml by dotted keys; unchecked, it may be of another version."""
        with self.reading():
            return dict(flatten(read_yaml(self.folder / PARAMS)))

    @cached_property
    def stale_params(self) -> list[str]:
        """The keys of params.yaml whose values are not those that the stages ran with.

        dvc.lock has these; it also keeps stages that have left dvc.yaml, which do not count.
        """
        if not (self.folder / LOCK).exists():
            return []
        features = {key.split(".")[1] for key in self.params if key.startswith("features.")}
        stale: set[str] = set()
        with self.reading():
            stages = read_stages(self.folder / PIPELINE)
            for full_name, stage in read_stages(self.folder / LOCK).items():
                name, _, item = full_name.partition("@")
                if name not in stages or item not in ("", *features, *self.variants):
                    continue
                for block, value in stage.get("params", {}).get(str(PARAMS), {}).items():
                    ran = dict(flatten(value, block))
                    here = {k: v for k, v in self.params.items() if f"{k}.".startswith(f"{block}.")}
                    same = {k for k in here.keys() & ran.keys() if here[k] == ran[k]}
                    stale |= {*here, *ran} - same
        return sorted(stale)

    def recipe(self, variant: str) -> dict[str, Any]:
        """What params.yaml says of the variant's recipe, unchecked."""
        place = f"{self.params.get(f'variants.{variant}.recipe')}."
        params = self.params.items()
        return {key.removeprefix(place): v for key, v in params if key.startswith(place)}


def flatten(value: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings by their dotted keys; a list is a leaf.

    Parameters that another version calls otherwise get their present names.
    """
    if not isinstance(value, dict):
        yield above, value
        return
    for key, inner in value.items():
        named_by_user = above in ("variants", "baselines")
        name = str(key) if named_by_user else RENAMED.get(str(key), str(key))
        yield from flatten(inner, f"{above}.{name}" if above else name)


def read_stages(path: Path) -> dict[str, dict[str, Any]]:
    """The stages in dvc.yaml or dvc.lock by name; InputError if it cannot be read."""
    with reading(path, RESTORE_HINT):
        stages = (YAML(typ="safe").load(path) or {}).get("stages") or {}
        return {name: stage.get("do", stage) for name, stage in stages.items()}


class Experiment(NamedTuple):
    """What `dvc exp run` keeps in Git, as refs/exps/BA/SE…/NAME."""

    name: str
    commit: str
    base: str
    tree: str  # the same files, the same tree


def experiments() -> list[Experiment]:
    """DVC's experiments in this clone."""
    found = []
    form = "--format=%(objectname) %(tree) %(refname)"
    for line in git("for-each-ref", form, "refs/exps").decode().splitlines():
        commit, tree, reference = line.split(" ", 2)
        if match := re.fullmatch("refs/exps/([0-9a-f]{2})/([0-9a-f]{38})/(.+)", reference):
            found.append(Experiment(match[3], commit, match[1] + match[2], tree))
    return found


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
        InputError: this clone has no such revision, or the revision has no results.
    """
    commit = resolve(name)
    title = name if commit.startswith(name) else f"{name} ({commit[:7]})"
    listed = git("ls-tree", "--name-only", "-z", commit, "./").decode().split("\0")
    wanted = (str(PARAMS), str(PIPELINE), str(LOCK), METRICS.parts[0], FIGURES.parts[0])
    paths = [path for path in wanted if path in listed]
    with tempfile.TemporaryDirectory() as folder:
        if paths:
            archive = git("archive", "--format=zip", "-0", commit, "--", *paths)
            with zipfile.ZipFile(io.BytesIO(archive)) as files:
                files.extractall(folder)  # writes neither links nor outside of the folder
        yield Results(title, Path(folder)), commit
