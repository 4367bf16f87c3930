"""Stage compare: summarizes the seeds, and compares each variant with the reference.

reads   params.yaml (compare, variants, train), data/predictions/, data/reviews/
writes  metrics/metrics.json     by variant: means over the seeds, the gain over the reference,
                                 the verdict on it, scores of the seeds' average, size of the model
        metrics/differences.csv  a row per variant and split: the difference, its 95% interval, wins
        metrics/scores.csv       a row per variant and seed
        metrics/correct/         by variant: what each seed and their average get right
        metrics/reviews.npz      of each held-out review: label, words, words no train review has
"""

import shutil
from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from workflow.base import files
from workflow.base.errors import InputError, run, warn
from workflow.base.files import HELD_OUT, HISTORY, PREDICTIONS, DataFacts, PredictionFacts
from workflow.base.reviews import load_reviews, split_validation
from workflow.evaluation import results
from workflow.evaluation.params import CompareParams
from workflow.evaluation.significance import difference, verdicts
from workflow.params import load_params

DIFFERENCE_COLUMNS = "variant split mean low high p_value wins seeds verdict".split()
RARE = 0.3  # a smaller share of the test reviews makes accuracy alone misleading


def remove_leftovers(variants: Collection[str]) -> None:
    """Delete predictions and learning curves of variants that are not in params.yaml any more.

    DVC leaves them behind in folders that this stage and plot depend on, so that dvc.lock would
    hold only for clones in which they are left, too. DVC's cache and Git still have them.
    """
    for path in [*PREDICTIONS.glob("*/"), *HISTORY.glob("*.csv")]:
        if path.stem not in variants:
            print(f"{path} belongs to no variant in params.yaml: deleted")
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def unbalanced_scores(scores: pd.DataFrame) -> dict[str, float]:
    """What tells more than accuracy where one label is rare: F1 of that label and the ROC AUC."""
    tp, tn, fp, fn = (scores[f"test_{name}"] for name in results.COUNTS)
    positive = float(((tp + fn) / (tp + tn + fp + fn)).iloc[0])
    if min(positive, 1 - positive) >= RARE:
        return {}
    hits = tp if positive < RARE else tn
    f1 = (2 * hits / (2 * hits + fp + fn)).fillna(0).mean()
    roc_auc = pd.to_numeric(scores["test_roc_auc"]).mean()  # NaN if all labels are the same
    means = {"test_f1_of_rarer_label": f1, "test_roc_auc": roc_auc}
    return {name: round(float(mean), 4) for name, mean in means.items() if not np.isnan(mean)}


def summarize(
    scores: pd.DataFrame, facts: dict[str, PredictionFacts], differences: pd.DataFrame
) -> dict[str, dict[str, Any]]:
    """The block of each variant in metrics.json; the validation reviews decide on the verdict."""
    decisive = differences[differences["split"] == "validation"]
    summary: dict[str, dict[str, Any]] = {}
    for variant, of_variant in facts.items():
        rows = scores[scores["variant"] == variant]
        summary[variant] = {
            **rows[["validation_accuracy", "test_accuracy", "test_loss"]].mean().round(4),
            **unbalanced_scores(rows),
            "average": {name: round(value, 4) for name, value in of_variant.average.items()},
            "size": of_variant.model_dump(include={"bytes", "columns", "weights"}),
        }
    for variant, gain, verdict in decisive[["variant", "mean", "verdict"]].itertuples(index=False):
        summary[variant] |= {"gain": round(gain, 4), "verdict": verdict}
    return summary


def describe_held_out(validation_reviews: int) -> dict[str, pd.DataFrame]:
    """`describe` of the validation and test reviews; known is a word that a train review has."""
    validation, train = split_validation(load_reviews("training"), validation_reviews)
    held_out = {"validation": validation, "test": load_reviews("test")}
    known = np.unique(train.values)
    return {split: results.describe(reviews, known) for split, reviews in held_out.items()}


def compare_all(correct: dict[str, results.Correct], compare: CompareParams) -> pd.DataFrame:
    """A row per split and variant: its difference from the reference, and the verdict.

    Each split is a family of its own: the validation rows decide, the test rows are for the record.
    """
    reference = correct[compare.reference]
    rows = []
    for split in HELD_OUT:
        differences = {
            variant: difference(bits.by_split[split], reference.by_split[split])
            for variant, bits in correct.items()
            if bits is not reference
        }
        words = verdicts(differences, compare.min_effect)
        rows += [
            {"variant": variant, "split": split, "verdict": words[variant]} | d._asdict()
            for variant, d in differences.items()
        ]
    return pd.DataFrame(rows, columns=DIFFERENCE_COLUMNS)


def main() -> None:
    params = load_params()
    reference, seeds = params.compare.reference, params.train.all_seeds
    remove_leftovers(params.variants)
    folders = {variant: PREDICTIONS / variant for variant in params.variants}
    facts = {v: files.read_json(f / "facts.json", PredictionFacts) for v, f in folders.items()}
    correct = {v: results.read_correct(f / "correct.npz") for v, f in folders.items()}
    for variant, bits in correct.items():
        if bits.seeds.tolist() != list(seeds) or bits.sha256 != facts[reference].sha256:
            raise InputError(f"{folders[variant]}: of other seeds or reviews{files.RERUN_HINT}")
    scores = pd.concat(
        results.read_scores(f / "scores.csv", [v], seeds) for v, f in folders.items()
    )
    differences = compare_all(correct, params.compare)
    held_out = describe_held_out(facts[reference].validation_reviews)

    folder = files.empty_folder(files.CORRECT)
    for variant, bits in correct.items():
        (folder / f"{variant}.npz").write_bytes(bits.to_bytes())
    differences.to_csv(files.DIFFERENCES, index=False, float_format="%.6g")
    scores.to_csv(files.SCORES, index=False)
    data = facts[reference].model_dump(include=set(DataFacts.model_fields), exclude_none=True)
    data["sha256"] = data["sha256"][:12]
    summary = summarize(scores, facts, differences)
    files.write_json(files.METRICS, {"data": data} | summary)
    results.write_descriptions(held_out)
    print(f"accuracy minus that of {reference}, 95% interval, and seeds won:")
    print(differences.drop(columns="p_value").to_string(index=False, float_format="{:+.4f}".format))
    for variant, values in summary.items():
        if values["validation_accuracy"] <= facts[variant].larger_class:
            share = f"{facts[variant].larger_class:.1%}"
            warn(f"{variant}: no better than always predicting the more frequent label ({share})")


if __name__ == "__main__":
    run(main)
