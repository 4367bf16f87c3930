"""Stage evaluate: every seed of every variant on the test reviews.

reads   params.yaml (variants, train), data/multi_hot/ (validation, test), models/, plots/history/
writes  metrics/scores.csv     a row per variant and seed
        data/predictions/VARIANT_{validation,test}.npy
                               (seeds, reviews) float32 probabilities of being positive
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray
from sklearn import metrics

from stages import network
from stages.errors import InputError, run
from stages.params import load_params
from stages.storage import (
    HISTORY,
    MODELS,
    MULTI_HOT,
    PREDICTIONS,
    SCORES,
    MultiHotFacts,
    Reviews,
    read_history,
    read_json,
    whole_folder,
)


def predict(
    model: keras.Model, batches: tf.data.Dataset
) -> Callable[[], tuple[NDArray[np.float32], float]]:
    """A function that applies `model`, with the weights it has by then, to n reviews.

    It returns the probability of being positive for each review, (n,), and the mean loss: the one
    the model was trained with, penalties included, as Keras reports it.
    """

    @tf.function(input_signature=batches.element_spec)  # type: ignore[untyped-decorator]
    def step(multi_hot: Any, labels: Any) -> tuple[Any, Any]:
        outputs = model(multi_hot, training=False)
        return outputs, model.compute_loss(y=labels, y_pred=outputs, training=False)

    def apply() -> tuple[NDArray[np.float32], float]:
        probabilities, losses = [], []
        for multi_hot, labels in batches:
            outputs, loss = step(multi_hot, labels)
            probabilities.append(outputs.numpy().ravel())
            losses.append(float(loss) * len(labels))
        predictions = np.concatenate(probabilities)
        return predictions, sum(losses) / len(predictions)

    return apply


def classification_scores(
    labels: NDArray[np.uint8], probabilities: NDArray[np.float32]
) -> dict[str, float]:
    """How well (n,) probabilities fit (n,) labels; above 0.5 counts as positive, as in Keras.

    The ROC AUC is NaN where all labels are the same; precision and recall are 0 where they would
    divide by zero.
    """
    positive = probabilities > 0.5
    (tn, fp), (fn, tp) = metrics.confusion_matrix(labels, positive, labels=[0, 1])
    both = len(np.unique(labels)) == 2
    return {
        "accuracy": metrics.accuracy_score(labels, positive),
        "precision": metrics.precision_score(labels, positive, zero_division=0),
        "recall": metrics.recall_score(labels, positive, zero_division=0),
        "f1": metrics.f1_score(labels, positive, zero_division=0),
        "roc_auc": metrics.roc_auc_score(labels, probabilities) if both else np.nan,
        "brier": float(np.mean((probabilities - labels) ** 2)),
        "true_negatives": tn,
        "false_positives": fp,
        "false_negatives": fn,
        "true_positives": tp,
    }


def history_scores(history: pd.DataFrame) -> dict[str, float]:
    """From the history of one seed: accuracy where the weights were kept, best validation epoch."""
    kept = history[history["kept"] == 1].set_index("split")["accuracy"]
    validation = history[history["split"] == "validation"].set_index("epoch")["loss"]
    return {
        "train_accuracy": kept["train"],
        "validation_accuracy": kept["validation"],
        "best_epoch": validation.idxmin(),
    }


def check_leftovers(variants: list[str]) -> None:
    """InputError if there are results of variants that are no more: DVC leaves them behind."""
    found = [*MODELS.iterdir(), *HISTORY.iterdir()] if MODELS.exists() and HISTORY.exists() else []
    names = [path for path in found if not path.name.startswith(".")]  # half-written, ignored
    if leftovers := [str(path) for path in names if path.stem not in variants]:
        raise InputError(
            "these belong to no variant in params.yaml; delete them: rm -r " + " ".join(leftovers)
        )


def load_weights(model: keras.Model, path: Path) -> None:
    try:
        model.set_weights(keras.models.load_model(path).get_weights())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {error}; `dvc repro` makes it anew") from None


def main() -> None:
    params = load_params()
    variants, seeds = list(params.variants), params.train.all_seeds
    check_leftovers(variants)
    num_words = read_json(MULTI_HOT / "facts.json", MultiHotFacts).num_words
    splits = {split: Reviews.load(MULTI_HOT, split) for split in ("validation", "test")}
    batches = {
        split: network.batches(reviews, num_words, network.EVALUATION_BATCH)
        for split, reviews in splits.items()
    }

    def evaluate(variant: str) -> list[dict[str, tuple[NDArray[np.float32], float]]]:
        """Predictions and loss of each seed on each split, by one network traced once."""
        model = network.build(params.variant(variant), num_words, seed=0)
        on_split = {split: predict(model, batches[split]) for split in splits}
        results = []
        for seed in seeds:
            load_weights(model, MODELS / variant / f"seed-{seed}.keras")
            results.append({split: apply() for split, apply in on_split.items()})
        return results

    rows: list[dict[str, Any]] = []
    with whole_folder(PREDICTIONS) as folder:
        for variant, results in zip(variants, map(evaluate, variants), strict=True):
            histories = read_history(variant, seeds)
            for split in splits:
                predictions = np.stack([result[split][0] for result in results])
                np.save(folder / f"{variant}_{split}.npy", predictions)
            for seed, result in zip(seeds, results, strict=True):
                probabilities, loss = result["test"]
                test = classification_scores(splits["test"].labels, probabilities) | {"loss": loss}
                rows.append(
                    {"variant": variant, "seed": seed}
                    | history_scores(histories[histories["seed"] == seed])
                    | {f"test_{name}": value for name, value in test.items()}
                )
    scores = pd.DataFrame(rows)
    SCORES.parent.mkdir(exist_ok=True)
    scores.round(6).to_csv(SCORES, index=False)
    print(
        scores.groupby("variant", sort=False)["test_accuracy"]
        .agg(["mean", "std", "count"])
        .rename(columns={"mean": "test accuracy", "std": "sd", "count": "seeds"})
        .to_string(float_format="%.4f", index_names=False)
    )


if __name__ == "__main__":
    run(main)
