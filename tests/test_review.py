"""The review of a change: what it shows, what it leaves out, and where it gives no verdict.

A review reads files alone, so most of it is shown on files that were written by hand.
"""

import errno
import functools
import importlib
import io
import json
import operator
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from ruamel.yaml import YAML

from tests.conftest import PROJECT, Experiment, call, commit_in, edit_params, refusal, run_in
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
from workflow.report.revisions import git

SEEDS = (1, 2, 3, 4, 5, 6)
REVIEWS = {"validation": 300, "test": 500}
DATA = {"source": "keras", "sha256": "0123456789ab", "vocabulary": 60, "train_reviews": 450}
DATA |= {f"{split}_reviews": number for split, number in REVIEWS.items()}
BITS = CORRECT / "candidate.npz"
CURVES = [FIGURES / f"learning_curves_{variant}.png" for variant in ("single", "candidate")]

# The helpers work in the current folder, which the fixture `project` sets.


def write_variant(variant: str, accuracy: float, seeds: tuple[int, ...] = SEEDS, draw: int = 0):
    """What compare writes for a variant that gets this share of the reviews right."""
    random = np.random.default_rng([draw, *variant.encode()])
    bits = {split: random.random((len(seeds), n)) < accuracy for split, n in REVIEWS.items()}
    write_bits(variant, bits, seeds)


def read_bits(variant: str) -> dict[str, NDArray[np.bool_]]:
    return Correct.from_bytes((CORRECT / f"{variant}.npz").read_bytes()).by_split


def write_bits(variant: str, bits: Any, seeds: tuple[int, ...] = SEEDS, average: Any = None):
    """What compare writes for a variant that gets these reviews right."""
    average = np.ones(bits["test"].shape[1], bool) if average is None else average
    random = np.random.default_rng([*variant.encode(), *seeds])
    CORRECT.mkdir(parents=True, exist_ok=True)
    content = Correct("0123456789ab" * 5, np.array(seeds, np.int64), bits, average)
    (CORRECT / f"{variant}.npz").write_bytes(content.to_bytes())
    counts = [f"test_{a}_{b}" for a in ("true", "false") for b in ("positives", "negatives")]
    rows = [
        {"variant": variant, "seed": seed, "best_epoch": 2, "train_accuracy": 0.9 + seed / 1000}
        | {f"{split}_accuracy": bits[split][row].mean() for split in HELD_OUT}
        | {"test_loss": 0.4 + random.random() / 100, "test_brier": 0.1}
        | dict.fromkeys(counts, 125)
        for row, seed in enumerate(seeds)
    ]
    before = pd.read_csv(SCORES).query("variant != @variant") if SCORES.exists() else None
    pd.concat([before, pd.DataFrame(rows)]).to_csv(SCORES, index=False)


def retrain(accuracy: float, seeds: tuple[int, ...]):
    """All variants, since all have the same seeds."""
    SCORES.unlink()
    for variant in ("single", "candidate"):
        write_variant(variant, accuracy, seeds)


def set_metric(name: str, values: Any):
    scores = pd.read_csv(SCORES)
    scores.loc[scores["variant"] == "candidate", name] = values
    scores.to_csv(SCORES, index=False)


def set_params(**changes: Any):
    edit_params(Path(), **changes)


def write_held_out(unknown: Any = 0, **reviews: int):
    """Every second review is positive, and each is longer than the one before."""
    tables = {}
    for split, number in (REVIEWS | reviews).items():
        words = np.arange(number)
        table = pd.DataFrame({"label": words % 2, "words": words})
        tables[split] = table.assign(unknown=np.where(words >= 240, unknown * words, 0))
    write_descriptions(tables)


def save(message: str = "Results"):
    git("add", "--all")
    git("commit", "--allow-empty", "--quiet", "--message", message)


