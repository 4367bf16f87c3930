"""Stage train@VARIANT: one variant, once per seed.

usage   python -m stages.train VARIANT
reads   params.yaml (train, variants.VARIANT and its recipe), data/FEATURES/ (train, validation)
writes  models/VARIANT/seed-N.keras, plots/history/VARIANT.csv
"""

import functools
import math

import keras
import pandas as pd
import tensorflow as tf

from workflow import network
from workflow.errors import InputError, run
from workflow.params import Recipe, argument, load_params
from workflow.seeds import Report, for_every_seed
from workflow.storage import (
    HISTORY,
    MODELS,
    FeatureFacts,
    Reviews,
    features_folder,
    read_json,
    whole_folder,
)


class Epochs(keras.callbacks.Callback):  # type: ignore[misc]
    """Reports each epoch, and ends a training that leads nowhere or is not wanted any more."""

    def __init__(self, report: Report | None) -> None:
        super().__init__()
        self.report = report

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        for name in ("loss", "val_loss"):
            if not math.isfinite(logs[name]):
                raise InputError(
                    f"in epoch {epoch + 1} the {name} became {logs[name]}: a lower learning_rate "
                    "or another loss or activation may help"
                )
        if self.report and not self.report(f"validation accuracy {logs['val_accuracy']:.4f}"):
            self.model.stop_training = True


def train(
    recipe: Recipe,
    columns: int,
    seed: int,
    training: Reviews,
    validation: Reviews,
    report: Report | None = None,
) -> tuple[bytes, pd.DataFrame]:
    """Train one network.

    Returns:
        The .keras archive, and a row per epoch and split: seed, epoch (from 1), split (train or
        validation), loss (with penalties, as Keras has it), accuracy, and whether this epoch's
        weights were kept (1) or not (0).

    Raises:
        InputError: the loss is not finite any more, or Keras refuses the combination of settings.
    """
    steps = math.ceil(len(training) / recipe.batch_size)
    model = network.start(recipe, columns, seed, steps)
    callbacks: list[keras.callbacks.Callback] = [Epochs(report)]
    if recipe.patience:
        early_stopping = keras.callbacks.EarlyStopping(
            monitor="val_loss", patience=recipe.patience, restore_best_weights=True
        )
        callbacks.append(early_stopping)
    try:
        logs = model.fit(
            network.batches(training, columns, recipe.batch_size, shuffle_seed=seed),
            validation_data=network.batches(validation, columns, network.EVALUATION_BATCH),
            epochs=recipe.epochs,
            steps_per_epoch=steps,
            callbacks=callbacks,
            shuffle=False,  # `batches` does it
            verbose=0,
        ).history
    except (ValueError, TypeError, tf.errors.OpError) as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"Keras cannot train this variant: {reason}") from None
    kept = early_stopping.best_epoch if recipe.patience else len(logs["loss"]) - 1
    history = pd.DataFrame(
        {
            "seed": seed,
            "epoch": epoch + 1,
            "split": split,
            "loss": logs[f"{prefix}loss"][epoch],
            "accuracy": logs[f"{prefix}accuracy"][epoch],
            "kept": int(epoch == kept),
        }
        for epoch in range(len(logs["loss"]))
        for split, prefix in (("train", ""), ("validation", "val_"))
    )
    plain = network.build(recipe, columns, seed, plain=True)
    plain.set_weights(model.get_weights())
    return network.to_bytes(plain), history


def train_all(
    recipe: Recipe, columns: int, seeds: range, training: Reviews, validation: Reviews
) -> list[tuple[bytes, pd.DataFrame]]:
    """`train` for every seed, in order of the seeds."""
    task = functools.partial(train, recipe, columns, training=training, validation=validation)
    return for_every_seed(task, seeds, recipe.epochs)


def main() -> None:
    params = load_params()
    name = argument()
    recipe, seeds = params.recipe(name), params.train.all_seeds
    folder = features_folder(params.features_of(name))
    columns = read_json(folder / "facts.json", FeatureFacts).columns
    training, validation = (Reviews.load(folder, split) for split in ("train", "validation"))
    results = train_all(recipe, columns, seeds, training, validation)
    with whole_folder(MODELS / name) as models:
        for seed, (archive, _) in zip(seeds, results, strict=True):
            (models / f"seed-{seed}.keras").write_bytes(archive)
    histories = pd.concat([history for _, history in results])
    histories.insert(0, "variant", name)
    HISTORY.mkdir(parents=True, exist_ok=True)
    histories.to_csv(HISTORY / f"{name}.csv", index=False, float_format="%.6f")
    kept = histories.query("kept == 1 and split == 'validation'")["accuracy"]
    print(f"{name}: {len(seeds)} seeds, validation accuracy {kept.mean():.4f} ± {kept.std():.4f}")


if __name__ == "__main__":
    run(main)
