"""The stage compare: what it sums up, what it holds against the reference, what it refuses."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages import compare
from tests.conftest import Dvc, call, edit_params, refusal, stages_run
from workflow.base.files import CORRECT, METRICS, PREDICTIONS, SCORES
from workflow.evaluation.params import CompareParams
from workflow.evaluation.results import Correct

SEEDS = np.arange(1, 7)


def right(validation: float, test: float, draw: int) -> Correct:
    """A variant that is right in such shares of the reviews."""
    random = np.random.default_rng(draw)
    shares = {"validation": validation, "test": test}
    bits = {split: random.random((6, 2000)) < share for split, share in shares.items()}
    return Correct("0", SEEDS, bits)


def test_every_variant_but_the_reference_has_a_row_per_split():
    correct = {"good": right(0.9, 0.7, 1), "single": right(0.8, 0.8, 2), "bad": right(0.7, 0.8, 3)}
    table = compare.compare_all(correct, CompareParams(reference="single", min_effect=0.01))
    rows = table.set_index(["variant", "split"])["verdict"].to_dict()
    assert list(rows) == [(v, s) for s in ("validation", "test") for v in ("good", "bad")]
    assert rows["good", "validation"] == "better"
    assert rows["bad", "validation"] == rows["good", "test"] == "worse"
    assert rows["bad", "test"] in ("same", "~", "trivial")


def test_the_reference_alone_is_compared_with_nothing():
    alone = compare.compare_all(
        {"single": right(0.8, 0.8, 1)}, CompareParams(reference="single", min_effect=0.01)
    )
    assert alone.empty
    assert list(alone.columns) == compare.DIFFERENCE_COLUMNS


def test_a_summary_is_the_mean_over_the_seeds_and_what_validation_says_of_it():
    names = ["validation_accuracy", "test_accuracy", "test_loss", "train_accuracy"]
    rows = [{"variant": v, "seed": s} | dict.fromkeys(names, s / 10) for v in "ba" for s in (1, 2)]
    splits = {"validation": (0.01234, "better"), "test": (-0.5, "worse")}
    differences = pd.DataFrame(
        {"variant": "b", "split": split, "mean": mean, "verdict": verdict}
        for split, (mean, verdict) in splits.items()
    )
    summary = compare.summarize(pd.DataFrame(rows), {"a": 0.7, "b": 0.81234}, differences)
    means = dict.fromkeys(names[:3], 0.15)
    assert list(summary) == ["b", "a"]
    assert summary["a"] == means | {"test_accuracy_of_average": 0.7}
    gain = {"gain": 0.0123, "verdict": "better"}
    assert summary["b"] == means | {"test_accuracy_of_average": 0.8123} | gain


# --- in a repository with results -----------------------------------------------------------------


@pytest.fixture
def here(copy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of the test: a copy of the repository."""
    monkeypatch.chdir(copy)
    return copy


def test_the_bits_are_those_of_the_predictions_and_the_gain_that_of_the_scores(here: Path):
    scores = pd.read_csv(SCORES).groupby("variant")["test_accuracy"].mean()
    table = pd.read_csv("metrics/differences.csv").set_index(["variant", "split"])
    gain = scores["candidate"] - scores["single"]
    assert table.loc[("candidate", "test"), "mean"] == pytest.approx(gain, abs=1e-6)
    for variant, mean in scores.items():
        labels = np.load("data/multi_hot/test_labels.npy")
        predictions = np.load(PREDICTIONS / str(variant) / "test.npy")
        bits = Correct.from_bytes((CORRECT / f"{variant}.npz").read_bytes())
        np.testing.assert_array_equal(bits.by_split["test"], (predictions > 0.5) == labels)
        assert bits.by_split["test"].mean() == pytest.approx(mean, abs=1e-6)


def test_bits_survive_being_written():
    for seeds in (1, 6, 8, 9):
        random = np.random.default_rng(seeds)
        reviews = {"validation": 3, "test": 11}
        by_split = {split: random.random((seeds, n)) < 0.5 for split, n in reviews.items()}
        whole = Correct("abc", np.arange(seeds), by_split)
        again = Correct.from_bytes(whole.to_bytes())
        assert again.sha256 == "abc"
        assert again.seeds.tolist() == list(range(seeds))
        for split, bits in by_split.items():
            np.testing.assert_array_equal(again.by_split[split], bits)
        assert again.to_bytes() == whole.to_bytes()


def test_results_of_a_removed_variant_do_no_harm(copy: Path, dvc: Dvc):
    """Nor does dvc.lock depend on whether a clone still has them."""
    params = (copy / "params.yaml").read_text()
    edit_params(copy, variants={"single": {"recipe": "baselines.single", "features": "multi_hot"}})
    assert stages_run(dvc("repro")) == ["compare", "plot"]
    assert "up to date" in dvc("status")
    assert "candidate" not in (copy / METRICS).read_text()
    lock = (copy / "dvc.lock").read_bytes()
    shutil.copytree(copy / PREDICTIONS / "single", copy / PREDICTIONS / "candidate")
    assert stages_run(dvc("repro")) == ["compare"]
    assert (copy / "dvc.lock").read_bytes() == lock
    (copy / "params.yaml").write_text(params)
    assert stages_run(dvc("repro")) == ["compare", "plot"]  # the rest is in DVC's run cache
    assert "candidate" in (copy / METRICS).read_text()


def other_seeds(bits: Correct) -> Correct:
    return bits._replace(seeds=bits.seeds + 1)


def other_reviews(bits: Correct) -> Correct:
    return bits._replace(sha256="0" * 64)


@pytest.mark.parametrize("change", [other_seeds, other_reviews])
def test_predictions_of_other_seeds_or_reviews_are_refused(
    here: Path, change: Callable[[Correct], Correct]
):
    path = PREDICTIONS / "candidate/correct.npz"
    bits = change(Correct.from_bytes(path.read_bytes()))
    path.unlink()
    path.write_bytes(bits.to_bytes())
    before = (here / "metrics/metrics.json").read_bytes()
    assert f"{path.parent}: of other seeds or reviews; run `dvc repro`" in refusal("stages.compare")
    assert (here / "metrics/metrics.json").read_bytes() == before


def test_it_prints_what_differs(here: Path, capsys: pytest.CaptureFixture[str]):
    call("stages.compare")
    printed = capsys.readouterr().out
    assert printed.startswith("accuracy minus that of single, 95% interval")
    assert len([line for line in printed.splitlines() if "candidate" in line]) == 2
