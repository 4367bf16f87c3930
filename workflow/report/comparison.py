"""What a change to the workspace did: which variants changed, by how much, and why."""

import math
import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import ValidationError
from tabulate import tabulate

from workflow.base.files import CANDIDATE, HELD_OUT
from workflow.evaluation.significance import (
    CANNOT_TELL,
    LEVEL,
    MIN_SEEDS,
    Difference,
    best_by_chance,
    detectable,
    difference,
    difference_of_means,
    holm,
    too_few,
    verdicts,
)
from workflow.model.params import Recipe
from workflow.report.revisions import PIPELINE, Results, git, read_stages

PREDICTION_STAGES = {"download", "vectorize", "train", "evaluate", "all"}
ROUNDED = 0.001  # of accuracy: other processors move it less, says benchmarks/rounding.md

OPTIONS = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY  # NaN: null


class Change(NamedTuple):
    """The accuracy of a variant before and after."""

    before: float
    after: float
    difference: Difference

    def row(self, min_effect: float) -> dict[str, Any]:
        """All values, for a table."""
        sides = {"before": self.before, "after": self.after}
        probabilities = self.difference.probabilities(min_effect)
        return sides | self.difference._asdict() | {"probabilities": probabilities}


class Changes(NamedTuple):
    """The variants that get other reviews right than before."""

    by_split: dict[str, dict[str, Change]]
    rounded: dict[str, float]  # left out of these: by how much rounding moved them at most
    notes: list[str]


def changes(base: Results, ours: Results, same_inputs: Collection[str]) -> Changes:
    """What changed; variants of the `same_inputs` that changed very little count as rounded."""
    seeds, notes = shared_seeds(base, ours)
    by_split: dict[str, dict[str, Change]] = {split: {} for split in HELD_OUT}
    for split, changed in by_split.items():
        if getattr(base.facts, f"{split}_reviews") != getattr(ours.facts, f"{split}_reviews"):
            notes.append(f"The {split} reviews are not the same on both sides: no verdict.")
            continue
        for variant in [v for v in ours.variants if v in base.variants]:
            before, after = paired_bits(base, ours, variant, split, seeds)
            if not np.array_equal(before, after):
                d = difference(after, before, paired=bool(seeds))
                changed[variant] = Change(float(before.mean()), float(after.mean()), d)
    rounded = {}
    for variant in sorted(same_inputs):
        found = [changed[variant] for changed in by_split.values() if variant in changed]
        most = max((abs(change.difference.mean) for change in found), default=ROUNDED)
        if most < ROUNDED:
            rounded[variant] = most
            for changed in by_split.values():
                changed.pop(variant, None)
    return Changes(by_split, rounded, notes)


