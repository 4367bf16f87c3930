"""Is it a gain or is it noise? The workspace against another revision: `make review BASE=main`.

usage   python -m commands.review [BASE] [--json] [--fail-on worse] [--tried K]
                                  [--images BEFORE AFTER]
reads   params.yaml, metrics/ and plots/figures/ of both sides, from Git and the workspace alone,
        and how many experiments DVC has run since the base
writes  review/report.md, review/report.json, review/{before,after}/*.png; prints the report

The validation reviews decide; the test reviews stand beside them for the record. The workspace is
taken for the best of the experiments, so each verdict is corrected for their number.
"""

import argparse
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson

from workflow.base.errors import run
from workflow.base.files import atomic_folder
from workflow.evaluation.significance import CANNOT_TELL, LEVEL, difference_of_means, holm
from workflow.params import load_params
from workflow.report.comparison import (
    OPTIONS,
    accuracy_table,
    changed_code,
    changed_params,
    compare_sides,
    interval,
    luck_of_many,
    shared_seeds,
    table,
    variants_with_same_inputs,
)
from workflow.report.revisions import Results, experiments, git, merge_base, revision

REVIEW = Path("review")
PENALTIES = ("kernel_l1", "kernel_l2", "activity_l1", "activity_l2")


def changed_metrics(
    base: Results, ours: Results, variants: Iterable[str], tried: int = 1
) -> list[dict[str, Any]]:
    """Means over seeds, other than of accuracies on held-out reviews, that are not what they were.

    The reviews play no part here: the interval is Student's t over the seeds. Losses of another
    kind, or with other penalties, are not compared.
    """
    rows: list[dict[str, Any]] = []
    seeds, _ = shared_seeds(base, ours)
    for variant in variants:
        losses = [loss(side.recipe(variant)) for side in (base, ours)]
        for name in ("train_accuracy", "test_loss", "best_epoch"):
            if name == "test_loss" and losses[0] != losses[1]:
                continue
            before, after = (side.metric(variant, name) for side in (base, ours))
            if seeds:
                before, after = before[seeds], after[seeds]
            if before.equals(after):
                continue
            d = difference_of_means(after.to_numpy(), before.to_numpy(), paired=bool(seeds))
            rows.append(
                {"metric": f"{variant}.{name}", "before": before.mean(), "after": after.mean()}
                | {key: getattr(d, key) for key in ("low", "high", "p_value")}
            )
    for row, p in zip(rows, holm([tried * row["p_value"] for row in rows]), strict=True):
        higher = "higher" if row["after"] > row["before"] else "lower"
        row["verdict"] = higher if p < LEVEL else CANNOT_TELL
    return rows


def loss(recipe: dict[str, Any]) -> tuple[Any, list[list[Any]]]:
    """What the loss of a network is made of: its kind, and the penalties of each layer with any."""
    layers = [
        [layer.get(key, recipe.get(key)) or 0 for key in PENALTIES]
        for layer in recipe.get("layers") or []
    ]
    return recipe.get("loss"), [penalties for penalties in layers if any(penalties)]


