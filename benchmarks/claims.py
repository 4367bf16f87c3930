"""Two guesses of the notebook, tried: that its choices are better, that more data would help.

usage   python -m benchmarks.claims
reads   params.yaml, data/FEATURES/
writes  benchmarks/claims.md, benchmarks/training_size.png

`single` differs from `book` in several things at once. Here each is changed alone. And the variants
in GROWN are trained on a part of the train split. All of it is judged on the validation split, by
the method of `make review`.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib import pyplot as plt
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.measure import paragraph, table
from benchmarks.retrained import Vectors, correct, load
from stages.train import train_all
from workflow.charts.style import COLOURS, number_of, percent
from workflow.evaluation.scores import mean_and_std
from workflow.evaluation.significance import Difference, difference, verdicts
from workflow.model.params import Recipe
from workflow.model.training import TrainingData
from workflow.params import Params, load_params

RESULTS = Path(__file__).with_suffix(".md")
FIGURE = RESULTS.with_name("training_size.png")
FROM, TO = "book", "single"
GROWN = "single", "candidate"
SHARES = 0.25, 0.5, 0.75, 1.0
LAST, BEST = "last epoch", "best epoch"  # the one with the lowest validation loss


class Outcome(NamedTuple):
    """Of one recipe: what each seed gets right at the end, and how accurate it is at its best."""

    right: NDArray[np.bool_]  # (seeds, validation reviews)
    best: NDArray[np.float64]  # (seeds,) accuracies in the epoch with the lowest validation loss


def outcome(recipe: Recipe, vectors: Vectors, seeds: range) -> Outcome:
    trained = train_all(recipe, vectors.data, seeds)
    histories = [of_seed.history.query("split == 'validation'") for of_seed in trained]
    best = [history["accuracy"].to_numpy()[history["loss"].argmin()] for history in histories]
    return Outcome(correct(recipe, vectors, trained)["validation"], np.array(best))


def single_changes(before: Recipe, after: Recipe) -> dict[str, Recipe]:
    """Each thing in which the two differ, changed alone; and all of them."""
    fields = [name for name in Recipe.model_fields if getattr(before, name) != getattr(after, name)]
    changed = {}
    for name in fields:
        sides = [getattr(recipe, name) for recipe in (before, after)]
        shown = [len(side) if name == "layers" else side for side in sides]
        changed[f"{name}: {shown[0]} → {shown[1]}"] = before.model_copy(update={name: sides[1]})
    return changed | {f"all of these: `{TO}`": after}


def against(base: Outcome, others: dict[str, Outcome], min_effect: float) -> list[dict[str, str]]:
    """A row for each, as one family."""
    found = {name: difference(of.right, base.right) for name, of in others.items()}
    words = verdicts(found, min_effect)
    return [
        {
            "": name,
            f"points, {LAST}": points(d),
            "verdict": words[name],
            "points, best epoch": f"{100 * (others[name].best.mean() - base.best.mean()):+.2f}",
        }
        for name, d in found.items()
    ]


def points(d: Difference) -> str:
    return "{:+.2f} [{:+.2f}, {:+.2f}]".format(*(100 * x for x in (d.mean, d.low, d.high)))


def grown(params: Params, variant: str) -> dict[int, Outcome]:
    """The variant, by how many reviews of the train split it is trained on: the first ones."""
    vectors = load(params, variant)
    # Refitted networks know the validation reviews; these are first fits.
    recipe = params.recipe(variant).model_copy(update={"refit": False})
    size = vectors.data.validation_reviews
    train = len(vectors.data.training) - size
    found = {}
    for share in tqdm(SHARES, variant):
        reviews = round(share * train)
        part = TrainingData(
            vectors.data.training.between(0, size + reviews), size, vectors.data.columns
        )
        found[reviews] = outcome(recipe, Vectors(part, vectors.test), params.train.all_seeds)
    return found


def curves_of(variant: str, of_variant: dict[int, Outcome]) -> dict[str, dict[int, Any]]:
    """The accuracies of each seed, in the last epoch and, where that is another, in the best."""
    last = {reviews: of.right.mean(axis=1) for reviews, of in of_variant.items()}
    best = {reviews: of.best for reviews, of in of_variant.items()}
    if all(np.allclose(last[reviews], best[reviews], atol=1e-4) for reviews in last):
        return {f"{variant}, {BEST}": last}
    return {f"{variant}, {LAST}": last, f"{variant}, {BEST}": best}


def draw(curves: dict[str, dict[int, Any]], seeds: int) -> None:
    """Mean and range over the seeds."""
    figure, axis = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for (name, of_curve), style in zip(curves.items(), ("o--", "o-", "s-", "^-"), strict=False):
        sizes, values = list(of_curve), np.array(list(of_curve.values()))
        middle = values.mean(axis=1)
        reach = np.abs([values.min(axis=1) - middle, values.max(axis=1) - middle])
        colour = COLOURS["validation"] if name.startswith(TO) else "#333333"
        axis.errorbar(sizes, middle, reach, fmt=style, capsize=3, color=colour, label=name)
    axis.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axis.set_xlim(left=0)
    axis.set_xlabel("reviews to train on")
    axis.set_ylabel("validation accuracy")
    axis.yaxis.set_major_formatter(percent)
    axis.grid()
    axis.legend(loc="upper left")
    more = "More reviews to train on give a better network"
    axis.set_title(f"{more}: mean and range of {number_of(seeds)}", loc="left", fontsize=12)
    figure.savefig(FIGURE, dpi=100, metadata={"Software": None})
    plt.close(figure)


def size_rows(curves: dict[str, dict[int, Any]]) -> list[dict[str, str]]:
    sizes = next(iter(curves.values()))
    return [
        {"reviews": f"{size:,}"}
        | {name: mean_and_std(of[size], ".2%") for name, of in curves.items()}
        for size in sizes
    ]


def main() -> None:
    params = load_params()
    seeds, min_effect = params.train.all_seeds, params.compare.min_effect
    vectors, before = load(params, FROM), params.recipe(FROM)
    changes = single_changes(before, params.recipe(TO))
    base = outcome(before, vectors, seeds)
    others = {
        name: outcome(recipe, vectors, seeds) for name, recipe in tqdm(changes.items(), "changes")
    }
    by_variant = {variant: grown(params, variant) for variant in GROWN}
    curves: dict[str, dict[int, Any]] = {}
    last = {}
    for variant, found in by_variant.items():
        curves |= curves_of(variant, found)
        fewer, every = list(found.values())[-2:]
        last[variant] = difference(every.right, fewer.right)
    draw(curves, len(seeds))
    words = verdicts(last, min_effect)
    said = "; ".join(f"`{v}` {points(d)}, {words[v]}" for v, d in last.items())
    sizes = list(by_variant[GROWN[0]])
    parts = (
        table(against(base, others, min_effect)),
        table(size_rows(curves)),
        paragraph(
            f"""From {sizes[-2]:,} to {sizes[-1]:,} reviews, in points of validation accuracy with
            95% interval: {said}."""
        ),
        paragraph(
            f"""Written by `make claims`: first what each change to `{FROM}` does alone, then
            validation accuracy by the number of reviews trained on, mean ± standard deviation over
            {len(seeds)} seeds. N-grams are those of all training reviews throughout, for they are
            found without labels."""
        ),
    )
    RESULTS.write_text("\n\n".join(parts) + "\n", "utf-8")


if __name__ == "__main__":
    main()
