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

from stages import compare
from tests.conftest import Dvc, call, edit_params, refusal, stages_run
from workflow.base.errors import InputError
from workflow.base.files import CORRECT, METRICS, PREDICTIONS, SCORES, PredictionFacts
from workflow.base.reviews import Reviews
from workflow.evaluation.params import CompareParams
from workflow.evaluation.results import (
    Correct,
    describe,
    read_correct,
    read_descriptions,
    read_differences,
    read_history,
    read_scores,
    write_descriptions,
)
from workflow.evaluation.scores import COUNTS, unbalanced_scores

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
    counts = dict.fromkeys([f"test_{name}" for name in COUNTS], 5)
    rows = [
        {"variant": v, "seed": s} | dict.fromkeys(names, s / 10) | counts
        for v in "ba"
        for s in (1, 2)
    ]
    splits = {"validation": (0.01234, "better"), "test": (-0.5, "worse")}
    differences = pd.DataFrame(
        {"variant": "b", "split": split, "mean": mean, "verdict": verdict}
        for split, (mean, verdict) in splits.items()
    )
    facts = {"a": prediction_facts(accuracy=0.7), "b": prediction_facts(accuracy=0.81234)}
    summary = compare.summarize(pd.DataFrame(rows), facts, differences)
    values = dict.fromkeys(names[:3], 0.15) | {"size": {"bytes": 99, "columns": 40, "weights": 9}}
    assert list(summary) == ["b", "a"]
    assert summary["a"] == values | {"average": {"accuracy": 0.7}}
    gain = {"gain": 0.0123, "verdict": "better"}
    assert summary["b"] == values | {"average": {"accuracy": 0.8123}} | gain


def prediction_facts(**average: float) -> PredictionFacts:
    values: dict[str, Any] = {"source": "keras", "sha256": "0", "vocabulary": 60, "weighted": False}
    values |= {"train_reviews": 9, "validation_reviews": 6, "test_reviews": 5, "columns": 40}
    values |= {"average": average, "weights": 9, "bytes": 99, "larger_class": 0.5}
    return PredictionFacts(**values)


@pytest.mark.parametrize(
    ("counts", "f1"),
    [
        ((10, 60, 20, 10), 2 * 10 / (2 * 10 + 30)),  # 20% are positive
        ((60, 10, 10, 20), 2 * 10 / (2 * 10 + 30)),  # 20% are negative
        ((30, 40, 15, 15), None),  # 45% are positive
        ((0, 80, 0, 20), 0.0),
        ((0, 100, 0, 0), 0.0),  # none is positive, none is found
    ],
    ids=str,
)
def test_where_a_label_is_rare_its_f1_and_the_roc_auc_are_metrics(
    counts: tuple[int, ...], f1: float | None
):
    row = {f"test_{name}": n for name, n in zip(COUNTS, counts, strict=True)}
    scores = unbalanced_scores(pd.DataFrame([row | {"test_roc_auc": 0.75}] * 2))
    expected = {} if f1 is None else {"test_f1_of_rarer_label": round(f1, 4), "test_roc_auc": 0.75}
    assert scores == expected


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
        whole = Correct("abc", np.arange(seeds), by_split, random.random(11) < 0.5)
        again = Correct.from_bytes(whole.to_bytes())
        assert again.sha256 == "abc"
        assert again.seeds.tolist() == list(range(seeds))
        for split, bits in by_split.items():
            np.testing.assert_array_equal(again.by_split[split], bits)
        np.testing.assert_array_equal(again.average, whole.average)
        assert again.to_bytes() == whole.to_bytes()


def test_held_out_reviews_are_described_by_label_length_and_unknown_words(tmp_path: Path):
    words = np.array([1, 4, 4, 2], np.uint32)
    reviews = Reviews(words, np.array([0, 3, 3, 4]), np.array([1, 0, 1], np.uint8))
    known = np.array([False, True, True, False, False])
    table = describe(reviews, known)
    assert table.to_numpy().tolist() == [[1, 3, 2], [0, 0, 0], [1, 1, 0]]
    assert [table[name].dtype for name in table] == [np.uint8, np.uint32, np.uint32]  # for Git
    write_descriptions({"validation": table, "test": table[:1]}, tmp_path / "reviews.npz")
    again = read_descriptions(tmp_path / "reviews.npz")
    pd.testing.assert_frame_equal(again["validation"], table)
    pd.testing.assert_frame_equal(again["test"], table[:1])
    write_descriptions({"validation": table}, tmp_path / "reviews.npz")
    with pytest.raises(InputError, match=r"reviews.npz: .*; run `dvc repro` to regenerate it"):
        read_descriptions(tmp_path / "reviews.npz")


@pytest.mark.parametrize(
    ("damage", "part"),
    [
        ({"seeds": np.array([1, 2], np.int32)}, "seeds are"),
        ({"seeds": np.array([[1, 2]])}, "seeds are"),
        ({"seeds": np.array([1, 1])}, "seeds are"),
        ({"seeds": np.arange(9)}, "validation bits are"),  # one byte of bits has eight
        ({"test": np.zeros((1, 3), np.int8)}, "test bits are"),
        ({"validation_reviews": 4}, "validation bits are"),
    ],
    ids=str,
)
def test_damaged_bits_are_refused(damage: dict[str, Any], part: str, tmp_path: Path):
    bits = {"validation": np.zeros((2, 3), bool), "test": np.zeros((2, 3), bool)}
    content = Correct("abc", np.array([1, 2]), bits).to_bytes()
    with np.load(io.BytesIO(content)) as arrays:
        np.savez(tmp_path / "bits.npz", **dict(arrays) | damage)
    sentence = f"bits.npz: the {part} damaged; run `dvc repro` to regenerate it"
    with pytest.raises(InputError, match=sentence):
        read_correct(tmp_path / "bits.npz")


