"""The stage compare: what it sums up, what it holds against the reference, what it refuses."""

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from stages import compare
from tests.conftest import TRAINED, Dvc, call, edit_params, refusal, stages_run
from workflow.base.errors import InputError
from workflow.base.files import (
    CORRECT,
    DIFFERENCES,
    FIGURES,
    HISTORY,
    METRICS,
    PREDICTIONS,
    SCORES,
    PredictionFacts,
)
from workflow.base.reviews import Reviews
from workflow.evaluation.params import CompareParams
from workflow.evaluation.results import (
    COUNTS,
    Correct,
    describe,
    read_correct,
    read_descriptions,
    read_differences,
    read_history,
    read_scores,
    write_descriptions,
)


def right(validation: float, test: float, draw: int) -> Correct:
    """A variant that is right in such shares of the reviews."""
    random = np.random.default_rng(draw)
    shares = {"validation": validation, "test": test}
    bits = {split: random.random((6, 2000)) < share for split, share in shares.items()}
    return Correct("0", np.arange(1, 7), bits, bits["test"][0])


def test_every_variant_but_the_reference_has_a_row_per_split():
    good, single, bad = right(0.9, 0.7, 1), right(0.8, 0.8, 2), right(0.7, 0.8, 3)
    params = CompareParams(reference="single", min_effect=0.01)
    table = compare.compare_all({"good": good, "single": single, "bad": bad}, params)
    rows = table.set_index(["variant", "split"])["verdict"].to_dict()
    assert list(rows) == [(v, s) for s in ("validation", "test") for v in ("good", "bad")]
    assert rows["good", "validation"] == "better"
    assert rows["bad", "validation"] == rows["good", "test"] == "worse"
    assert rows["bad", "test"] in ("same", "~", "trivial")
    alone = compare.compare_all({"single": single}, params)
    assert alone.empty
    assert list(alone.columns) == list(table.columns)


def test_a_summary_is_the_mean_over_the_seeds_and_what_validation_says_of_it():
    names = ["validation_accuracy", "test_accuracy", "test_loss", "train_accuracy"]
    counts = dict.fromkeys([f"test_{name}" for name in COUNTS], 5)
    rows = [{"variant": v} | dict.fromkeys(names, x) | counts for v in "ba" for x in (0.1, 0.2)]
    splits = {"validation": (0.01234, "better"), "test": (-0.5, "worse")}
    differences = pd.DataFrame(
        {"variant": "b", "split": split, "mean": mean, "verdict": verdict}
        for split, (mean, verdict) in splits.items()
    )
    size = {"bytes": 99, "columns": 40, "weights": 9}
    facts = {
        variant: PredictionFacts.model_validate(
            {"source": "keras", "sha256": "0", "vocabulary": 60, "weighted": False}
            | {"train_reviews": 9, "validation_reviews": 6, "test_reviews": 5}
            | {"average": {"accuracy": accuracy}, "larger_class": 0.5}
            | size
        )
        for variant, accuracy in {"a": 0.7, "b": 0.81234}.items()
    }
    summary = compare.summarize(pd.DataFrame(rows), facts, differences)
    values = dict.fromkeys(names[:3], 0.15) | {"size": size}
    gain = {"gain": 0.0123, "verdict": "better"}
    assert summary == {
        "a": values | {"average": {"accuracy": 0.7}},
        "b": values | {"average": {"accuracy": 0.8123}} | gain,
    }


