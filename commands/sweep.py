"""Is the best of many experiments a gain? All of them against their base: `make sweep BASE=HEAD`.

usage   python -m commands.sweep [BASE] [--json] [--variant candidate]
reads   params.yaml, metrics/ of the base and of DVC's experiments on it, from Git alone
prints  the experiments, the best on validation first: what each changed, and what came of it

The verdicts are corrected for the number of rows: of thirty identical recipes, the best is called
better in one sweep of twenty at most. With --variant, the other variants are ignored.
"""

import argparse
from typing import Any

import orjson

from workflow.base.errors import InputError, run
from workflow.evaluation.significance import best_by_chance, detectable
from workflow.params import load_params
from workflow.report.comparison import OPTIONS, Row, changed_code, changes, judge
from workflow.report.review_page import difference_table, footnote
from workflow.report.revisions import (
    Experiment,
    Results,
    changed_values,
    experiments,
    revision,
    without_results,
)

SOME = "dvc exp run --queue -S 'model.dropout=0.1,0.3,0.5'; dvc queue start"


def compare(base: Results, experiment: Experiment, variants: list[str]) -> tuple[list[Row], str]:
    """A row for each variant whose accuracy on validation changed; without rows, the reason."""
    try:
        with revision(experiment.commit) as (ours, _):
            if base.facts != ours.facts:
                return [], "other data"
            code = changed_code(experiment.base, experiment.commit)
            params = changed_values(base.params, ours.params)
            both = [variant for variant in variants if variant in ours.variants]
            rows, _ = changes(base, ours, both, code)
    except InputError:
        return [], "no results, or damaged ones"
    changed = {"params": {k: v["new"] for k, v in params.items()}, "code": [*code]}
    names = {"experiment": experiment.name} | changed
    rows = [names | row for row in rows if row["split"] == "validation"]
    return rows, "" if rows else "no change"


def make_report(
    base: Results, commit: str, min_effect: float, variants: list[str]
) -> dict[str, Any]:
    """The rows of all experiments, the best first, and why others have none."""
    found: list[Row] = []
    reasons = without_results(commit)
    _ = base.correct  # what is damaged there is not the fault of an experiment
    for experiment in {e.tree: e for e in reversed(experiments()) if e.base == commit}.values():
        rows, reasons[experiment.name] = compare(base, experiment, variants)
        found += rows
    tried = len({row["experiment"] for row in found})
    differences = [row["difference"] for row in found]
    rows = judge(found, min_effect)
    return {
        "base": base.name,
        "experiments": sorted(rows, key=lambda row: row["mean"], reverse=True),
        "not_compared": {name: reason for name, reason in reasons.items() if reason},
        "tried": tried,
        "detectable": detectable(differences, len(differences)),
        "best_by_chance": best_by_chance(differences, tried),
        "min_effect": min_effect,
    }


def markdown(report: dict[str, Any]) -> str:
    parts = [f"# Experiments on {report['base']}"]
    rows = report["experiments"]
    if rows:
        better = dict.fromkeys(r["experiment"] for r in rows if r["verdict"] == "better")
        found = f"better: {', '.join(better)}" if better else "none shown to be better"
        parts += [f"**On validation, of {report['tried']}: {found}.**"]
        shown = [
            row
            | {"changed": ", ".join([f"{k}={v}" for k, v in row["params"].items()] + row["code"])}
            | {"accuracy": f"{row['after']:.4f}"}
            for row in rows
        ]
        keys = ("experiment", "changed", "variant", "accuracy")
        corrected = f"Each verdict is that of one row among {len(rows)} (Holm)."
        parts += [difference_table(shown, keys), f"{footnote(report)} {corrected}"]
    else:
        parts += [f"No experiment to compare; this makes some: `{SOME}`"]
        bases = ", ".join(sorted({e.base[:7] for e in experiments()}))
        if bases and not report["not_compared"]:
            parts += [f"There are experiments on {bases}: `make sweep BASE=…`."]
    if report["not_compared"]:
        listed = [f"`{name}` ({reason})" for name, reason in report["not_compared"].items()]
        parts += [f"Not compared: {', '.join(listed)}."]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("base", nargs="?", default="HEAD", help="a Git revision (default: HEAD)")
    add("--json", action="store_true", help="print JSON, not Markdown")
    add("--variant", help="this one alone (default: all)")
    options = parser.parse_args()
    min_effect = load_params().compare.min_effect
    with revision(options.base) as (base, commit):
        variants = [options.variant] if options.variant else base.variants
        if not {*variants} <= {*base.variants}:
            raise InputError(f"{base.name} has no {options.variant}: {', '.join(base.variants)}")
        report = make_report(base, commit, min_effect, variants)
    as_json = orjson.dumps(report, option=OPTIONS).decode()
    print(as_json if options.json else markdown(report), end="")


if __name__ == "__main__":
    run(main)
