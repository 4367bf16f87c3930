"""The text of a review, and the tables of all pages."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

from workflow.evaluation.significance import CANNOT_TELL

REVIEW = Path("review")
SHOWN = ("better", "worse", "trivial")  # verdicts on a slice
IN_CODE = ("variant", "other", "experiment")
TITLES = {"other": "minus"}


def table(header: Sequence[str], rows: list[list[str]]) -> str:
    return tabulate(rows, header, tablefmt="github", disable_numparse=True)


def difference_table(
    rows: list[dict[str, Any]], keys: Sequence[str], sides: Sequence[str] = ()
) -> str:
    """A table of differences of accuracy.

    Args:
        rows: results of `judge`.
        keys: which of their columns say what is compared.
        sides: the titles of the accuracies before and after, if they are shown.
    """
    cells = []
    for row in rows:
        what = [f"`{row[key]}`" if key in IN_CODE else row[key] for key in keys]
        wins = f"{row['wins']}/{row['seeds']}" if row["wins"] >= 0 else "-"
        values = [points(row), wins, percentages(row["probabilities"]), row["verdict"]]
        cells.append([*what, *(side_cells(row) if sides else []), *values])
    titles = ("points, 95% interval", "wins", "worse, same, better", "verdict")
    return table([*(TITLES.get(key, key) for key in keys), *sides, *titles], cells)


def accuracy_table(report: dict[str, Any]) -> str:
    return difference_table(report["accuracy"], ("variant", "split"), (report["base"], "here"))


def side_cells(row: Mapping[str, Any]) -> list[str]:
    """The means before and after, or numbers of things."""
    sides = row["before"], row["after"]
    return [f"{side:,}" if isinstance(side, int) else f"{side:.4f}" for side in sides]


def percentages(probabilities: dict[str, float]) -> str:
    """For example "21, 78, 1%"; a dash if they are unknown."""
    values = probabilities.values()
    return "-" if math.isnan(sum(values)) else ", ".join(f"{100 * p:.0f}" for p in values) + "%"


def points(row: Mapping[Any, float]) -> str:
    """A difference of accuracies and its interval, in points."""
    # Rounded twice, so that a value and its rounded copy in a CSV file give the same text.
    hundred = {key: round(100 * row[key], 4) for key in ("mean", "low", "high")}
    return f"{hundred['mean']:+.2f} {interval(hundred, '+.2f')}"


def interval(row: Mapping[Any, float], style: str) -> str:
    """[low, high]; a dash if they are unknown."""
    known = not math.isnan(row.get("low", math.nan))
    return f"[{row['low']:{style}}, {row['high']:{style}}]" if known else "-"


def footnote(report: dict[str, Any]) -> str:
    """What the columns and verdicts mean, and how fine they are."""
    effect = f"{100 * report['min_effect']:g} points"
    text = (
        "Interval: 95%, over seeds and reviews. Verdicts: `better`, `worse`: shown to differ from "
        f"0, by an estimate of {effect} or more; `trivial`: of less; `same`: shown to be within "
        f"±{effect}; `{CANNOT_TELL}`: cannot tell. *worse, same, better*: the probabilities that "
        f"the true difference is below, within and above ±{effect}."
    )
    if not math.isnan(report["detectable"]):
        found = f"a true difference of {100 * report['detectable']:.2f} points"
        text += f" With these seeds {found} gets a verdict four times in five."
    if report["tried"] > 1 and not math.isnan(report["best_by_chance"]):
        best = f"the best of {report['tried']} equally good recipes"
        gain = f"{100 * report['best_by_chance']:.2f} points better than the base"
        text += f" By chance alone, {best} looks {gain}."
    return text


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
        parts += ["## New variants", difference_table(report["new"], ("variant", "other", "split"))]
    if others := [*report["metrics"], *report["sizes"]]:
        rows = [
            [f"`{r['metric']}`", *side_cells(r), interval(r, "+.3g"), r.get("verdict", "-")]
            for r in others
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
        numbers = ("fixed", "broken", "between_halves")
        rows = [
            [f"`{r['variant']}`", *side_cells(r), points(r)]
            + ["-" if r[number] is None else f"{r[number]:,}" for number in numbers]
            for r in report["answers"]
        ]
        header = ["average of the seeds, test", report["base"], "here", "points, 95% interval"]
        parts.append(table([*header, "fixed", "broken", "two halves of the seeds differ in"], rows))
    if shown := [r for r in report["slices"] if r["verdict"] in SHOWN]:
        parts += ["## Slices of validation", difference_table(shown, ("variant", "slice"))]
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
        counted = f"the rows of a split (Holm) and the number of {report['counted']}"
        text = f"{footnote(report)} Corrected for {counted}."
        parts += ["## Accuracy", accuracy_table(report), text]
    parts += report["notes"]
    if report["rounded"]:
        largest = math.ceil(10_000 * max(report["rounded"].values()) + 1e-6) / 100
        listed = ", ".join(f"`{variant}`" for variant in report["rounded"])
        also = f"Also changed, by less than {largest:.2f} points, with the same code, parameters"
        parts += [f"{also} and data, as by the rounding of another processor: {listed}."]
    return parts
