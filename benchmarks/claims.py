"""Two guesses of the notebook, tried: that its choices are better, that more data would help.

usage   python -m benchmarks.claims
reads   params.yaml, data/FEATURES/, metrics/correct/
writes  benchmarks/claims.md

`single` differs from `book` in several settings; here each is changed alone. And the variants in
GROWN are trained on parts of the train split. The validation split judges, as in `make review`.
Last, how much early stopping alone gives `single` on test.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.measure import write_page
from benchmarks.retrained import Vectors, correct, load, train_again
from workflow.base.files import CORRECT
from workflow.evaluation.results import read_correct
from workflow.evaluation.scores import mean_and_std
from workflow.evaluation.significance import difference, verdicts
from workflow.model.params import Recipe
from workflow.model.training import train_all
from workflow.params import Params, load_params
from workflow.report.review_page import points, table

FROM, TO = "book", "single"
BEST = "wide_dropout"  # on multi-hot vectors
GROWN = "single", "candidate"
SHARES = 0.25, 0.5, 0.75, 1.0


class Outcome(NamedTuple):
    """What the seeds of a recipe achieve on the validation reviews."""

    correct: NDArray[np.bool_]  # (seeds, reviews), at the end
    best: NDArray[np.float64]  # (seeds,) accuracies in the epoch with the lowest validation loss


def outcome(recipe: Recipe, vectors: Vectors, seeds: range) -> Outcome:
    trained = train_all(recipe, vectors.data, seeds)
    histories = [of_seed.history.query("split == 'validation'") for of_seed in trained]
    best = [history["accuracy"].to_numpy()[history["loss"].argmin()] for history in histories]
    return Outcome(correct(recipe, vectors, trained)["validation"], np.array(best))


def single_changes(before: Recipe, after: Recipe) -> dict[str, Recipe]:
    """Each setting in which the two differ, changed alone; and all of them."""
    changed = {}
    for name in Recipe.model_fields:
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            shown = f"{len(old)} → {len(new)}" if name == "layers" else f"{old} → {new}"
            changed[f"{name}: {shown}"] = before.model_copy(update={name: new})
    return changed | {f"all of these: `{TO}`": after}


def change_table(params: Params) -> str:
    """A row for each change against the recipe FROM, as one family."""
    vectors, before, seeds = load(params, FROM), params.recipe(FROM), params.train.all_seeds
    base = outcome(before, vectors, seeds)
    others = {
        name: outcome(recipe, vectors, seeds)
        for name, recipe in tqdm(single_changes(before, params.recipe(TO)).items(), "changes")
    }
    differences = {name: difference(of.correct, base.correct) for name, of in others.items()}
    words = verdicts(differences, params.compare.min_effect)
    rows = []
    for name, d in differences.items():
        best = f"{100 * (others[name].best.mean() - base.best.mean()):+.2f}"
        rows.append([name, points(d._asdict()), words[name], best])
    return table("|points, last epoch|verdict|points, best epoch".split("|"), rows)


def grown(params: Params, variant: str) -> dict[int, Outcome]:
    """The variant, by how many reviews of the train split it is trained on: the first ones."""
    data, test = load(params, variant)
    # Refitted networks know the validation reviews; these are first fits.
    recipe = params.recipe(variant).model_copy(update={"refit": False})
    size = data.validation_reviews
    outcomes = {}
    for share in tqdm(SHARES, variant):
        reviews = round(share * (len(data.training) - size))
        part = data._replace(training=data.training.between(0, size + reviews))
        outcomes[reviews] = outcome(recipe, Vectors(part, test), params.train.all_seeds)
    return outcomes


def size_table(params: Params, by_variant: dict[str, dict[int, Outcome]]) -> str:
    """A row for each number of reviews: accuracies, mean ± standard deviation."""
    header, columns = "reviews", [[f"{reviews:,}" for reviews in by_variant[TO]]]
    for variant, outcomes in by_variant.items():
        if params.recipe(variant).patience is None:  # else the best epoch is the one kept
            header += f"|{variant}, last epoch"
            last = [of.correct.mean(axis=1) for of in outcomes.values()]
            columns.append([mean_and_std(accuracies, ".2%") for accuracies in last])
        header += f"|{variant}, best epoch"
        columns.append([mean_and_std(of.best, ".2%") for of in outcomes.values()])
    return table(header.split("|"), [list(row) for row in zip(*columns, strict=True)])


def stopped(params: Params) -> str:
    """What `single` gains on test if the epoch with the lowest validation loss is kept."""
    recipe, seeds = params.recipe(TO), params.train.all_seeds
    patience = recipe.epochs - 1
    recipe = recipe.model_copy(update={"patience": patience})
    at_best = train_again(recipe, load(params, TO), seeds)["test"]
    last, other = (read_correct(CORRECT / f"{v}.npz").by_split["test"] for v in (TO, BEST))
    gain, of_other = difference(at_best, last), difference(other, last)
    return f"""On test, `{TO}` has {at_best.mean():.2%} with `patience: {patience}`, which keeps the
        best epoch: {points(gain._asdict())} points more than at its last. That is
        {gain.mean / of_other.mean:.0%} of the gain of `{BEST}`."""


def main() -> None:
    params = load_params()
    changes = change_table(params)
    by_variant = {variant: grown(params, variant) for variant in GROWN}
    gains = {}
    for variant, outcomes in by_variant.items():
        *_, fewer, every = outcomes
        gains[variant] = difference(outcomes[every].correct, outcomes[fewer].correct)
    words = verdicts(gains, params.compare.min_effect)
    listed = "; ".join(f"`{v}` {points(d._asdict())}, {words[v]}" for v, d in gains.items())
    write_page(
        "claims",
        changes,
        size_table(params, by_variant),
        f"""From {fewer:,} to {every:,} reviews, in points of validation accuracy with 95%
        interval: {listed}.""",
        stopped(params),
        f"""Written by `make claims`: first what each change to `{FROM}` does alone, then
        validation accuracy by the number of reviews trained on, mean ± standard deviation over
        {len(params.train.all_seeds)} seeds. N-grams are those of all training reviews
        throughout: they are found without labels.""",
    )


if __name__ == "__main__":
    main()
