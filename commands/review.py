"""Is it a gain or noise? The workspace against another revision: `make review BASE=main`.

usage   python -m commands.review [BASE] [--json] [--fail-on GATE …] [--max-growth SHARE]
                                  [--tried K] [--examples] [--images BEFORE AFTER]
reads   params.yaml, metrics/ and plots/figures/ of both sides, from Git and the workspace alone,
        and how many results there are in DVC's experiments and in commits since the base;
        with --examples also data/ of the workspace, and the base's predictions in DVC's cache
writes  review/report.md, review/report.json, review/{before,after}/*.png; prints the report

The validation reviews decide; the test reviews stand beside them for the record. The workspace is
assumed to be the best of these results, so each verdict is corrected for their number.
"""

import argparse
import io
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from workflow.base.errors import reading, run, warn
from workflow.base.files import CORRECT, PREDICTIONS, REVIEWS, atomic_folder
from workflow.base.labels import CLASSES, is_positive
from workflow.base.reviews import load_reviews
from workflow.params import load_params
from workflow.report.comparison import (
    OPTIONS,
    changed_code,
    changed_metrics,
    changed_params,
    changed_sizes,
    compare_sides,
    new_variants,
    variants_with_same_inputs,
)
from workflow.report.review_page import REVIEW, markdown
from workflow.report.revisions import (
    Results,
    experiments,
    git,
    merge_base,
    revision,
    stored_results,
)
from workflow.report.slices import changes_by_slice, fixed_and_broken
from workflow.text.vocabulary import Vocabulary

GATES = {"worse": "worse", "slice": "worse", "loss": "higher", "brier": "higher"}  # and verdicts
EXAMPLES = 3  # of each kind and variant


def make_report(
    base: Results, commit: str, ours: Results, min_effect: float, tried: int, counted: str
) -> dict[str, Any]:
    same_data = base.facts.sha256 == ours.facts.sha256
    code, params = changed_code(commit), changed_params(base, ours)
    stale = {side.name: side.stale_params for side in (ours, base) if side.stale_params}
    added = sorted(set(ours.variants) - set(base.variants))
    report = {
        "base": base.name,
        "params": params,
        "data": {},
        "tried": tried,
        "counted": counted,
        "stale_params": stale,
        "min_effect": min_effect,
        "only_before": sorted(set(base.variants) - set(ours.variants)),
        "only_after": added,
        "code": code,
    }
    if same_data:
        same_inputs = variants_with_same_inputs(base, ours, code)
        sides = compare_sides(base, ours, same_inputs, min_effect, tried)
        both = [v for v in ours.variants if v in base.variants and v not in sides["rounded"]]
        if ours.has_rare_label:
            sides["notes"].append(
                "One label is rare, so accuracy alone misleads: `dvc metrics diff` also shows "
                "`test_f1_of_rarer_label` and `test_roc_auc`."
            )
        sides["metrics"] = changed_metrics(base, ours, both, tried)
        sides["sizes"] = changed_sizes(base, ours, both)
        sides["answers"] = fixed_and_broken(base, ours, both)
        sides["slices"] = changes_by_slice(base, ours, both, min_effect, tried)
        sides["new"] = new_variants(ours, added, min_effect)
    else:
        report["data"] = {"before": base.facts.model_dump(), "after": ours.facts.model_dump()}
        nothing = ("accuracy", "notes", "metrics", "sizes", "answers", "slices", "new")
        sides = {"rounded": {}, **{name: [] for name in nothing}}
    only_rounding = bool(sides["rounded"]) and not (params or code or sides["accuracy"])
    explained = {f"learning_curves_{v}.png" for v in sides["rounded"]} if not code else set()
    figures = changed_figures(base, ours) if same_data and not only_rounding else []
    return report | sides | {"figures": [name for name in figures if name not in explained]}


def changed_figures(base: Results, ours: Results) -> list[str]:
    """The names of the pictures on both sides that are not the same."""
    before, after = base.figures(), ours.figures()
    return [name for name in after if name in before and before[name] != after[name]]