def make_project(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Parameters, metrics and figures, nothing that DVC keeps, in one commit on main."""
    (folder / FIGURES).mkdir(parents=True)
    monkeypatch.chdir(folder)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Someone")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "someone@example.org")
    for name in ("params.yaml", "dvc.yaml", ".gitignore"):
        shutil.copy(PROJECT / name, folder)
    set_params(compare__min_effect=0.01, model__dropout=0.3, model__epochs=10)
    for variant, curves in zip(("single", "candidate"), CURVES, strict=True):
        write_variant(variant, 0.85)
        curves.write_bytes(b"\x89PNG")
    write_held_out()
    write_json(METRICS, {"data": DATA})
    git("init", "--quiet", "--initial-branch", "main")
    save()
    return folder


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of the test."""
    return make_project(tmp_path / "a project", monkeypatch)


def review(*options: str) -> dict[str, Any]:
    call("commands.review", *options)
    return json.loads(Path("review/report.json").read_text())  # type: ignore[no-any-return]


def page(*options: str) -> str:
    call("commands.review", *options)
    return Path("review/report.md").read_text()


def verdict_on(report: dict[str, Any], split: str = "validation") -> str:
    (verdict,) = (row["verdict"] for row in report["accuracy"] if row["split"] == split)
    return str(verdict)


# --- what it shows --------------------------------------------------------------------------------


def test_a_change_without_effect_is_three_lines_printed_and_written(project, capsys):
    written = page("HEAD", "--fail-on", "worse", "slice", "loss", "brier", "size")
    assert capsys.readouterr().out == written
    assert re.fullmatch(r"# Review against HEAD \(\w{7}\)\n\n\*\*No accuracy.*\*\*\n", written)
    report = review("--json")
    assert json.loads(capsys.readouterr().out) == report


def test_worse_is_called_and_fails_on_request(project):
    """Of 300 validation reviews, every seed gets 270 right, and then 240 of these."""
    right = np.arange(300) < np.full((6, 1), 270)
    write_bits("candidate", read_bits("candidate") | {"validation": right})
    save()
    write_bits("candidate", read_bits("candidate") | {"validation": right & (right.cumsum(1) > 30)})
    shown = page("HEAD")
    assert "**On validation: candidate worse.**" in shown
    row = r"\| `candidate` \| validation \| 0.9000 +\| 0.8000 \| -10.00 \[-13.40, -6.60\] +\| "
    assert re.search(row + r"0/6 +\| 100, 0, 0% +\| worse +\|", shown)
    assert "| test " not in shown
    assert "`single`" not in shown
    assert refusal("commands.review", "HEAD", "--fail-on", "worse") == "error: candidate is worse"


def test_validation_decides_and_the_test_reviews_do_not(project):
    write_bits("candidate", read_bits("candidate") | {"test": np.zeros((6, 500), bool)})
    report = review("main", "--fail-on", "worse")
    assert [(row["split"], row["verdict"]) for row in report["accuracy"]] == [("test", "worse")]
    assert "**Validation did not change.**" in Path("review/report.md").read_text()


@pytest.mark.parametrize(
    ("accuracy", "min_effect", "word"),
    [(0.97, 0.01, "better"), (0.97, 0.5, "trivial"), (0.85, 0.2, "same"), (0.85, 0.0, "~")],
)
def test_what_matters_is_what_params_yaml_says(project, accuracy, min_effect, word):
    set_params(compare__min_effect=min_effect)
    write_variant("candidate", accuracy, draw=1)
    report = review()
    assert verdict_on(report) == word
    shown = Path("review/report.md").read_text()
    assert f"shown to differ from 0, by an estimate of {100 * min_effect:g} points or more" in shown


def test_every_table_says_which_side_is_which(project):
    set_params(model__dropout=0.9)
    write_bits("candidate", read_bits("candidate"), average=np.arange(500) > 4)
    write_variant("single", 0.97)
    set_metric("train_accuracy", 0.5)
    CURVES[1].write_bytes(b"\x89PNG other")
    base = f"main ({git('rev-parse', 'main').decode()[:7]})"
    tables = re.sub(" +", " ", page("main"))
    for header, start in {
        f"| parameter | {base} | here |": "| `model.dropout` | 0.3 | 0.9 |",
        f"| variant | split | {base} | here | points, 95% interval | wins | worse, same, better "
        "| verdict |": "| `single` | validation | 0.8594 | 0.9667 | +10.72 [",
        f"| average of the seeds, test | {base} | here | points, 95% interval | fixed | broken | "
        "two halves of the seeds differ in |": "| `candidate` | 1.0000 | 0.9900 | -1.00 [",
        f"| metric | {base} | here | 95% interval of the change | verdict |": "| "
        "`candidate.train_accuracy` | 0.9035 | 0.5000 | [-0.405, -0.402] | lower |",
        f"| {base} | here |": "| ![](before/learning_curves_candidate.png) | ![](after/",
    }.items():
        assert re.search(rf"{re.escape(header)}\n\|[-|]+\n{re.escape(start)}", tables), header


def test_its_values_are_those_of_the_rows_of_validation_and_the_number_of_tries(project):
    """One of them would not be shown to be better if the rows of test were in its family."""
    for variant in ("single", "candidate"):
        write_variant(variant, 0.89, draw=1)
    report = review("--tried", "3")
    rows = [row for row in report["accuracy"] if row["split"] == "validation"]
    found = [Difference(**{name: row[name] for name in Difference._fields}) for row in rows]
    assert [row["probabilities"] for row in rows] == [d.probabilities(0.01) for d in found]
    assert [row["verdict"] for row in rows] == ["~", "better"]
    smallest, chance = detectable(found, 3 * 2), best_by_chance(found, 3)
    assert [report["detectable"], report["best_by_chance"]] == pytest.approx([smallest, chance])
    shown = Path("review/report.md").read_text()
    assert f"With these seeds a true difference of {100 * smallest:.2f} points gets" in shown
    assert f"best of 3 equally good recipes looks {100 * chance:.2f} points better" in shown


def test_a_changed_parameter_is_shown_with_its_figures(project, monkeypatch, capsys):
    """On a terminal, the page that has them is named instead."""
    set_params(model__dropout=0.9, model__epochs=1)
    write_variant("candidate", 0.7)
    CURVES[1].write_bytes(b"\x89PNG other")
    report = review()
    changed = {"model.dropout": {"old": 0.3, "new": 0.9}, "model.epochs": {"old": 10, "new": 1}}
    assert (report["params"], report["code"]) == (changed, {})
    assert report["figures"] == [CURVES[1].name]
    for side, content in (("before", b"\x89PNG"), ("after", b"\x89PNG other")):
        assert (Path("review") / side / CURVES[1].name).read_bytes() == content
    addresses = r"\| !\[\]\(before/learning_curves_candidate.png\) +\| !\[\]\(after/learning_"
    assert re.search(addresses, Path("review/report.md").read_text())
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    capsys.readouterr()
    assert f"![](http://a/{CURVES[1].name})" in page("--images", "http://a", "http://b")
    shown = capsys.readouterr().out
    assert shown.endswith("1 picture changed: see review/report.md.\n")
    assert "![]" not in shown


def test_other_metrics_have_students_interval_over_the_seeds(project):
    """The differences by -1, 0, 1, … have a standard error of sqrt(0.8 / 6), t is 2.571."""
    expected = {"train_accuracy": (5, "higher"), "test_loss": (-5, "lower")}
    expected |= {"test_brier": (5, "higher"), "best_epoch": (0, "~")}
    for name in expected:
        set_metric(name, 13)
    save()
    for name, (by, _) in expected.items():
        set_metric(name, [13 + by + noise for noise in (-1, 0, 1, -1, 0, 1)])
    rows = review("HEAD", "--tried", "1")["metrics"]
    half = 2.5706 * (0.8 / 6) ** 0.5
    for row, (name, (by, word)) in zip(rows, expected.items(), strict=True):
        assert (row["metric"], row["verdict"]) == (f"candidate.{name}", word)
        assert [row["before"], row["after"]] == pytest.approx([13, 13 + by])
        assert [row["low"], row["high"]] == pytest.approx([by - half, by + half], rel=1e-4)
    assert {row["verdict"] for row in review("HEAD", "--tried", "5000")["metrics"]} == {"~"}
    for gate, name in (("loss", "test_loss"), ("brier", "test_brier")):
        set_metric(name, [20, 21, 22, 20, 21, 22])
        higher = f"error: candidate.{name} is higher"
        assert refusal("commands.review", "--tried", "1", "HEAD", "--fail-on", gate) == higher
        set_metric(name, [1, 2, 3, 1, 2, 3])
        review("--tried", "1", "HEAD", "--fail-on", gate)


def test_a_metric_that_the_base_does_not_have_is_left_out(project):
    """The others are one family: alone, with p = 0.04, either of these would be higher."""
    scores = pd.read_csv(SCORES)
    scores.drop(columns="test_brier").to_csv(SCORES, index=False)
    save("Without a metric")
    scores["test_brier"] = 0.2
    scores.to_csv(SCORES, index=False)
    for name in ("train_accuracy", "best_epoch"):
        set_metric(name, (scores[name][6:] + np.array([2, 0, 1, 2, 0, 1])).tolist())
    verdicts = {row["metric"]: row["verdict"] for row in review("HEAD")["metrics"]}
    assert verdicts == {"candidate.train_accuracy": "~", "candidate.best_epoch": "~"}


@pytest.mark.parametrize(
    ("change", "compared"),
    [
        ({"model__loss": "mse"}, False),
        ({"model__kernel_l1": 0.1}, False),
        ({"model__layers": [{"activity_l2": 0.1}]}, False),
        ({"variants__candidate__recipe": "baselines.single"}, False),
        ({"model__layers": [{"kernel_l1": 0.0}]}, True),  # the default
        ({"model__layers": [{}, {"units": 4}]}, True),
    ],
    ids=str,
)
def test_only_losses_of_the_same_kind_are_compared(project, change, compared):
    set_metric("test_loss", [0.9, 0.91, 0.92, 0.93, 0.94, 0.95])
    set_params(**change)
    assert bool(review()["metrics"]) == compared


@pytest.mark.parametrize(("key", "compared"), [("future", True), ("loss", False)])
def test_a_base_with_a_parameter_that_is_unknown_here_is_compared(project, key, compared):
    before = YAML(typ="safe").load(Path("params.yaml"))["model"].get(key)
    set_params(**{f"model__{key}": "of the future"})
    save("Another version")
    git("checkout", "--quiet", "HEAD~1", "--", "params.yaml")
    set_metric("test_loss", [0.9, 0.91, 0.92, 0.93, 0.94, 0.95])
    report = review("HEAD")
    assert report["params"] == {f"model.{key}": {"old": "of the future", "new": before}}
    assert bool(report["metrics"]) == compared


def test_what_is_not_known_is_a_dash(project):
    """One seed on each side has no interval."""
    retrain(0.85, seeds=(1,))
    save("One seed")
    write_variant("candidate", 0.7, seeds=(1,))
    write_bits("candidate", read_bits("candidate"), (1,), np.zeros(500, bool))
    set_metric("test_loss", [0.9])
    shown = page("HEAD")
    assert re.search(r"`candidate` +\| 1.0000 .*\| 0 +\| 500 +\| - +\|", shown)
    too_few = r"too few seeds \(1 of 3\)"
    assert re.search(rf"`candidate` \| validation .*\.\d\d - +\| 0/1 +\| - +\| {too_few}", shown)
    assert re.search(rf"`candidate.test_loss` .*\| - +\| {too_few}", shown)
    assert "nan" not in shown
    assert review("HEAD")["accuracy"][0]["low"] is None


def write_code(*paths: str):
    """Files that are in Git, and changed since."""
    for path in map(Path, paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    save("Code")
    for path in map(Path, paths):
        with path.open("a") as file:
            file.write("# changed\n")


def test_stages_of_the_user_may_lack_deps_or_have_other_keys(project):
    """Code is named with the stages that depend on it or on a folder above."""
    yaml = YAML()
    pipeline = yaml.load(Path("dvc.yaml"))
    pipeline["stages"] |= {
        "hello": {"cmd": "echo hi > hello.txt", "outs": ["hello.txt"]},
        "grid": {"matrix": {"n": [1, 2]}, "cmd": "mine.py ${item.n}", "deps": ["mine.py"]},
        "elsewhere": {"wdir": "own", "cmd": "run.py", "deps": ["run.py", {"http://x": None}]},
    }
    yaml.dump(pipeline, Path("dvc.yaml"))
    network = "workflow/model/a/b.py"
    write_code("mine.py", "own/run.py", "run.py", "stages/plot.py", network, "workflow/models.py")
    assert review("HEAD")["code"] == {
        "mine.py": ["grid"],
        "own/run.py": ["elsewhere"],
        "stages/plot.py": ["plot"],
        network: ["train", "evaluate"],
    }


def test_a_new_variant_is_compared_with_the_reference_and_the_candidate(project):
    write_variant("mine", 0.99)
    report = review()
    assert (report["only_before"], report["only_after"], report["accuracy"]) == ([], ["mine"], [])
    rows = {(row["other"], row["split"]): row for row in report["new"]}
    assert list(rows) == [(o, s) for s in HELD_OUT for o in ("single", "candidate")]
    row = rows["candidate", "test"]
    sides = [read_bits(variant)["test"].mean() for variant in ("candidate", "mine")]
    assert [row["before"], row["after"]] == sides
    assert row["mean"] == pytest.approx(sides[1] - sides[0])
    shown = Path("review/report.md").read_text()
    assert "**No accuracy changed. New: mine.**" in shown
    assert re.search(r"\| variant +\| minus +\| split +\|", shown)
    assert re.search(r"\| `mine` +\| `single` +\| validation \|.* better +\|", shown)
    set_params(compare__min_effect=0.5)
    assert {row["verdict"] for row in review()["new"]} == {"trivial"}
    save("Mine")
    git("checkout", "--quiet", "main~1", "--", ".")
    assert re.search(r"Only in main \(\w{7}\): `mine`.", page())


def test_where_a_label_is_rare_accuracy_alone_is_said_to_mislead(project):
    assert "misleads" not in page()
    write_json(METRICS, {"data": DATA, "candidate": {"test_f1_of_rarer_label": 0.4}})
    assert "One label is rare, so accuracy alone misleads" in page()


# --- for whom, at what cost -----------------------------------------------------------------------


def test_fixed_and_broken_are_counted_in_what_predict_answers(project):
    """The average of the base is right in 400 of 500; then it loses 10 of these and gains 30."""
    number = np.arange(500)
    write_bits("candidate", read_bits("candidate"), average=number < 400)
    save("An average")
    after = read_bits("candidate") | {"test": np.ones((6, 500), bool)}
    after["test"][:2, :5] = False  # the majority of seeds 1 to 3, though not of 4 to 6, is wrong
    after["test"][4:, 5:7] = False  # and the other way round
    write_bits("candidate", after, average=(number >= 10) & (number < 430))
    (row,) = review("HEAD")["answers"]
    assert (row["fixed"], row["broken"], row["between_halves"]) == (30, 10, 7)
    assert (row["before"], row["after"], row["mean"]) == pytest.approx((0.8, 0.84, 0.04))
    deviation = np.sqrt((40 - 500 * 0.04**2) / 499 / 500)  # of 40 differences of 1 in 500
    assert row["high"] - row["mean"] == pytest.approx(1.9647 * deviation, rel=1e-3)
    shown = Path("review/report.md").read_text()
    assert re.search(r"`candidate` +\| 0.8000 .*\| 30 +\| 10 +\| 7 +\|", shown)


@pytest.mark.parametrize("seeds", [4, 5])
def test_half_of_the_seeds_is_no_majority_and_an_odd_one_is_left_out(project, seeds: int):
    """In reviews 0 to 2 one of seeds 1 and 2 is right, in 2 to 4 one of seeds 3 and 4."""
    bits = np.ones((seeds, 500), bool)
    bits[0, :3] = bits[2, 2:5] = False
    numbers = tuple(range(1, seeds + 1))
    retrain(0.85, numbers)
    save("So many seeds")
    write_bits("candidate", read_bits("candidate") | {"test": bits}, numbers, np.arange(500) > 0)
    (row,) = review("HEAD")["answers"]
    assert row["between_halves"] == 4


def test_a_change_too_large_for_rounding_is_one(project):
    """Six reviews of 300 in one of six seeds: 0.3 points."""
    bits = read_bits("candidate")
    wrong = np.flatnonzero(~bits["validation"][0])[:6]
    bits["validation"][0, wrong] = True
    write_bits("candidate", bits)
    report = review("HEAD")
    assert report["rounded"] == {}
    assert report["accuracy"][0]["mean"] == pytest.approx(1 / 300)


def test_only_slices_that_are_shown_to_change_are_listed(project):
    """Of 300 validation reviews, the 60 longest, of unknown words, are more often wrong."""
    write_held_out(unknown=1)
    before = read_bits("candidate")
    after = {split: bits.copy() for split, bits in before.items()}
    after["validation"][:, 240:] &= np.random.default_rng(1).random((6, 60)) < 0.5
    write_bits("candidate", after)
    rows = {row["slice"]: row for row in review()["slices"]}
    longest, unknown = "words: 240 to 299", "unknown words: 100.0%"
    assert list(rows) == ["label: negative", "label: positive", longest, unknown]
    sides = [bits["validation"][:, 240:].mean() for bits in (before, after)]
    for row in (rows[longest], rows[unknown]):
        assert [row["before"], row["after"]] == sides
        assert (row["verdict"], row["wins"]) == ("worse", 0)
    shown = Path("review/report.md").read_text()
    assert re.search(r"\| `candidate` +\| words: 240 to 299 +\|.* worse +\|", shown)
    assert f"candidate {longest} is worse" in refusal("commands.review", "--fail-on", "slice")
    slices = review("--tried", "1000000000")["slices"]
    assert {row["verdict"] for row in slices} == {"~"}
    assert "## Slices" not in Path("review/report.md").read_text()


def test_the_cost_of_a_model_is_shown_and_may_be_limited(project):
    def write_size(**size: int):
        write_json(METRICS, {"data": DATA, "candidate": {"size": size}})

    write_size(bytes=1000, columns=60, weights=480)
    save("Sizes")
    write_size(bytes=1200, columns=60, weights=470)
    assert review("HEAD")["sizes"] == [
        {"metric": "candidate.bytes", "before": 1000, "after": 1200},
        {"metric": "candidate.weights", "before": 480, "after": 470},
    ]
    size = r"`candidate.bytes` +\| 1,000 +\| 1,200 +\| - +\| - +\|"
    assert re.search(size, Path("review/report.md").read_text())
    grown = "error: candidate.bytes grew from 1,000 to 1,200"
    assert refusal("commands.review", "HEAD", "--fail-on", "worse", "size") == grown
    write_size(bytes=1100, columns=60, weights=470)
    review("HEAD", "--fail-on", "size")
    write_size(bytes=1101, columns=60, weights=470)
    assert "grew from 1,000 to 1,101" in refusal("commands.review", "HEAD", "--fail-on", "size")


def test_examples_are_the_reviews_whose_probability_moved_most(copy: Path, monkeypatch, capsys):
    """Review 0 is broken, 1 to 4 are fixed, 2 most of all; the base's predictions are DVC's."""
    monkeypatch.chdir(copy)
    path = Path("data/predictions/candidate/test.npy")
    labels = np.load("data/reviews/test_labels.npy")[:5] == 1

    def write_predictions(*right: float):
        """The first reviews get their label with these probabilities."""
        predictions = np.load(path)
        path.unlink()
        noise = np.array([[-0.05], [0], [0.05]])  # the mean of the seeds counts
        predictions[:, :5] = np.where(labels, right, 1 - np.array(right)) + noise
        np.save(path, predictions)

    write_predictions(0.9, 0.4, 0.1, 0.3, 0.2)
    run_in(copy, "dvc commit --force evaluate@candidate")
    run_in(copy, "git commit --all --quiet --message Other")
    write_predictions(0.3, 0.6, 0.9, 0.7, 0.7)
    changed = Correct.from_bytes(BITS.read_bytes())
    BITS.write_bytes(changed._replace(average=~changed.average).to_bytes())
    call("commands.review", "HEAD", "--examples")
    example = r"(Fixed|Broken) by candidate, review (\d), (\w+): ([\d.]+) → ([\d.]+)\n"
    shown = re.findall(example, capsys.readouterr().out)
    assert [row[:2] for row in shown] == [*(("Fixed", n) for n in "243"), ("Broken", "0")]
    moved = ("positive", "0.100", "0.900") if labels[2] else ("negative", "0.900", "0.100")
    assert shown[0][2:] == moved
    shutil.rmtree(".dvc/cache")
    sentence = rf"error: {path} of \w{{7}}: .*; run `dvc pull`, or `dvc repro` in that version"
    assert re.fullmatch(sentence, refusal("commands.review", "HEAD", "--examples"))


# --- rounding -------------------------------------------------------------------------------------


def flip(variant: str):
    """One seed is right in another review of each split."""
    flipped = read_bits(variant)
    for bits in flipped.values():
        bits[0, 0] ^= True
    write_bits(variant, flipped)
    (FIGURES / f"learning_curves_{variant}.png").write_bytes(b"\x89PNG rounded")


def test_what_another_processor_rounded_otherwise_is_said_once(project):
    """One bit of 6 seeds and 300 reviews is 0.056 points; and a candidate that did change."""
    flip("single")
    assert "**No accuracy changed, but by rounding.**" in page()
    set_params(compare__min_effect=0.5, model__dropout=0.9, baselines__book__epochs=1)
    set_params(features__ngrams__max_n=1)
    write_variant("candidate", 0.7)
    report = review()
    assert report["rounded"] == {"single": pytest.approx(1 / 6 / 300)}
    assert {row["variant"] for row in report["accuracy"]} == {"candidate"}
    assert report["figures"] == []
    reason = "by less than 0.06 points, with the same code, parameters and data, as by the rounding"
    shown = Path("review/report.md").read_text()
    assert f"Also changed, {reason} of another processor: `single`." in shown


@pytest.mark.parametrize(
    "change",
    [
        *({"data__seed": 9}, {"train__first_seed": 9}, {"variants__single__recipe": "model"}),
        *({"baselines__single__epochs": 1}, {"features__multi_hot__num_words": 99}),
        *({"stages/train.py": ["train"]}, {"requirements.txt": ["all"]}, {"dvc.yaml": ["all"]}),
    ],
    ids=str,
)
def test_changed_code_or_parameters_are_not_excused_by_rounding(project, change):
    is_code = "__" not in str(change)
    if is_code:
        write_code(*change)
    else:
        set_params(**change)
    flip("single")
    report = review("HEAD")
    assert (report["rounded"], report["accuracy"][0]["variant"]) == ({}, "single")
    assert report["figures"] == [CURVES[0].name]
    assert report["code"] == (change if is_code else {})


# --- seeds ----------------------------------------------------------------------------------------


def shift(by: int):
    """Other seeds, of which those that there were are right where they were."""
    before = {variant: read_bits(variant) for variant in ("single", "candidate")}
    SCORES.unlink()
    for variant, by_split in before.items():
        rolled = {split: np.roll(bits, -by, axis=0) for split, bits in by_split.items()}
        write_bits(variant, rolled, tuple(range(1 + by, 7 + by)))


def test_seeds_are_paired_by_their_number(project):
    """Seeds 3 to 8 after 1 to 6: four are on both sides, and nothing else has changed."""
    shift(by=2)
    shown = "**No accuracy changed.**\n\nCompared by the seeds of both sides: 3, 4, 5, 6.\n"
    assert shown in page()
    assert review()["slices"] == []


def test_seeds_that_are_on_one_side_only_are_compared_as_independent_runs(project):
    retrain(0.7, seeds=(11, 12, 13))
    report = review()
    rows = report["accuracy"] + report["slices"]
    assert {(row["wins"], row["seeds"]) for row in rows} == {(-1, 3)}
    assert report["notes"] == ["Compared as independent runs: the sides share too few seeds (0)."]
    losses = next(row for row in report["metrics"] if row["metric"] == "candidate.test_loss")
    assert losses["low"] < losses["after"] - losses["before"] < losses["high"]
    shown = Path("review/report.md").read_text()
    assert re.search(r"`candidate` \| validation .*\] +\| - +\| 100, 0, 0% +\| worse", shown)


def test_so_few_common_seeds_that_they_give_no_verdict_give_one_as_independent_runs(project):
    shift(by=4)
    report = review()
    assert {row["verdict"] for row in report["accuracy"]} <= {"~", "same"}
    assert report["notes"] == ["Compared as independent runs: the sides share too few seeds (2)."]


def test_seeds_that_only_the_base_has_do_not_count(project):
    bits = {variant: read_bits(variant) for variant in ("single", "candidate")}
    SCORES.unlink()
    for variant, by_split in bits.items():
        write_bits(variant, {split: b[:3] for split, b in by_split.items()}, (1, 2, 3))
    report = review()
    assert report["notes"] == ["Compared by the seeds of both sides: 1, 2, 3."]
    metrics = {row["metric"] for row in report["metrics"]}
    assert "candidate.train_accuracy" not in metrics  # that of a seed is the same on both sides


# --- no verdict -----------------------------------------------------------------------------------


def test_other_data_give_no_verdict(project):
    write_variant("candidate", 0.7)
    write_json(METRICS, {"data": DATA | {"sha256": "ffff", "source": "bundled"}})
    shown = page("main", "--fail-on", "worse")
    facts = "source keras → bundled, sha256 0123456789ab → ffff"
    assert shown.splitlines()[2:] == [f"**The data are not the same: no verdict. {facts}.**"]


@pytest.mark.parametrize("split", HELD_OUT)
def test_another_number_of_reviews_of_a_split_gives_no_verdict_on_it(project, split):
    write_json(METRICS, {"data": DATA | {f"{split}_reviews": 200}})
    for variant in ("single", "candidate"):
        bits = {kind: ~right for kind, right in read_bits(variant).items()}
        bits[split] = bits[split][:, :200]
        write_bits(variant, bits, average=np.zeros(bits["test"].shape[1], bool))
    write_held_out(**{split: 200})
    report = review("main", *(["--fail-on", "worse"] if split == "validation" else []))
    assert report["notes"] == [f"The {split} reviews are not the same on both sides: no verdict."]
    assert {row["split"] for row in report["accuracy"]} == {*HELD_OUT} - {split}
    compared = bool(report["slices"]), bool(report["answers"])
    assert compared == (split == "test", split == "validation")
    assert f"**{report['notes'][0]}**" in Path("review/report.md").read_text()


def test_an_unknown_revision_gets_a_sentence(project):
    unknown = "error: this clone has no revision"
    to_fetch = f"{unknown} 'nosuch'; `git fetch origin nosuch`"
    assert refusal("commands.review", "nosuch").startswith(to_fetch)
    for nothing_to_fetch in ("HEAD~9", "0123abc", ""):
        assert refusal("commands.review", nothing_to_fetch) == f"{unknown} {nothing_to_fetch!r}"


def test_a_base_that_a_shallow_clone_does_not_have_gets_a_sentence(project, tmp_path, monkeypatch):
    save("Nothing")
    git("clone", "--quiet", "--depth", "1", project.as_uri(), str(tmp_path / "shallow"))
    monkeypatch.chdir(tmp_path / "shallow")
    sentence = refusal("commands.review", "HEAD~1")
    remedy = "error: this shallow clone has no revision 'HEAD~1'; `git (fetch --unshallow)`"
    git(*re.findall(remedy, sentence)[0].split())
    call("commands.review", "HEAD~1")


def test_a_folder_without_git_gets_a_sentence(project, tmp_path, monkeypatch):
    shutil.rmtree(".git")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    for module in ("commands.review", "commands.sweep", "commands.verify"):
        assert refusal(module) == (
            "error: this folder is not in a Git repository: clone the project or, if you unpacked "
            "a ZIP, run `git init && git add --all && git commit -m Start`"
        )


@pytest.mark.parametrize("lost", [CORRECT, SCORES, METRICS], ids=str)
def test_a_side_without_results_gets_a_sentence(project, lost):
    """As a version that is older than these files has none."""
    git("rm", "-r", "--quiet", str(lost))
    sentence = f"error: the workspace has no {lost}; run `dvc repro`"
    assert sentence in refusal("commands.review", "HEAD")
    save("None")
    git("checkout", "--quiet", "HEAD~1", "--", str(lost))
    assert re.match(rf"error: HEAD \(\w{{7}}\) has no {lost}; ", refusal("commands.review", "HEAD"))


@pytest.mark.parametrize(
    "path", [SCORES, METRICS, BITS, HELD_OUT_REVIEWS, "params.yaml", "dvc.yaml", "dvc.lock"]
)
def test_a_damaged_file_is_named(project, path):
    shutil.copy(PROJECT / "dvc.lock", project)
    content = Path(path).read_bytes()
    damages = [content.replace(b"\n", b"\n<<<<<<< HEAD\n", 1)]
    if isinstance(path, Path):
        damages += [content[: len(content) // 2], b""]
    for damage in damages:
        Path(path).write_bytes(damage)
        assert re.fullmatch(rf"error: {path}\b.*", refusal("commands.review"))


def cut(path: Path):
    path.write_bytes(path.read_bytes()[:50])


def drop_average(path: Path):
    with np.load(path) as arrays:
        np.savez(path, **{name: arrays[name] for name in arrays if name != "average"})


@pytest.mark.parametrize(("path", "damage"), [(SCORES, cut), (BITS, cut), (BITS, drop_average)])
def test_a_damaged_file_of_the_base_is_named(project, path, damage):
    content = path.read_bytes()
    damage(path)
    save("Damaged")
    path.write_bytes(content)
    reason = r".*; this is in HEAD \(\w{7}\): compare with another"
    for module in ("commands.review", "commands.sweep"):
        sentence = refusal(module, "HEAD")
        assert re.fullmatch(f"error: {path}: {reason}", sentence)
        assert "dvc repro" not in sentence


def test_results_of_two_runs_mixed_are_refused(project):
    """As a merge of which one half was resolved one way, and one half the other."""
    run_again = "run `dvc repro` to regenerate it"
    write_held_out(test=200)
    sentence = f"error: {HELD_OUT_REVIEWS}: not of the same run as {METRICS}; {run_again}"
    assert refusal("commands.review", "HEAD") == sentence
    before = Correct.from_bytes(BITS.read_bytes())
    for other in (
        before._replace(sha256="f" * 64),
        before._replace(seeds=before.seeds + 100),
        before._replace(by_split={split: ~bits for split, bits in before.by_split.items()}),
        before._replace(
            by_split={split: np.tile(bits, 2) for split, bits in before.by_split.items()},
            average=np.tile(before.average, 2),
        ),
    ):
        BITS.write_bytes(other.to_bytes())
        assert refusal("commands.review", "HEAD") == (
            f"error: {BITS}: not of the same run as {SCORES} and {METRICS}; {run_again}"
        )


# --- other than the workspace's own change --------------------------------------------------------


def test_parameters_that_nothing_was_run_with_have_no_results(project):
    """What dvc.lock keeps of stages that are gone does not count."""
    params = YAML(typ="safe").load(project / "params.yaml")
    stages = {"train@candidate": {"model": params["model"]}, "hello": {}}
    ran_with = {"download": "data", "vectorize@ngrams": "features.ngrams"}
    ran_with |= {"train@single": "baselines.single"}  # whose name begins another one
    for stage, place in ran_with.items():
        value = functools.reduce(operator.getitem, place.split("."), params)
        stages[stage] = {place: value}
    stages |= {"gone": {"model": {"dropout": 1}}, "train@gone": {"baselines.gone": {"epochs": 1}}}
    lock = {name: {"params": {"params.yaml": values}} for name, values in stages.items()}
    YAML().dump({"stages": lock}, project / "dvc.lock")
    assert review()["stale_params"] == {}
    set_params(model__dropout=0.9)
    assert review()["stale_params"] == {"the workspace": ["model.dropout"]}
    stale = "**The results of the workspace are not of its parameters (model.dropout): `dvc repro`"
    assert stale in Path("review/report.md").read_text()
    set_params(data__seed=9, features__ngrams__max_n=2)
    stale_params = ["data.seed", "features.ngrams.max_n", "model.dropout"]
    assert review()["stale_params"] == {"the workspace": stale_params}
    assert "(data.seed and 2 more): `dvc repro`" in Path("review/report.md").read_text()


def test_what_came_to_the_base_since_is_told_apart(project):
    """A branch that changes nothing, and a base with a better candidate since."""
    git("branch", "feature")
    write_variant("candidate", 0.97)
    save("Better")
    git("switch", "--quiet", "feature")
    report = review("main")
    assert verdict_on(report) == "worse"
    (parting,) = re.findall("`make review BASE=(.*)`", report["notes"][0])
    report = review(parting)
    assert (report["accuracy"], report["notes"]) == ([], [])


# --- where it runs --------------------------------------------------------------------------------


def test_a_project_in_a_folder_of_a_larger_repository_is_reviewed(tmp_path, monkeypatch):
    make_project(tmp_path / "larger" / "a folder" / "imdb", monkeypatch)
    shutil.rmtree(".git")
    (tmp_path / "larger/metrics").mkdir()
    (tmp_path / "larger/metrics/metrics.json").write_text("not ours")
    git("init", "--quiet", "--initial-branch", "main", str(tmp_path / "larger"))
    write_code("stages/compare.py")
    write_variant("candidate", 0.7)
    report = review()
    assert verdict_on(report) == "worse"
    assert report["code"] == {"stages/compare.py": ["compare"]}


def test_a_fresh_clone_without_cache_or_remote_gives_the_same_report(
    experiment: Experiment, tmp_path: Path, monkeypatch
):
    """Of an experiment that DVC has run: the clone has nothing but what is in Git."""
    copy = Path(shutil.copytree(experiment.folder, tmp_path / "a copy"))
    monkeypatch.chdir(copy)
    report = review("--tried", "1", "HEAD")
    assert {row["variant"] for row in report["accuracy"]} == {"candidate"}
    assert all(row["low"] <= row["mean"] <= row["high"] for row in report["accuracy"])
    commit_in(copy)
    git("clone", "--quiet", str(copy), str(tmp_path / "clone"))
    monkeypatch.chdir(tmp_path / "clone")
    assert not Path("data").exists()
    there = review("--tried", "1", "HEAD~1")
    for part in ("accuracy", "metrics", "params"):
        assert there[part] == report[part]


def test_a_checkout_that_is_read_only_gets_its_report_and_a_sentence(project, monkeypatch, capsys):
    refused = PermissionError(errno.EACCES, "Permission denied", ".review.partial")
    monkeypatch.setattr("commands.review.atomic_folder", mock.Mock(side_effect=refused))
    call("commands.review")
    out, err = capsys.readouterr()
    assert "**No accuracy changed.**" in out
    assert err == "review/ is not written: [Errno 13] Permission denied: '.review.partial'\n"


@pytest.mark.parametrize("command", ["decode", "errors", "export", "predict", "review", "sweep"])
def test_python_without_docstrings_has_the_help_too(command, monkeypatch, capsys):
    module = importlib.import_module(f"commands.{command}")
    monkeypatch.setattr(module, "__doc__", None)
    with pytest.raises(SystemExit, match="0"):
        call(module.__name__, "--help")
    assert capsys.readouterr().out.startswith("usage:")


def test_an_output_without_letters_beyond_ascii_costs_no_result(project, monkeypatch):
    git("branch", "zweig-ä")
    output = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", output)
    assert "zweig-ä" in page("zweig-ä")
    assert b"# Review against zweig-? (" in output.buffer.getvalue()


def test_a_reader_that_has_closed_the_pipe_is_no_error(project, monkeypatch):
    """As `make review | head -1`."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", buffering=1) as output:  # noqa: PTH123 - of a descriptor
        monkeypatch.setattr(sys, "stdout", output)
        call("commands.review")
    assert Path("review/report.md").exists()
