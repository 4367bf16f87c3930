"""What a change did: which variants changed, by how much, for which reviews, and why.

Each table of a report is a list of rows, which are mappings from column to value.
"""

import os
from collections.abc import Iterable, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
from numpy.typing import NDArray
from pydantic import ValidationError

from workflow.base.files import CANDIDATE, FIGURES, HELD_OUT
from workflow.evaluation import significance
from workflow.model.params import Recipe
from workflow.report.error_analysis import group_reviews
from workflow.report.revisions import PIPELINE, Results, changed_values, git, read_stages

PREDICTION_STAGES = {"download", "vectorize", "train", "evaluate", "all"}
ROUNDED = 0.001  # of accuracy: other processors move it less, says benchmarks/rounding.md
ALL = {"all": slice(None)}  # the group of all reviews of a split
MEANS = ("train_accuracy", "test_loss", "test_brier", "best_epoch")  # compared over the seeds alone

OPTIONS = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY  # NaN: null

Row = dict[str, Any]
Code = Mapping[str, list[str]]  # what `changed_code` returns


def make_report(
    base: Results, ours: Results, code: Code, min_effect: float, tried: int
) -> dict[str, Any]:
    """All that a review shows, if `ours` may be the best of the number of results `tried`."""
    same_data = base.facts.sha256 == ours.facts.sha256
    both = [v for v in ours.variants if v in base.variants] if same_data else []
    added = [v for v in sorted(ours.variants) if v not in base.variants]
    params = changed_values(base.params, ours.params)
    accuracy, rounded = changes(base, ours, both, code)
    decisive = [row["difference"] for row in accuracy if row["split"] == "validation"]
    both = [variant for variant in both if variant not in rounded]
    groups = slices(ours.held_out["validation"])
    explained = {f"learning_curves_{v}.png" for v in rounded} if not code else set()
    only_rounding = rounded and not (params or code or accuracy)
    figures = changed_figures(base, ours) if same_data and not only_rounding else []
    facts = {"before": base.facts.model_dump(), "after": ours.facts.model_dump()}
    return {
        "base": base.name,
        "params": params,
        "data": {} if same_data else facts,
        "tried": tried,
        "stale_params": {s.name: keys for s in (ours, base) if (keys := s.stale_params())},
        "min_effect": min_effect,
        "only_before": [v for v in sorted(base.variants) if v not in ours.variants],
        "only_after": added,
        "code": code,
        "accuracy": judge(accuracy, min_effect, tried),
        "rounded": rounded,
        "detectable": significance.detectable(decisive, tried * len(decisive)),
        "best_by_chance": significance.best_by_chance(decisive, tried),
        "notes": notes(base, ours),
        "metrics": changed_metrics(base, ours, both, tried),
        "sizes": changed_sizes(base, ours, both),
        "answers": fixed_and_broken(base, ours, both),
        "slices": judge(
            changed_accuracy(base, ours, both, "validation", groups), min_effect, tried
        ),
        "new": judge(new_variants(ours, added), min_effect) if same_data else [],
        "figures": [name for name in figures if name not in explained],
    }


def compare(before: NDArray[Any], after: NDArray[Any], *, paired: bool = True) -> Row:
    """The means of two sides and their `difference`, not yet judged.

    Both are what each seed gets right, (seeds, reviews) bool, or one value per seed, (seeds,).
    """
    bits = before.ndim == 2
    method = significance.difference if bits else significance.difference_of_means
    d = method(after, before, paired=paired)
    return {"before": float(before.mean()), "after": float(after.mean()), "difference": d}


def judge(rows: list[Row], min_effect: float, tried: int = 1) -> list[Row]:
    """Rows of `compare` with all values, and a verdict on each as one of the rows of its split."""
    for split in {row.get("split") for row in rows}:
        family = [row for row in rows if row.get("split") == split]
        differences = {number: row.pop("difference") for number, row in enumerate(family)}
        words = significance.verdicts(differences, min_effect, tried)
        for number, row in enumerate(family):
            d = differences[number]
            probabilities = d.probabilities(min_effect)
            row.update(d._asdict(), probabilities=probabilities, verdict=words[number])
    return rows


def shared_seeds(base: Results, ours: Results) -> list[int]:
    """The seeds by which two sides are paired.

    None if the sides share so few that they are better compared as independent runs.
    """
    seeds = [seed for seed in base.seeds if seed in ours.seeds]
    enough = min(significance.MIN_SEEDS, len(base.seeds), len(ours.seeds))
    return seeds if len(seeds) >= enough else []