@pytest.mark.parametrize(
    ("counts", "f1"),
    [
        ((10, 60, 20, 10), 2 * 10 / (2 * 10 + 30)),  # 20% are positive
        ((60, 10, 10, 20), 2 * 10 / (2 * 10 + 30)),  # 20% are negative
        ((25, 50, 15, 10), None),  # 35% are positive
        ((0, 80, 0, 20), 0.0),
        ((0, 100, 0, 0), 0.0),  # none is positive, none is found
    ],
    ids=str,
)
def test_where_a_label_is_rare_its_f1_and_the_roc_auc_are_metrics(
    counts: tuple[int, ...], f1: float | None
):
    row = {f"test_{name}": n for name, n in zip(COUNTS, counts, strict=True)}
    scores = compare.unbalanced_scores(pd.DataFrame([row | {"test_roc_auc": 0.75}] * 2))
    expected = {} if f1 is None else {"test_f1_of_rarer_label": round(f1, 4), "test_roc_auc": 0.75}
    assert scores == expected


def test_f1_is_a_mean_over_the_seeds():
    rows = [
        dict(zip(COUNTS, counts, strict=True)) for counts in ((10, 60, 20, 10), (5, 55, 25, 15))
    ]
    scores = pd.DataFrame(rows).add_prefix("test_").assign(test_roc_auc=[0.7, 0.8])
    expected = {"test_f1_of_rarer_label": 0.3, "test_roc_auc": 0.75}  # of 0.4 and 0.2
    assert compare.unbalanced_scores(scores) == expected


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seeds", [1, 8, 9])
def test_bits_survive_being_written(seeds: int):
    random = np.random.default_rng(seeds)
    reviews = {"validation": 3, "test": 11}
    by_split = {split: random.random((seeds, n)) < 0.5 for split, n in reviews.items()}
    whole = Correct("abc", np.arange(seeds), by_split, random.random(11) < 0.5)
    again = Correct.from_bytes(whole.to_bytes())
    assert (again.sha256, again.seeds.tolist()) == ("abc", list(range(seeds)))
    for split, bits in by_split.items():
        np.testing.assert_array_equal(again.by_split[split], bits)
    np.testing.assert_array_equal(again.average, whole.average)
    assert again.to_bytes() == whole.to_bytes()


def test_held_out_reviews_are_described_by_label_length_and_unknown_words(tmp_path: Path):
    words = np.array([1, 4, 4, 2], np.uint32)
    reviews = Reviews(words, np.array([0, 3, 3, 4]), np.array([1, 0, 1], np.uint8))
    table = describe(reviews, np.array([1, 2], np.uint32))
    assert table.to_numpy().tolist() == [[1, 3, 2], [0, 0, 0], [1, 1, 0]]
    assert [table[name].dtype for name in table] == [np.uint8, np.uint32, np.uint32]  # for Git
    path = tmp_path / "reviews.npz"
    write_descriptions({"validation": table, "test": table[:1]}, path)
    again = read_descriptions(path)
    pd.testing.assert_frame_equal(again["validation"], table)
    pd.testing.assert_frame_equal(again["test"], table[:1])
    write_descriptions({"validation": table}, path)
    with pytest.raises(InputError, match=r"reviews.npz: .*; run `dvc repro` to regenerate it"):
        read_descriptions(path)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("seeds", np.arange(6)[None]),
        ("average", np.zeros(249, np.uint8)),  # a byte has eight of the 2000 reviews
        ("average", np.zeros(250)),
    ],
)
def test_seeds_or_bits_of_the_average_of_another_kind_are_refused(
    name: str, array: NDArray[Any], tmp_path: Path
):
    """tests/test_fuzz.py has those of other arrays."""
    with np.load(io.BytesIO(right(0.9, 0.9, 1).to_bytes())) as arrays:
        np.savez(tmp_path / "bits.npz", **dict(arrays) | {name: array})
    with pytest.raises(InputError, match=f"bits.npz: the {name} .*damaged; run `dvc repro`"):
        read_correct(tmp_path / "bits.npz")


