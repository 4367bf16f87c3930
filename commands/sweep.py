"""Is the best of many experiments a gain? All of them against their base: `make sweep BASE=HEAD`.

usage   python -m commands.sweep [BASE] [--json] [--variant candidate]
reads   params.yaml, metrics/ of the base and of DVC's experiments on it, from Git alone
prints  the experiments, the best on validation first: what each changed, and what came of it

The verdicts are corrected for the number of rows: of thirty identical recipes, the best is called
better in one sweep of twenty at most, and in one of five without that. With --variant, the other
variants are as if they were not there.
"""

import argparse
from typing import Any

import orjson

from workflow.base.errors import InputError, run
from workflow.evaluation.significance import CANNOT_TELL, luck, verdicts
from workflow.params import load_params
from workflow.report.comparison import (
    OPTIONS,
    POINTS,
    ROUNDED,
    Change,
    changed_code,
    changed_params,
    changes,
    luck_of_many,
    points,
    table,
    variants_with_same_inputs,
    verdict,
)
from workflow.report.revisions import Results, experiments, revision, without_results

SOME = "dvc exp run --queue -S 'model.dropout=0.1,0.3,0.5'; dvc queue start"


def make_report(
    base: Results, commit: str, min_effect: float, variants: set[str]
) -> dict[str, Any]:
    """A row for each experiment and variant whose accuracy changed, and why others have none."""
    found: dict[tuple[str, str], Change] = {}
    what: dict[str, dict[str, Any]] = {}
    why = without_results(commit)
    _ = base.correct, base.params  # what is damaged there is no fault of an experiment
    for experiment, name in experiments({commit}).items():
        try:
            with revision(experiment) as (ours, _):
                same_data = base.facts == ours.facts
                changed, _ = changes(base, ours, "validation") if same_data else ({}, [])
                code = changed_code(commit, experiment)
                alike = variants_with_same_inputs(base, ours, code)
                params = {key: value["new"] for key, value in changed_params(base, ours).items()}
        except InputError:
            why[name] = "no results, or damaged ones"
            continue
        what[name] = {"params": params, "code": [*code]}
        of_experiment = {
            (name, variant): change
            for variant, change in changed.items()
            if variant in variants
            and not (variant in alike and abs(change.difference.mean) < ROUNDED)
        }
        if same_data and of_experiment:
            found |= of_experiment
            why.pop(name, None)
        else:
            why[name] = "no change" if same_data else "other data"
    differences = {key: change.difference for key, change in found.items()}
    words = verdicts(differences, min_effect)
    rows = [
        {"experiment": key[0], "variant": key[1], "verdict": words[key]}
        | what[key[0]]
        | change.row(min_effect, len(found))
        for key, change in found.items()
    ]
    tried = len({name for name, _ in found})
    return {
        "base": base.name,
        "experiments": sorted(rows, key=lambda row: row["mean"], reverse=True),
        "not_compared": why,
        "tried": tried,
        "luck": luck(differences.values(), tried),
        "min_effect": min_effect,
    }


def markdown(report: dict[str, Any]) -> str:
    parts = [f"# Experiments on {report['base']}"]
    rows = report["experiments"]
    if rows:
        better = list(dict.fromkeys(r["experiment"] for r in rows if r["verdict"] == "better"))
        shown = f"better: {', '.join(better)}" if better else "none shown to be better"
        cells = [
            [
                f"`{r['experiment']}`",
                ", ".join([*(f"{k}={v}" for k, v in r["params"].items()), *r["code"]]),
                f"`{r['variant']}`",
                f"{r['after']:.4f}",
                *points(r),
                verdict(r),
            ]
            for r in rows
        ]
        header = ["experiment", "changed", "variant", "accuracy", *POINTS, "verdict"]
        parts += [f"**On validation, of {report['tried']}: {shown}.**", table(header, cells)]
        parts += [footnote(report)]
    else:
        parts += [f"No experiment to compare; this makes some: `{SOME}`"]
    if report["not_compared"]:
        named = [f"`{name}` ({why})" for name, why in report["not_compared"].items()]
        parts += [f"Not compared: {', '.join(named)}."]
    return "\n\n".join(parts) + "\n"


def footnote(report: dict[str, Any]) -> str:
    return (
        "Interval: 95%, over seeds and reviews, of each row by itself. Verdict: of one row among "
        f"{len(report['experiments'])} (Holm), as in a review; `{CANNOT_TELL}`: cannot tell, and "
        f"with how many seeds one probably could. {luck_of_many(report)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("base", nargs="?", default="HEAD", help="a Git revision (default: HEAD)")
    parser.add_argument("--json", action="store_true", help="print JSON, not Markdown")
    parser.add_argument("--variant", help="this one alone (default: all)")
    options = parser.parse_args()
    min_effect = load_params().compare.min_effect
    with revision(options.base) as (base, commit):
        variants = {options.variant} if options.variant else set(base.variants)
        if not variants <= set(base.variants):
            raise InputError(f"{base.name} has no {options.variant}: {', '.join(base.variants)}")
        report = make_report(base, commit, min_effect, variants)
    as_json = orjson.dumps(report, option=OPTIONS).decode() if options.json else ""
    print(as_json or markdown(report), end="")


if __name__ == "__main__":
    run(main)