def changed_accuracy(
    base: Results, ours: Results, variants: Iterable[str], split: str, groups: Mapping[str, Any]
) -> list[Row]:
    """A row of `compare` per variant and group of reviews, given as masks, where bits changed."""
    if base.reviews(split) != ours.reviews(split):
        return []
    seeds = shared_seeds(base, ours)
    rows = []
    for variant in variants:
        sides = [side.bits(variant, split, seeds) for side in (base, ours)]
        for group, mask in groups.items():
            before, after = (side[:, mask] for side in sides)
            if not np.array_equal(before, after):
                names = {"variant": variant, "split": split, "slice": group}
                rows.append(names | compare(before, after, paired=bool(seeds)))
    return rows


def changes(
    base: Results, ours: Results, variants: Iterable[str], code: Code
) -> tuple[list[Row], dict[str, float]]:
    """The accuracies that changed, as rows of `compare`.

    Also the variants that are left out, as rounding may explain their small changes: the same code
    made them from the same parameters and data; and by how much they changed at most.
    """
    rows = [row for split in HELD_OUT for row in changed_accuracy(base, ours, variants, split, ALL)]
    rounded = {}
    for variant in sorted({row["variant"] for row in rows}):
        most = max(abs(row["difference"].mean) for row in rows if row["variant"] == variant)
        if most < ROUNDED and has_same_inputs(base, ours, variant, code):
            rounded[variant] = most
    return [row for row in rows if row["variant"] not in rounded], rounded


def has_same_inputs(base: Results, ours: Results, variant: str, code: Code) -> bool:
    """Whether the same code made a variant from the same parameters and data on both sides."""
    if base.facts != ours.facts or any(PREDICTION_STAGES & {*uses} for uses in code.values()):
        return False
    place = f"variants.{variant}."
    recipe, features = (ours.params.get(f"{place}{key}") for key in ("recipe", "features"))
    inputs = ("data.", "train.", place, f"{recipe}.", f"features.{features}.")
    return not any(key.startswith(inputs) for key in changed_values(base.params, ours.params))


def notes(base: Results, ours: Results) -> list[str]:
    """What to know about the two sides before one reads the tables."""
    shared = [seed for seed in base.seeds if seed in ours.seeds]
    found = []
    if not shared_seeds(base, ours):
        found.append(
            f"Compared as independent runs: the sides share too few seeds ({len(shared)})."
        )
    elif len(shared) < max(len(base.seeds), len(ours.seeds)):
        found.append(f"Compared by the seeds of both sides: {', '.join(map(str, shared))}.")
    found += [
        f"The {split} reviews are not the same on both sides: no verdict."
        for split in HELD_OUT
        if base.reviews(split) != ours.reviews(split)
    ]
    if any("test_f1_of_rarer_label" in block for block in ours.metrics.values()):
        found.append(
            "One label is rare, so accuracy alone misleads: `dvc metrics diff` also shows "
            "`test_f1_of_rarer_label` and `test_roc_auc`."
        )
    return found


def new_variants(ours: Results, added: Iterable[str]) -> list[Row]:
    """How variants that the base has not compare with the reference and the candidate here."""
    others = dict.fromkeys([str(ours.params.get("compare.reference")), CANDIDATE])
    rows = []
    for split, variant, other in product(HELD_OUT, added, others):
        if other in ours.variants and other != variant:
            before, after = (ours.correct[v].by_split[split] for v in (other, variant))
            names = {"variant": variant, "other": other, "split": split}
            rows.append(names | compare(before, after))
    return rows


def changed_metrics(base: Results, ours: Results, variants: Iterable[str], tried: int) -> list[Row]:
    """The means over seeds that changed, other than accuracies on held-out reviews.

    The interval is Student's t over the seeds. Losses of another kind or with other penalties are
    not compared, nor what the base has not.
    """
    seeds = shared_seeds(base, ours)
    rows = []
    for variant, name in product(variants, MEANS):
        other_loss = name == "test_loss" and loss(base, variant) != loss(ours, variant)
        if name not in base.scores or other_loss:
            continue
        before, after = (
            side.scores.loc[variant].loc[seeds or side.seeds, name].to_numpy()
            for side in (base, ours)
        )
        if not np.array_equal(before, after):
            row = compare(before, after, paired=bool(seeds))
            rows.append({"metric": f"{variant}.{name}"} | row)
    words = {"better": "higher", "worse": "lower"}
    judged = judge(rows, 0, tried)  # without a smallest effect that matters
    return [row | {"verdict": words.get(row["verdict"], row["verdict"])} for row in judged]


