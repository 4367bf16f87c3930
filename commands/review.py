"""Is it a gain or noise? The workspace against another revision: `make review BASE=main`.

usage   python -m commands.review [BASE] [--json] [--fail-on GATE …] [--tried K] [--examples]
                                  [--images BEFORE AFTER]
reads   params.yaml, metrics/ and plots/figures/ of both sides, from Git and the workspace alone,
        and how many results there are in DVC's experiments and in commits since the base;
        with --examples also data/ of the workspace, and the base's predictions in DVC's cache
writes  review/report.md, review/report.json, review/{before,after}/*.png; prints the report

The validation reviews decide; the test reviews stand beside them for the record. The workspace is
assumed to be the best of these results, so each verdict is corrected for their number.
"""

import argparse
import io
import shutil
import sys
import textwrap
from collections.abc import Iterable
from typing import Any

import numpy as np
import orjson
import pandas as pd
from numpy.typing import NDArray

from workflow.base.errors import reading, run, warn
from workflow.base.files import CORRECT, FIGURES, PREDICTIONS, REVIEWS, atomic_folder
from workflow.base.labels import CLASSES, is_positive
from workflow.base.reviews import load_reviews
from workflow.params import load_params
from workflow.report.comparison import OPTIONS, changed_code, make_report
from workflow.report.review_page import REVIEW, markdown
from workflow.report.revisions import (
    Results,
    experiments,
    git,
    merge_base,
    revision,
    stored_results,
)
from workflow.text.vocabulary import Vocabulary

GATES = ("worse", "slice", "loss", "brier", "size")
MAX_GROWTH = 0.1  # of a model's bytes that the gate `size` lets pass
EXAMPLES = 3  # of each kind and variant


def count_tried(commit: str, start: str) -> tuple[int, str]:
    """How many different results a variant had since the base, and where they were counted.

    The variant with the most results counts. HEAD's branch began at the commit `start`.
    """
    since = git("rev-list", f"{commit}..HEAD").decode().split()
    tried = [e.commit for e in experiments() if e.base in {commit, start, *since}]
    commits = git("rev-list", f"{commit}..HEAD", "--", str(CORRECT)).decode().split()
    results = [stored_results(), *map(stored_results, tried + commits)]
    numbers = [
        len({result[variant] for result in results if variant in result} - {before})
        for variant, before in stored_results(commit).items()
    ]
    places = f"DVC's experiments ({len(tried)}), commits ({len(commits)}) and the workspace"
    number = max(1, *numbers)
    return number, f"different results since the base: {number}, in {places}"