HISTORY_ROWS = pd.DataFrame(
    {"variant": "a", "seed": seed, "fit": fit, "epoch": epoch, "split": split}
    | {"loss": 0.5, "accuracy": 0.75, "kept": int(epoch == 1)}
    for seed in (1, 2)
    for fit, splits in (("first", ("train", "validation")), ("refit", ("train",)))
    for epoch in (1, 2)
    for split in splits
)
KEYS = pd.DataFrame({"variant": v, "seed": s, "best_epoch": 1} for v in "ba" for s in (2, 1))
NUMBERS = ["train_accuracy", "validation_accuracy", "test_accuracy", "test_loss"]
SCORE_ROWS = KEYS.assign(**dict.fromkeys(NUMBERS, 0.5), **{f"test_{n}": 5 for n in COUNTS})
DIFFERENCE_ROWS = pd.DataFrame(
    {"variant": "a", "split": split, "mean": 0.01, "low": np.nan, "high": np.nan}
    | {"verdict": "~", "seeds": 1}
    for split in ("validation", "test")
)


def read_table(kind: str, table: pd.DataFrame, folder: Path) -> pd.DataFrame:
    table.to_csv(folder / f"{kind}.csv", index=False)
    if kind == "a":
        return read_history("a", [1, 2], folder)
    if kind == "scores":
        return read_scores(folder / "scores.csv", ["b", "a"], [2, 1])
    return read_differences(folder / "differences.csv")


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        ("a", HISTORY_ROWS),
        ("a", HISTORY_ROWS.query("fit == 'first'")),
        ("scores", SCORE_ROWS),
        ("differences", DIFFERENCE_ROWS),
    ],
)
def test_complete_tables_are_read_as_they_were_written(
    tmp_path: Path, kind: str, table: pd.DataFrame
):
    read = read_table(kind, table, tmp_path)
    pd.testing.assert_frame_equal(read[list(table)], table.reset_index(drop=True))


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        ("a", HISTORY_ROWS.query("fit == 'refit'")),
        ("a", HISTORY_ROWS.query("seed == 1")),
        ("a", HISTORY_ROWS.query("split == 'train'")),
        ("a", HISTORY_ROWS.query("fit == 'first' or seed == 1")),
        ("a", HISTORY_ROWS.query("epoch == 2").assign(kept=1)),
        ("a", HISTORY_ROWS.assign(variant=["b"] + 11 * ["a"])),
        ("a", HISTORY_ROWS.assign(kept=0)),
        ("a", HISTORY_ROWS.assign(kept=1)),
        ("a", HISTORY_ROWS.drop(columns="loss")),
        ("scores", SCORE_ROWS[::-1]),
        ("scores", SCORE_ROWS[:3]),
        ("scores", SCORE_ROWS.assign(variant="a")),
        *(("scores", SCORE_ROWS.drop(columns=name)) for name in SCORE_ROWS),
        ("differences", DIFFERENCE_ROWS.assign(mean=[0.01, np.nan])),
        ("differences", DIFFERENCE_ROWS.assign(split=["test", "train"])),
        *(("differences", DIFFERENCE_ROWS.drop(columns=name)) for name in DIFFERENCE_ROWS),
    ],
)
def test_incomplete_tables_are_refused(tmp_path: Path, kind: str, table: pd.DataFrame):
    with pytest.raises(InputError, match=f"{kind}.csv: .*; run `dvc repro` to regenerate it"):
        read_table(kind, table, tmp_path)


def test_scores_of_all_variants_and_seeds_that_there_are_can_be_read(tmp_path: Path):
    SCORE_ROWS.to_csv(tmp_path / "scores.csv", index=False)
    assert len(read_scores(tmp_path / "scores.csv")) == 4
    SCORE_ROWS[:3].to_csv(tmp_path / "scores.csv", index=False)
    with pytest.raises(InputError, match="its rows are not those of the variants and seeds in par"):
        read_scores(tmp_path / "scores.csv")


def test_known_are_the_words_of_the_train_split(here: Path):
    """Not those of the validation reviews, which are stored before it."""
    offsets = np.load("data/reviews/training_offsets.npy")
    values = np.load("data/reviews/training_values.npy")
    first, last = int(offsets[1]), int(offsets[-2])
    values[:first], values[last:] = 1, 2
    values[first:last] = 3
    np.save("data/reviews/training_values.npy", values)
    table = compare.describe_held_out(validation_reviews=1)["validation"]
    assert table["unknown"].tolist() == table["words"].tolist() == [first]


def test_a_variant_that_is_no_better_than_the_more_frequent_label_is_named(
    here: Path, capsys: pytest.CaptureFixture[str]
):
    path = PREDICTIONS / "candidate/facts.json"
    facts = json.loads(path.read_text())
    path.unlink()
    path.write_text(json.dumps(facts | {"larger_class": 1.0}))
    call("stages.compare")
    warned = capsys.readouterr().err
    assert "candidate: no better than always predicting the more frequent label (100" in warned
    assert "single" not in warned


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