def paired_bits(
    base: Results, ours: Results, variant: str, split: str, seeds: list[int]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """What both sides get right, (seeds, reviews): of these seeds, or of all if there are none."""
    sides = [side.correct[variant] for side in (base, ours)]
    before, after = (
        side.by_split[split][np.isin(side.seeds, seeds)] if seeds else side.by_split[split]
        for side in sides
    )
    return before, after


def shared_seeds(base: Results, ours: Results) -> tuple[list[int], list[str]]:
    """The seeds by which two sides are paired, and notes on that.

    None if the sides share so few that they are better compared as independent runs.
    """
    sides = [base.seeds, ours.seeds]
    seeds = [seed for seed in base.seeds if seed in ours.seeds]
    if len(seeds) < min(MIN_SEEDS, *map(len, sides)):
        few = {0: "no seed is", 1: "one seed is"}.get(len(seeds), f"{len(seeds)} seeds are")
        return [], [f"Compared as independent runs: {few} on both sides."]
    listed = ", ".join(map(str, seeds))
    one_sided = len(seeds) < max(map(len, sides))
    return seeds, [f"Compared by the seeds of both sides: {listed}."] if one_sided else []


def compare_sides(
    base: Results, ours: Results, same_inputs: Collection[str], min_effect: float, tried: int = 1
) -> dict[str, Any]:
    """A row for each split and variant whose accuracy changed, and what to know about them."""
    by_split, rounded, notes = changes(base, ours, same_inputs)
    rows: list[dict[str, Any]] = []
    for split, changed in by_split.items():
        words = verdicts({v: c.difference for v, c in changed.items()}, min_effect, tried)
        for variant, change in changed.items():
            row = {"variant": variant, "split": split, "verdict": words[variant]}
            rows.append(row | change.row(min_effect))
    decisive = [change.difference for change in by_split["validation"].values()]
    return {
        "accuracy": rows,
        "notes": notes,
        "rounded": rounded,
        "detectable": detectable(decisive, tried * len(decisive)),
        "best_by_chance": best_by_chance(decisive, tried),
    }


def new_variants(ours: Results, added: list[str], min_effect: float) -> list[dict[str, Any]]:
    """How variants that the base has not compare with the reference and the candidate here."""
    reference = str(ours.params.get("compare.reference"))
    others = [v for v in dict.fromkeys([reference, CANDIDATE]) if v in ours.variants]
    rows = []
    for split in HELD_OUT:
        bits = {variant: ours.correct[variant].by_split[split] for variant in ours.variants}
        found = {
            (variant, other): Change(
                float(bits[other].mean()),
                float(bits[variant].mean()),
                difference(bits[variant], bits[other]),
            )
            for variant in added
            for other in others
            if variant != other
        }
        words = verdicts({key: change.difference for key, change in found.items()}, min_effect)
        rows += [
            {"variant": key[0], "other": key[1], "split": split, "verdict": words[key]}
            | change.row(min_effect)
            for key, change in found.items()
        ]
    return rows


def changed_metrics(
    base: Results, ours: Results, variants: Iterable[str], tried: int
) -> list[dict[str, Any]]:
    """The means over seeds that changed, other than accuracies on held-out reviews.

    The reviews play no part here: the interval is Student's t over the seeds. Losses of another
    kind or with other penalties are not compared.
    """
    rows: list[dict[str, Any]] = []
    seeds, _ = shared_seeds(base, ours)
    for variant in variants:
        names = ["train_accuracy", "test_loss", "test_brier", "best_epoch"]
        if loss(base.recipe(variant)) != loss(ours.recipe(variant)):
            names.remove("test_loss")
        for name in names:
            if not {name} <= {*base.scores.columns} & {*ours.scores.columns}:
                continue
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


def changed_sizes(base: Results, ours: Results, variants: Iterable[str]) -> list[dict[str, Any]]:
    """The sizes of models that changed: columns, weights of one network, bytes of all."""
    return [
        {"metric": f"{variant}.{name}", "before": before, "after": after}
        for variant in variants
        for name, after in ours.sizes(variant).items()
        if (before := base.sizes(variant).get(name)) not in (None, after)
    ]


def variants_with_same_inputs(base: Results, ours: Results, code: dict[str, list[str]]) -> set[str]:
    """The variants that the same code made from the same parameters and data.

    Args:
        base: one side.
        ours: the other, perhaps from another machine.
        code: the result of `changed_code`.
    """
    stages = {stage for uses in code.values() for stage in uses}
    if PREDICTION_STAGES & stages or base.facts != ours.facts:
        return set()
    changed = changed_params(base, ours)
    same = set()
    for variant in ours.variants:
        recipe, features = (
            ours.params.get(f"variants.{variant}.{k}") for k in ("recipe", "features")
        )
        inputs = ("data.", "train.", f"variants.{variant}.", f"{recipe}.", f"features.{features}.")
        if not any(key.startswith(inputs) for key in changed):
            same.add(variant)
    return same


def changed_params(base: Results, ours: Results) -> dict[str, dict[str, Any]]:
    """The values in params.yaml that are not the same: old and new."""
    keys = dict.fromkeys([*base.params, *ours.params])
    values = {key: {"old": base.params.get(key), "new": ours.params.get(key)} for key in keys}
    return {key: value for key, value in values.items() if value["old"] != value["new"]}


def changed_code(*sides: str) -> dict[str, list[str]]:
    """The changed files that stages run or that pin what they run with, and the stages ("all").

    Between two commits, or between one and the workspace.
    """
    changed = git("diff", "--name-only", "--relative", "-z", *sides).decode().split("\0")
    uses: dict[str, list[str]] = {}
    for path in ("requirements.txt", "dvc.yaml"):
        if path in changed:
            uses[path] = ["all"]
    for name, stage in read_stages(PIPELINE).items():
        deps = [dep for dep in stage.get("deps") or [] if isinstance(dep, str)]
        places = [os.path.normpath(Path(stage.get("wdir", ""), dep)) for dep in deps]
        for path in changed:
            if path.endswith(".py") and any(Path(path).is_relative_to(p) for p in places):
                uses.setdefault(path, []).append(name)
    return {path: uses[path] for path in changed if path in uses}


def accuracy_table(report: dict[str, Any]) -> str:
    rows = []
    for r in report["accuracy"]:
        sides = [f"{r['before']:.4f}", f"{r['after']:.4f}"]
        rows.append([f"`{r['variant']}`", r["split"], *sides, *difference_cells(r)])
    return table(["variant", "split", report["base"], "here", *DIFFERENCE_HEADER], rows)


DIFFERENCE_HEADER = ["points, 95% interval", "wins", "worse, same, better", "verdict"]


def difference_cells(row: dict[str, Any]) -> list[str]:
    """The cells under DIFFERENCE_HEADER."""
    wins = f"{row['wins']}/{row['seeds']}" if row["wins"] >= 0 else "-"
    return [points(row), wins, percentages(row["probabilities"]), row["verdict"]]


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
    return "-" if math.isnan(row["low"]) else f"[{row['low']:{style}}, {row['high']:{style}}]"


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
        gain = f"{100 * report['best_by_chance']:.2f} points better than the base"
        text += (
            f" By chance alone, the best of {report['tried']} equally good recipes looks {gain}."
        )
    return text


def table(header: list[str], rows: list[list[str]]) -> str:
    return tabulate(rows, header, tablefmt="github", disable_numparse=True)
