"""`make readme` fills the pages with values of the results, and the published pages have them."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from commands import readme
from tests.conftest import PROJECT, Experiment, call
from workflow.base.errors import InputError
from workflow.base.files import DIFFERENCES, HELD_OUT, HISTORY, METRICS, NOTEBOOK_VALUES, SCORES
from workflow.evaluation.results import Correct
from workflow.params import load_params
from workflow.report import model_card
from workflow.report.sources import CONCLUSIONS, read_sources


@pytest.fixture
def results(copy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Small results in a checkout with pages; the current folder of the test."""
    shutil.copytree(PROJECT / "benchmarks", copy / "benchmarks")
    monkeypatch.chdir(copy)
    return copy


def rows(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")] for line in text.splitlines() if "|" in line]


def test_only_what_stands_between_the_marks_is_regenerated(results: Path):
    errors = "<!-- card_errors -->\nBEFORE\n<!-- /card_errors -->"
    page = f"before\n<!-- results -->\nX\n<!-- /results -->\nafter <!-- other -->\n{errors}\n"
    for name in ("README.md", "MODEL_CARD.md"):
        (results / name).write_text(page)
    shutil.move("models", "elsewhere")  # without them nothing is known of the errors
    call("commands.readme")
    for name in ("README.md", "MODEL_CARD.md"):
        filled = (results / name).read_text("utf-8")
        assert re.sub(r"\|.*\|\n", "", filled) == page.replace("X\n", "")
        # The candidate is refitted on all 60 training reviews, of which 24 validate before.
        trained_on = [row[-2] for row in rows(filled) if row[1].startswith("`")]
        assert trained_on == ["36", "60"]
    shutil.move("elsewhere", "models")
    call("commands.readme")
    card = (results / "MODEL_CARD.md").read_text("utf-8")
    labels = np.load("data/reviews/test_labels.npy")
    predicted = np.load("data/predictions/candidate/test.npy")
    wrong = ((predicted > 0.5) != labels).all(axis=0)
    assert f"{wrong.sum()} of 40 test reviews ({wrong.mean():.1%}) are wrong in every seed." in card
    negative = (predicted.mean(axis=0) > 0.5)[labels == 0]
    (row,) = [row for row in rows(card) if row[1:3] == ["label", "negative"]]
    assert row[3:5] == [f"{len(negative)}", f"{negative.mean():.1%}"]


def test_what_is_said_of_the_notebook_stays_if_one_of_its_variants_is_gone(results: Path):
    sources = read_sources(results)
    names = readme.ABOUT_NOTEBOOK
    page = "\n".join(f"<!-- {name} -->\nBEFORE\n<!-- /{name} -->" for name in names)
    assert readme.fill(page, readme.make_texts(sources)) == page  # there is no single_regularized
    values, conclusions = sources.notebook_values, sources.notebook_conclusions
    fewer = sources._replace(
        notebook_values=values[values["variant"] == "single"],
        notebook_conclusions=conclusions.assign(variant="candidate", other="single"),
    )
    assert "BEFORE" not in readme.fill(page, readme.make_texts(fewer))


def test_the_pipeline_is_drawn_with_one_node_for_all_variants_of_a_stage(results: Path):
    """The small one has fewer variants than the one on the page, but the same stages."""
    assert readme.pipeline(read_sources()) in (PROJECT / "README.md").read_text("utf-8")


def test_the_example_is_what_dvc_and_the_review_say_of_an_experiment(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(experiment.folder)
    committed = subprocess.check_output(["git", "show", f"HEAD:{METRICS}"])
    before, after = (
        json.loads(text)["candidate"]["validation_accuracy"]
        for text in (committed, METRICS.read_text())
    )
    example = readme.example("one", min_effect=0.002)
    assert re.match("```\nPath +Metric +HEAD +workspace +Change\n", example["metrics_diff"])
    diff = re.findall(r"candidate\.validation_accuracy +(\S+) +(\S+)", example["metrics_diff"])
    assert [(float(old), float(new)) for old, new in diff] == [(before, after)]
    (review,) = [row for row in rows(example["review"]) if row[2] == "validation"]
    assert review[3:5] == [f"{before:.4f}", f"{after:.4f}"]


def test_a_damaged_table_is_named(results: Path):
    for path in (SCORES, DIFFERENCES, HISTORY / "single.csv", NOTEBOOK_VALUES, CONCLUSIONS):
        whole = path.read_text("utf-8")
        lines = whole.splitlines()
        for damaged in ([lines[0], "<<<<<<< HEAD", *lines[1:]], [*lines[:2], "a,"]):
            path.write_text("\n".join(damaged), "utf-8")
            with pytest.raises(InputError, match=path.name):
                read_sources()
        path.write_text(whole, "utf-8")


def test_own_reviews_are_named_and_their_errors_are_not_shown(results: Path):
    sources = read_sources()
    card = sources._replace(facts=sources.facts.model_copy(update={"source": "csv:own.csv"}))
    said = "**Not the dataset above, but own reviews.** reviews from own.csv: "
    assert model_card.data(card).startswith(said)
    assert "`make errors` writes errors/candidate.html" in str(model_card.errors(card))


def test_the_card_compares_with_the_smallest_variant_that_is_not_shown_to_be_worse(results: Path):
    """Two are as good, of which one has more weights; the smallest of all is worse."""
    right = np.random.default_rng(0).random((6, 5000)) < 0.9
    bits = dict.fromkeys(HELD_OUT, right)
    worse = bits | {"validation": right & (np.arange(5000) > 999)}
    flipped = {split: right ^ (np.arange(5000) == s) for s, split in enumerate(bits)}
    variants = {"candidate": bits, "single": worse, "large": flipped, "small": flipped}
    sizes = {"candidate": 9, "single": 1, "large": 8, "small": 7}
    average = {"accuracy": 0.9, "low": 0.89, "high": 0.91, "brier": 0.1, "calibration_error": 0.02}
    card = read_sources()._replace(
        correct={v: Correct("0", np.arange(6), bits, right[0]) for v, bits in variants.items()},
        metrics={v: {"size": {"weights": n}, "average": average} for v, n in sizes.items()},
    )
    shown = {row[1]: row[2] for row in rows(model_card.values(card))}
    assert shown["reviews trained on"] == "60 (`single`: 36)"  # the candidate is refitted
    assert re.match(r"[+-]0.0\d \[", shown["accuracy minus that of `small`, test"])
    assert shown["accuracy of the average, test"] == "90.00% [89.00%, 91.00%]"
    assert shown["calibration error of the average, test"] == "2.00%"
    del card.correct["small"], card.correct["large"]
    assert model_card.smallest_not_beaten(card) is None


# --- what holds for the published results: `make check` -------------------------------------------


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the last commit."""
    folder = tmp_path_factory.mktemp("committed")
    command = ["git", "archive", "--output", str(folder / "archive.zip"), "HEAD"]
    if subprocess.run(command, cwd=PROJECT, check=False).returncode:
        pytest.skip("not a Git checkout")
    shutil.unpack_archive(folder / "archive.zip", folder)
    return folder


@pytest.mark.published
def test_the_committed_pages_have_the_committed_values(committed: Path):
    sources = read_sources(committed)
    fresh = readme.make_texts(sources)
    pages = [*committed.glob("*.md"), *(committed / "docs").glob("*.md")]
    texts = {page.name: page.read_text("utf-8") for page in pages}
    assert "| `candidate`" in texts["README.md"]
    stale = [name for name, text in texts.items() if readme.fill(text, fresh) != text]
    assert stale == []  # `make readme` updates them
    wrong = (~sources.correct["candidate"].by_split["test"]).all(axis=0).sum()
    assert f"\n{wrong:,} of 25,000 test reviews" in texts["MODEL_CARD.md"]
    for page in ("rounding", "optimism"):  # was measured of these variants
        measured = (committed / f"benchmarks/{page}.md").read_text("utf-8")
        variants = set(re.findall(r"^\| `(\w+)`", measured, re.MULTILINE))
        assert variants == set(load_params(committed / "params.yaml").variants)


@pytest.mark.published
def test_the_example_on_the_pages_changes_the_committed_results(committed: Path):
    """If the candidate changed: CONTRIBUTING.md says how to regenerate the example."""
    pages = "README.md", "docs/experiments.md"
    text = "".join((committed / page).read_text("utf-8") for page in pages)
    before = json.loads((committed / METRICS).read_text())["candidate"]
    for block in ("average", "size"):
        before |= {f"{block}.{name}": value for name, value in before[block].items()}
    diff = re.findall(r"metrics.json +candidate\.(\S+) +(\S+) +(\S+) +(\S+)\n", text)
    assert diff
    for name, old, new, change in diff:
        assert float(old) == before[name]
        assert float(new) - float(old) == pytest.approx(float(change), abs=1e-6)
    review = {row[2]: row for row in rows(text) if row[1] == "`candidate`" and row[2] in HELD_OUT}
    assert [*review] == [*HELD_OUT]
    for split, (_, _, _, old, new, points, *_) in review.items():
        assert float(old) == before[f"{split}_accuracy"]
        gain = float(points.split()[0])
        assert 100 * (float(new) - float(old)) == pytest.approx(gain, abs=0.011)
