"""Stage evaluate@VARIANT: every seed of one variant on the validation and the test reviews.

usage   python -m stages.evaluate VARIANT
reads   params.yaml (train, variants.VARIANT and its recipe), data/FEATURES/ (validation, test),
        models/VARIANT/, plots/history/VARIANT.csv
writes  data/predictions/VARIANT/{validation,test}.npy
                                (seeds, reviews) float32 probabilities of being positive
                                correct.npz  which of them are right
                                scores.csv   a row per seed
                                facts.json   of the data, and how good the seeds' average is
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workflow import network
from workflow.errors import reading, run
from workflow.params import argument, load_params
from workflow.results import Correct, read_history
from workflow.seeds import spread
from workflow.storage import (
    HELD_OUT,
    MODELS,
    PREDICTIONS,
    REMEDY,
    FeatureFacts,
    features_folder,
    load_vectors,
    read_json,
    whole_folder,
    write_json,
)


def classification_scores(
    labels: NDArray[np.uint8], probabilities: NDArray[np.float32]
) -> dict[str, float]:
    """How well (n,) probabilities fit (n,) labels; above 0.5 counts as positive, as in Keras.

    The ROC AUC is NaN where all labels are the same; precision and recall are 0 where they would
    divide by zero.
    """
    positive = probabilities > 0.5
    tn, fp, fn, tp = (
        int(np.sum((labels == label) & (positive == predicted)))
        for label in (0, 1)
        for predicted in (False, True)
    )
    precision, recall = tp / max(tp + fp, 1), tp / max(tp + fn, 1)
    # The area under the curve by the rank sum: Mann and Whitney, Ann. Math. Statist. 18 (1947).
    positives, negatives = tp + fn, tn + fp
    above = pd.Series(probabilities).rank()[labels == 1].sum() - positives * (positives + 1) / 2
    return {
        "accuracy": (tn + tp) / len(labels),
        "precision": precision,
        "recall": recall,
        "f1": 2 * tp / max(2 * tp + fp + fn, 1),
        "roc_auc": above / (positives * negatives) if positives and negatives else np.nan,
        "brier": float(np.mean((probabilities - labels) ** 2)),
        "true_negatives": tn,
        "false_positives": fp,
        "false_negatives": fn,
        "true_positives": tp,
    }


def history_scores(history: pd.DataFrame) -> dict[str, float]:
    """From the first fit of one seed: accuracy where the weights were kept, best validation epoch.

    A refit has seen the validation reviews.
    """
    first = history[history["fit"] == "first"]
    kept = first[first["kept"] == 1].set_index("split")["accuracy"]
    validation = first[first["split"] == "validation"].set_index("epoch")["loss"]
    return {
        "train_accuracy": kept["train"],
        "validation_accuracy": kept["validation"],
        "best_epoch": validation.idxmin(),
    }


def of_first_fits(variant: str, shape: tuple[int, int]) -> NDArray[np.float32]:
    """What the networks before the refit say of the validation reviews, (seeds, reviews)."""
    path = MODELS / variant / "validation.npy"
    with reading(path, REMEDY):
        probabilities: NDArray[np.float32] = np.load(path, allow_pickle=False)
        if probabilities.shape != shape or probabilities.dtype != np.float32:
            raise ValueError(f"{probabilities.dtype} {probabilities.shape}, not float32 {shape}")
        return probabilities


def main() -> None:
    params = load_params()
    variant = argument()
    recipe, seeds = params.recipe(variant), params.train.all_seeds
    features = features_folder(params.features_of(variant))
    facts: FeatureFacts = read_json(features / "facts.json", FeatureFacts)
    histories = read_history(variant, seeds)
    model, plain = (network.build(recipe, facts.columns, 0, plain=p) for p in (False, True))
    splits = {split: load_vectors(features, split) for split in HELD_OUT}
    # A network that was refitted has seen the validation reviews: it may score test alone.
    unseen = [split for split in splits if split == "test" or not recipe.refit]
    predict = {
        split: network.predict(
            model, network.batches(splits[split], facts.columns, network.EVALUATION_BATCH)
        )
        for split in unseen
    }
    predictions: dict[str, list[NDArray[np.float32]]] = {split: [] for split in unseen}
    rows: list[dict[str, Any]] = []
    for seed in seeds:
        network.load_weights(model, plain, MODELS / variant / f"seed-{seed}.keras")
        for split in unseen:
            probabilities, loss = predict[split]()
            predictions[split].append(probabilities)
        test = classification_scores(splits["test"].labels, probabilities) | {"loss": loss}
        rows.append(
            {"variant": variant, "seed": seed}
            | history_scores(histories[histories["seed"] == seed])
            | {f"test_{name}": value for name, value in test.items()}
        )
    stacked = {split: np.stack(of_seeds) for split, of_seeds in predictions.items()}
    if recipe.refit:
        shape = len(seeds), facts.validation_reviews
        stacked = {"validation": of_first_fits(variant, shape)} | stacked
    scores = pd.DataFrame(rows).round(6)
    correct = {split: (stacked[split] > 0.5) == splits[split].labels for split in splits}
    with whole_folder(PREDICTIONS / variant) as folder:
        for split in splits:
            np.save(folder / f"{split}.npy", stacked[split])
        bits = Correct(facts.sha256, np.array(seeds, np.int64), correct)
        (folder / "correct.npz").write_bytes(bits.to_bytes())
        average = (stacked["test"].mean(axis=0) > 0.5) == splits["test"].labels
        summary = {"test_accuracy_of_average": float(average.mean())}
        write_json(folder / "facts.json", facts.model_dump() | summary)
        scores.to_csv(folder / "scores.csv", index=False)
    print(f"{variant}: {len(seeds)} seeds, test accuracy {spread(scores['test_accuracy'])}")


if __name__ == "__main__":
    run(main)
