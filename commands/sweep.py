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
from workflow.evaluation.significance import best_by_chance, detectable, verdicts
from workflow.params import load_params
from workflow.report.comparison import (
    DIFFERENCE_HEADER,
    OPTIONS,
    Change,
    changed_code,
    changed_params,
    changes,
    difference_cells,
    footnote,
    table,
    variants_with_same_inputs,
)
from workflow.report.revisions import (
    Experiment,
    Results,
    experiments,
    revision,
    without_results,
)

SOME = "dvc exp run --queue -S 'model.dropout=0.1,0.3,0.5'; dvc queue start"


def make_report(
    base: Results, commit: str, min_effect: float, variants: set[str]
) -> dict[str, Any]:
    """A row for each experiment and variant whose accuracy changed, and why others have none."""
    compared: dict[tuple[str, str], Change] = {}
    causes: dict[str, dict[str, Any]] = {}
    not_compared = without_results(commit)
    _ = base.correct, base.params  # what is damaged there is not the fault of an experiment
    for experiment in {e.tree: e for e in reversed(experiments()) if e.base == commit}.values():
        name = experiment.name
        try:
            with revision(experiment.commit) as (ours, _):
                reason, changed, causes[name] = examine(base, commit, ours, experiment, variants)
        except InputError:
            not_compared[name] = "no results, or damaged ones"
            continue
        if reason:
            not_compared[name] = reason
        else:
            not_compared.pop(name, None)
            compared |= {(name, variant): change for variant, change in changed.items()}
    words = verdicts({key: change.difference for key, change in compared.items()}, min_effect)
    rows = [
        {"experiment": name, "variant": variant, "verdict": words[name, variant]}
        | causes[name]
        | change.row(min_effect)
        for (name, variant), change in compared.items()
    ]
    tried = len({name for name, _ in compared})
    differences = [change.difference for change in compared.values()]
    return {
        "base": base.name,
        "experiments": sorted(rows, key=lambda row: row["mean"], reverse=True),
        "not_compared": not_compared,
        "tried": tried,
        "detectable": detectable(differences, len(differences)),
        "best_by_chance": best_by_chance(differences, tried),
        "min_effect": min_effect,
    }


def examine(
    base: Results, commit: str, ours: Results, experiment: Experiment, variants: set[str]
) -> tuple[str, dict[str, Change], dict[str, Any]]:
    """Why an experiment cannot be compared, "" if it can; what changed; by which causes."""
    code, params = changed_code(commit, experiment.commit), changed_params(base, ours)
    causes = {"params": {k: value["new"] for k, value in params.items()}, "code": [*code]}
    if base.facts != ours.facts:
        return "other data", {}, causes
    found = changes(base, ours, variants_with_same_inputs(base, ours, code)).by_split["validation"]
    changed = {variant: change for variant, change in found.items() if variant in variants}
    return "" if changed else "no change", changed, causes


def markdown(report: dict[str, Any]) -> str:
    parts = [f"# Experiments on {report['base']}"]
    rows = report["experiments"]
    if rows:
        better = dict.fromkeys(r["experiment"] for r in rows if r["verdict"] == "better")
        shown = f"better: {', '.join(better)}" if better else "none shown to be better"
        parts += [f"**On validation, of {report['tried']}: {shown}.**"]
        cells = [
            [
                f"`{r['experiment']}`",
                ", ".join([*(f"{k}={v}" for k, v in r["params"].items()), *r["code"]]),
                f"`{r['variant']}`",
                f"{r['after']:.4f}",
                *difference_cells(r),
            ]
            for r in rows
        ]
        header = ["experiment", "changed", "variant", "accuracy", *DIFFERENCE_HEADER]
        corrected = f"Each verdict is that of one row among {len(rows)} (Holm)."
        parts += [table(header, cells), f"{footnote(report)} {corrected}"]
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
