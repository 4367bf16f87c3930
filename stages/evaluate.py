"""Stage evaluate@VARIANT: every seed of one variant on the validation and the test reviews.

usage   python -m stages.evaluate VARIANT
reads   params.yaml (train, variants.VARIANT and its recipe), data/FEATURES/ (validation, test),
        models/VARIANT/, plots/history/VARIANT.csv
writes  data/predictions/VARIANT/{validation,test}.npy
                                (seeds, reviews) float32 probabilities of being positive
                                correct.npz  which of them are right
                                scores.csv   a row per seed
                                facts.json   of the data, the size of the model, and the scores
                                             of the seeds' average
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workflow.base import files
from workflow.base.errors import reading, run
from workflow.base.files import MODELS, FeatureFacts
from workflow.base.labels import is_positive
from workflow.base.reviews import Reviews, load_vectors, split_validation
from workflow.evaluation.results import Correct, read_history
from workflow.evaluation.scores import average_scores, classification_scores, mean_and_std
from workflow.model import network
from workflow.model.params import Recipe
from workflow.params import item_from_argv, load_params

Probabilities = NDArray[np.float32]


def history_scores(history: pd.DataFrame) -> dict[str, float]:
    """From the first fit of one seed: accuracies in the epoch that was kept, best epoch.

    A refit is left out, since it is trained on the validation reviews.
    """
    first = history[history["fit"] == "first"]
    kept = first[first["kept"] == 1].set_index("split")["accuracy"]
    validation = first[first["split"] == "validation"].set_index("epoch")["loss"]
    return {
        "train_accuracy": kept["train"],
        "validation_accuracy": kept["validation"],
        "best_epoch": validation.idxmin(),
    }


def read_first_fits(variant: str, shape: tuple[int, int]) -> Probabilities:
    """(seeds, reviews): the validation probabilities of the networks before the refit."""
    path = MODELS / variant / "validation.npy"
    with reading(path, files.RERUN_HINT):
        probabilities: Probabilities = np.load(path, allow_pickle=False)
        if probabilities.shape != shape or probabilities.dtype != np.float32:
            raise ValueError(f"{probabilities.dtype} {probabilities.shape}, not float32 {shape}")
        return probabilities


def predict_all(
    recipe: Recipe, variant: str, seeds: range, reviews: Reviews, columns: int
) -> tuple[Probabilities, list[float]]:
    """Probabilities of the saved networks, (seeds, reviews), and the mean loss of each seed."""
    model, plain = (network.build(recipe, columns, 0, plain=p) for p in (False, True))
    batches = network.batches(reviews, columns, network.EVALUATION_BATCH)
    predict = network.predict(model, batches)
    probabilities, losses = [], []
    for seed in seeds:
        network.load_weights(model, plain, MODELS / variant / f"seed-{seed}.keras")
        of_seed, loss = predict()
        probabilities.append(of_seed)
        losses.append(loss)
    return np.stack(probabilities), losses


def main() -> None:
    params = load_params()
    variant = item_from_argv()
    recipe, seeds = params.recipe(variant), params.train.all_seeds
    features = files.features_folder(params.features_of(variant))
    facts: FeatureFacts = files.read_json(features / "facts.json", FeatureFacts)
    histories = read_history(variant, seeds)
    training, test = load_vectors(features, "training"), load_vectors(features, "test")
    validation, _ = split_validation(training, facts.validation_reviews)

    on_test, losses = predict_all(recipe, variant, seeds, test, facts.columns)
    if recipe.refit:  # the saved networks were trained on the validation reviews
        on_validation = read_first_fits(variant, (len(seeds), len(validation)))
    else:
        on_validation, _ = predict_all(recipe, variant, seeds, validation, facts.columns)
    rows = []
    for seed, probabilities, loss in zip(seeds, on_test, losses, strict=True):
        of_history = history_scores(histories[histories["seed"] == seed])
        of_test = classification_scores(test.labels, probabilities) | {"loss": loss}
        of_test = {f"test_{name}": value for name, value in of_test.items()}
        rows.append({"variant": variant, "seed": seed} | of_history | of_test)
    scores = pd.DataFrame(rows).round(6)

    folder = files.empty_folder(files.PREDICTIONS / variant)
    by_split = {}
    held_out = {"validation": (on_validation, validation), "test": (on_test, test)}
    for split, (probabilities, reviews) in held_out.items():
        np.save(folder / f"{split}.npy", probabilities)
        by_split[split] = is_positive(probabilities) == reviews.labels
    average = on_test.mean(axis=0)
    right = is_positive(average) == test.labels
    correct = Correct(facts.sha256, np.array(seeds, np.int64), by_split, right)
    (folder / "correct.npz").write_bytes(correct.to_bytes())
    positive = float(validation.labels.mean())
    models = (MODELS / variant).rglob("*")
    files.write_json(
        folder / "facts.json",
        facts.model_dump(exclude_none=True)
        | {
            "average": average_scores(test.labels, average),
            "weights": network.build(recipe, facts.columns, 0, plain=True).count_params(),
            "bytes": sum(path.stat().st_size for path in models if path.is_file()),
            "larger_class": max(positive, 1 - positive),
        },
    )
    scores.to_csv(folder / "scores.csv", index=False)
    accuracies = mean_and_std(scores["test_accuracy"])
    print(f"{variant}: {len(seeds)} seeds, test accuracy {accuracies}")


if __name__ == "__main__":
    run(main)
