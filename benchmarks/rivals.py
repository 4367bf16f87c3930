"""The parts of the benchmark with other classifiers: how they are tuned, and how they do."""

import json
import os
import sys
from pathlib import Path

from benchmarks.classifiers import GRIDS
from benchmarks.measure import Measured, Run, measured, python, run, set_params
from benchmarks.sandbox import Sandbox
from workflow.base.files import CANDIDATE, HELD_OUT, PREDICTIONS, PredictionFacts, read_json
from workflow.evaluation.results import Correct, read_correct
from workflow.evaluation.significance import difference

# A Python that has fasttext and scikit-learn; without one fastText is left out.
FASTTEXT = os.environ.get("FASTTEXT_PYTHON")


def tuning(sandbox: Sandbox) -> Measured:
    """The best setting of each classifier on the validation reviews."""
    python(sandbox.reviews, "benchmarks.texts")
    names = [name for name in GRIDS if name != "fasttext" or FASTTEXT]
    return {name: classify(sandbox.reviews, name, "tune").last_json for name in names}


def rivals(sandbox: Sandbox) -> Measured:
    """Each tuned classifier as a process, from texts on disk to predictions; and the candidate."""
    folder = sandbox.reviews
    python(folder, "benchmarks.texts")
    results: Measured = {}
    for name, tuned in measured("tuning")[-1].items():
        if name != "fasttext" or FASTTEXT:
            ended = classify(folder, name, json.dumps(tuned["best"]))
            results[name] = values(ended.last_json, [ended])
    results["candidate"], weighted = candidate(folder)
    weights = "features.ngrams.position_weights"
    set_params(folder, {f"{weights}.end": 0.0, f"{weights}.start": 0.0})
    results["unweighted"], unweighted = candidate(folder)
    run(folder, "git", "checkout", "--quiet", "params.yaml")
    gains = {
        split: difference(weighted.by_split[split], unweighted.by_split[split])
        for split in HELD_OUT
    }
    results["gains"] = {split: [d.mean, d.low, d.high] for split, d in gains.items()}
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
