"""The review of a change: what it shows, what it leaves out, and where it gives no verdict.

A review reads files alone, so most of it is shown on files that were written by hand.
"""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from ruamel.yaml import YAML

from tests.conftest import PROJECT, Experiment, call, command, commit, edit_params, refusal
from workflow.base.files import (
    CORRECT,
    FIGURES,
    HELD_OUT,
    HELD_OUT_REVIEWS,
    METRICS,
    SCORES,
    write_json,
)
from workflow.evaluation.results import Correct, write_descriptions
from workflow.evaluation.significance import Difference, best_by_chance, detectable
from workflow.report.comparison import accuracy_table, footnote

SEEDS = (1, 2, 3, 4, 5, 6)
VALIDATION, TEST = 300, 500  # reviews
DATA = {"source": "keras", "sha256": "0123456789ab", "vocabulary": 60, "train_reviews": 450}
DATA |= {"validation_reviews": VALIDATION, "test_reviews": TEST}

Review = Callable[..., dict[str, Any]]


def write_variant(
    folder: Path, variant: str, accuracy: float, seeds: tuple[int, ...] = SEEDS, draw: int = 0
) -> None:
    """What compare writes for a variant that gets this share of the reviews right."""
    random = np.random.default_rng([draw, *variant.encode()])
    reviews = {"validation": VALIDATION, "test": TEST}
    bits = {split: random.random((len(seeds), n)) < accuracy for split, n in reviews.items()}
    write_bits(folder, variant, bits, seeds)


Bits = dict[str, NDArray[np.bool_]]


def bits_of(folder: Path, variant: str) -> Bits:
    return Correct.from_bytes((folder / CORRECT / f"{variant}.npz").read_bytes()).by_split


