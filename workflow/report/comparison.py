"""What a report says of a change: which variants it changed, by how much, and in which words."""

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
from tabulate import tabulate

from workflow.base.errors import reading
from workflow.base.files import HELD_OUT
from workflow.base.schema import read_yaml
from workflow.evaluation.significance import (
    CANNOT_TELL,
    MIN_SEEDS,
    Difference,
    difference,
    enough_seeds,
    luck,
    verdicts,
)
from workflow.report.revisions import Results, git

PREDICTION_STAGES = {
    "download",
    "vectorize",
    "train",
    "evaluate",
    "all",
}  # of what a variant gets right
ROUNDED = 0.001  # in accuracy: more than benchmarks/rounding.md has

OPTIONS = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY  # NaN: null


class Change(NamedTuple):
    """Of the accuracy of a variant, and what is known of its chance."""

    before: float
    after: float
    difference: Difference

    def row(self, min_effect: float, tried: int) -> dict[str, Any]:
        """All of it, as one of so many."""
        enough = enough_seeds(self.difference, min_effect, tried)
        sides = {"before": self.before, "after": self.after}
        return sides | {"enough_seeds": enough} | self.difference._asdict()


def changes(base: Results, ours: Results, split: str) -> tuple[dict[str, Change], list[str]]:
    """The variants whose right answers on a split changed, and what to know about them."""
    if getattr(base.facts, f"{split}_reviews") != getattr(ours.facts, f"{split}_reviews"):
        return {}, [f"The {split} reviews are not the same on both sides: no verdict."]
    found: dict[str, Change] = {}
    seeds, notes = shared_seeds(base, ours)
    for variant in [v for v in ours.variants if v in base.variants]:
        sides = [side.correct[variant] for side in (base, ours)]
        before, after = (side.of[split] for side in sides)
        if seeds:
            before, after = (side.of[split][np.isin(side.seeds, seeds)] for side in sides)
        if not np.array_equal(before, after):
            d = difference(after, before, paired=bool(seeds))
            found[variant] = Change(float(before.mean()), float(after.mean()), d)
    return found, notes


def shared_seeds(base: Results, ours: Results) -> tuple[list[int], list[str]]:
    """The seeds by which two sides are paired, and what to know about them.

    None where so few are on both sides that they are better compared as independent runs.
    """
    sides = [side.seeds for side in (base, ours)]
    seeds = [seed for seed in sides[0] if seed in sides[1]]
    if len(seeds) < min(MIN_SEEDS, *map(len, sides)):
        few = f"{len(seeds)} seeds are" if seeds else "no seed is"
        few = "one seed is" if len(seeds) == 1 else few
        return [], [f"Compared as independent runs: {few} on both sides."]
    named = ", ".join(map(str, seeds))
    one_sided = len(seeds) < max(map(len, sides))
    return seeds, [f"Compared by the seeds of both sides: {named}."] if one_sided else []


def compare_sides(
    base: Results, ours: Results, alike: set[str], min_effect: float, tried: int = 1
) -> dict[str, Any]:
    """A row for each split and variant whose accuracy changed, and what to know about them.

    A variant that is made `alike` has none where rounding explains its change.
    """
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    found = {split: changes(base, ours, split) for split in HELD_OUT}
    moved: dict[str, float] = {}
    for changed, _ in found.values():
        for variant in alike & changed.keys():
            moved[variant] = max(moved.get(variant, 0.0), abs(changed[variant].difference.mean))
    rounded = {variant: by for variant, by in sorted(moved.items()) if by < ROUNDED}
    for split, (changed, of_split) in found.items():
        for variant in rounded:
            changed.pop(variant, None)
        differences = {variant: change.difference for variant, change in changed.items()}
        words = verdicts(differences, min_effect, tried)
        rows += [
            {"variant": variant, "split": split, "verdict": words[variant]}
            | change.row(min_effect, tried * len(changed))
            for variant, change in changed.items()
        ]
        notes += of_split
    decide = [change.difference for change in found["validation"][0].values()]
    by_luck = luck(decide, tried)
    return {
        "accuracy": rows,
        "notes": list(dict.fromkeys(notes)),
        "luck": by_luck,
        "rounded": rounded,
    }


