"""Is it a gain or noise? The workspace against another revision: `make review BASE=main`.

usage   python -m commands.review [BASE] [--json] [--fail-on worse] [--tried K]
                                  [--images BEFORE AFTER]
reads   params.yaml, metrics/ and plots/figures/ of both sides, from Git and the workspace alone,
        and how many results there are in DVC's experiments and in commits since the base
writes  review/report.md, review/report.json, review/{before,after}/*.png; prints the report

The validation reviews decide; the test reviews stand beside them for the record. The workspace is
assumed to be the best of these results, so each verdict is corrected for their number.
"""

import argparse
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from workflow.base.errors import run, warn
from workflow.base.files import CORRECT, atomic_folder
from workflow.evaluation.significance import (
    CANNOT_TELL,
    LEVEL,
    MIN_SEEDS,
    difference_of_means,
    holm,
    too_few,
)
from workflow.model.params import Recipe
from workflow.params import load_params
from workflow.report.comparison import (
    OPTIONS,
    accuracy_table,
    changed_code,
    changed_params,
    compare_sides,
    footnote,
    interval,
    shared_seeds,
    table,
    variants_with_same_inputs,
)
from workflow.report.revisions import (
    Results,
    experiments,
    git,
    merge_base,
    revision,
    stored_results,
)

REVIEW = Path("review")


def changed_metrics(
    base: Results, ours: Results, variants: Iterable[str], tried: int = 1
) -> list[dict[str, Any]]:
    """The means over seeds that changed, other than accuracies on held-out reviews.

    The reviews play no part here: the interval is Student's t over the seeds. Losses of another
    kind or with other penalties are not compared.
    """
    rows: list[dict[str, Any]] = []
    seeds, _ = shared_seeds(base, ours)
    for variant in variants:
        names = ["train_accuracy", "test_loss", "best_epoch"]
        if loss(base.recipe(variant)) != loss(ours.recipe(variant)):
            names.remove("test_loss")
        for name in names:
            before, after = (side.metric(variant, name) for side in (base, ours))
            if seeds:
                before, after = before[seeds], after[seeds]
            if before.equals(after):
                continue
            d = difference_of_means(after.to_numpy(), before.to_numpy(), paired=bool(seeds))
            sides = {"before": before.mean(), "after": after.mean()}
            known = {key: getattr(d, key) for key in ("low", "high", "p_value", "seeds")}
            rows.append({"metric": f"{variant}.{name}"} | sides | known)
    for row, p in zip(rows, holm([tried * row["p_value"] for row in rows]), strict=True):
        higher = "higher" if row["after"] > row["before"] else "lower"
        row["verdict"] = higher if p < LEVEL else CANNOT_TELL
        if row["seeds"] < MIN_SEEDS:
            row["verdict"] = too_few(row["seeds"])
    return rows


def loss(values: dict[str, Any]) -> object:
    """What the loss of a network is made of: its kind and penalties.

    The recipe may be of another version of the project: what its schema has not is ignored, and
    what it refuses is compared as it stands.
    """
    try:
        recipe = Recipe.model_validate(values, extra="ignore")
    except ValidationError:
        return values
    return recipe.loss, recipe.penalties


def make_report(
    base: Results, commit: str, ours: Results, min_effect: float, tried: int, counted: str
) -> dict[str, Any]:
    same_data = base.facts.sha256 == ours.facts.sha256
    code, params = changed_code(commit), changed_params(base, ours)
    stale = {side.name: side.stale_params for side in (ours, base) if side.stale_params}
    report = {
        "base": base.name,
        "params": params,
        "data": {},
        "tried": tried,
        "counted": counted,
        "stale_params": stale,
        "min_effect": min_effect,
        "only_before": sorted(set(base.variants) - set(ours.variants)),
        "only_after": sorted(set(ours.variants) - set(base.variants)),
        "code": code,
    }
    if same_data:
        same_inputs = variants_with_same_inputs(base, ours, code)
        sides = compare_sides(base, ours, same_inputs, min_effect, tried)
        both = [v for v in ours.variants if v in base.variants and v not in sides["rounded"]]
        sides["metrics"] = changed_metrics(base, ours, both, tried)
    else:
        report["data"] = {"before": base.facts.model_dump(), "after": ours.facts.model_dump()}
        sides = {"accuracy": [], "notes": [], "rounded": {}, "metrics": []}
    only_rounding = bool(sides["rounded"]) and not (params or code or sides["accuracy"])
    explained = {f"learning_curves_{v}.png" for v in sides["rounded"]} if not code else set()
    figures = [] if only_rounding else changed_figures(base, ours)
    return report | sides | {"figures": [name for name in figures if name not in explained]}


