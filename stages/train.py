"""Stage train@VARIANT: one variant, once per seed.

usage   python -m stages.train VARIANT
reads   params.yaml (train, and the block of the variant), data/multi_hot/ (train, validation)
writes  models/VARIANT/seed-N.keras, plots/history/VARIANT.csv
"""

import functools
import logging
import math
import os
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, CancelledError, ThreadPoolExecutor, wait
from typing import Any

import keras
import pandas as pd
import tensorflow as tf
from tqdm import tqdm

from stages import network
from stages.errors import InputError, run
from stages.params import Variant, load_params
from stages.storage import (
    HISTORY,
    MODELS,
    MULTI_HOT,
    MultiHotFacts,
    Reviews,
    read_json,
    whole_folder,
)


class FiniteLoss(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends the stage when the loss is not a number any more."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        for name in ("loss", "val_loss"):
            if not math.isfinite(logs[name]):
                raise InputError(
                    f"in epoch {epoch + 1} the {name} became {logs[name]}: a lower learning_rate "
                    "or another loss or activation may help"
                )


class Progress(keras.callbacks.Callback):  # type: ignore[misc]
    """Moves the bar; ends a training whose results are not wanted any more."""

    def __init__(self, bar: "tqdm[Any]", stop: threading.Event) -> None:
        super().__init__()
        self.bar, self.stop = bar, stop

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:  # noqa: ARG002
        self.bar.update()
        self.bar.set_postfix_str(f"validation accuracy {logs['val_accuracy']:.4f}")
        if self.stop.is_set():
            self.model.stop_training = True


def train(
    variant: Variant,
    num_words: int,
    seed: int,
    training: Reviews,
    validation: Reviews,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> tuple[bytes, pd.DataFrame]:
    """Train one network.

    Returns:
        The .keras archive, and a row per epoch and split: seed, epoch (from 1), split (train or
        validation), loss (with penalties, as Keras has it), accuracy, and whether this epoch's
        weights were kept (1) or not (0).

    Raises:
        InputError: the loss is not finite any more, or Keras refuses the combination of settings.
    """
    steps = math.ceil(len(training) / variant.batch_size)
    model = network.start(variant, num_words, seed, steps)
    callbacks = [*callbacks, FiniteLoss()]
    if variant.patience:
        early_stopping = keras.callbacks.EarlyStopping(
            monitor="val_loss", patience=variant.patience, restore_best_weights=True
        )
        callbacks.append(early_stopping)
    try:
        logs = model.fit(
            network.batches(training, num_words, variant.batch_size, shuffle_seed=seed),
            validation_data=network.batches(validation, num_words, network.EVALUATION_BATCH),
            epochs=variant.epochs,
            steps_per_epoch=steps,
            callbacks=callbacks,
            shuffle=False,  # `batches` does it
            verbose=0,
        ).history
    except (ValueError, TypeError, tf.errors.OpError) as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"Keras cannot train this variant: {reason}") from None
    kept = early_stopping.best_epoch if variant.patience else len(logs["loss"]) - 1
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
    plain = network.build(variant, num_words, seed, plain=True)
    plain.set_weights(model.get_weights())
    return network.to_bytes(plain), history


def train_all(
    variant: Variant, num_words: int, seeds: range, training: Reviews, validation: Reviews
) -> list[tuple[bytes, pd.DataFrame]]:
    """`train` for every seed, in order of the seeds: in threads, or on a Dask cluster."""
    task = functools.partial(train, variant, num_words, training=training, validation=validation)
    if CLUSTER in os.environ:
        with tqdm(total=len(seeds), unit="seed", disable=None) as bar:
            return on_cluster(task, seeds, bar)
    with tqdm(total=len(seeds) * variant.epochs, unit="epoch", disable=None) as bar:
        return in_threads(task, seeds, bar)


Task = Callable[..., tuple[bytes, pd.DataFrame]]  # of a seed and, not on a cluster, callbacks
CLUSTER = "DASK_SCHEDULER_ADDRESS"  # Dask's own name for it


def in_threads(task: Task, seeds: range, bar: "tqdm[Any]") -> list[tuple[bytes, pd.DataFrame]]:
    """As many seeds at once as there are processors.

    Processes were no faster, and each needs TensorFlow's memory.
    """
    stop = threading.Event()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            futures = [pool.submit(task, seed, callbacks=[Progress(bar, stop)]) for seed in seeds]
            waiting = set(futures)
            while waiting:  # a signal that one of TensorFlow's threads gets does not end a wait
                done, waiting = wait(waiting, timeout=1, return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()
            return [future.result() for future in futures]
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def on_cluster(task: Task, seeds: range, bar: "tqdm[Any]") -> list[tuple[bytes, pd.DataFrame]]:
    """Each seed wherever Dask puts it; one whose worker is lost is trained elsewhere.

    Raises:
        InputError: Dask is not installed, its scheduler cannot be reached or is lost, or its
            processes cannot import the stages.
    """
    address = os.environ[CLUSTER]
    try:
        from distributed import Client, KilledWorker, as_completed  # noqa: PLC0415 - an extra

        # What goes wrong is said below. The import sets the level, too.
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
        client = Client(address, timeout=CONNECT_SECONDS)
    except ImportError:
        raise InputError(f"{CLUSTER} is set, but the extra dask is not installed") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{CLUSTER}: no Dask scheduler at {address}: {error}") from None
    try:
        with client:
            futures = client.map(task, seeds, pure=False)
            for _ in as_completed(futures):
                bar.update()
            return client.gather(futures)  # type: ignore[no-any-return]
    except (KilledWorker, CancelledError, ImportError, RuntimeError) as error:
        raise InputError(
            f"{CLUSTER}: {address} did not train all seeds: {error}; do scheduler and workers run, "
            "each in a checkout of this commit with PYTHONPATH=.?"
        ) from None


CONNECT_SECONDS = 10


def main() -> None:
    params = load_params()
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    variant, seeds = params.variant(name), params.train.all_seeds
    num_words = read_json(MULTI_HOT / "facts.json", MultiHotFacts).num_words
    training, validation = (Reviews.load(MULTI_HOT, split) for split in ("train", "validation"))
    results = train_all(variant, num_words, seeds, training, validation)
    with whole_folder(MODELS / name) as folder:
        for seed, (archive, _) in zip(seeds, results, strict=True):
            (folder / f"seed-{seed}.keras").write_bytes(archive)
    histories = pd.concat([history for _, history in results])
    histories.insert(0, "variant", name)
    HISTORY.mkdir(parents=True, exist_ok=True)
    histories.to_csv(HISTORY / f"{name}.csv", index=False, float_format="%.6f")
    kept = histories.query("kept == 1 and split == 'validation'")["accuracy"]
    print(f"{name}: {len(seeds)} seeds, validation accuracy {kept.mean():.4f} ± {kept.std():.4f}")


if __name__ == "__main__":
    run(main)
