"""How much better validation looks than test, and why: what `make optimism` runs.

usage   python -m benchmarks.optimism [VARIANT …]
reads   params.yaml, data/FEATURES/, metrics/
writes  benchmarks/optimism.md

Both accuracies are of the same networks, trained on the train split alone; variants with `refit`
are trained again without it. Then all are trained again with as many validation reviews, but drawn
by film: what is left of the difference has another reason than that reviews of one film are on both
sides.
"""

import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.measure import paragraph, table
from benchmarks.neighbours import BLOCK, FILM, Gap, find_places, gap, whole_films, widening
from benchmarks.retrained import Bits, load, train_again
from workflow.base.files import CORRECT, HELD_OUT, REVIEWS, ReviewFacts, read_json
from workflow.evaluation.results import read_correct
from workflow.params import Params, load_params

RESULTS = Path(__file__).with_suffix(".md")


def first_fits(params: Params, variant: str) -> Bits:
    """What the networks that were trained on the train split alone get right."""
    recipe = params.recipe(variant)
    if not recipe.refit:
        return read_correct(CORRECT / f"{variant}.npz").by_split
    alone = recipe.model_copy(update={"refit": False})
    return train_again(alone, load(params, variant), params.train.all_seeds)


def by_film(params: Params, variant: str) -> tuple[Bits, Gap]:
    """The same with another choice of the validation reviews."""
    alone = params.recipe(variant).model_copy(update={"refit": False})
    vectors, where = whole_films(load(params, variant), find_places())
    bits = train_again(alone, vectors, params.train.all_seeds)
    return bits, gap(bits, vectors, where)


def accuracy_row(variant: str, bits: Bits, found: Gap, films: Bits, by_film: Gap) -> dict[str, str]:
    return {
        "variant": f"`{variant}`",
        "validation": f"{bits['validation'].mean():.2%}",
        "test": f"{bits['test'].mean():.2%}",
        "gap": str(found),
        "validation by film": f"{films['validation'].mean():.2%}",
        "its test": f"{films['test'].mean():.2%}",
        "its gap": str(by_film),
    }


def widening_rows(params: Params, bits: dict[str, Bits]) -> list[dict[str, str]]:
    """By how much the intervals of an accuracy and of a difference are too narrow."""
    where, rows = find_places(), []
    for variant, of_variant in bits.items():
        vectors = load(params, variant)
        for split in HELD_OUT:
            ours, labels = of_variant[split], np.asarray(vectors.split(split).labels)
            sides = {"accuracy": np.zeros_like(ours)}
            if variant != params.compare.reference:
                sides["difference"] = bits[params.compare.reference][split]
            place = where.of(split, len(labels))
            cells = {
                what: "{:+.0%} ± {:.0%}".format(*widening(ours, theirs, place, labels))
                for what, theirs in sides.items()
            }
            rows.append(
                {
                    "variant": f"`{variant}`",
                    "split": split,
                    "interval of the accuracy": cells["accuracy"],
                    f"of the difference from `{params.compare.reference}`": cells.get(
                        "difference", ""
                    ),
                }
            )
    return rows


def main() -> None:
    params = load_params()
    facts: ReviewFacts = read_json(REVIEWS / "facts.json", ReviewFacts)
    if facts.source != "keras":
        raise SystemExit("only of the reviews of Keras is it known which are neighbours")
    reference = params.compare.reference
    names = dict.fromkeys([reference, *(sys.argv[1:] or params.variants)])
    bits = {name: first_fits(params, name) for name in tqdm(names, "as it is")}
    films = {name: by_film(params, name) for name in tqdm(names, "by film")}
    gaps = {name: gap(bits[name], load(params, name), find_places()) for name in names}
    accuracies = [accuracy_row(name, bits[name], gaps[name], *films[name]) for name in names]
    of_both = ([g.points for g in gaps.values()], [g.points for _, g in films.values()])
    low, high = ([f"{pick(points):.1f}" for points in of_both] for pick in (min, max))
    paragraphs = (
        f"""The same networks have {low[0]} to {high[0]} points more on validation than on test;
        where the reviews of a film are kept on one side, {low[1]} to {high[1]} points.""",
        f"""Written by `make optimism`. All networks are trained on the 15,000 reviews of the train
        split alone; means over {params.train.seeds} seeds, gaps in points ± their standard error.
        Reviews of one film are neighbours in the archive, which Keras shuffles before the first
        10,000 are taken to validate: so most films have reviews on both sides, but none is in both
        the training and the test half. “By film”: as many validation reviews, but whole blocks of
        {BLOCK} neighbours, and trained anew on the rest.""",
        f"""Since reviews of one film are alike, they tell less than so many independent ones. By
        how much wider the 95% intervals should be for that, with the standard error of this figure,
        from the products of the deviations of reviews less than {FILM} places apart in the
        archive:""",
    )
    short, how, wider = map(paragraph, paragraphs)
    page = short, how, table(accuracies), wider, table(widening_rows(params, bits))
    RESULTS.write_text("\n\n".join(page) + "\n", "utf-8")


if __name__ == "__main__":
    main()