def write_bits(
    folder: Path,
    variant: str,
    bits: Bits,
    seeds: tuple[int, ...] = SEEDS,
    average: NDArray[np.bool_] | None = None,
) -> None:
    """What compare writes for a variant that gets these reviews right."""
    average = np.ones(TEST, bool) if average is None else average
    random = np.random.default_rng([*variant.encode(), *seeds])
    (folder / CORRECT).mkdir(parents=True, exist_ok=True)
    content = Correct("0123456789ab" * 5, np.array(seeds, np.int64), bits, average)
    (folder / CORRECT / f"{variant}.npz").write_bytes(content.to_bytes())
    counts = [f"test_{a}_{b}" for a in ("true", "false") for b in ("positives", "negatives")]
    rows = [
        {"variant": variant, "seed": seed, "best_epoch": 2, "train_accuracy": 0.9 + seed / 1000}
        | {f"{split}_accuracy": bits[split][row].mean() for split in HELD_OUT}
        | {"test_loss": 0.4 + random.random() / 100, "test_brier": 0.1}
        | dict.fromkeys(counts, TEST // 4)
        for row, seed in enumerate(seeds)
    ]
    scores = folder / SCORES
    before = pd.read_csv(scores).query("variant != @variant") if scores.exists() else None
    pd.concat([before, pd.DataFrame(rows)]).to_csv(scores, index=False)


def retrain(folder: Path, accuracy: float, seeds: tuple[int, ...]) -> None:
    """All variants, since all have the same seeds."""
    (folder / SCORES).unlink()
    for variant in ("single", "candidate"):
        write_variant(folder, variant, accuracy, seeds)


def git(folder: Path, *words: str) -> None:
    someone = ["-c", "user.name=Someone", "-c", "user.email=someone@example.org"]
    subprocess.run(["git", *someone, *words], cwd=folder, check=True, capture_output=True)


def make_project(folder: Path) -> Path:
    """As it is in Git: parameters, metrics and figures, nothing that DVC keeps."""
    (folder / FIGURES).mkdir(parents=True)
    for name in ("params.yaml", "dvc.yaml", ".gitignore"):
        shutil.copy(PROJECT / name, folder)
    edit_params(folder, compare__min_effect=0.01, model__dropout=0.3, model__epochs=10)
    for variant in ("single", "candidate"):
        write_variant(folder, variant, 0.85)
        (folder / FIGURES / f"learning_curves_{variant}.png").write_bytes(b"\x89PNG")
    write_json(folder / METRICS, {"data": DATA})
    return folder


def commit_all(folder: Path) -> None:
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Results")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of the test."""
    folder = make_project(tmp_path / "a project")
    commit_all(folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def review(capsys: pytest.CaptureFixture[str]) -> Review:
    def review(*options: str) -> dict[str, Any]:
        call("commands.review", *options, "--json")
        return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]

    return review


@pytest.fixture
def page(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def page(*options: str) -> str:
        call("commands.review", *options)
        return capsys.readouterr().out

    return page


def row_of(report: dict[str, Any], split: str = "validation") -> dict[str, Any]:
    (row,) = (row for row in report["accuracy"] if row["split"] == split)
    return row  # type: ignore[no-any-return]


# --- what it shows --------------------------------------------------------------------------------


def test_a_change_without_effect_is_three_lines(project: Path, page: Callable[..., str]):
    shown = page("HEAD", "--fail-on", "worse")
    assert re.fullmatch(r"# Review against HEAD \(\w{7}\)\n\n\*\*No accuracy changed.\*\*\n", shown)


def test_worse_is_called_and_fails_on_request(project: Path, page: Callable[..., str]):
    write_variant(project, "candidate", 0.70)
    shown = page()
    assert "**On validation: candidate worse.**" in shown
    assert "| `candidate` | test       |" in shown
    assert "`single`" not in shown
    assert refusal("commands.review", "main", "--fail-on", "worse") == "error: candidate is worse"


def test_validation_decides_and_the_test_reviews_do_not(project: Path, review: Review):
    before = bits_of(project, "candidate")
    write_bits(project, "candidate", before | {"test": np.zeros_like(before["test"])})
    report = review("main", "--fail-on", "worse")
    assert row_of(report, "test")["verdict"] == "worse"
    assert {row["split"] for row in report["accuracy"]} == {"test"}
    call("commands.review", "main", "--fail-on", "worse")
    assert "**Validation did not change.**" in (project / "review/report.md").read_text()


@pytest.mark.parametrize(
    ("accuracy", "min_effect", "word"),
    [(0.97, 0.01, "better"), (0.97, 0.5, "trivial"), (0.85, 0.2, "same"), (0.85, 0.0, "~")],
)
def test_what_matters_is_what_params_yaml_says(
    project: Path, review: Review, accuracy: float, min_effect: float, word: str
):
    edit_params(project, compare__min_effect=min_effect)
    write_variant(project, "candidate", accuracy, draw=1)
    report = review()
    assert row_of(report)["verdict"] == word
    assert report["min_effect"] == min_effect


def test_a_row_says_how_likely_the_change_is_worse_about_the_same_and_better(
    project: Path, review: Review
):
    write_variant(project, "candidate", 0.86, draw=1)
    row = row_of(review())
    chances = row["probabilities"]
    assert sum(chances.values()) == pytest.approx(1)
    d = Difference(**{name: row[name] for name in Difference._fields})
    assert chances == d.probabilities(0.01)


def test_what_is_found_and_what_luck_finds_depend_on_the_rows_of_validation_and_the_tries(
    project: Path, review: Review
):
    for variant in ("single", "candidate"):
        write_variant(project, variant, 0.86, draw=1)
    report = review("--tried", "3")
    found = [
        Difference(**{name: row[name] for name in Difference._fields})
        for row in report["accuracy"]
        if row["split"] == "validation"
    ]
    assert report["detectable"] == pytest.approx(detectable(found, 3 * 2))
    assert report["best_by_chance"] == pytest.approx(best_by_chance(found, 3))


def test_a_table_has_a_row_per_difference_and_a_footnote_what_its_words_mean():
    row: dict[str, Any] = {"variant": "candidate", "split": "test", "verdict": "better"}
    row |= {"before": 0.8512, "after": 0.86345, "mean": 0.01225, "low": 0.002, "high": 0.0225}
    row |= {
        "wins": 5,
        "seeds": 6,
        "probabilities": {"worse": 0.004, "same": 0.252, "better": 0.744},
    }
    unpaired = row | {"wins": -1, "low": np.nan, "probabilities": {"worse": np.nan}}
    report: dict[str, Any] = {"base": "main", "accuracy": [row, unpaired | {"wins": 0}, unpaired]}
    header, _, *rows = accuracy_table(report).splitlines()
    names = "variant | split | main | here | points, 95% interval | wins | worse, same, better"
    assert re.sub(" +", " ", header) == f"| {names} | verdict |"
    start = "| `candidate` | test | 0.8512 | 0.8635 | +1.23"
    assert [re.sub(" +", " ", shown) for shown in rows] == [
        f"{start} [+0.20, +2.25] | 5/6 | 0, 25, 74% | better |",
        f"{start} - | 0/6 | - | better |",
        f"{start} - | - | - | better |",
    ]
    report |= {"min_effect": 0.002, "detectable": 0.00456, "tried": 3, "best_by_chance": 0.00123}
    assert footnote(report) == (
        "Interval: 95%, over seeds and reviews. Verdicts: `better`, `worse`: shown to differ from "
        "0, by an estimate of 0.2 points or more; `trivial`: of less; `same`: shown to be within "
        "±0.2 points; `~`: cannot tell. *worse, same, better*: the probabilities that the true "
        "difference is below, within and above ±0.2 points. With these seeds a true difference of "
        "0.46 points gets a verdict four times in five. By chance alone, the best of 3 equally "
        "good recipes looks 0.12 points better than the base."
    )
    unknown = {"detectable": np.nan, "best_by_chance": np.nan}
    for less in (unknown, {"detectable": np.nan, "tried": 1}):
        assert footnote(report | less).endswith("and above ±0.2 points.")


def test_two_seeds_are_too_few_for_any_verdict(project: Path, review: Review):
    retrain(project, 0.85, seeds=(1, 2))
    git(project, "commit", "--all", "--quiet", "--message", "Two seeds")
    write_variant(project, "candidate", 0.7, seeds=(1, 2))
    set_metric(project, "test_loss", [0.9, 0.90001])
    report = review("HEAD")
    (metric,) = report["metrics"]
    assert metric["verdict"] == row_of(report)["verdict"] == "too few seeds (2 of 3)"


def test_a_changed_parameter_is_shown_with_its_figures(project: Path, review: Review):
    edit_params(project, model__dropout=0.9, model__epochs=1)
    write_variant(project, "candidate", 0.7)
    (project / FIGURES / "learning_curves_candidate.png").write_bytes(b"\x89PNG other")
    report = review()
    assert report["params"] == {
        "model.dropout": {"old": 0.3, "new": 0.9},
        "model.epochs": {"old": 10, "new": 1},
    }
    assert report["code"] == {}
    assert report["figures"] == ["learning_curves_candidate.png"]
    for side, content in (("before", b"\x89PNG"), ("after", b"\x89PNG other")):
        figure = project / "review" / side / "learning_curves_candidate.png"
        assert figure.read_bytes() == content


def set_metric(project: Path, name: str, values: list[Any]) -> None:
    scores = pd.read_csv(project / SCORES)
    scores.loc[scores["variant"] == "candidate", name] = values
    scores.to_csv(project / SCORES, index=False)


@pytest.mark.parametrize("name", ["train_accuracy", "test_loss", "test_brier", "best_epoch"])
@pytest.mark.parametrize(
    ("by", "tried", "word"),
    [(5, 1, "higher"), (-5, 1, "lower"), (5, 2000, "~"), (0, 1, "~")],
)
def test_other_metrics_have_students_interval_over_the_seeds(
    project: Path, review: Review, name: str, by: int, tried: int, word: str
):
    """The differences by -1, 0, 1, … have a standard error of sqrt(0.8 / 6), t is 2.571."""
    set_metric(project, name, [3] * 6)
    git(project, "commit", "--all", "--quiet", "--message", "Three")
    set_metric(project, name, [3 + by + noise for noise in (-1, 0, 1, -1, 0, 1)])
    (row,) = review("HEAD", "--tried", str(tried))["metrics"]
    assert (row["metric"], row["verdict"]) == (f"candidate.{name}", word)
    assert [row["before"], row["after"]] == pytest.approx([3, 3 + by])
    half = 2.5706 * (0.8 / 6) ** 0.5
    assert [row["low"], row["high"]] == pytest.approx([by - half, by + half], rel=1e-4)


def test_many_metrics_are_one_family_and_what_a_base_did_not_have_is_left_out(
    project: Path, review: Review
):
    """Alone, with p = 0.04, either would be called higher."""
    scores = pd.read_csv(project / SCORES)
    scores.drop(columns="test_brier").to_csv(project / SCORES, index=False)
    git(project, "commit", "--all", "--quiet", "--message", "Older")
    set_metric(project, "test_brier", [0.2] * 6)
    for name in ("train_accuracy", "best_epoch"):
        set_metric(project, name, (scores[name][:6] + np.array([2, 0, 1, 2, 0, 1])).tolist())
    assert {row["metric"]: row["verdict"] for row in review("HEAD")["metrics"]} == {
        "candidate.train_accuracy": "~",
        "candidate.best_epoch": "~",
    }


@pytest.mark.parametrize(
    "change",
    [
        {"model__loss": "mse"},
        {"model__kernel_l1": 0.1},
        {"model__layers": [{"activity_l2": 0.1}]},
        {"variants__candidate__recipe": "baselines.single"},
    ],
    ids=str,
)
def test_losses_of_another_kind_are_not_compared(project: Path, review: Review, change: Any):
    set_metric(project, "test_loss", [0.9, 0.91, 0.92, 0.93, 0.94, 0.95])
    set_metric(project, "best_epoch", [5, 6, 5, 6, 5, 6])
    edit_params(project, **change)
    assert [row["metric"] for row in review()["metrics"]] == ["candidate.best_epoch"]


def test_without_hidden_layers_the_penalties_of_the_recipe_are_part_of_the_loss(
    project: Path, review: Review
):
    edit_params(project, model__layers=[])
    git(project, "commit", "--all", "--quiet", "--message", "No hidden layer")
    set_metric(project, "test_loss", [0.9, 0.91, 0.92, 0.93, 0.94, 0.95])
    edit_params(project, model__kernel_l2=0.1)
    assert review("HEAD")["metrics"] == []


def test_a_base_with_the_parameters_of_another_version_is_compared(project: Path, review: Review):
    params = (project / "params.yaml").read_text()
    other = params.replace("sparse_updates:", "lazy:").replace("model:\n", "model:\n  future: 1\n")
    other = other.replace("variants:\n", "variants:\n  lazy:\n    recipe: model\n")
    (project / "params.yaml").write_text(other.replace("tokenizer:", "tokens:"))
    git(project, "commit", "--all", "--quiet", "--message", "Another version")
    (project / "params.yaml").write_text(params)
    set_metric(project, "test_loss", [0.9, 0.91, 0.92, 0.93, 0.94, 0.95])
    report = review("HEAD")
    assert report["params"] == {
        "variants.lazy.recipe": {"old": "model", "new": None},  # a name that the user gave
        "model.future": {"old": 1, "new": None},
    }
    assert [row["metric"] for row in report["metrics"]] == ["candidate.test_loss"]


@pytest.mark.parametrize(
    "change",
    [{"model__layers": [{"kernel_l1": 0.0}]}, {"model__layers": [{}, {"units": 4}]}],
    ids=str,
)
def test_losses_of_the_same_kind_are_compared(project: Path, review: Review, change: Any):
    """What is written out is the default, or has no part in the loss."""
    set_metric(project, "test_loss", [0.9, 0.91, 0.92, 0.93, 0.94, 0.95])
    edit_params(project, **change)
    assert [row["metric"] for row in review()["metrics"]] == ["candidate.test_loss"]


def test_what_is_not_known_is_a_dash(project: Path, page: Callable[..., str]):
    """One seed on each side has no interval."""
    retrain(project, 0.85, seeds=(1,))
    git(project, "commit", "--all", "--quiet", "--message", "One seed")
    write_variant(project, "candidate", 0.7, seeds=(1,))
    write_bits(project, "candidate", bits_of(project, "candidate"), (1,), np.zeros(TEST, bool))
    shown = page("HEAD")
    assert re.search(r"`candidate` +\| 1.0000 .*\| 0 +\| 500 +\| - +\|", shown)
    row = r"`candidate` \| validation .*\.\d\d - +\| 0/1 +\| - +\| too few seeds \(1 of 3\)"
    assert re.search(row, shown)
    assert "nan" not in shown
    report = json.loads((project / "review/report.json").read_text())
    assert row_of(report)["low"] is None


def commit_code(project: Path, *paths: str) -> None:
    """Files that are in Git, and changed since."""
    for path in map(project.joinpath, paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "Code")
    for path in map(project.joinpath, paths):
        path.write_text("# changed\n")


def test_code_is_named_with_the_stages_that_depend_on_it_or_on_a_folder_above(
    project: Path, review: Review
):
    package = "workflow/model"
    commit_code(project, "stages/evaluate.py", f"{package}/a/b.py", f"{package}s.py", "other.py")
    assert review("HEAD")["code"] == {
        "stages/evaluate.py": ["evaluate"],
        f"{package}/a/b.py": ["train", "evaluate"],
    }


def test_stages_of_the_user_may_lack_deps_or_have_other_keys(project: Path, review: Review):
    yaml = YAML()
    pipeline = yaml.load(project / "dvc.yaml")
    pipeline["stages"] |= {
        "hello": {"cmd": "echo hi > hello.txt", "outs": ["hello.txt"]},
        "grid": {"matrix": {"n": [1, 2]}, "cmd": "mine.py ${item.n}", "deps": ["mine.py"]},
        "elsewhere": {"wdir": "own", "cmd": "run.py", "deps": ["run.py", {"http://x": None}]},
    }
    yaml.dump(pipeline, project / "dvc.yaml")
    commit_code(project, "mine.py", "own/run.py", "run.py")
    assert review("HEAD")["code"] == {"mine.py": ["grid"], "own/run.py": ["elsewhere"]}


def test_a_new_variant_is_compared_with_the_reference_and_the_candidate(
    project: Path, review: Review, page: Callable[..., str]
):
    write_variant(project, "mine", 0.99)
    report = review()
    assert (report["only_before"], report["only_after"], report["accuracy"]) == ([], ["mine"], [])
    rows = {(row["other"], row["split"]): row for row in report["new"]}
    assert list(rows) == [(o, s) for s in HELD_OUT for o in ("single", "candidate")]
    row = rows["candidate", "test"]
    sides = [bits_of(project, variant)["test"].mean() for variant in ("candidate", "mine")]
    assert [row["before"], row["after"]] == sides
    assert row["mean"] == pytest.approx(sides[1] - sides[0])
    assert row["verdict"] == "better"
    shown = page()
    assert "**No accuracy changed. New: mine.**" in shown
    assert re.search(r"\| `mine` +\| `single` +\| validation \|.* better +\|", shown)


def test_a_variant_that_is_gone_is_named(project: Path, page: Callable[..., str]):
    scores = pd.read_csv(project / SCORES)
    scores[scores["variant"] != "single"].to_csv(project / SCORES, index=False)
    assert re.search(r"Only in main \(\w{7}\): `single`.", page())


# --- for whom -------------------------------------------------------------------------------------


def test_fixed_and_broken_are_counted_in_what_predict_answers(
    project: Path, review: Review, page: Callable[..., str]
):
    """The average of the base is right in 400 of 500; then it loses 10 of these and gains 30."""
    right = np.arange(TEST) < 400
    write_bits(project, "candidate", bits_of(project, "candidate"), average=right)
    git(project, "commit", "--all", "--quiet", "--message", "An average")
    after = bits_of(project, "candidate")
    after["test"] = np.ones((6, TEST), bool)
    after["test"][:2, :5] = False  # the majority of seeds 1 to 3, though not of 4 to 6, is wrong
    after["test"][4:, 5:7] = False  # and the other way round
    write_bits(
        project, "candidate", after, average=(np.arange(TEST) >= 10) & (np.arange(TEST) < 430)
    )
    (row,) = review("HEAD")["answers"]
    assert (row["fixed"], row["broken"], row["between_halves"]) == (30, 10, 7)
    assert (row["before"], row["after"]) == (0.8, 0.84)
    assert row["mean"] == pytest.approx(0.04)
    deviation = np.sqrt((40 - 500 * 0.04**2) / 499 / 500)  # of 40 differences of 1 in 500
    assert row["high"] - row["mean"] == pytest.approx(1.9647 * deviation, rel=1e-3)
    assert re.search(r"`candidate` +\| 0.8000 .*\| 30 +\| 10 +\| 7 +\|", page("HEAD"))


def test_answers_that_one_side_has_not_or_for_other_reviews_are_not_compared(
    project: Path, review: Review
):
    path = project / CORRECT / "candidate.npz"
    with np.load(path) as arrays:
        np.savez(path, **{name: arrays[name] for name in arrays if name != "average"})
    git(project, "commit", "--all", "--quiet", "--message", "An earlier version")
    bits = bits_of(project, "candidate")
    write_bits(project, "candidate", bits, average=np.zeros(TEST, bool))
    assert review("HEAD")["answers"] == []
    write_json(project / METRICS, {"data": DATA | {"test_reviews": 400}})
    for variant in ("single", "candidate"):
        bits = bits_of(project, variant)
        bits["test"] = bits["test"][:, :400]
        write_bits(project, variant, bits, average=np.zeros(400, bool))
    report = review()
    assert report["answers"] == []
    assert report["notes"] == ["The test reviews are not the same on both sides: no verdict."]


def test_only_slices_that_are_shown_to_change_are_listed(
    project: Path, review: Review, page: Callable[..., str]
):
    """Of 300 validation reviews, the 60 longest are classified worse than before."""
    words = np.arange(VALIDATION, dtype=np.uint32)
    write_held_out(project, words)
    before = bits_of(project, "candidate")
    after = {split: bits.copy() for split, bits in before.items()}
    after["validation"][:, 240:] &= np.random.default_rng(1).random((6, 60)) < 0.5
    write_bits(project, "candidate", after)
    report = review()
    rows = {row["slice"]: row for row in report["slices"]}
    assert set(rows) == {"label: negative", "label: positive", "words: 240 to 299"} | {
        "unknown words: 0.0%"
    }
    row = rows["words: 240 to 299"]
    assert row["before"] == before["validation"][:, 240:].mean()
    assert row["after"] == after["validation"][:, 240:].mean()
    assert (row["verdict"], row["wins"]) == ("worse", 0)
    assert re.search(r"\| `candidate` +\| words: 240 to 299 +\|.* worse +\|", page())
    assert "words: 180" not in page()
    assert "candidate words: 240 to 299 is worse" in refusal(
        "commands.review", "--fail-on", "slice"
    )


def test_a_slice_is_compared_only_with_itself_and_as_one_of_all_that_were_tried(
    project: Path, review: Review
):
    """By the share of unknown words, which is none of no word."""
    words = np.repeat([0, 1], [100, 200])
    write_held_out(project, words, unknown=np.repeat([0, 0, 1], 100))
    bits = bits_of(project, "candidate")
    bits["validation"][:, 200:240] = False
    write_bits(project, "candidate", bits)
    slices = {
        tried: {row["slice"]: row for row in review("--tried", tried)["slices"]}
        for tried in ("1", "1000000000")
    }
    assert list(slices["1"]) == [
        "label: negative",
        "label: positive",
        "words: 1",
        "unknown words: 100.0%",
    ]
    verdicts = [rows["unknown words: 100.0%"]["verdict"] for rows in slices.values()]
    assert verdicts == ["worse", "~"]


def test_slices_need_the_reviews_of_this_version_and_the_same_on_both_sides(
    project: Path, review: Review
):
    write_variant(project, "candidate", 0.7)
    assert review()["slices"] == []
    write_held_out(project, np.arange(VALIDATION))
    assert review()["slices"]
    write_json(project / METRICS, {"data": DATA | {"validation_reviews": 200}})
    write_held_out(project, np.arange(200))
    for variant in ("single", "candidate"):
        bits = bits_of(project, variant)
        write_bits(project, variant, bits | {"validation": bits["validation"][:, :200]})
    assert review()["slices"] == []


def write_held_out(project: Path, words: Any, unknown: Any = 0) -> None:
    """Every second validation review is positive."""
    labels = np.arange(len(words)) % 2
    validation = pd.DataFrame({"label": labels, "words": words, "unknown": unknown})
    test = pd.DataFrame(np.zeros((TEST, 3), np.uint32), columns=[*validation])
    write_descriptions({"validation": validation, "test": test}, project / HELD_OUT_REVIEWS)


def test_the_cost_of_a_model_is_shown_and_may_be_limited(
    project: Path, review: Review, page: Callable[..., str]
):
    def write_size(**size: int) -> None:
        write_json(project / METRICS, {"data": DATA, "candidate": {"size": size}})

    write_size(bytes=1000, columns=60, weights=480)
    git(project, "commit", "--all", "--quiet", "--message", "Sizes")
    write_size(bytes=1200, columns=60, weights=500)
    assert review("HEAD")["sizes"] == [
        {"metric": "candidate.bytes", "before": 1000, "after": 1200},
        {"metric": "candidate.weights", "before": 480, "after": 500},
    ]
    assert re.search(r"`candidate.bytes` +\| 1,000 +\| 1,200 ", page("HEAD"))
    grown = "error: candidate.bytes grew from 1,000 to 1,200"
    assert refusal("commands.review", "HEAD", "--fail-on", "worse", "size") == grown
    call("commands.review", "HEAD", "--fail-on", "size", "--max-growth", "0.2")


def test_examples_are_the_reviews_whose_probability_moved_most(
    copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Review 0 is broken, 1 to 4 are fixed, 2 most of all; the base's predictions are DVC's."""
    monkeypatch.chdir(copy)
    path, bits = Path("data/predictions/candidate/test.npy"), CORRECT / "candidate.npz"
    labels = np.load("data/reviews/test_labels.npy")[:5] == 1
    before = np.load(path)
    right = np.array([0.9, 0.4, 0.1, 0.3, 0.2], np.float32)
    before[:, :5] = np.where(labels, right, 1 - right)
    path.unlink()
    np.save(path, before)
    command(copy, copy, copy, "dvc commit --force evaluate@candidate")
    git(copy, "commit", "--all", "--message", "Other predictions")
    after = before.copy()
    right = np.array([0.3, 0.6, 0.9, 0.7, 0.7], np.float32)
    after[:, :5] = np.where(labels, right, 1 - right)
    path.unlink()
    np.save(path, after)
    changed = Correct.from_bytes(bits.read_bytes())
    bits.write_bytes(changed._replace(average=~changed.average).to_bytes())
    call("commands.review", "HEAD", "--examples")
    shown = re.findall(
        r"^(Fixed|Broken) by candidate, review (\d)", capsys.readouterr().out, re.MULTILINE
    )
    assert shown == [("Fixed", "2"), ("Fixed", "4"), ("Fixed", "3"), ("Broken", "0")]


def test_where_a_label_is_rare_accuracy_alone_is_said_to_mislead(
    project: Path, page: Callable[..., str]
):
    assert "misleads" not in page()
    scores = {"candidate": {"test_f1_of_rarer_label": 0.4, "test_roc_auc": 0.9}}
    write_json(project / METRICS, {"data": DATA} | scores)
    assert "One label is rare, so accuracy alone misleads" in page()


@pytest.mark.parametrize(("gate", "metric"), [("loss", "test_loss"), ("brier", "test_brier")])
def test_a_loss_or_a_brier_score_that_rises_fails_on_request(project: Path, gate: str, metric: str):
    set_metric(project, metric, [0.1, 0.11, 0.12, 0.11, 0.1, 0.12])
    git(project, "commit", "--all", "--quiet", "--message", "Scores")
    set_metric(project, metric, [0.3, 0.31, 0.32, 0.33, 0.34, 0.35])
    rises = refusal("commands.review", "HEAD", "--fail-on", gate)
    assert rises == f"error: candidate.{metric} is higher"
    set_metric(project, metric, [0.01, 0.02, 0.01, 0.02, 0.01, 0.02])
    call("commands.review", "HEAD", "--fail-on", gate)


def test_on_a_terminal_the_page_is_named_instead_of_pictures(
    project: Path, page: Callable[..., str], monkeypatch: pytest.MonkeyPatch
):
    (project / FIGURES / "learning_curves_candidate.png").write_bytes(b"\x89PNG other")
    assert "| ![](before/learning_curves_candidate.png) |" in page()
    monkeypatch.setattr("commands.review.is_terminal", lambda: True)
    shown = page()
    assert "1 picture changed: see review/report.md." in shown
    assert "![]" not in shown
    assert "![](before/" in (project / "review/report.md").read_text()


def flip(project: Path, variant: str, splits: Iterable[str] = HELD_OUT) -> None:
    """One seed is right in another review of each split."""
    flipped = bits_of(project, variant)
    for split in splits:
        flipped[split][0, 0] ^= True
    write_bits(project, variant, flipped)
    (project / FIGURES / f"learning_curves_{variant}.png").write_bytes(b"\x89PNG rounded")


def test_what_another_processor_rounded_otherwise_is_said_once(
    project: Path, review: Review, page: Callable[..., str]
):
    """One bit of 6 seeds and 300 reviews is 0.056 points; and a candidate that did change."""
    flip(project, "single")
    reason = "by less than 0.06 points, with the same code, parameters and data, as by the rounding"
    assert "**No accuracy changed, but by rounding.**" in page()
    assert review()["figures"] == []
    edit_params(project, model__dropout=0.9)
    write_variant(project, "candidate", 0.7)
    report = review()
    assert {row["variant"] for row in report["accuracy"]} == {"candidate"}
    assert report["figures"] == []
    assert f"Also changed, {reason} of another processor: `single`." in page()


@pytest.mark.parametrize(
    "change",
    [
        {"data__seed": 9},
        {"train__first_seed": 9},
        {"variants__single__recipe": "baselines.book"},
        {"baselines__single__epochs": 1},
        {"features__multi_hot__num_words": 99},
        "stages/train.py",
        "requirements.txt",
        "dvc.yaml",
    ],
    ids=str,
)
def test_changed_code_or_parameters_are_not_excused_by_rounding(
    project: Path, review: Review, change: Any
):
    if isinstance(change, str):
        (project / change).parent.mkdir(exist_ok=True)
        (project / change).touch()
        git(project, "add", "--all")
        git(project, "commit", "--allow-empty", "--quiet", "--message", "Code")
        with (project / change).open("a") as file:
            file.write("# changed\n")
    else:
        edit_params(project, **change)
    flip(project, "single")
    report = review("HEAD")
    assert (report["rounded"], row_of(report)["variant"]) == ({}, "single")
    assert report["figures"] == ["learning_curves_single.png"]
    stages = {"stages/train.py": ["train"], "requirements.txt": ["all"], "dvc.yaml": ["all"]}
    assert report["code"] == ({change: stages[change]} if isinstance(change, str) else {})


def test_parameters_of_other_variants_and_of_the_reports_are_no_reason_for_a_change(
    project: Path, review: Review
):
    flip(project, "single", ["validation"])
    edit_params(project, compare__min_effect=0.5, model__dropout=0.9, baselines__book__epochs=1)
    edit_params(project, features__ngrams__max_n=1)
    assert review()["rounded"] == {"single": pytest.approx(1 / 6 / VALIDATION)}


# --- seeds ----------------------------------------------------------------------------------------


def shift(project: Path, by: int) -> None:
    """Other seeds, of which those that there were are right where they were."""
    seeds = tuple(range(1 + by, 7 + by))
    before = {variant: bits_of(project, variant) for variant in ("single", "candidate")}
    (project / SCORES).unlink()
    for variant, by_split in before.items():
        rolled = {split: np.roll(bits, -by, axis=0) for split, bits in by_split.items()}
        write_bits(project, variant, rolled, seeds)


def test_seeds_are_paired_by_their_number(project: Path, page: Callable[..., str]):
    """Seeds 3 to 8 after 1 to 6: four are on both sides, and nothing else has changed."""
    write_held_out(project, np.arange(VALIDATION))
    shift(project, by=2)
    shown = page()
    assert "Slices" not in shown
    assert json.loads((project / "review/report.json").read_text())["slices"] == []
    assert "**No accuracy changed.**\n\nCompared by the seeds of both sides: 3, 4, 5, 6.\n" in shown


def test_seeds_that_are_on_one_side_only_are_compared_as_independent_runs(
    project: Path, review: Review, page: Callable[..., str]
):
    write_held_out(project, np.arange(VALIDATION))
    retrain(project, 0.7, seeds=(11, 12, 13))
    report = review()
    assert {row["wins"] for row in report["slices"]} == {-1}
    row = next(row for row in report["accuracy"] if row["variant"] == "candidate")
    assert (row["split"], row["wins"], row["seeds"]) == ("validation", -1, 3)
    assert row["verdict"] == "worse"
    assert report["notes"] == ["Compared as independent runs: no seed is on both sides."]
    losses = next(row for row in report["metrics"] if row["metric"] == "candidate.test_loss")
    assert losses["low"] < losses["after"] - losses["before"] < losses["high"]
    assert re.search(r"`candidate` \| validation .*\] +\| - +\| 100, 0, 0% +\| worse", page())


@pytest.mark.parametrize(("by", "shared"), [(5, "one seed is"), (4, "2 seeds are")])
def test_so_few_common_seeds_that_they_give_no_verdict_give_one_as_independent_runs(
    project: Path, review: Review, by: int, shared: str
):
    edit_params(project, train__first_seed=1 + by)
    shift(project, by=by)
    report = review()
    assert report["accuracy"]
    assert {row["verdict"] for row in report["accuracy"]} <= {"~", "same"}
    assert report["notes"] == [f"Compared as independent runs: {shared} on both sides."]


# --- no verdict -----------------------------------------------------------------------------------


def test_other_data_give_no_verdict(project: Path, page: Callable[..., str]):
    write_variant(project, "candidate", 0.7)
    write_json(project / METRICS, {"data": DATA | {"sha256": "ffff", "source": "bundled"}})
    shown = page("main", "--fail-on", "worse")
    facts = "source keras → bundled, sha256 0123456789ab → ffff"
    assert shown.splitlines()[2:] == [f"**The data are not the same: no verdict. {facts}.**"]


def test_another_share_of_reviews_to_validate_on_gives_no_verdict(
    project: Path, page: Callable[..., str]
):
    write_variant(project, "candidate", 0.7)
    write_json(project / METRICS, {"data": DATA | {"validation_reviews": 200}})
    for variant in ("single", "candidate"):
        before = bits_of(project, variant)
        write_bits(project, variant, before | {"validation": before["validation"][:, :200]})
    shown = page("main", "--fail-on", "worse")
    assert "**The validation reviews are not the same on both sides: no verdict.**" in shown
    assert "candidate worse" not in shown
    assert "| validation" not in shown


def test_an_unknown_revision_gets_a_sentence(project: Path):
    sentence = refusal("commands.review", "nosuch")
    assert sentence.startswith(
        "error: this clone has no revision 'nosuch'; `git fetch origin nosuch`"
    )
    for nothing_to_fetch in ("HEAD~9", "0123abc", ""):
        sentence = refusal("commands.review", nothing_to_fetch)
        assert sentence == f"error: this clone has no revision {nothing_to_fetch!r}"


def test_a_base_that_a_shallow_clone_does_not_have_gets_a_sentence(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    git(project, "commit", "--allow-empty", "--quiet", "--message", "Nothing")
    git(tmp_path, "clone", "--quiet", "--depth", "1", project.as_uri(), "shallow")
    monkeypatch.chdir(tmp_path / "shallow")
    sentence = refusal("commands.review", "HEAD~1")
    assert sentence.startswith(
        "error: this shallow clone has no revision 'HEAD~1'; `git fetch --unshallow`"
    )
    git(tmp_path / "shallow", *re.findall("`git (fetch --unshallow)`", sentence)[0].split())
    call("commands.review", "HEAD~1")


def test_a_folder_without_git_gets_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(make_project(tmp_path / "unpacked"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    for module in ("commands.review", "commands.sweep", "commands.verify"):
        assert refusal(module) == (
            "error: this folder is not in a Git repository: clone the project or, if you unpacked "
            "a ZIP, run `git init && git add --all && git commit -m Start`"
        )


@pytest.mark.parametrize("lost", [CORRECT, SCORES, METRICS], ids=str)
def test_a_side_without_results_gets_a_sentence(project: Path, lost: Path):
    """As a version that is older than these files has none."""
    git(project, "rm", "-r", "--quiet", str(lost))
    sentence = f"error: the workspace has no {lost}; run `dvc repro`"
    assert sentence in refusal("commands.review", "HEAD")
    git(project, "commit", "--quiet", "--message", "None")
    git(project, "checkout", "--quiet", "HEAD~1", "--", str(lost))
    assert re.match(rf"error: HEAD \(\w{{7}}\) has no {lost}; ", refusal("commands.review", "HEAD"))


@pytest.mark.parametrize("path", [SCORES, METRICS, CORRECT / "candidate.npz"], ids=str)
@pytest.mark.parametrize("damage", ["conflict", "cut", "empty"])
def test_a_damaged_file_is_named(project: Path, path: Path, damage: str):
    content = (project / path).read_bytes()
    first, rest = content.split(b"\n", 1)
    (project / path).write_bytes(
        {
            "conflict": first + b"\n<<<<<<< HEAD\n" + rest,
            "cut": content[: len(content) // 2],
            "empty": b"",
        }[damage]
    )
    sentence = refusal("commands.review", "main")
    assert sentence.startswith(f"error: {path}: ")
    assert "\n" not in sentence


def test_a_damaged_file_of_the_base_is_named(project: Path):
    content = (project / SCORES).read_text()
    (project / SCORES).write_text(content.replace("\n", "\n<<<<<<< HEAD\n", 1))
    git(project, "commit", "--all", "--quiet", "--message", "Damaged")
    (project / SCORES).write_text(content)
    sentence = refusal("commands.review", "HEAD")
    assert re.fullmatch(rf"error: {SCORES}: .*; this is in HEAD \(\w{{7}}\): compare .*", sentence)
    assert "dvc repro" not in sentence


@pytest.mark.parametrize("path", ["params.yaml", "dvc.yaml", "dvc.lock"])
def test_conflict_markers_in_what_dvc_reads_are_a_sentence(project: Path, path: str):
    shutil.copy(PROJECT / path, project)
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--allow-empty", "--message", "As DVC made it")
    content = (project / path).read_text()
    (project / path).write_text(content.replace("\n", "\n<<<<<<< HEAD\n", 1))
    assert refusal("commands.review", "HEAD").startswith(f"error: {path}")


def test_results_of_two_runs_mixed_are_refused(project: Path):
    """As a merge of which one half was resolved one way, and one half the other."""
    path = project / CORRECT / "candidate.npz"
    before = Correct.from_bytes(path.read_bytes())
    for other in (
        before._replace(sha256="f" * 64),
        before._replace(seeds=before.seeds + 100),
        before._replace(by_split={split: ~bits for split, bits in before.by_split.items()}),
        before._replace(by_split={s: bits[:, 1:] for s, bits in before.by_split.items()}),
    ):
        path.write_bytes(other.to_bytes())
        assert refusal("commands.review", "HEAD") == (
            f"error: {path.relative_to(project)}: not of the same run as metrics/scores.csv and "
            "metrics/metrics.json; run `dvc repro` to regenerate it"
        )
    path.write_bytes(before.to_bytes())
    call("commands.review", "HEAD")


# --- other than the workspace's own change --------------------------------------------------------


def test_parameters_that_nothing_was_run_with_have_no_results(
    project: Path, review: Review, page: Callable[..., str]
):
    """What dvc.lock keeps of stages that are gone does not count."""
    params = YAML(typ="safe").load(project / "params.yaml")
    stages = {"train@candidate": {"model": params["model"]}, "hello": {}}
    stages |= {"gone": {"model": {"dropout": 1}}, "train@gone": {"baselines.gone": {"epochs": 1}}}
    lock = {name: {"params": {"params.yaml": values}} for name, values in stages.items()}
    YAML().dump({"stages": lock}, project / "dvc.lock")
    assert review()["stale_params"] == {}
    edit_params(project, model__dropout=0.9)
    assert review()["stale_params"] == {"the workspace": ["model.dropout"]}
    assert (
        "**The results of the workspace are not of its parameters (model.dropout): `dvc repro`.**"
    ) in page()


def test_what_came_to_the_base_since_is_told_apart(project: Path, review: Review):
    """A branch that changes nothing, and a base with a better candidate since."""
    git(project, "switch", "--quiet", "--create", "branch")
    git(project, "switch", "--quiet", "main")
    write_variant(project, "candidate", 0.97)
    git(project, "commit", "--all", "--quiet", "--message", "Better")
    git(project, "switch", "--quiet", "branch")
    report = review("main")
    assert row_of(report)["verdict"] == "worse"
    (note,) = report["notes"]
    parting = re.findall("`make review BASE=(.*)`", note)[0]
    report = review(parting)
    assert (report["accuracy"], report["notes"]) == ([], [])


# --- where it runs --------------------------------------------------------------------------------


def test_a_project_in_a_folder_of_a_larger_repository_is_reviewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, review: Review
):
    folder = make_project(tmp_path / "larger" / "a folder" / "imdb")
    (tmp_path / "larger/metrics").mkdir()
    (tmp_path / "larger/metrics/metrics.json").write_text("not ours")
    (folder / "stages").mkdir()
    (folder / "stages/compare.py").write_text("")
    commit_all(tmp_path / "larger")
    monkeypatch.chdir(folder)
    write_variant(folder, "candidate", 0.7)
    (folder / "stages/compare.py").write_text("# changed\n")
    report = review()
    assert row_of(report)["verdict"] == "worse"
    assert report["code"] == {"stages/compare.py": ["compare"]}


def test_a_fresh_clone_without_cache_or_remote_gives_the_same_report(
    experiment: Experiment, mirror: Path, home: Path, tmp_path: Path
):
    """Of an experiment that DVC has run: the clone has nothing but what is in Git."""
    line = "python -m commands.review --tried 1 --json"
    copy = Path(shutil.copytree(experiment.folder, tmp_path / "a copy"))
    report = json.loads(command(copy, mirror, home, line, "HEAD"))
    assert {row["variant"] for row in report["accuracy"]} == {"candidate"}
    assert all(row["low"] <= row["mean"] <= row["high"] for row in report["accuracy"])
    commit(copy, mirror, home)
    clone = tmp_path / "clone"
    command(tmp_path, mirror, home, "git clone --quiet", str(copy), str(clone))
    assert not (clone / "data").exists()
    there = json.loads(command(clone, mirror, home, line, "HEAD~1"))
    for part in ("accuracy", "metrics", "params"):
        assert there[part] == report[part]


def run_in(
    project: Path, module: str, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(PROJECT)} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_checkout_that_is_read_only_gets_its_report_and_a_sentence(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    mkdir = Path.mkdir

    def refuse(path: Path, *arguments: Any, **options: Any) -> None:
        if path.name == ".review.partial":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        mkdir(path, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", refuse)
    call("commands.review")
    out, err = capsys.readouterr()
    assert "**No accuracy changed.**" in out
    assert err == "review/ is not written: [Errno 13] Permission denied: '.review.partial'\n"


@pytest.mark.parametrize("command", ["decode", "errors", "export", "predict", "review", "sweep"])
def test_python_without_docstrings_has_the_help_too(project: Path, command: str):
    result = run_in(project, f"commands.{command}", "--help", PYTHONOPTIMIZE="2")
    assert (result.returncode, result.stdout[:6]) == (0, "usage:")


def test_an_output_without_letters_beyond_ascii_costs_no_result(project: Path):
    git(project, "branch", "zweig-ä")
    result = run_in(project, "commands.review", "zweig-ä", PYTHONIOENCODING="ascii")
    assert (result.returncode, result.stderr) == (0, "")
    assert "# Review against zweig-? (" in result.stdout
    assert "zweig-ä" in (project / "review/report.md").read_text()


@pytest.mark.parametrize("unbuffered", ["", "1"])  # it is noticed at the end, or by `print`
def test_a_reader_that_has_closed_the_pipe_is_no_error(project: Path, unbuffered: str):
    """As `make review | head -1`."""
    write_variant(project, "candidate", 0.7)
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run(
        [sys.executable, "-m", "commands.review"],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": unbuffered},
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert (result.returncode, result.stderr) == (0, "")
    assert (project / "review/report.md").exists()