def make_report(
    base: Results, commit: str, ours: Results, min_effect: float, tried: int
) -> dict[str, Any]:
    same_data = base.facts.sha256 == ours.facts.sha256
    nothing: dict[str, Any] = {"accuracy": [], "notes": [], "luck": None, "rounded": {}}
    code, params = changed_code(commit), changed_params(base, ours)
    alike = variants_with_same_inputs(base, ours, code)
    sides = compare_sides(base, ours, alike, min_effect, tried) if same_data else nothing
    both = [variant for variant in ours.variants if variant in base.variants and same_data]
    before, after = base.figures(), ours.figures()
    differ = [name for name in after if before.get(name) not in (None, after[name])]
    if not code:  # they are drawn alike
        by_rounding = {f"learning_curves_{variant}.png" for variant in sides["rounded"]}
        differ = [name for name in differ if name not in by_rounding]
        if by_rounding and not (params or sides["accuracy"]):
            differ = []
    facts = [side.facts.model_dump() for side in (base, ours)]
    return {
        "base": base.name,
        "params": params,
        "data": {} if same_data else {"before": facts[0], "after": facts[1]},
        "tried": tried,
        "stale_params": {
            side.name: side.stale_params for side in (ours, base) if side.stale_params
        },
        **sides,
        "min_effect": min_effect,
        "metrics": changed_metrics(
            base, ours, [v for v in both if v not in sides["rounded"]], tried
        ),
        "only_before": sorted(set(base.variants) - set(ours.variants)),
        "only_after": sorted(set(ours.variants) - set(base.variants)),
        "code": code,
        "figures": differ,
    }


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
        where, keys = next(iter(report["stale_params"].items()))
        more = f" and {len(keys) - 1} more" if keys[1:] else ""
        return f"The results of {where} are not of its parameters ({keys[0]}{more}): `dvc repro`."
    if no_verdict := next((note for note in report["notes"] if "no verdict" in note), ""):
        return no_verdict
    if not report["accuracy"]:
        return "No accuracy changed" + (", but by rounding." if report["rounded"] else ".")
    decides = [row for row in report["accuracy"] if row["split"] == "validation"]
    words = [f"{r['variant']} {r['verdict']}" for r in decides if r["verdict"] != CANNOT_TELL]
    if words:
        return f"On validation: {', '.join(words)}."
    return "On validation: no difference shown." if decides else "Validation did not change."


def accuracy(report: dict[str, Any]) -> list[str]:
    parts = []
    if report["accuracy"]:
        parts += ["## Accuracy", accuracy_table(report), footnote(report)]
        if report["tried"] > 1:
            many = f"{report['tried']} experiments were tried since {report['base']}"
            parts += [f"{many}: each verdict is corrected for as many. {luck_of_many(report)}"]
    parts += report["notes"]
    if report["rounded"]:
        largest = math.ceil(10_000 * max(report["rounded"].values()) + 1e-6) / 100
        named = ", ".join(f"`{variant}`" for variant in report["rounded"])
        also = f"Also changed, by less than {largest:.2f} points, with the same code, parameters"
        parts += [f"{also} and data, as where another processor rounds otherwise: {named}."]
    return parts


def footnote(report: dict[str, Any]) -> str:
    return (
        "Interval: 95%, over seeds and reviews. Validation decides. better, worse: shown to differ "
        f"by {100 * report['min_effect']:g} points or more; trivial: by less; same: shown to be less "
        f"apart; `{CANNOT_TELL}`: cannot tell, and with how many seeds one probably could. About "
        "5% of reviews in which nothing changed call some variant different (Holm)."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("base", nargs="?", default="main", help="a Git revision (default: main)")
    parser.add_argument("--json", action="store_true", help="print JSON, not Markdown")
    parser.add_argument("--fail-on", choices=["worse"], help="exit with 1 on such a verdict")
    parser.add_argument(
        "--tried", type=int, metavar="K", help="experiments (default: those in this clone)"
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
        parting = merge_base(commit)
        since = git("rev-list", f"{commit}..HEAD").decode().split()
        tried = options.tried or len(experiments({commit, parting, *since}))
        report = make_report(base, commit, ours, min_effect, max(tried, 1))
        others = git("diff", "--name-only", "--relative", parting, commit, "--", "metrics")
        if others and not report["data"]:
            report["notes"].append(
                f"{base.name} has results that came to it after this branch began; here they count "
                f"as undone. Without them: `make review BASE={parting[:7]}`."
            )
        figures = {"before": base.figures(), "after": ours.figures()}
    page, data = markdown(report, options.images), orjson.dumps(report, option=OPTIONS).decode()
    with atomic_folder(REVIEW) as out:
        (out / "report.md").write_text(page, "utf-8")
        (out / "report.json").write_text(data, "utf-8")
        for side, of_side in figures.items():
            (out / side).mkdir()
            for figure in report["figures"]:
                (out / side / figure).write_bytes(of_side[figure])
    print(data if options.json else page, end="")
    decided = [row["verdict"] for row in report["accuracy"] if row["split"] == "validation"]
    if options.fail_on in decided:
        sys.exit(1)


if __name__ == "__main__":
    run(main)
