"""How one network is trained: fitted, stopped, and perhaps refitted on all training reviews."""

import functools
import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workflow.base.errors import InputError
from workflow.base.reviews import Reviews, split_validation
from workflow.model import network
from workflow.model.libraries import keras, tf
from workflow.model.params import Recipe
from workflow.model.seeds import Report, for_every_seed


class Epochs(keras.callbacks.Callback):  # type: ignore[misc]
    """Reports each epoch, and ends a training that diverges or has been cancelled."""

    def __init__(self, report: Report | None) -> None:
        super().__init__()
        self.report = report

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        for name in ("loss", "val_loss"):
            if not math.isfinite(logs.get(name, 0.0)):
                raise InputError(
                    f"in epoch {epoch + 1} the {name} became {logs[name]}: a lower learning_rate "
                    "or another loss or activation may help"
                )
        note = f"validation accuracy {logs['val_accuracy']:.4f}" if "val_accuracy" in logs else ""
        if self.report and not self.report(note):
            self.model.stop_training = True


class TrainingData(NamedTuple):
    """The vectors that one variant is trained on, the validation reviews first."""

    training: Reviews
    validation_reviews: int
    columns: int


class Trained(NamedTuple):
    """One seed of a variant: a .keras archive, its history, and its validation probabilities.

    The probabilities are those of the first fit, kept where a refit replaces it; else None.
    """

    archive: bytes
    history: pd.DataFrame
    validation: NDArray[np.float32] | None


def fit(
    recipe: Recipe,
    columns: int,
    seed: int,
    epochs: int,
    training: Reviews,
    validation: Reviews | None,
    scale: NDArray[np.float32] | None = None,
    report: Report | None = None,
) -> tuple[keras.Sequential, pd.DataFrame]:
    """Train one network for `epochs`, or until the patience of the recipe ends.

    All input is multiplied by `scale`, (columns,), if there is one.

    Returns:
        The network, and a row per epoch and split: seed, epoch (from 1), split (train or
        validation), loss (with penalties, as Keras has it), accuracy, and whether this epoch's
        weights were kept (1) or not (0).

    Raises:
        InputError: the loss is no longer finite, or Keras refuses the combination of settings.
    """
    steps = math.ceil(len(training) / recipe.batch_size)
    model = network.start(recipe, columns, seed, steps)
    callbacks: list[keras.callbacks.Callback] = [Epochs(report)]
    early_stopping = None
    if recipe.patience and validation:
        early_stopping = keras.callbacks.EarlyStopping(
            monitor="val_loss", patience=recipe.patience, restore_best_weights=True
        )
        callbacks.append(early_stopping)
    try:
        with network.memory_errors():
            logs = model.fit(
                network.batches(
                    training, columns, recipe.batch_size, scale=scale, shuffle_seed=seed
                ),
                validation_data=validation
                and network.batches(validation, columns, network.EVALUATION_BATCH, scale=scale),
                epochs=epochs,
                steps_per_epoch=steps,
                callbacks=callbacks,
                shuffle=False,  # `batches` does it
                verbose=0,
            ).history
    except (ValueError, TypeError, tf.errors.OpError) as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"Keras cannot train this variant: {reason}") from None
    kept = early_stopping.best_epoch if early_stopping else len(logs["loss"]) - 1
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
        if f"{prefix}loss" in logs
    )
    return model, history


def scale_of(recipe: Recipe, training: Reviews, columns: int) -> NDArray[np.float32] | None:
    """The (columns,) factors of a fit, from the labels it is trained on alone; None: no scaling."""
    return network.log_count_ratios(training, columns) if recipe.naive_bayes_scaling else None


def train(recipe: Recipe, data: TrainingData, seed: int, report: Report | None = None) -> Trained:
    """Train one seed of a variant, and refit it if the recipe says so."""
    columns = data.columns
    validation, training = split_validation(data.training, data.validation_reviews)
    scale = scale_of(recipe, training, columns)
    model, history = fit(recipe, columns, seed, recipe.epochs, training, validation, scale, report)
    history.insert(1, "fit", "first")
    predictions = None
    if recipe.refit:
        batches = network.batches(validation, columns, network.EVALUATION_BATCH, scale=scale)
        predictions, _ = network.predict(model, batches)()
        best = int(history.loc[history["kept"] == 1, "epoch"].iloc[0])
        scale = scale_of(recipe, data.training, columns)
        model, refit = fit(recipe, columns, seed, best, data.training, None, scale, report)
        refit.insert(1, "fit", "refit")
        history = pd.concat([history, refit])
    archive = network.to_bytes(network.with_keras_classes(model, recipe, columns, scale))
    return Trained(archive, history, predictions)


def train_all(recipe: Recipe, data: TrainingData, seeds: range) -> list[Trained]:
    """`train` for every seed, in order of the seeds."""
    fits = 2 if recipe.refit else 1
    return for_every_seed(functools.partial(train, recipe), data, seeds, fits * recipe.epochs)
