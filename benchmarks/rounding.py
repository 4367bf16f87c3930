"""How far the metrics move when sums are rounded otherwise, as by another kind of processor.

usage   python -m benchmarks.rounding
reads   params.yaml, data/multi_hot/, metrics/scores.csv
writes  benchmarks/rounding.md

Every seed of every variant is trained again by Keras's own layer and optimizers. They compute the
same sums in another order, so that every step is rounded otherwise, from the first one on.
"""

import functools
import tempfile
from pathlib import Path
from unittest import mock

import pandas as pd
from tabulate import tabulate

from stages import evaluate, network, train
from workflow.params import load_params
from workflow.storage import MULTI_HOT, MultiHotFacts, Reviews, read_json, read_scores

RESULTS = Path(__file__).with_suffix(".md")
SPLITS = ("validation", "test")


def otherwise(variant: str) -> pd.DataFrame:
    """The accuracies of each seed, on validation and test reviews, rounded otherwise."""
    params = load_params()
    num_words = read_json(MULTI_HOT / "facts.json", MultiHotFacts).num_words
    reviews = {split: Reviews.load(MULTI_HOT, split) for split in ("train", *SPLITS)}
    with mock.patch.object(network, "build", functools.partial(network.build, plain=True)):
        trained = train.train_all(
            params.variant(variant),
            num_words,
            params.train.all_seeds,
            reviews["train"],
            reviews["validation"],
        )
    rows = []
    model = network.build(params.variant(variant), num_words, seed=0)
    for archive, _ in trained:
        with tempfile.NamedTemporaryFile(suffix=".keras") as file:
            file.write(archive)
            file.flush()
            evaluate.load_weights(model, Path(file.name))
        row = {}
        for split in SPLITS:
            batches = network.batches(reviews[split], num_words, network.EVALUATION_BATCH)
            probabilities, _ = evaluate.predict(model, batches)()
            scores = evaluate.classification_scores(reviews[split].labels, probabilities)
            row[f"{split}_accuracy"] = scores["accuracy"]
        rows.append(row)
    return pd.DataFrame(rows)


def main() -> None:
    params = load_params()
    scores = read_scores(params.variants, params.train.all_seeds)
    rows, seed, mean = [], 0.0, 0.0
    for variant in params.variants:
        here = scores[scores["variant"] == variant].reset_index()
        moved = 100 * (otherwise(variant) - here[[f"{split}_accuracy" for split in SPLITS]])
        seed, mean = max(seed, moved.abs().max().max()), max(mean, moved.mean().abs().max())
        rows += [
            {
                "variant": f"`{variant}`",
                "accuracy": split,
                "one seed": f"{moved[f'{split}_accuracy'].abs().max():.2f}",
                "mean": f"{moved[f'{split}_accuracy'].mean():+.2f}",
                "sd of the seeds": f"{100 * here[f'{split}_accuracy'].std():.2f}",
            }
            for split in SPLITS
        ]
    table = tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)
    RESULTS.write_text(
        f"""With every sum in another order, the accuracy of a seed moves by up to {seed:.2f} points
and the mean of all seeds by up to {mean:.2f} points.

Written by `make rounding`: how far the accuracy of one seed moves at most, how far the mean moves,
and, for comparison, the standard deviation from seed to seed, in points.

{table}
""",
        "utf-8",
    )


if __name__ == "__main__":
    main()
