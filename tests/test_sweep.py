"""Many experiments: the best first, and that it is not called better because it is one of many.

What DVC keeps of an experiment is in Git, so most of them are made here with Git alone.
"""

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import PROJECT, Experiment, call, refusal, run_in
from tests.test_review import (
    DATA,
    make_project,
    page,
    retrain,
    review,
    save,
    set_params,
    verdict_on,
    write_code,
    write_variant,
)
from tests.test_significance import REVIEWS, draw_margins, most, other_reviews, train
from workflow.base.files import METRICS, SCORES, write_json
from workflow.evaluation.significance import (
    Difference,
    best_by_chance,
    detectable,
    difference,
    verdicts,
)
from workflow.report.revisions import experiments, git, resolve


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of the test."""
    return make_project(tmp_path / "a project", monkeypatch)


@pytest.fixture
def sweep(capsys: pytest.CaptureFixture[str]) -> Any:
    def sweep(*options: str) -> Any:
        capsys.readouterr()
        call("commands.sweep", *options)
        out = capsys.readouterr().out
        return json.loads(out) if "--json" in options else out

    return sweep


def head() -> str:
    return resolve("HEAD")


def keep(name: str) -> str:
    """The workspace as an experiment, in the way of DVC; then the workspace is as before."""
    git("add", "--all")
    tree = git("write-tree").decode().strip()
    commit = git("commit-tree", tree, "-p", head(), "-m", name).decode().strip()
    git("update-ref", f"refs/exps/{head()[:2]}/{head()[2:]}/{name}", commit)
    git("reset", "--hard", "--quiet")
    return commit


def try_out(name: str, accuracy: float, **params: Any):
    set_params(**params)
    write_variant("candidate", accuracy, draw=len(name))
    keep(name)


def try_three():
    try_out("middle", 0.86, model__dropout=0.1)
    try_out("a-worst", 0.70, model__dropout=0.9, model__units=1)
    try_out("best", 0.97, model__dropout=0.2)


# --- the sweep ------------------------------------------------------------------------------------


def test_the_best_is_first_beside_what_it_changed(sweep):
    try_three()
    rows = sweep("main", "--json")["experiments"]
    found = {row["experiment"]: row["verdict"] for row in rows}
    assert list(found.items()) == [("best", "better"), ("middle", "~"), ("a-worst", "worse")]
    assert rows[2]["params"] == {"model.dropout": 0.9, "model.units": 1}
    assert all(row["low"] <= row["mean"] <= row["high"] for row in rows)
    assert {row["split"] for row in rows} == {"validation"}
    shown = sweep()
    assert shown.startswith("# Experiments on HEAD (")
    assert "**On validation, of 3: better: best.**" in shown
    assert "| model.units=1, model.dropout=0.9 | `candidate` |" in shown
    assert re.search(rf"\| `best` +\|[^|]+\| `candidate` +\| {rows[0]['after']:.4f} +\|", shown)
    assert "By chance alone, the best of 3 equally good recipes looks" in shown
    assert "Each verdict is that of one row among 3 (Holm)." in shown
    assert "Not compared" not in shown
    set_params(compare__min_effect=0.5)
    assert sweep("--json")["experiments"][0]["verdict"] == "trivial"


def test_experiments_are_those_on_the_base_without_copies(sweep):
    for name in ("one", "same-files"):
        set_params(model__dropout=0.1)
        keep(name)
    for reference in ("exec/EXEC_HEAD", "exec/EXEC_BRANCH", "celery/stash", "stash", "temp/x/y"):
        git("update-ref", f"refs/exps/{reference}", "HEAD")
    base = head()
    save("Nothing")
    set_params(model__dropout=0.2)
    commit = keep("later")
    found = [(e.name, e.base) for e in experiments()]
    assert sorted(found) == [("later", head()), ("one", base), ("same-files", base)]
    assert resolve("later") == commit
    assert sweep(base, "--json")["not_compared"] == {"one": "no change"}
    assert "There are experiments on" not in sweep(base)


def test_an_experiment_is_a_revision_by_its_name():
    """As for `dvc metrics diff`; a branch with the name comes first."""
    try_out("lr1", 0.97, model__learning_rate=0.1)
    report = review("lr1")
    assert (verdict_on(report), report["notes"]) == ("worse", [])
    save("Nothing")
    try_out("lr1", 0.9)
    listed = ", ".join(e.commit[:7] for e in experiments())
    several = f"error: several experiments are called 'lr1'; name a commit: {listed}"
    assert refusal("commands.review", "lr1") == several
    git("branch", "lr1")
    assert review("lr1")["accuracy"] == []


def test_after_an_amended_commit_it_says_where_the_experiments_are(sweep):
    """Without any, it says how to make some."""
    assert "dvc exp run --queue -S 'model.dropout=0.1,0.3,0.5'" in sweep()
    try_out("best", 0.97)
    base = head()[:7]
    git("commit", "--amend", "--allow-empty", "--quiet", "--message", "Better words")
    assert f"There are experiments on {base}: `make sweep BASE=…`." in sweep()
    assert "better: best" in sweep(base)


def test_experiments_without_a_verdict_are_named_with_the_reason(sweep):
    try_out("best", 0.97)
    set_params(model__dropout=0.5)
    keep("idle")
    write_json(METRICS, {"data": DATA | {"sha256": "ffff"}})
    keep("moved")
    SCORES.unlink()
    keep("lost")
    for place, name in (("failed", "broken"), ("stash", "patient"), ("failed", "best")):
        message = f"commit: dvc-exp:{head()}:{head()}:{name}"
        new = head() if name == "best" else keep("temporary")
        git("update-ref", "--create-reflog", "-m", message, f"refs/exps/celery/{place}", new)
    shown = sweep()
    assert "of 1: better: best" in shown
    assert sweep("--json")["not_compared"] == {
        "broken": "failed",
        "patient": "queued",
        "idle": "no change",
        "lost": "no results, or damaged ones",
        "moved": "other data",
        "temporary": "no change",
    }
    assert "`idle` (no change)" in shown.splitlines()[-1]


def test_a_variant_can_be_looked_at_alone(sweep):
    write_variant("single", 0.5)
    try_out("both", 0.97)
    both, one = sweep("--json"), sweep("--json", "--variant", "candidate")
    assert [row["variant"] for row in both["experiments"]] == ["candidate", "single"]
    assert both["tried"] == 1
    found = [Difference(**{k: row[k] for k in Difference._fields}) for row in both["experiments"]]
    values = [both[key] for key in ("detectable", "best_by_chance")]
    assert values == pytest.approx([detectable(found, 2), best_by_chance(found, 1)], abs=1e-12)
    assert [row["variant"] for row in one["experiments"]] == ["candidate"]
    assert "has no nosuch: " in refusal("commands.sweep", "--variant", "nosuch")


def test_changed_code_is_named_and_what_is_not_known_is_left_out(sweep):
    """One seed has neither interval nor luck."""
    retrain(0.85, seeds=(1,))
    write_code("workflow/model/network.py")
    write_variant("candidate", 0.7, seeds=(1,))
    keep("one")
    shown = sweep()
    assert "| workflow/model/network.py | `candidate`" in shown
    assert "too few seeds (1 of 3)" in shown
    assert "By chance" not in shown
    assert "nan" not in shown


# --- the review of one of them --------------------------------------------------------------------


def apply(name: str):
    """As `dvc exp apply`."""
    git("checkout", "--quiet", resolve(name), "--", ".")


def test_a_review_knows_how_many_were_tried():
    """The best of many may not be shown to be better; also where the base has moved on."""
    try_three()
    base = head()
    git("switch", "--quiet", "--create", "feature")
    save("Nothing")
    try_out("fourth", 0.9, model__dropout=0.3)
    apply("fourth")
    shown = page(base)
    counted = "since the base: 4, in DVC's experiments (4), commits (0) and the workspace."
    assert f"rows of a split (Holm) and the number of different results {counted}" in shown
    assert "By chance alone, the best of 4 equally good recipes looks" in shown
    assert review("HEAD")["tried"] == 1
    words = [verdict_on(review(base, "--tried", tried)) for tried in ("1", "1000")]
    assert words == ["better", "~"]
    git("switch", "--quiet", "--force", "main")
    save("Moved on")
    git("switch", "--quiet", "feature")
    report = review("main")
    assert (report["tried"], report["notes"]) == (4, [])


def test_results_in_the_commits_of_a_branch_count_as_tried(project, tmp_path, monkeypatch):
    """As in a clone, which has no experiments; what was tried twice counts once."""
    git("switch", "--quiet", "--create", "feature")
    for accuracy in (0.9, 0.8, 0.85, 0.9):  # 0.85 is the base's
        write_variant("candidate", accuracy)
        save(f"{accuracy}")
    write_variant("candidate", 0.95)
    report = review("main")
    assert report["tried"] == 3
    assert "commits (4) and the workspace" in report["counted"]
    save("The best")
    git("clone", "--quiet", str(project), str(tmp_path / "clone"))
    monkeypatch.chdir(tmp_path / "clone")
    assert review("origin/main")["tried"] == 3
    stated = "(Holm) and the number of results: 9, as stated with --tried."
    assert stated in page("origin/main", "--tried", "9")


# --- how often luck is called a gain --------------------------------------------------------------

MANY = 30


def sweeps(
    number: int, *, identical: bool, base_sd: float = 0.005, tries_sd: float = 0.005
) -> list[dict[int, Difference]]:
    """Of recipes that are as good as their base: the same, or right in other reviews."""
    random = np.random.default_rng(12)
    found = []
    for _ in range(number):
        margins = np.broadcast_to(draw_margins(random, 1, REVIEWS), (MANY + 1, REVIEWS))
        margins = margins if identical else other_reviews(random, margins)
        base, tries = train(random, margins[0], base_sd), train(random, margins[1:], tries_sd)
        found.append({i: difference(one, base) for i, one in enumerate(tries)})
    return found


def test_the_best_of_thirty_identical_recipes_is_rarely_called_better():
    found = sweeps(200, identical=True)
    assert sum("better" in verdicts(sweep, 0.01).values() for sweep in found) <= most(200)
    alone = sum("better" in {verdicts({0: d}, 0.01)[0] for d in s.values()} for s in found)
    assert alone / 200 > 0.12  # not corrected


@pytest.mark.parametrize(
    ("base_sd", "tries_sd", "identical"),
    [(0.005, 0.005, True), (0.005, 0.2, False), (0.2, 0.005, True), (0.2, 0.005, False)],
)
def test_what_the_best_looks_better_by_is_what_the_tries_vary_by(
    base_sd: float, tries_sd: float, *, identical: bool
):
    """However quiet or noisy their base is, whose own luck is the same for all of them."""
    found = sweeps(60, identical=identical, base_sd=base_sd, tries_sd=tries_sd)
    means = np.array([[d.mean for d in sweep.values()] for sweep in found])
    looks = (means.max(axis=1) - means.mean(axis=1)).mean()
    expected = np.mean([best_by_chance(sweep.values(), MANY) for sweep in found])
    assert expected == pytest.approx(looks, rel=0.15)


def test_the_luck_of_the_best_is_that_of_what_is_known():
    """Of variances 0.0004, 0.0009 and 0.01 the median deviation is 0.03; best of two: 1 / √π."""
    unknown = Difference(0.5, 1, 1)
    known = [
        unknown._replace(own_part=own, review_part=review)
        for own, review in ((0.0003, 0.0002), (0.0009, 0.0), (0.01, 0.0))
    ]
    assert best_by_chance([*known, unknown], 2) == pytest.approx(0.03 / np.pi**0.5)
    assert best_by_chance(known, 1) == pytest.approx(0, abs=1e-9)
    assert np.isnan(best_by_chance([], 2))
    assert np.isnan(best_by_chance([unknown], 2))


# --- with DVC -------------------------------------------------------------------------------------


def test_experiments_that_dvc_has_run_are_listed(
    experiment: Experiment, tmp_path: Path, monkeypatch, sweep
):
    here = Path(shutil.copytree(experiment.folder, tmp_path / "a copy"))
    monkeypatch.chdir(here)
    git("reset", "--hard", "--quiet")
    run_in(here, "dvc exp run --queue --name waits -S model.dropout=0.1")
    report = sweep("--json")
    assert {row["experiment"] for row in report["experiments"]} == {"one"}
    assert report["not_compared"] == {"waits": "queued"}
    for path in ("README.md", "docs/sharing.md"):
        (line,) = re.findall("    dvc (exp show .*)", (PROJECT / path).read_text("utf-8"))
        table = run_in(here, "dvc", *shlex.split(line))
        assert max(map(len, table.splitlines())) < 100
        assert re.search(r"main .*\n.*\[one\].*\n.*\[waits\] *Queued", table)
    apply("one")
    counted = review("HEAD")["counted"]
    assert counted.endswith("base: 1, in DVC's experiments (1), commits (0) and the workspace")