def loss(side: Results, variant: str) -> object:
    """What the loss of a network is made of: its kind and penalties.

    params.yaml may be of another version of the project: what the schema of a recipe has not is
    ignored, and what it refuses is compared as it stands.
    """
    place = f"{side.params.get(f'variants.{variant}.recipe')}."
    values = {k.removeprefix(place): v for k, v in side.params.items() if k.startswith(place)}
    try:
        recipe = Recipe.model_validate(values, extra="ignore")
    except ValidationError:
        return values
    return recipe.loss, recipe.penalties


def changed_sizes(base: Results, ours: Results, variants: Iterable[str]) -> list[Row]:
    """The sizes of models that changed: columns, weights of one network, bytes of all."""
    rows = []
    for variant in variants:
        before, after = (s.metrics.get(variant, {}).get("size", {}) for s in (base, ours))
        for name in [name for name in after if before.get(name, after[name]) != after[name]]:
            sides = {"before": before[name], "after": after[name]}
            rows.append({"metric": f"{variant}.{name}"} | sides)
    return rows


def fixed_and_broken(base: Results, ours: Results, variants: Iterable[str]) -> list[Row]:
    """What changed in the answers of `predict`, the seeds' average, on the test reviews.

    A row per variant: accuracy before and after; the difference with its interval, which is over
    reviews alone; the reviews fixed and broken, of which "broken" are known as negative flips (Yan
    et al., "Positive-Congruent Training", CVPR 2021); and, as a measure of noise, in how many
    reviews the majorities of two halves of the new seeds differ (churn: Fard et al., "Launch and
    Iterate", NeurIPS 2016).
    """
    rows = []
    for variant in variants:
        before, after = (side.correct[variant].average for side in (base, ours))
        if len(before) != len(after) or np.array_equal(before, after):
            continue
        d = significance.difference_of_means(after.astype(float), before.astype(float))
        bits = ours.correct[variant].by_split["test"]
        half = len(bits) // 2
        halves_differ = majority(bits[:half]) != majority(bits[half : 2 * half])
        rows.append(
            {"variant": variant, "before": float(before.mean()), "after": float(after.mean())}
            | {"mean": d.mean, "low": d.low, "high": d.high}
            | {"fixed": int((after & ~before).sum()), "broken": int((before & ~after).sum())}
            | {"between_halves": int(halves_differ.sum()) if half else None}
        )
    return rows


def majority(bits: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(reviews,): whether more than half of the seeds are right, of (seeds, reviews)."""
    return np.asarray(2 * bits.sum(axis=0) > len(bits))


def slices(reviews: pd.DataFrame) -> dict[str, NDArray[np.bool_]]:
    """Which reviews belong to each group of a kind, (reviews,), by "KIND: GROUP".

    There is no slice by how much the seeds agree: reviews on which the base's own seeds disagree
    are those where any other networks look better.
    """
    return {
        f"{kind}: {group}": np.asarray(groups == group)
        for kind, groups in group_reviews(reviews).items()
        for group in groups.categories
        if group in groups
    }


def changed_code(*sides: str) -> dict[str, list[str]]:
    """The changed files that stages run or that pin what they run with, and the stages ("all").

    Between two commits, or between one and the workspace.
    """
    changed = git("diff", "--name-only", "--relative", "-z", *sides).decode().split("\0")
    uses = {path: ["all"] for path in changed if path in ("requirements.txt", "dvc.yaml")}
    for name, stage in read_stages(PIPELINE).items():
        deps = [dep for dep in stage.get("deps") or [] if isinstance(dep, str)]
        places = [os.path.normpath(Path(stage.get("wdir", ""), dep)) for dep in deps]
        for path in changed:
            if path.endswith(".py") and any(Path(path).is_relative_to(p) for p in places):
                uses.setdefault(path, []).append(name)
    return dict(sorted(uses.items()))


def changed_figures(base: Results, ours: Results) -> list[str]:
    """The names of the pictures on both sides that are not the same."""
    before, after = (
        {path.name: path.read_bytes() for path in (side.folder / FIGURES).glob("*")}
        for side in (base, ours)
    )
    return sorted(name for name in before.keys() & after if before[name] != after[name])
