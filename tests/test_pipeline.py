"""What DVC must do with the pipeline: real commands in a temporary repository, a tiny corpus."""

import json
from pathlib import Path

import numpy as np

from tests.conftest import (
    PER_VARIANT,
    STAGES,
    Dvc,
    Experiment,
    edit_params,
    run_in,
    stages_run,
    try_in,
)
from workflow.model.libraries import keras


def test_a_full_run_has_every_stage(dvc: Dvc):
    assert stages_run(dvc("repro --force --dry")) == sorted(STAGES)


def test_results_are_what_is_documented(repository: Path):
    metrics = json.loads((repository / "metrics/metrics.json").read_text())
    assert list(metrics) == ["candidate", "data", "single"]
    means = ["average", "size", "test_accuracy", "test_loss", "validation_accuracy"]
    assert list(metrics["single"]) == means
    assert list(metrics["candidate"]) == sorted([*means, "gain", "verdict"])
    assert metrics["candidate"]["verdict"] in ("better", "worse", "trivial", "same", "~")
    model = keras.models.load_model(repository / "models/single/seed-2.keras")
    assert model.input_shape == (None, 50)
    probabilities = np.load(repository / "data/predictions/candidate/test.npy")
    assert (probabilities.shape, probabilities.dtype) == ((3, 40), np.float32)
    names = "differences error_rates learning_curves_candidate learning_curves_single test_accuracy"
    for folder, suffix, expected in (
        ("metrics/correct", ".npz", "candidate single"),
        ("plots/figures", ".png", names),
    ):
        files = sorted(path.name for path in (repository / folder).iterdir())
        assert files == [name + suffix for name in expected.split()]


def test_an_experiment_with_the_candidate_trains_it_alone(experiment: Experiment):
    alone = [f"{stage}@candidate" for stage in PER_VARIANT]
    assert stages_run(experiment.output) == sorted([*alone, "compare", "plot"])
    _, *rows = run_in(experiment.folder, "dvc metrics diff").splitlines()
    assert {row.split()[1].split(".")[0] for row in rows} == {"candidate"}
    assert all(len(row) <= 100 for row in rows)


def test_a_wrong_value_stops_before_any_training(copy: Path, dvc: Dvc):
    """The first stage that runs refuses it, though it is the last that would read it."""
    wrong = "dvc exp run -S model.dropout=1.5 -S data.validation=0.5"
    result = try_in(copy, wrong)
    message = "error: params.yaml: model.dropout: 1.5 is not allowed: input should be less than 1"
    assert result.returncode != 0
    assert message.casefold() in result.stderr.casefold()
    assert "Traceback" not in result.stderr
    (stage,) = stages_run(result.stdout)
    assert stage.startswith("vectorize@")
    # The models are still there; what the stage was to make is in the cache.
    assert (copy / "models/candidate/seed-1.keras").exists()
    run_in(copy, "git checkout --quiet params.yaml dvc.lock")
    assert stages_run(dvc("repro")) == []


def test_a_new_variant_is_trained_alone(copy: Path, dvc: Dvc):
    edit_params(copy, variants__mine={"recipe": "baselines.single", "features": "multi_hot"})
    alone = {f"{stage}@mine" for stage in PER_VARIANT}
    assert set(json.loads(dvc("status --json"))) == alone | {"compare", "plot"}


def test_a_lock_that_is_not_current_is_noticed_without_data(copy: Path, tmp_path: Path, dvc: Dvc):
    """Somebody retrains the candidate but commits without evaluating it."""
    edit_params(copy, model__units=3)
    history = copy / "plots/history/candidate.csv"
    history.write_text(history.read_text().replace("0.", "0.1"))
    dvc("commit --force train@candidate")
    clone = tmp_path / "clone"
    run_in(tmp_path, "git clone --quiet", str(copy), str(clone))
    for name in ("params.yaml", "dvc.lock", "plots/history/candidate.csv"):
        (clone / name).write_bytes((copy / name).read_bytes())
    dry = try_in(clone, "dvc repro --allow-missing --dry")
    assert "evaluate@candidate" in dry.stdout + dry.stderr
    assert "train@candidate" not in dry.stderr
