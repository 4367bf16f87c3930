"""The parts of the benchmark that run the whole pipeline, or experiments on it."""

import json
import sys
from copy import deepcopy
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.measure import PROJECT, edit_params, keep_variants, size
from benchmarks.room import OLDER, Room
from workflow.base.files import FIGURES, HISTORY, MODELS, PREDICTIONS

SYSTEMS = "single", "single_regularized", "three_regularized"
DROPOUT = "dropout=0.5"

Measured = dict[str, Any]  # pairs: what it is held against, and here; else figures of here


def notebook(room: Room) -> Measured:
    """The notebook's systems, part by part, and all three from nothing."""
    there_run, there = room.notebook
    here = json.loads(room.python(PROJECT, "benchmarks.project", str(room.mirror)).output)
    folder = room.clone("three")
    keep_variants(folder, SYSTEMS, seeds=1)
    three = room.run(folder, "dvc", "repro", "plot", "curves")
    evaluate = (mean(way[f"{system} evaluate"] for system in SYSTEMS) for way in (there, here))
    return {
        "vectorize": [there["vectorize"], here["vectorize"]],
        "fit": [there["single fit"], here["single fit"]],
        "epoch": [there["single epoch"], here["single epoch"]],
        "evaluate": [*evaluate],
        "peak": [there_run.peak, three.peak],
        "three": [there_run.seconds, three.seconds],
        "vectors": [there["vectors bytes"] / 1e6, here["vectors bytes"] / 1e6],
        "accuracies": {
            f"{system} {split}": [way[f"{system} {split} accuracy"] for way in (there, here)]
            for system in SYSTEMS
            for split in ("validation", "test")
        },
    }


def everything(room: Room) -> Measured:
    """All variants and seeds from nothing, and what a second `dvc repro` takes."""
    there = room.notebook[0].seconds
    older, (folder, here) = room.older[1], room.everything
    again = room.run(folder, "dvc", "repro")
    status = room.run(folder, "dvc", "status")
    return {
        "older": [there, older.seconds],
        "everything": [there, here.seconds],
        "again": [status.seconds, again.seconds],
        "peak MB": here.peak,
        "cache MB": size(folder / ".dvc/cache") / 1e6,
    }


def candidate(room: Room) -> Measured:
    """Each stage of the candidate as a process, and an experiment on it."""
    there, (folder, _) = room.notebook[0].seconds, room.everything
    room.commit(folder)
    stages = {
        " ".join(stage): room.stage(folder, *stage)
        for stage in (
            ("download",),
            ("vectorize", "multi_hot"),
            ("vectorize", "ngrams"),
            ("train", "candidate"),
            ("evaluate", "candidate"),
            ("compare",),
            ("curves", "candidate"),
            ("plot",),
        )
    }
    seeds = [size(path) / 1e6 for path in (folder / MODELS / "candidate").glob("*.keras")]
    experiment = room.run(folder, "dvc", "exp", "run", "-S", f"model.{DROPOUT}")
    return {
        "candidate experiment": [there, experiment.seconds],
        "candidate train": [there, stages["train candidate"].seconds],
        "stages": {name: [stage.seconds, stage.peak] for name, stage in stages.items()},
        "model MB": max(seeds),
    }


# --- an experiment, whatever the number of variants -----------------------------------------------

VARIANTS = 5, 10, 20  # in params.yaml
CHANGED, COPIED = "wide_dropout", "single"


def experiment(room: Room) -> Measured:
    """An experiment on a multi-hot recipe: as a whole, and what it cannot do without."""
    folder, _ = room.older
    room.run(folder, "dvc", "repro")  # the n-grams, too, which an experiment would find missing
    results: Measured = {}
    for variants in VARIANTS:
        add_copies(room, folder, range(variants - len(OLDER)))
        room.commit(folder)
        # What DVC knows from the experiment before, it would only fetch.
        room.run(folder, "rm", "-rf", ".dvc/cache/runs")
        whole = room.run(folder, "dvc", "exp", "run", "-S", f"baselines.{CHANGED}.{DROPOUT}")
        alone = {
            stage: room.stage(folder, stage, *item).seconds
            for stage, *item in (
                ("train", CHANGED),
                ("evaluate", CHANGED),
                ("compare",),
                ("curves", CHANGED),
                ("plot",),
            )
        }
        importing = room.run(folder, sys.executable, "-c", "import tensorflow, keras")
        results[str(variants)] = alone | {
            "import": importing.seconds,
            # One import is in the stage train.
            "experiment": [importing.seconds + alone["train"], whole.seconds],
        }
        room.run(folder, "git", "reset", "--quiet", "--hard")
        room.run(folder, "dvc", "checkout", "--quiet")
    return results


def add_copies(room: Room, folder: Path, numbers: range) -> None:
    """Variants copy_0, copy_1, …: as if each were trained with the recipe of COPIED."""
    new = [f"copy_{i}" for i in numbers if not (folder / MODELS / f"copy_{i}").exists()]
    if not new:
        return

    def edit(params: Any) -> None:
        for name in new:
            params["baselines"][name] = deepcopy(params["baselines"][COPIED])
            params["variants"][name] = {"recipe": f"baselines.{name}", "features": "multi_hot"}

    edit_params(folder, edit)
    places = (
        MODELS / "{}",
        PREDICTIONS / "{}",
        HISTORY / "{}.csv",
        FIGURES / "learning_curves_{}.png",
    )
    for name in new:
        for place in places:
            here, there = (Path(str(folder / place).format(n)) for n in (COPIED, name))
            room.run(folder, "cp", "-r", str(here), str(there))
        for table in (HISTORY / f"{name}.csv", PREDICTIONS / name / "scores.csv"):
            rows = (folder / table).read_text("utf-8").replace(f"{COPIED},", f"{name},")
            (folder / table).write_text(rows, "utf-8")
    stages = [f"{stage}@{name}" for stage in ("train", "evaluate", "curves") for name in new]
    room.run(folder, "dvc", "commit", "--force", *stages)
    room.run(folder, "dvc", "repro")  # compare and plot