def count_tried(commit: str, start: str) -> tuple[int, str]:
    """How many different results a variant had since the base, and where they were counted.

    Of the variants, that with the most results counts.

    Args:
        commit: of the base.
        start: the commit at which HEAD's branch began.
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


def write_report(
    page: str, data: str, figures: Iterable[str], before: Results, after: Results
) -> None:
    """Fill review/; say so if that is impossible, as where the checkout is read-only."""
    try:
        with atomic_folder(REVIEW) as folder:
            (folder / "report.md").write_text(page, "utf-8")
            (folder / "report.json").write_text(data, "utf-8")
            for name, side in (("before", before), ("after", after)):
                (folder / name).mkdir()
                for figure in figures:
                    (folder / name / figure).write_bytes(side.figures()[figure])
    except OSError as error:
        warn(f"{REVIEW}/ is not written: {error}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("base", nargs="?", default="main", help="a Git revision (default: main)")
    parser.add_argument("--json", action="store_true", help="print JSON, not Markdown")
    parser.add_argument(
        "--fail-on", nargs="+", choices=[*GATES, "size"], default=[], help="exit with 1 on these"
    )
    parser.add_argument(
        "--max-growth", type=float, default=0.1, metavar="SHARE", help="for size (default: 0.1)"
    )
    parser.add_argument(
        "--tried", type=int, metavar="K", help="results compared (default: those in this clone)"
    )
    parser.add_argument(
        "--examples", action="store_true", help="print the most certain fixed and broken reviews"
    )
    parser.add_argument(
        "--images",
        nargs=2,
        default=("before", "after"),
        metavar=("BEFORE", "AFTER"),
        help="addresses of the figures in the report (default: the folders beside it)",
    )
    options = parser.parse_args()
    ours, min_effect = Results("the workspace"), load_params().compare.min_effect
    with revision(options.base) as (base, commit):
        start = merge_base(commit)
        tried, counted = count_tried(commit, start)
        if options.tried:
            tried = max(options.tried, 1)
            counted = f"results: {tried}, as stated with --tried"
        report = make_report(base, commit, ours, min_effect, tried, counted)
        is_experiment = commit in {e.commit for e in experiments()}
        later = git("diff", "--name-only", "--relative", start, commit, "--", "metrics")
        if later and not is_experiment and not report["data"]:
            report["notes"].append(
                f"{base.name} has results that are newer than this branch; here they count as "
                f"undone. Without them: `make review BASE={start[:7]}`."
            )
        page, data = markdown(report, options.images), orjson.dumps(report, option=OPTIONS).decode()
        printed = markdown(report, ()) if is_terminal() else page
        try:
            print(data if options.json else printed, end="")
            if options.examples:
                print_examples(commit, [row["variant"] for row in report["answers"]])
        finally:  # even if the reader has closed the pipe
            write_report(page, data, report["figures"], base, ours)
    if reasons := failures(report, options.fail_on, options.max_growth):
        sys.exit(f"error: {'; '.join(reasons)}")


def is_terminal() -> bool:
    return sys.stdout.isatty()


def failures(report: dict[str, Any], gates: Sequence[str], max_growth: float) -> list[str]:
    """What the gates do not let pass: verdicts on validation, and sizes that grow too much."""
    found = []
    rows = {
        "worse": [r for r in report["accuracy"] if r["split"] == "validation"],
        "slice": report["slices"],
        "loss": [r for r in report["metrics"] if r["metric"].endswith(".test_loss")],
        "brier": [r for r in report["metrics"] if r["metric"].endswith(".test_brier")],
    }
    for gate in [gate for gate in gates if gate in GATES]:
        for row in rows[gate]:
            if row["verdict"] == GATES[gate]:
                place = row.get("metric") or " ".join(
                    filter(None, map(row.get, ("variant", "slice")))
                )
                found.append(f"{place} is {row['verdict']}")
    if "size" in gates:
        found += [
            f"{r['metric']} grew from {r['before']:,} to {r['after']:,}"
            for r in report["sizes"]
            if r["metric"].endswith(".bytes") and r["after"] > r["before"] * (1 + max_growth)
        ]
    return found


def print_examples(commit: str, variants: Iterable[str]) -> None:
    """The fixed and broken test reviews whose probability moved most, as text.

    Raises:
        InputError: predictions of either side are neither in data/ nor in DVC's cache.
    """
    reviews, vocabulary = load_reviews("test"), Vocabulary.load(REVIEWS)
    for variant in variants:
        before, after = (mean_prediction(variant, side) for side in (commit, None))
        labels = reviews.labels == 1
        right = is_positive(before) == labels, is_positive(after) == labels
        for kind, chosen in ("Fixed", right[1] & ~right[0]), ("Broken", right[0] & ~right[1]):
            numbers = np.flatnonzero(chosen)
            order = np.argsort(-np.abs(after - before)[numbers], kind="stable")
            for number in numbers[order][:EXAMPLES].tolist():
                words = vocabulary.decode(reviews.between(number, number + 1).values)
                label = CLASSES[int(labels[number])]
                print(
                    f"\n{kind} by {variant}, review {number}, {label}: "
                    f"{before[number]:.3f} → {after[number]:.3f}\n{textwrap.shorten(words, 600)}"
                )


def mean_prediction(variant: str, commit: str | None) -> NDArray[np.float64]:
    """(reviews,): the mean of the seeds' probabilities on test, in a commit or the workspace."""
    path = PREDICTIONS / variant / "test.npy"
    where = f"{path} of {commit[:7]}" if commit else str(path)
    with reading(where, "; run `dvc pull`, or `dvc repro` in that version", (OSError, ValueError)):
        import dvc.api  # noqa: PLC0415 - takes a second, and only examples need it

        content = dvc.api.read(str(path), rev=commit, mode="rb") if commit else path.read_bytes()
        return np.asarray(np.load(io.BytesIO(content)).mean(axis=0, dtype=np.float64))


if __name__ == "__main__":
    run(main)