def write_report(page: str, data: str, figures: Iterable[str], *sides: Results) -> None:
    """Fill review/; say so if that is impossible, as where the checkout is read-only."""
    try:
        with atomic_folder(REVIEW) as folder:
            (folder / "report.md").write_text(page, "utf-8")
            (folder / "report.json").write_text(data, "utf-8")
            for name, side in zip(("before", "after"), sides, strict=True):
                (folder / name).mkdir()
                for figure in figures:
                    shutil.copyfile(side.folder / FIGURES / figure, folder / name / figure)
    except OSError as error:
        warn(f"{REVIEW}/ is not written: {error}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("base", nargs="?", default="main", help="a Git revision (default: main)")
    add("--json", action="store_true", help="print JSON, not Markdown")
    add("--fail-on", nargs="+", choices=GATES, default=[], help="exit with 1 on these")
    add("--tried", type=int, metavar="K", help="results compared (default: those in this clone)")
    add("--examples", action="store_true", help="print the most certain fixed and broken reviews")
    help_ = "addresses of the figures in the report (default: the folders beside it)"
    names = ("BEFORE", "AFTER")
    add("--images", nargs=2, default=("before", "after"), metavar=names, help=help_)
    options = parser.parse_args()
    ours, min_effect = Results(), load_params().compare.min_effect
    with revision(options.base) as (base, commit):
        start = merge_base(commit)
        tried, counted = count_tried(commit, start)
        if options.tried:
            tried = max(options.tried, 1)
            counted = f"results: {tried}, as stated with --tried"
        report = make_report(base, ours, changed_code(commit), min_effect, tried)
        report["counted"] = counted
        is_experiment = commit in {e.commit for e in experiments()}
        later = git("diff", "--name-only", "--relative", start, commit, "--", "metrics")
        if later and not is_experiment and not report["data"]:
            report["notes"].append(
                f"{base.name} has results that are newer than this branch; here they count as "
                f"undone. Without them: `make review BASE={start[:7]}`."
            )
        page, data = markdown(report, options.images), orjson.dumps(report, option=OPTIONS).decode()
        printed = markdown(report, ()) if sys.stdout.isatty() else page
        try:
            print(data if options.json else printed, end="")
            if options.examples:
                print_examples(commit, [row["variant"] for row in report["answers"]])
        finally:  # even if the reader has closed the pipe
            write_report(page, data, report["figures"], base, ours)
    failed = failures(report)
    if reasons := [reason for gate in options.fail_on for reason in failed[gate]]:
        sys.exit(f"error: {'; '.join(reasons)}")


def failures(report: dict[str, Any]) -> dict[str, list[str]]:
    """By gate, what it does not let pass: verdicts on validation, and sizes that grow too much."""
    worse, slices = (
        [row for row in report[kind] if (row["split"], row["verdict"]) == ("validation", "worse")]
        for kind in ("accuracy", "slices")
    )
    higher = [row["metric"] for row in report["metrics"] if row["verdict"] == "higher"]
    return {
        "worse": [f"{row['variant']} is worse" for row in worse],
        "slice": [f"{row['variant']} {row['slice']} is worse" for row in slices],
        "loss": [f"{metric} is higher" for metric in higher if metric.endswith(".test_loss")],
        "brier": [f"{metric} is higher" for metric in higher if metric.endswith(".test_brier")],
        "size": [
            f"{r['metric']} grew from {r['before']:,} to {r['after']:,}"
            for r in report["sizes"]
            if r["metric"].endswith(".bytes") and r["after"] > r["before"] * (1 + MAX_GROWTH)
        ],
    }


def print_examples(commit: str, variants: Iterable[str]) -> None:
    """The fixed and broken test reviews whose probability moved most, as text.

    Raises:
        InputError: predictions of either side are neither in data/ nor in DVC's cache.
    """
    reviews, vocabulary = load_reviews("test"), Vocabulary.load(REVIEWS)
    for variant in variants:
        before, after = (mean_prediction(variant, side) for side in (commit, None))
        labels = reviews.labels == 1
        was_right, is_right = is_positive(before) == labels, is_positive(after) == labels
        moved = pd.Series(np.abs(after - before))
        for kind, chosen in ("Fixed", is_right & ~was_right), ("Broken", was_right & ~is_right):
            for number in moved[chosen].nlargest(EXAMPLES).index:
                words = vocabulary.decode(reviews.between(number, number + 1).values)
                print(
                    f"\n{kind} by {variant}, review {number}, {CLASSES[int(labels[number])]}: "
                    f"{before[number]:.3f} → {after[number]:.3f}\n{textwrap.shorten(words, 600)}"
                )


def mean_prediction(variant: str, commit: str | None) -> NDArray[np.float64]:
    """(reviews,): the mean of the seeds' probabilities on test, in a commit or the workspace."""
    import dvc.api  # noqa: PLC0415 - takes a second, and only examples need it
    from dvc.exceptions import DvcException  # noqa: PLC0415

    path = str(PREDICTIONS / variant / "test.npy")
    where = f"{path} of {commit[:7]}" if commit else path
    hint = "; run `dvc pull`, or `dvc repro` in that version"
    with reading(where, hint, (DvcException, OSError, ValueError)):
        content = dvc.api.read(path, rev=commit, mode="rb")
        return np.asarray(np.load(io.BytesIO(content)).mean(axis=0, dtype=np.float64))


if __name__ == "__main__":
    run(main)