HISTORY_ROWS = pd.DataFrame(
    {"variant": "a", "seed": seed, "fit": fit, "epoch": epoch, "split": split}
    | {"loss": 0.5, "accuracy": 0.75, "kept": int(epoch == 1)}
    for seed in (1, 2)
    for fit, split in (("first", "train"), ("first", "validation"), ("refit", "train"))
    for epoch in (1, 2)
)
SCORE_ROWS = pd.DataFrame(
    {"variant": variant, "seed": seed, "best_epoch": 1, "test_loss": 0.5}
    | dict.fromkeys([f"{part}_accuracy" for part in ("train", "validation", "test")], 0.5)
    | dict.fromkeys([f"test_{name}" for name in COUNTS], 5)
    for variant in "ba"
    for seed in (2, 1)
)
DIFFERENCE_ROWS = pd.DataFrame(
    {"variant": "a", "split": split, "mean": 0.01, "low": np.nan, "high": np.nan}
    | {"verdict": "~", "seeds": 1}
    for split in ("validation", "test")
)
READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    "history": lambda path: read_history(path.stem, [1, 2], path.parent),
    "scores": lambda path: read_scores(path, ["b", "a"], [2, 1]),
    "all scores": read_scores,
    "differences": read_differences,
}


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        ("history", HISTORY_ROWS),
        ("history", HISTORY_ROWS.query("fit == 'first'")),
        ("scores", SCORE_ROWS),
        ("all scores", SCORE_ROWS),
        ("differences", DIFFERENCE_ROWS),
    ],
)
def test_complete_tables_are_read_as_they_were_written(
    tmp_path: Path, kind: str, table: pd.DataFrame
):
    table.to_csv(tmp_path / "a.csv", index=False)
    read = READERS[kind](tmp_path / "a.csv")
    pd.testing.assert_frame_equal(read[list(table)], table.reset_index(drop=True))


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        ("history", HISTORY_ROWS.query("fit == 'refit'")),
        ("history", HISTORY_ROWS.query("seed == 1")),
        ("history", HISTORY_ROWS.query("split == 'train'")),
        ("history", HISTORY_ROWS.query("fit == 'first' or seed == 1")),
        ("history", HISTORY_ROWS.query("epoch == 2").assign(kept=1)),
        ("history", HISTORY_ROWS.assign(variant=["b"] + 11 * ["a"])),
        ("history", HISTORY_ROWS.assign(kept=0)),
        ("history", HISTORY_ROWS.assign(kept=1)),
        ("history", HISTORY_ROWS.drop(columns="loss")),
        ("scores", SCORE_ROWS[::-1]),
        ("scores", SCORE_ROWS[:3]),
        ("scores", SCORE_ROWS.assign(variant="a")),
        ("all scores", SCORE_ROWS[:3]),
        *(("scores", SCORE_ROWS.drop(columns=name)) for name in SCORE_ROWS),
        ("differences", DIFFERENCE_ROWS.assign(mean=[0.01, np.nan])),
        ("differences", DIFFERENCE_ROWS.assign(split=["test", "train"])),
        *(("differences", DIFFERENCE_ROWS.drop(columns=name)) for name in DIFFERENCE_ROWS),
    ],
)
def test_incomplete_tables_are_refused(tmp_path: Path, kind: str, table: pd.DataFrame):
    table.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(InputError, match=r"a\.csv: .*; run `dvc repro` to regenerate it"):
        READERS[kind](tmp_path / "a.csv")


# --- in a repository with results -----------------------------------------------------------------


def test_what_is_committed_is_what_evaluate_wrote_and_the_gain_is_that_of_the_scores(
    repository: Path,
):
    table = pd.read_csv(repository / DIFFERENCES).set_index(["variant", "split"])["mean"]
    scores = pd.read_csv(repository / SCORES).groupby("variant").mean(numeric_only=True)
    gain = scores.loc["candidate"] - scores.loc["single"]
    assert table["candidate", "test"] == pytest.approx(gain["test_accuracy"], abs=1e-6)
    assert table["candidate", "validation"] == pytest.approx(gain["validation_accuracy"], abs=1e-6)
    for variant in TRAINED:
        written = (repository / PREDICTIONS / variant / "correct.npz").read_bytes()
        assert (repository / CORRECT / f"{variant}.npz").read_bytes() == written


