"""The results of a Git revision and of the workspace: what is in metrics/ and plots/figures/."""

import io
import os
import re
import subprocess
import tempfile
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from workflow.base.errors import InputError, reading
from workflow.base.files import CORRECT, FIGURES, METRICS, RERUN_HINT, SCORES, DataFacts
from workflow.base.schema import read_yaml
from workflow.evaluation.results import Correct, read_correct, read_facts, read_scores

PARAMS, LOCK = Path("params.yaml"), Path("dvc.lock")

GIT_MAY_HAVE_IT = f"; Git may have it whole: `git checkout {LOCK}`"

NO_REPOSITORY = (
    "this folder is in no Git repository, as one unpacked from a ZIP: clone the project, or "
    "`git init && git add --all && git commit -m Start`"
)


def git(*words: str) -> bytes:
    """What a Git command prints.

    Raises:
        InputError: it fails: what to do about it, or else its reason.
    """
    line = ["git", *words]
    try:
        result = subprocess.run(  # noqa: S603
            line, capture_output=True, check=False, env=os.environ | {"LC_ALL": "C"}
        )
    except FileNotFoundError:
        raise InputError("git is not on PATH: install Git") from None
    if result.returncode:
        reason = result.stderr.decode(errors="replace")
        if "not a git repository" in reason:
            raise InputError(NO_REPOSITORY)
        if remedy := re.search("git config --global --add safe.directory .*", reason):
            raise InputError(
                "this checkout belongs to another user, so that Git does not read it; if you trust "
                f"it: `{remedy[0]}`"
            )
        said = [text for text in reason.splitlines() if not text.startswith("hint:")]
        raise InputError(f"`{' '.join(line)}` failed: {' '.join(' '.join(said).split())[:600]}")
    return result.stdout


def commit_of(revision: str) -> str:
    """Its hash; InputError if this clone does not have it."""
    git("rev-parse", "--git-dir")
    try:
        return git("rev-parse", "--verify", f"{revision}^{{commit}}").decode().strip()
    except InputError:
        shallow = git("rev-parse", "--is-shallow-repository").strip() == b"true"
        said = f"this {'shallow ' if shallow else ''}clone has no revision {revision!r}"
        if shallow:
            said += "; `git fetch --unshallow` brings what came before"
        if re.fullmatch(r"(?![0-9a-f]{4,39}$)\w[\w./-]*", revision):
            fetch = f"`git fetch origin {revision}` brings a branch or tag"
            said += f"; {fetch}, which is FETCH_HEAD then"
        raise InputError(said) from None


def merge_base(commit: str) -> str:
    """The last commit that it and HEAD have in common; itself where this clone has none."""
    try:
        return git("merge-base", commit, "HEAD").decode().strip()
    except InputError:
        return commit


