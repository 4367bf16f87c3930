"""The parts of the benchmark: what `make bench` measures.

Where a value is a pair, the first is of the notebook and the second of this project.
"""

import json
import os
import shutil
import sys
from functools import cached_property
from pathlib import Path

from benchmarks.classifiers import GRIDS
from benchmarks.measure import PROJECT, Measured, Run, measured, python, run, set_params, size
from workflow.base.files import (
    CANDIDATE,
    HELD_OUT,
    MODELS,
    PREDICTIONS,
    PredictionFacts,
    features_folder,
    read_json,
)
from workflow.evaluation.results import Correct, read_correct
from workflow.evaluation.significance import difference
from workflow.params import load_params
from workflow.text.fetch import find

SYSTEMS = "single", "single_regularized", "three_regularized"
EXPERIMENT = "model.dropout=0.5"
VECTORS = features_folder("ngrams")
# A Python that has fasttext and scikit-learn; without one fastText is left out.
FASTTEXT = os.environ.get("FASTTEXT_PYTHON")


class Sandbox:
    """A folder with what the parts that run together share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def clone(self, name: str) -> Path:
        """The last commit, with nothing in DVC's cache."""
        folder = self.folder / name
        run(PROJECT, "git", "clone", "--quiet", str(PROJECT), str(folder))
        return folder

    @cached_property
    def notebook(self) -> Run:
        """The notebook's script. From here on the archive is in Keras's cache, or in a mirror."""
        source = load_params(PROJECT / "params.yaml").data.keras
        find("imdb_word_index.json", source.word_index_sha256, source.url)
        archive = self.folder / "imdb.npz"
        archive.write_bytes(find("imdb.npz", source.archive_sha256, source.url))
        return python(PROJECT, "benchmarks.notebook", str(archive))

    @cached_property
    def everything(self) -> tuple[Path, Run]:
        """A clone in which `dvc repro` made everything from nothing."""
        folder = self.clone("everything")
        return folder, run(folder, "dvc", "repro")

    @cached_property
    def reviews(self) -> Path:
        """A clone in which only the reviews are downloaded, also as texts."""
        folder = self.clone("reviews")
        python(folder, "stages.download")
        python(folder, "benchmarks.texts")
        return folder


def notebook(sandbox: Sandbox) -> Measured:
    """The notebook's three systems from nothing."""
    folder = sandbox.clone("three")
    variants = {name: {"recipe": f"baselines.{name}", "features": "multi_hot"} for name in SYSTEMS}
    set_params(folder, {"train.seeds": 1, "variants": variants})
    there, here = sandbox.notebook, run(folder, "dvc", "repro", "plot")
    return {"three": [there.seconds, here.seconds], "peak": [there.peak, here.peak]}


def everything(sandbox: Sandbox) -> Measured:
    """All variants and seeds from nothing, and a second `dvc repro` with `dvc status` beside it."""
    there, (folder, here) = sandbox.notebook, sandbox.everything
    again, status = run(folder, "dvc", "repro"), run(folder, "dvc", "status")
    return {
        "everything": [there.seconds, here.seconds],
        "again": [status.seconds, again.seconds],
        "peak MB": here.peak,
        "cache MB": size(folder / ".dvc/cache") / 1e6,
        "model MB": (folder / MODELS / CANDIDATE / "seed-1.keras").stat().st_size / 1e6,
    }


def experiment(sandbox: Sandbox) -> Measured:
    """An experiment on the candidate."""
    there, (folder, _) = sandbox.notebook, sandbox.everything
    # A clean workspace to begin with, also where another processor rounds differently.
    identity = "-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost"
    run(folder, "git", *identity, "commit", "--quiet", "--allow-empty", "--all", "-m", "benchmark")
    ended = run(folder, "dvc", "exp", "run", "-S", EXPERIMENT)
    return {EXPERIMENT: [there.seconds, ended.seconds]}


def million(sandbox: Sandbox) -> Measured:
    """A million reviews of the user's own in a CSV file: read, and turned into n-grams."""
    folder = sandbox.clone("million")
    file = folder / "reviews.csv"
    python(sandbox.reviews, "benchmarks.texts", str(file), "1000000")
    own = {"path": file.name, "text": "text", "label": "label", "test_share": 0.01}
    own |= {"positive": "positive", "negative": "negative"}
    set_params(folder, {"data.sources": ["csv"]} | {f"data.csv.{k}": v for k, v in own.items()})
    read = python(folder, "stages.download")
    vectorized = python(folder, "stages.vectorize", "ngrams")
    result = {
        "GB": file.stat().st_size / 1e9,
        "read": [read.seconds, read.peak],
        "vectorized": [vectorized.seconds, vectorized.peak],
        "columns": read_json(folder / VECTORS / "facts.json", dict)["columns"],
        "GB of vectors": size(folder / VECTORS) / 1e9,
    }
    shutil.rmtree(folder)
    return result


def tuning(sandbox: Sandbox) -> Measured:
    """The best setting of each classifier on the validation reviews."""
    names = [name for name in GRIDS if name != "fasttext" or FASTTEXT]
    return {name: classify(sandbox.reviews, name, "tune").last_json for name in names}


def rivals(sandbox: Sandbox) -> Measured:
    """Each tuned classifier as a process, from texts on disk to predictions; and the candidate."""
    folder = sandbox.reviews
    results: Measured = {}
    for name, tuned in measured("tuning").items():
        if name != "fasttext" or FASTTEXT:
            ended = classify(folder, name, json.dumps(tuned["best"]))
            results[name] = values(ended.last_json, [ended])
    results["candidate"], weighted = candidate(folder)
    weights = "features.ngrams.position_weights"
    set_params(folder, {f"{weights}.end": 0.0, f"{weights}.start": 0.0})
    results["unweighted"], unweighted = candidate(folder)
    run(folder, "git", "checkout", "--quiet", "params.yaml")
    results["gains"] = {}
    for split in HELD_OUT:
        d = difference(weighted.by_split[split], unweighted.by_split[split])
        results["gains"][split] = [d.mean, d.low, d.high]
    return results


def classify(folder: Path, name: str, setting: str) -> Run:
    executable = FASTTEXT if name == "fasttext" and FASTTEXT else sys.executable
    return run(folder, executable, "-m", "benchmarks.classifiers", name, setting)


def candidate(folder: Path) -> tuple[Measured, Correct]:
    """The candidate's stages, from word ranks to predictions, and what it gets right."""
    stages = ("vectorize", "ngrams"), ("train", CANDIDATE), ("evaluate", CANDIDATE)
    ended = [python(folder, f"stages.{stage}", item) for stage, item in stages]
    predictions = folder / PREDICTIONS / CANDIDATE
    facts: PredictionFacts = read_json(predictions / "facts.json", PredictionFacts)
    return values(facts.average["accuracy"], ended), read_correct(predictions / "correct.npz")


def values(accuracy: float, runs: list[Run]) -> Measured:
    seconds, peak = sum(ended.seconds for ended in runs), max(ended.peak for ended in runs)
    return {"accuracy": accuracy, "seconds": seconds, "MB": peak}
