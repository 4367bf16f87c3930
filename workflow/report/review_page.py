"""The review of a change as a page: what `make review` prints."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workflow.evaluation.significance import CANNOT_TELL
from workflow.report.comparison import (
    DIFFERENCE_HEADER,
    accuracy_table,
    difference_cells,
    footnote,
    interval,
    points,
    table,
)

REVIEW = Path("review")
SHOWN = ("better", "worse", "trivial")  # verdicts on a slice


def markdown(report: dict[str, Any], images: Sequence[str]) -> str:
    """The report as a page; what did not change is left out.

    Without addresses for the figures it says where they are.
    """
    name = report["base"]
    parts = [f"# Review against {name}", f"**{headline(report)}**"]
    if report["data"]:
        return "\n\n".join(parts) + "\n"
    if report["params"]:
        rows = [[f"`{k}`", str(v["old"]), str(v["new"])] for k, v in report["params"].items()]
        parts += ["## Parameters", table(["parameter", name, "here"], rows)]
    parts += [*accuracy(report), *answers(report)]
    if report["only_before"]:
        parts += [f"Only in {name}: {', '.join(f'`{v}`' for v in report['only_before'])}."]
    if report["new"]:
        rows = [
            [f"`{r['variant']}`", f"`{r['other']}`", r["split"], *difference_cells(r)]
            for r in report["new"]
        ]
        header = ["variant", "minus", "split", *DIFFERENCE_HEADER]
        parts += ["## New variants", table(header, rows)]
    if report["metrics"] or report["sizes"]:
        rows = [
            [
                f"`{r['metric']}`",
                *(f"{r[side]:.4f}" for side in ("before", "after")),
                interval(r, "+.3g"),
                r["verdict"],
            ]
            for r in report["metrics"]
        ]
        rows += [
            [f"`{r['metric']}`", f"{r['before']:,}", f"{r['after']:,}", "-", "-"]
            for r in report["sizes"]
        ]
        header = ["metric", name, "here", "95% interval of the change", "verdict"]
        parts += ["## Other metrics, means over seeds", table(header, rows)]
    if report["code"]:
        rows = [[f"`{path}`", ", ".join(stages)] for path, stages in report["code"].items()]
        parts += ["## Code", table(["changed", "stages"], rows)]
    if report["figures"] and images:
        rows = [[f"![]({side}/{figure})" for side in images] for figure in report["figures"]]
        parts += ["## Figures", table([name, "here"], rows)]
    elif report["figures"]:
        number = len(report["figures"])
        changed = "1 picture" if number == 1 else f"{number} pictures"
        parts += [f"{changed} changed: see {REVIEW / 'report.md'}."]
    return "\n\n".join(parts) + "\n"


def answers(report: dict[str, Any]) -> list[str]:
    """What changed in single predictions, and the slices that are shown to have changed."""
    parts = []
    if report["answers"]:
        rows = [
            [
                f"`{r['variant']}`",
                *(f"{r[side]:.4f}" for side in ("before", "after")),
                points(r),
                f"{r['fixed']:,}",
                f"{r['broken']:,}",
                "-" if r["between_halves"] is None else f"{r['between_halves']:,}",
            ]
            for r in report["answers"]
        ]
        header = ["average of the seeds, test", report["base"], "here", "points, 95% interval"]
        parts.append(table([*header, "fixed", "broken", "two halves of the seeds differ in"], rows))
    shown = [r for r in report["slices"] if r["verdict"] in SHOWN]
    if shown:
        rows = [[f"`{r['variant']}`", r["slice"], *difference_cells(r)] for r in shown]
        parts += ["## Slices of validation", table(["variant", "slice", *DIFFERENCE_HEADER], rows)]
    return parts


def headline(report: dict[str, Any]) -> str:
    if report["data"]:
        before, after = report["data"]["before"], report["data"]["after"]
        changed = [f"{k} {before[k]} → {after[k]}" for k in before if before[k] != after[k]]
        return f"The data are not the same: no verdict. {', '.join(changed)}."
    if report["stale_params"]:
        side, keys = next(iter(report["stale_params"].items()))
        more = f" and {len(keys) - 1} more" if keys[1:] else ""
        return f"The results of {side} are not of its parameters ({keys[0]}{more}): `dvc repro`."
    if no_verdict := [note for note in report["notes"] if "no verdict" in note]:
        return str(no_verdict[0])
    if not report["accuracy"]:
        rounded = ", but by rounding" if report["rounded"] else ""
        added = f" New: {', '.join(report['only_after'])}." if report["only_after"] else ""
        return f"No accuracy changed{rounded}.{added}"
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