class Results:
    """What compare and plot wrote, in the workspace or in a copy of a revision.

    All that is read is checked; InputError where it is missing or damaged.
    """

    def __init__(self, name: str, folder: Path = Path()) -> None:
        self.name, self.folder = name, folder
        for path in (METRICS, SCORES, CORRECT):
            if not (folder / path).exists():
                raise InputError(f"{name} has no {path}; `dvc repro` of this version makes it")

    @contextmanager
    def named(self) -> Iterator[None]:
        """Where a file of a revision is damaged, nothing here can mend it: say where it is."""
        try:
            yield
        except InputError as error:
            if self.folder == Path():
                raise
            said = str(error).removesuffix(RERUN_HINT).removesuffix(GIT_MAY_HAVE_IT)
            said = said.replace(f"{self.folder}{os.sep}", "")
            raise InputError(f"{said}; so it is in {self.name}: compare with another") from None

    @cached_property
    def facts(self) -> DataFacts:
        """Of the data."""
        with self.named():
            return read_facts(self.folder / METRICS)

    @cached_property
    def scores(self) -> pd.DataFrame:
        """A row per variant and seed."""
        with self.named():
            return read_scores(self.folder / SCORES)

    @cached_property
    def variants(self) -> list[str]:
        return list(self.scores["variant"].unique())

    @cached_property
    def correct(self) -> dict[str, Correct]:
        """What each seed of a variant gets right: of the data and with the scores beside it."""
        found = {}
        reviews = {"validation": self.facts.validation_reviews, "test": self.facts.test_reviews}
        for variant in self.variants:
            path = self.folder / CORRECT / f"{variant}.npz"
            with self.named():
                bits = found[variant] = read_correct(path)
            with self.named(), reading(path, RERUN_HINT):
                for split, number in reviews.items():
                    scores, right = self.metric(variant, f"{split}_accuracy"), bits.of[split]
                    if not (
                        bits.sha256.startswith(self.facts.sha256)
                        and bits.seeds.tolist() == list(scores.index)
                        and right.shape == (len(scores), number)
                        and np.allclose(right.mean(axis=1), scores, rtol=0, atol=1e-5)
                    ):
                        raise ValueError(f"not of the same run as {SCORES} and {METRICS}")
        return found

    @cached_property
    def seeds(self) -> list[int]:
        """Of every variant."""
        return [int(seed) for seed in self.scores["seed"].unique()]

    def metric(self, variant: str, name: str) -> "pd.Series[float]":
        """A column of the scores, by seed."""
        of_variant = self.scores[self.scores["variant"] == variant]
        return of_variant.set_index("seed")[name]

    def figures(self) -> dict[str, bytes]:
        """The pictures by their names."""
        return {path.name: path.read_bytes() for path in sorted((self.folder / FIGURES).glob("*"))}

    @cached_property
    def params(self) -> dict[str, Any]:
        """What params.yaml says, as dotted keys; not checked, it may be of another version."""
        with self.named():
            return dict(flat(read_yaml(self.folder / PARAMS)))

    @cached_property
    def stale_params(self) -> list[str]:
        """The keys of params.yaml with which the stages did not run, as dvc.lock says."""
        if not (self.folder / LOCK).exists():
            return []
        features = {key.split(".")[1] for key in self.params if key.startswith("features.")}
        found: dict[str, None] = {}
        with self.named(), reading(self.folder / LOCK, GIT_MAY_HAVE_IT):
            for name, stage in YAML(typ="safe").load(self.folder / LOCK)["stages"].items():
                if name.partition("@")[2] not in ("", *features, *self.variants):
                    continue  # DVC leaves there what is no more
                for block, value in stage.get("params", {}).get(str(PARAMS), {}).items():
                    ran, inside = dict(flat(value, block)), f"{block}."
                    here = {k: v for k, v in self.params.items() if f"{k}.".startswith(inside)}
                    known = here.keys() & ran.keys()
                    found |= dict.fromkeys(here.keys() ^ ran.keys())
                    found |= dict.fromkeys(key for key in known if here[key] != ran[key])
        return sorted(found)

    def recipe(self, variant: str) -> dict[str, Any]:
        """What params.yaml says of the variant."""
        place = self.params.get(f"variants.{variant}.recipe")
        return {
            key.removeprefix(f"{place}."): value
            for key, value in self.params.items()
            if key.startswith(f"{place}.")
        } | {"features": self.params.get(f"variants.{variant}.features")}


def flat(value: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings by their dotted keys; a list is a leaf."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flat(inner, f"{above}.{key}" if above else str(key))
    else:
        yield above, value


def experiments(bases: Collection[str]) -> dict[str, str]:
    """DVC's experiments on these commits: their own commits, and the name of each.

    DVC keeps what came of an experiment on the commit 0123… as one of Git, refs/exps/01/23…/NAME.
    The same files twice are one experiment.
    """
    found: dict[str, tuple[str, str]] = {}
    form = "--format=%(tree) %(objectname) %(refname)"
    for line in git("for-each-ref", form, "refs/exps").decode().splitlines():
        tree, commit, reference = line.split(" ", 2)
        _, _, *base, name = reference.split("/")
        if "".join(base) in bases:
            found.setdefault(tree, (commit, name))
    return dict(found.values())


def without_results(base: str) -> dict[str, str]:
    """DVC's experiments on a commit that wait in its queue or failed: which of these, by name.

    DVC keeps them as two stashes of Git, with commit:dvc-exp:HEAD:BASE:NAME for the messages.
    """
    listed = git("log", "-g", "--format=%gD %gs", "--glob=refs/exps/celery").decode()
    words = {"stash": "queued", "failed": "failed"}
    found = re.findall(rf"^refs/exps/celery/(\w+)@.*:{base}:([^:\n]+)", listed, re.MULTILINE)
    return {name: words[place] for place, name in found if place in words}


class Base(NamedTuple):
    """A revision to compare with."""

    results: Results
    commit: str


@contextmanager
def revision(name: str) -> Iterator[Base]:
    """The results that a revision has in Git, as files in a folder of their own for so long.

    Raises:
        InputError: there is no such revision here, or it has no results.
    """
    commit = commit_of(name)
    shown = name if commit.startswith(name) else f"{name} ({commit[:7]})"
    listed = git("ls-tree", "--name-only", "-z", commit, "./").decode().split("\0")
    wanted = (str(PARAMS), str(LOCK), METRICS.parts[0], FIGURES.parts[0])
    kept = [path for path in wanted if path in listed]
    with tempfile.TemporaryDirectory() as folder:
        if kept:
            archive = git("archive", "--format=zip", "-0", commit, "--", *kept)
            with zipfile.ZipFile(io.BytesIO(archive)) as files:
                files.extractall(folder)  # which makes no links and leaves no folder
        yield Base(Results(shown, Path(folder)), commit)
