"""Many experiments: the best first, and that it is not called better because it is one of many.

What DVC keeps of an experiment is in Git, so most of them are made here with Git alone.
"""

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import PROJECT, Experiment, call, command, edit_params, refusal
from tests.test_review import DATA, commit_all, commit_code, make_project, retrain, write_variant
from tests.test_significance import REVIEWS, draw_margins, most, other_reviews, train
from workflow.base.files import CORRECT, METRICS, SCORES, write_json
from workflow.evaluation.significance import Difference, best_by_chance, difference, verdicts
from workflow.report.revisions import experiments, git, resolve

Printed = Callable[..., str]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of the test."""
    folder = make_project(tmp_path / "a project")
    commit_all(folder)
    monkeypatch.chdir(folder)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Someone")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "someone@example.org")
    return folder


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Printed:
    def printed(name: str, *options: str) -> str:
        call(f"commands.{name}", *options)
        return capsys.readouterr().out

    return printed


def head() -> str:
    return git("rev-parse", "HEAD").decode().strip()


def save(name: str, base: str = "") -> str:
    """The workspace as an experiment, in the way of DVC; then the workspace is as before."""
    base = base or head()
    git("add", "--all")
    tree = git("write-tree").decode().strip()
    commit = git("commit-tree", tree, "-p", base, "-m", name).decode().strip()
    git("update-ref", f"refs/exps/{base[:2]}/{base[2:]}/{name}", commit)
    git("reset", "--hard", "--quiet")
    return commit


def try_out(project: Path, name: str, accuracy: float, **params: Any) -> None:
    edit_params(project, **params)
    write_variant(project, "candidate", accuracy, draw=len(name))
    save(name)


def try_three(project: Path) -> None:
    try_out(project, "middle", 0.86, model__dropout=0.1)
    try_out(project, "a-worst", 0.70, model__dropout=0.9, model__units=1)
    try_out(project, "best", 0.97, model__dropout=0.2)


# --- the sweep ------------------------------------------------------------------------------------


def test_the_best_is_first_beside_what_it_changed(project: Path, printed: Printed):
    try_three(project)
    rows = json.loads(printed("sweep", "main", "--json"))["experiments"]
    assert [row["experiment"] for row in rows] == ["best", "middle", "a-worst"]
    assert [row["verdict"] for row in rows] == ["better", "~", "worse"]
    assert rows[2]["params"] == {"model.dropout": 0.9, "model.units": 1}
    assert all(row["low"] <= row["mean"] <= row["high"] for row in rows)
    shown = printed("sweep")
    assert shown.startswith("# Experiments on HEAD (")
    assert "**On validation, of 3: better: best.**" in shown
    assert "| model.units=1, model.dropout=0.9 | `candidate` |" in shown
    assert "By chance alone, the best of 3 equally good recipes looks" in shown
    assert "Not compared" not in shown


def test_without_experiments_it_says_how_to_make_some(project: Path, printed: Printed):
    assert "dvc exp run --queue -S 'model.dropout=0.1,0.3,0.5'" in printed("sweep")
    assert json.loads(printed("sweep", "--json"))["experiments"] == []


def test_experiments_are_those_on_the_base_without_copies(project: Path, printed: Printed):
    edit_params(project, model__dropout=0.1)
    save("one")
    edit_params(project, model__dropout=0.1)
    save("same-files")
    for reference in ("exec/EXEC_HEAD", "exec/EXEC_BRANCH", "celery/stash", "stash", "temp/x/y"):
        git("update-ref", f"refs/exps/{reference}", "HEAD")
    base = head()
    git("commit", "--allow-empty", "--quiet", "--message", "Nothing")
    edit_params(project, model__dropout=0.2)
    commit = save("later")
    found = [(e.name, e.base) for e in experiments()]
    assert sorted(found) == [("later", head()), ("one", base), ("same-files", base)]
    assert resolve("later") == commit
    assert json.loads(printed("sweep", base, "--json"))["not_compared"] == {"one": "no change"}
    assert "There are experiments on" not in printed("sweep", base)


def test_an_experiment_is_a_revision_by_its_name(project: Path, printed: Printed):
    """As for `dvc metrics diff`; a branch with the name comes first."""
    try_out(project, "lr1", 0.97, model__learning_rate=0.1)
    report = json.loads(printed("review", "lr1", "--json"))
    assert (report["accuracy"][0]["verdict"], report["notes"]) == ("worse", [])
    git("commit", "--allow-empty", "--quiet", "--message", "Nothing")
    try_out(project, "lr1", 0.9)
    sentence = refusal("commands.review", "lr1")
    listed = ", ".join(e.commit[:7] for e in experiments())
    assert sentence == f"error: several experiments are called 'lr1'; name a commit: {listed}"
    git("branch", "lr1")
    assert json.loads(printed("review", "lr1", "--json"))["accuracy"] == []


def test_after_an_amended_commit_it_says_where_the_experiments_are(project: Path, printed: Printed):
    try_three(project)
    base = head()[:7]
    git("commit", "--amend", "--allow-empty", "--quiet", "--message", "Better words")
    assert f"There are experiments on {base}: `make sweep BASE=…`." in printed("sweep")
    assert "better: best" in printed("sweep", base)


def test_a_damaged_base_is_no_fault_of_an_experiment(project: Path, printed: Printed):
    path = project / CORRECT / "candidate.npz"
    whole = path.read_bytes()
    path.write_bytes(whole[:50])
    git("commit", "--all", "--quiet", "--message", "Damaged")
    path.write_bytes(whole)
    save("one")
    assert "candidate.npz: " in (sentence := refusal("commands.sweep"))
    assert "this is in HEAD (" in sentence


def test_experiments_without_a_verdict_are_named_with_the_reason(project: Path, printed: Printed):
    try_out(project, "best", 0.97)
    edit_params(project, model__dropout=0.5)
    save("idle")
    write_json(project / METRICS, {"data": DATA | {"sha256": "ffff"}})
    save("moved")
    (project / SCORES).unlink()
    save("lost")
    for place, name in (("failed", "broken"), ("stash", "patient"), ("failed", "best")):
        message = f"commit: dvc-exp:{head()}:{head()}:{name}"
        new = save("temporary") if name != "best" else git("rev-parse", "HEAD").decode().strip()
        git("update-ref", "--create-reflog", "-m", message, f"refs/exps/celery/{place}", new)
    shown = printed("sweep")
    assert "of 1: better: best" in shown
    (line,) = (line for line in shown.splitlines() if line.startswith("Not compared: "))
    for text in (
        "idle` (no change)",
        "moved` (other data)",
        "lost` (no results",
        "`broken` (failed)",
    ):
        assert text in line
    assert "`patient` (queued)" in line
    assert "best" not in line


def test_a_variant_can_be_looked_at_alone(project: Path, printed: Printed):
    write_variant(project, "single", 0.5)
    try_out(project, "both", 0.97)
    both, one = (
        json.loads(printed("sweep", "--json", *options))["experiments"]
        for options in ([], ["--variant", "candidate"])
    )
    assert [row["variant"] for row in both] == ["candidate", "single"]
    assert [row["variant"] for row in one] == ["candidate"]
    assert "has no nosuch: " in refusal("commands.sweep", "--variant", "nosuch")


def test_changed_code_is_named(project: Path, printed: Printed):
    commit_code(project, "workflow/model/network.py")
    try_out(project, "best", 0.97)
    assert "| workflow/model/network.py | `candidate`" in printed("sweep")


def test_what_is_not_known_is_left_out(project: Path, printed: Printed):
    """One seed has neither interval nor luck."""
    retrain(project, 0.85, seeds=(1,))
    git("commit", "--all", "--quiet", "--message", "One seed")
    for name, accuracy in (("a", 0.7), ("bb", 0.8)):
        write_variant(project, "candidate", accuracy, seeds=(1,))
        save(name)
    shown = printed("sweep")
    assert "too few seeds (1 of 3)" in shown
    assert "luck" not in shown
    assert "nan" not in shown


# --- the review of one of them --------------------------------------------------------------------


def apply(name: str) -> None:
    """As `dvc exp apply`."""
    git("checkout", "--quiet", resolve(name), "--", ".")


def test_a_review_knows_how_many_were_tried(project: Path, printed: Printed):
    try_three(project)
    base = head()
    git("commit", "--allow-empty", "--quiet", "--message", "Nothing")
    try_out(project, "fourth", 0.9, model__dropout=0.3)
    apply("fourth")
    shown = printed("review", base)
    counted = "since the base: 4, in DVC's experiments (4), commits (0) and the workspace."
    assert (
        f"Corrected for the rows of a split (Holm) and the number of different results {counted}"
        in shown
    )
    assert "By chance alone, the best of 4 equally good recipes looks" in shown
    assert json.loads(printed("review", "HEAD", "--json"))["tried"] == 1


def test_experiments_are_counted_where_the_base_has_moved_on(project: Path, printed: Printed):
    try_three(project)
    git("switch", "--quiet", "--create", "feature")
    apply("best")
    git("commit", "--quiet", "--message", "The best")
    git("switch", "--quiet", "main")
    git("commit", "--allow-empty", "--quiet", "--message", "Nothing")
    git("switch", "--quiet", "feature")
    report = json.loads(printed("review", "main", "--json"))
    assert (report["tried"], report["notes"]) == (3, [])


def test_what_is_shown_alone_may_not_be_shown_of_the_best_of_many(project: Path, printed: Printed):
    try_out(project, "one", 0.9)
    apply("one")
    verdict = {}
    for tried in ("1", "1000"):
        report = json.loads(printed("review", "--json", "--tried", tried))
        verdict[tried] = report["accuracy"][0]["verdict"]
        assert report["tried"] == int(tried)
    assert verdict == {"1": "better", "1000": "~"}


def test_results_in_the_commits_of_a_branch_count_as_tried(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printed: Printed
):
    """As in a clone, which has no experiments; what was tried twice counts once."""
    git("switch", "--quiet", "--create", "feature")
    for accuracy in (0.9, 0.8, 0.85, 0.9):  # 0.85 is the base's
        write_variant(project, "candidate", accuracy)
        git("commit", "--all", "--quiet", "--message", f"{accuracy}")
    write_variant(project, "candidate", 0.95)
    report = json.loads(printed("review", "main", "--json"))
    assert report["tried"] == 3
    assert "commits (4) and the workspace" in report["counted"]
    git("commit", "--all", "--quiet", "--message", "The best")
    monkeypatch.chdir(tmp_path)
    git("clone", "--quiet", str(project), "clone")
    monkeypatch.chdir(tmp_path / "clone")
    assert json.loads(printed("review", "origin/main", "--json"))["tried"] == 3
    shown = printed("review", "origin/main", "--tried", "9")
    assert "(Holm) and the number of results: 9, as stated with --tried." in shown


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
    best = [max(sweep.values(), key=lambda d: d.mean) for sweep in found]
    assert sum("better" in verdicts(sweep, 0.01).values() for sweep in found) <= most(200)
    assert sum(verdicts({0: d}, 0.01, MANY)[0] == "better" for d in best) <= most(200)
    alone = sum("better" in {verdicts({0: d}, 0.01)[0] for d in s.values()} for s in found)
    assert alone / 200 > 0.12  # not corrected


@pytest.mark.parametrize("identical", [True, False])
@pytest.mark.parametrize(("base_sd", "tries_sd"), [(0.005, 0.005), (0.005, 0.2), (0.2, 0.005)])
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
    """Of variances 0.0004 and 0.0016 the median deviation is 0.03; the best of two: 1 / √π."""
    unknown = Difference(0.5, 1, 1)
    known = [
        unknown._replace(own_part=own, review_part=review)
        for own, review in ((0.0003, 0.0002), (0.0016, 0.0))
    ]
    assert best_by_chance([*known, unknown], 2) == pytest.approx(0.03 / np.pi**0.5)
    assert best_by_chance(known, 1) == pytest.approx(0, abs=1e-9)
    assert np.isnan(best_by_chance([], 2))
    assert np.isnan(best_by_chance([unknown], 2))


# --- with DVC -------------------------------------------------------------------------------------


def test_experiments_that_dvc_has_run_are_listed(
    experiment: Experiment, tmp_path: Path, mirror: Path, home: Path
):
    copy = Path(shutil.copytree(experiment.folder, tmp_path / "a copy"))
    command(copy, mirror, home, "git reset --hard --quiet")
    command(copy, mirror, home, "dvc exp run --name two -S baselines.single.units=5")
    command(copy, mirror, home, "dvc exp run --queue --name waits -S model.dropout=0.1")
    report = json.loads(command(copy, mirror, home, "python -m commands.sweep HEAD --json"))
    rows = report["experiments"]
    assert {row["experiment"] for row in rows} | report["not_compared"].keys() == {
        "one",
        "two",
        "waits",
    }
    assert rows == sorted(rows, key=lambda row: row["mean"], reverse=True)
    assert report["not_compared"]["waits"] == "queued"
    for page in ("README.md", "docs/sharing.md"):
        (line,) = re.findall("    dvc (exp show .*)", (PROJECT / page).read_text("utf-8"))
        table = command(copy, mirror, home, "dvc", *shlex.split(line))
        assert max(map(len, table.splitlines())) < 100
        assert re.search(r"main .*\n.*\[two\].*\n.*\[one\].*\n.*\[waits\] *Queued", table)
    review = json.loads(command(copy, mirror, home, "python -m commands.review HEAD --json"))
    assert review["tried"] == 1  # of each variant
    assert "DVC's experiments (2), commits (0)" in review["counted"]