@pytest.fixture
def here(copy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of the test: a copy of the repository."""
    monkeypatch.chdir(copy)
    return copy


def test_known_are_the_words_of_the_train_split(here: Path):
    """Not those of the validation reviews, which are stored before it."""
    offsets = np.load("data/reviews/training_offsets.npy")
    values = np.load("data/reviews/training_values.npy")
    values[: offsets[1]], values[offsets[1] :] = 1, 3
    np.save("data/reviews/training_values.npy", values)
    ends = np.load("data/reviews/test_offsets.npy")
    np.save("data/reviews/test_values.npy", np.where(np.arange(ends[-1]) < ends[1], values[0], 3))
    tables = compare.describe_held_out(validation_reviews=1)
    assert tables["validation"]["unknown"].tolist() == [offsets[1]]
    assert tables["validation"]["words"].tolist() == [offsets[1]]
    assert tables["test"]["unknown"].tolist() == [ends[1], *[0] * 39]


def test_it_prints_what_differs_and_warns_of_what_is_no_better_than_the_more_frequent_label(
    here: Path, capsys: pytest.CaptureFixture[str]
):
    """The validation reviews tell; on test single is worse than that, and candidate better."""
    scores = pd.read_csv(SCORES).groupby("variant")[["validation_accuracy", "test_accuracy"]].mean()
    for variant, (validation, test) in scores.iterrows():
        path = PREDICTIONS / f"{variant}/facts.json"
        share = round(validation, 4) if variant == "candidate" else (validation + test) / 2
        path.write_text(json.dumps(json.loads(path.read_text()) | {"larger_class": share}))
    call("stages.compare")
    printed = capsys.readouterr()
    assert printed.out.startswith("accuracy minus that of single, 95% interval")
    assert len([line for line in printed.out.splitlines() if "candidate" in line]) == 2
    assert (
        "candidate: no better than always predicting the more frequent label (77.8%)" in printed.err
    )
    assert "single" not in printed.err


def test_predictions_of_other_seeds_or_reviews_are_refused(here: Path):
    path, before = PREDICTIONS / "candidate/correct.npz", METRICS.read_bytes()
    bits = Correct.from_bytes(path.read_bytes())
    for other in (bits._replace(seeds=bits.seeds + 1), bits._replace(sha256="0" * 64)):
        path.write_bytes(other.to_bytes())
        sentence = f"{path.parent}: of other seeds or reviews; run `dvc repro`"
        assert sentence in refusal("stages.compare")
        assert METRICS.read_bytes() == before


def test_results_of_a_removed_variant_do_no_harm(copy: Path, dvc: Dvc):
    """Nor does dvc.lock depend on whether a clone still has them."""
    params = (copy / "params.yaml").read_text()
    edit_params(copy, variants={"single": {"recipe": "baselines.single", "features": "multi_hot"}})
    assert stages_run(dvc("repro")) == ["compare", "plot"]
    assert "up to date" in dvc("status")
    assert "candidate" not in (copy / METRICS).read_text()
    drawn = {path.stem for path in (copy / FIGURES).iterdir()}
    assert drawn == {"differences", "error_rates", "learning_curves_single", "test_accuracy"}
    lock = (copy / "dvc.lock").read_bytes()
    shutil.copytree(copy / PREDICTIONS / "single", copy / PREDICTIONS / "candidate")
    shutil.copy(copy / HISTORY / "single.csv", copy / HISTORY / "candidate.csv")
    assert stages_run(dvc("repro")) == ["compare"]
    assert [path.name for path in (copy / HISTORY).iterdir()] == ["single.csv"]
    assert (copy / "dvc.lock").read_bytes() == lock
    (copy / "params.yaml").write_text(params)
    assert stages_run(dvc("repro")) == ["compare", "plot"]  # the rest is in DVC's run cache
    assert "candidate" in (copy / METRICS).read_text()