def changed_figures(base: Results, ours: Results) -> list[str]:
    """The names of the pictures on both sides that are not the same."""
    before, after = base.figures(), ours.figures()
    return [name for name in after if name in before and before[name] != after[name]]


def markdown(report: dict[str, Any], images: Sequence[str]) -> str:
    """The report as a page; what did not change is left out."""
    name = report["base"]
    parts = [f"# Review against {name}", f"**{headline(report)}**"]
    if report["data"]:
        sides = (report["data"]["before"], report["data"]["after"])
        facts = [[key, *(str(side.get(key)) for side in sides)] for key in sorted(sides[0])]
        parts += ["## Data", table(["", name, "here"], [row for row in facts if row[1] != row[2]])]
    if report["params"]:
        rows = [[f"`{k}`", str(v["old"]), str(v["new"])] for k, v in report["params"].items()]
        parts += ["## Parameters", table(["parameter", name, "here"], rows)]
    parts += accuracy(report)
    for title, key in (("Only in " + name, "only_before"), ("Only here", "only_after")):
        if report[key]:
            parts += [f"{title}: {', '.join(f'`{variant}`' for variant in report[key])}."]
    if report["metrics"]:
        rows = [
            [
                f"`{r['metric']}`",
                *(f"{r[side]:.4f}" for side in ("before", "after")),
                interval(r, "+.3g"),
                r["verdict"],
            ]
            for r in report["metrics"]
        ]
        header = ["metric", name, "here", "95% interval of the change", "verdict"]
        parts += ["## Other metrics, means over seeds", table(header, rows)]
    if report["code"]:
        rows = [[f"`{path}`", ", ".join(stages)] for path, stages in report["code"].items()]
        parts += ["## Code", table(["changed", "stages"], rows)]
    if report["figures"]:
        rows = [[f"![]({side}/{figure})" for side in images] for figure in report["figures"]]
        parts += ["## Figures", table([name, "here"], rows)]
    return "\n\n".join(parts) + "\n"


def headline(report: dict[str, Any]) -> str:
    if report["data"]:
        return "The data are not the same: no verdict."
    if report["stale_params"]:
        side, keys = next(iter(report["stale_params"].items()))
        more = f" and {len(keys) - 1} more" if keys[1:] else ""
        return f"The results of {side} are not of its parameters ({keys[0]}{more}): `dvc repro`."
    if no_verdict := [note for note in report["notes"] if "no verdict" in note]:
        return str(no_verdict[0])
    if not report["accuracy"]:
        return "No accuracy changed" + (", but by rounding." if report["rounded"] else ".")
    decisive = [row for row in report["accuracy"] if row["split"] == "validation"]
    if not decisive:
        return "Validation did not change."
    words = [f"{r['variant']} {r['verdict']}" for r in decisive if r["verdict"] != CANNOT_TELL]
    return f"On validation: {', '.join(words) or 'no difference shown'}."


def accuracy(report: dict[str, Any]) -> list[str]:
    parts = []
    if report["accuracy"]:
        corrected = (
            f"Corrected for the rows of a split (Holm) and the number of {report['counted']}."
        )
        parts += ["## Accuracy", accuracy_table(report), f"{footnote(report)} {corrected}"]
    parts += report["notes"]
    if report["rounded"]:
        largest = math.ceil(10_000 * max(report["rounded"].values()) + 1e-6) / 100
        listed = ", ".join(f"`{variant}`" for variant in report["rounded"])
        also = f"Also changed, by less than {largest:.2f} points, with the same code, parameters"
        parts += [f"{also} and data, as by the rounding of another processor: {listed}."]
    return parts


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
    parser.add_argument("--fail-on", choices=["worse"], help="exit with 1 on such a verdict")
    parser.add_argument(
        "--tried", type=int, metavar="K", help="results compared (default: those in this clone)"
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
        try:
            print(data if options.json else page, end="")
        finally:  # even if the reader has closed the pipe
            write_report(page, data, report["figures"], base, ours)
    decisive = [row["verdict"] for row in report["accuracy"] if row["split"] == "validation"]
    if options.fail_on in decisive:
        sys.exit(1)


if __name__ == "__main__":
    run(main)