def variants_with_same_inputs(base: Results, ours: Results, code: dict[str, list[str]]) -> set[str]:
    """The variants that the same code made from the same parameters and data, on another machine
    perhaps: `code` is what `changed_code` says.
    """
    if (
        any(PREDICTION_STAGES.intersection(stages) for stages in code.values())
        or base.facts != ours.facts
    ):
        return set()
    keys = changed_params(base, ours)
    made_from = {
        variant: (
            f"variants.{variant}.",
            f"{ours.params.get(f'variants.{variant}.recipe')}.",
            f"features.{ours.params.get(f'variants.{variant}.features')}.",
            "data.",
            "train.",
        )
        for variant in ours.variants
    }
    return {v for v, places in made_from.items() if not any(key.startswith(places) for key in keys)}


def changed_params(base: Results, ours: Results) -> dict[str, dict[str, Any]]:
    """The values in params.yaml that are not the same: old and new."""
    keys = dict.fromkeys([*base.params, *ours.params])
    values = {key: {"old": base.params.get(key), "new": ours.params.get(key)} for key in keys}
    return {key: value for key, value in values.items() if value["old"] != value["new"]}


def changed_code(*sides: str) -> dict[str, list[str]]:
    """Changed files that a stage depends on, or that pin what it runs with, and those stages.

    Between two commits, or between one and the workspace.
    """
    changed = git("diff", "--name-only", "--relative", "-z", *sides).decode().split("\0")
    stages = read_yaml(Path("dvc.yaml"))
    with reading("dvc.yaml"):
        deps = {name: stage.get("do", stage)["deps"] for name, stage in stages["stages"].items()}
    uses = {
        path: [name for name, of_stage in deps.items() if path in of_stage]
        for path in changed
        if path.endswith(".py")
    }
    uses |= {path: ["all"] for path in ("requirements.txt", "dvc.yaml") if path in changed}
    return {path: names for path, names in uses.items() if names}


def accuracy_table(report: dict[str, Any]) -> str:
    rows = [
        [
            f"`{r['variant']}`",
            r["split"],
            *(f"{r[side]:.4f}" for side in ("before", "after")),
            *points(r),
            verdict(r),
        ]
        for r in report["accuracy"]
    ]
    return table(["variant", "split", report["base"], "here", *POINTS, "verdict"], rows)


def verdict(row: dict[str, Any]) -> str:
    """With how many seeds there probably would be one, where there is none."""
    if row["verdict"] != CANNOT_TELL or math.isnan(row["p_value"]):
        return str(row["verdict"])
    enough = f"{row['enough_seeds']} seeds" if row["enough_seeds"] else "more reviews"
    return f"{row['verdict']} ({enough})"


def points(row: dict[str, Any]) -> list[str]:
    """Cells: the difference in points, its interval, and the seeds won."""
    won = f"{row['wins']}/{row['seeds']}" if row["wins"] >= 0 else "-"
    hundred = {key: 100 * row[key] for key in ("low", "high")}
    return [f"{100 * row['mean']:+.2f}", interval(hundred, "+.2f"), won]


POINTS = ["points", "95% interval", "won"]


def interval(of: dict[str, float], style: str) -> str:
    """A dash where nothing is known of it."""
    return "-" if math.isnan(of["low"]) else f"[{of['low']:{style}}, {of['high']:{style}}]"


def luck_of_many(report: dict[str, Any]) -> str:
    """A sentence; nothing where nothing is known of it."""
    many, by_luck = report["tried"], report["luck"]
    if many < 2 or math.isnan(by_luck):
        return ""
    seems = f"seems {100 * by_luck:.2f} points better"
    return f"By luck alone, the best of {many} recipes that are as good as the base {seems}."


def table(header: list[str], rows: list[list[str]]) -> str:
    return tabulate(rows, header, tablefmt="github", disable_numparse=True)
