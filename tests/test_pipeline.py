"""What DVC must do with the pipeline: real commands in a temporary repository, a tiny corpus."""

import hashlib
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import keras
import pytest

from tests.conftest import Dvc, attempt, command, edit_params, environment, make_repository

STAGES = ["download", "vectorize", "train@single", "train@candidate", "evaluate", "compare", "plot"]


def stages_run(output: str) -> list[str]:
    return re.findall("Running stage '(.*)'", output)


def results(folder: Path) -> dict[str, str]:
    """The hash of every file that the pipeline wrote."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for top in ("data", "models", "metrics", "plots", "dvc.lock")
        for path in sorted([folder / top, *(folder / top).rglob("*")])
        if path.is_file()
    }


def test_nothing_runs_a_second_time(dvc: Dvc):
    assert stages_run(dvc("repro")) == []
    assert stages_run(dvc("repro --allow-missing --dry")) == []


def test_results_are_what_is_documented(repository: Path):
    metrics = json.loads((repository / "metrics/metrics.json").read_text())
    assert list(metrics) == ["candidate", "data", "single"]
    assert list(metrics["single"]) == sorted(
        f"{name}{suffix}"
        for name in (
            "best_epoch",
            "test_accuracy",
            "test_loss",
            "train_accuracy",
            "validation_accuracy",
        )
        for suffix in ("", "_sd")
    )
    assert metrics["candidate"]["test_verdict"] in ("better", "worse", "~")
    model = keras.models.load_model(repository / "models/candidate/seed-2.keras")
    assert model.input_shape == (None, 50)
    figures = sorted(path.name for path in (repository / "plots/figures").iterdir())
    assert figures == [
        "confusion_matrices.png",
        "differences.png",
        "learning_curves_candidate.png",
        "learning_curves_single.png",
        "test_accuracy.png",
    ]


def test_an_experiment_with_the_candidate_trains_it_alone(dvc: Dvc):
    output = dvc("exp run -S model.dropout=0.5")
    assert stages_run(output) == ["train@candidate", "evaluate", "compare", "plot"]
    diff = json.loads(dvc("metrics diff --json"))["metrics/metrics.json"]
    assert diff
    assert {name.split(".")[0] for name in diff} == {"candidate"}
    assert all(len(line) <= 100 for line in dvc("metrics diff").splitlines())
    assert "model.dropout" in dvc("params diff")
    assert "learning_curves_candidate.png" in dvc("plots diff --json")


def test_a_wrong_value_stops_before_any_training(
    repository: Path, mirror: Path, home: Path, dvc: Dvc
):
    result = attempt(repository, mirror, home, "dvc exp run -S model.dropout=1.5")
    message = "error: params.yaml: model.dropout: 1.5 is not allowed: input should be less than 1"
    assert result.returncode != 0
    assert message.casefold() in result.stderr.casefold()
    assert "Traceback" not in result.stderr
    # The others' results are still there; the candidate's are in the cache.
    assert (repository / "models/single/seed-1.keras").exists()
    command(repository, mirror, home, "git checkout --quiet params.yaml dvc.lock")
    assert stages_run(dvc("repro")) == []


def test_a_new_variant_is_trained_alone(repository: Path, dvc: Dvc):
    edit_params(
        repository,
        baselines__mine={
            "layers": [{}],
            "units": 2,
            "activation": "relu",
            "optimizer": "sgd",
            "loss": "hinge",
            "epochs": 1,
            "batch_size": 8,
        },
        variants__mine="baselines.mine",
    )
    assert stages_run(dvc("repro")) == ["train@mine", "evaluate", "compare", "plot"]
    assert "mine" in json.loads((repository / "metrics/metrics.json").read_text())


def test_another_figure_style_trains_nothing(repository: Path, dvc: Dvc):
    with (repository / "stages/plot.py").open("a") as file:
        file.write("# changed\n")
    assert stages_run(dvc("repro")) == ["plot"]


def test_a_lock_that_is_not_current_is_noticed_without_data(
    repository: Path, mirror: Path, home: Path, tmp_path: Path, dvc: Dvc
):
    """Somebody retrains the candidate but commits without evaluating it."""
    edit_params(repository, model__units=3)
    dvc("repro train@candidate")
    clone = tmp_path / "clone"
    command(tmp_path, mirror, home, "git clone --quiet", str(repository), str(clone))
    assert stages_run(command(clone, mirror, home, "dvc repro --allow-missing --dry")) == []
    for name in ("params.yaml", "dvc.lock", "plots/history/candidate.csv"):
        (clone / name).write_bytes((repository / name).read_bytes())
    dry = attempt(clone, mirror, home, "dvc repro --allow-missing --dry")
    assert dry.returncode != 0
    assert "failed to reproduce 'evaluate'" in dry.stderr


def test_two_runs_give_the_same_bytes(repository: Path, mirror: Path, home: Path, tmp_path: Path):
    other = make_repository(tmp_path / "elsewhere", mirror, home)
    assert stages_run(command(other, mirror, home, "dvc repro")) == STAGES
    assert results(other) == results(repository)


def test_an_interrupted_training_is_no_result(repository: Path, mirror: Path, home: Path, dvc: Dvc):
    edit_params(repository, model__epochs=10_000, model__patience=None)
    with subprocess.Popen(
        # A shell makes its background jobs ignore Ctrl-C, and all that they start.
        ["env", "--default-signal=INT", "dvc", "repro"],
        cwd=repository,
        env=os.environ | environment(mirror, home),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        output = ""
        while "stages.train candidate" not in output:
            output += process.stdout.readline()
        time.sleep(8)  # it trains by now
        os.killpg(process.pid, signal.SIGINT)  # what Ctrl-C does
        try:
            output += process.communicate(timeout=60)[0]
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode != 0
    assert "Traceback" not in output
    assert not (repository / "models/candidate").exists()
    command(repository, mirror, home, "git checkout --quiet params.yaml dvc.lock")
    assert stages_run(dvc("repro")) == []


@pytest.mark.parametrize("stage", ["download", "vectorize", "compare", "plot"])
def test_only_stages_that_run_a_network_import_tensorflow(
    stage: str, repository: Path, mirror: Path, home: Path, dvc: Dvc
):
    code = f"import sys; from stages import {stage}; {stage}.main(); print(*sorted(sys.modules))"
    modules = command(repository, mirror, home, "python -c", code).split()
    assert f"stages.{stage}" in modules
    assert not {"tensorflow", "keras"} & set(modules)
