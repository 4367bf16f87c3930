"""The networks: built by Keras, fed with sparse batches, saved as the same bytes every time.

Importing this module imports TensorFlow, which takes seconds.
"""

import gc
import io
import json
import re
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workflow.base.errors import reading
from workflow.base.files import RERUN_HINT
from workflow.base.reviews import Reviews
from workflow.model.libraries import keras, tf
from workflow.model.params import Recipe
from workflow.model.reproducible import ROWS, ReproducibleDense, binary_crossentropy
from workflow.model.sparse import FastAdam, SparseDense


def build(
    recipe: Recipe, columns: int, seed: int, *, training: bool = False, plain: bool = False
) -> keras.Sequential:
    """A compiled network: (n, columns) sparse float32 in, (n, 1) probabilities out.

    Args:
        recipe: the architecture and how it is trained.
        columns: the length of the input vectors.
        seed: determines the initial weights and what dropout drops.
        training: the input will be scaled if the recipe says so; else its scale is in the kernel.
        plain: use Keras's own classes alone, for comparison and for saving.
    """
    seeds = map(int, np.random.SeedSequence(seed).generate_state(2 * len(recipe.layers) + 1))
    config: dict[str, Any] = {"name": "optimizer"}
    if recipe.learning_rate is not None:
        config["learning_rate"] = recipe.learning_rate
    optimizer = keras.optimizers.get({"class_name": recipe.optimizer, "config": config})
    fast = not plain and type(optimizer) is keras.optimizers.Adam
    if fast:
        optimizer = FastAdam.from_config(optimizer.get_config())
    network = keras.Sequential(
        [keras.Input((columns,), sparse=True, name="review")], name="network"
    )

    layers = [*recipe.hidden_layers, recipe.output_layer]
    for number, layer in enumerate(layers, 1):
        kernel_penalty = l1_l2(layer.kernel_l1, layer.kernel_l2)
        if number == 1 and recipe.naive_bayes_scaling and not training:
            kernel_penalty = None  # meant for weights without the scale
        options: dict[str, Any] = {
            "name": f"hidden_{number}" if number < len(layers) else "output",
            "activation": layer.activation,
            "kernel_initializer": keras.initializers.GlorotUniform(next(seeds)),
            "kernel_regularizer": kernel_penalty,
            "activity_regularizer": l1_l2(layer.activity_l1, layer.activity_l2),
        }
        if number == 1 and not plain:
            # A penalty changes every row, and so does any other optimizer.
            by_rows = recipe.sparse_updates and fast and kernel_penalty is None
            network.add(SparseDense(layer.units, by_rows=by_rows, **options))
        elif recipe.batch_size > ROWS and not plain:
            network.add(ReproducibleDense(layer.units, batch_size=recipe.batch_size, **options))
        else:
            network.add(keras.layers.Dense(layer.units, **options))
        if layer.dropout:
            name = f"dropout_{number}"
            network.add(keras.layers.Dropout(layer.dropout, seed=next(seeds), name=name))
    is_log_loss = keras.losses.get(recipe.loss) is keras.losses.binary_crossentropy
    network.compile(
        optimizer=optimizer,
        loss=binary_crossentropy if is_log_loss and not plain else recipe.loss,
        metrics=[keras.metrics.BinaryAccuracy(name="accuracy")],
        jit_compile=False,
    )
    return network


def start(recipe: Recipe, columns: int, seed: int, steps: int) -> keras.Sequential:
    """A network for training, in the form of this thread's last one if that has the same shape.

    It runs all `steps` of an epoch in TensorFlow, without returning to Python. TensorFlow traces
    them in the first `fit`, which takes a second; a network that is reused for another seed is
    traced already.
    """
    network = build(recipe, columns, seed, training=True)
    # `fit` would do it too late for optimizers that start from the weights.
    network.optimizer.build(network.trainable_variables)
    if getattr(last, "recipe", None) == (recipe, columns):
        # The weights, and the state of dropout, metrics and the optimizer.
        fresh = [*network.variables, *network.optimizer.variables]
        reused = [*last.network.variables, *last.network.optimizer.variables]
        for variable, value in zip(reused, fresh, strict=True):
            variable.assign(value)
        del network, fresh, value
        gc.collect()  # Keras's objects refer to themselves, and would stay for a while
    else:
        last.recipe, last.network, last.traced = (recipe, columns), network, {}
    # One trace for each number of steps: a refit has more of them than the first fit.
    last.traced.setdefault(last.network.steps_per_execution, last.network.train_function)
    last.network.steps_per_execution = steps
    last.network.train_function = last.traced.get(steps)
    return last.network


last = threading.local()  # recipe and columns, network, and its traced epochs by their steps


def l1_l2(l1: float | None, l2: float | None) -> keras.Regularizer | None:
    return keras.regularizers.L1L2(l1 or 0.0, l2 or 0.0) if l1 or l2 else None


def batches(
    reviews: Reviews,
    columns: int,
    batch_size: int,
    *,
    scale: NDArray[np.float32] | None = None,
    shuffle_seed: int | None = None,
) -> tf.data.Dataset:
    """Vectorized reviews as batches for Keras; with a seed endless, in a new order every epoch.

    Args:
        reviews: vectors of `columns` values each.
        columns: their length.
        batch_size: reviews in a batch.
        scale: (columns,) factors of the values; None: no scaling.
        shuffle_seed: determines the order; None: that of `reviews`, once.

    Returns:
        Pairs of a (batch_size, columns) float32 SparseTensor and (batch_size,) float32 labels;
        the last batch of an epoch may be smaller.
    """
    # Without the overhead of np.memmap for each batch.
    values, offsets, labels = map(np.asarray, (reviews.values, reviews.offsets, reviews.labels))
    weights = None if reviews.weights is None else np.asarray(reviews.weights)

    def arrays(rows: NDArray[np.int64]) -> tuple[NDArray[Any], ...]:
        """What a SparseTensor is made of, and the labels, of these reviews."""
        starts, lengths = offsets[rows], offsets[rows + 1] - offsets[rows]
        row = np.repeat(np.arange(len(rows)), lengths)
        ends = np.cumsum(lengths)
        chosen = np.arange(ends[-1]) + (starts - ends + lengths)[row]
        column = values[chosen].astype(np.int64)
        indices = np.column_stack([row, column])
        entries = np.ones(len(chosen), np.float32) if weights is None else weights[chosen]
        if scale is not None:
            entries *= scale[column]
        shape = np.array([len(rows), columns])
        return indices, entries, shape, labels[rows].astype(np.float32)

    def batch(rows: Any) -> Any:
        # NumPy reads what it needs from a memory-mapped file; a TensorFlow constant holds it all.
        # A function without state may run beside the training.
        types = [tf.int64, tf.float32, tf.int64, tf.float32]
        tensors = tf.numpy_function(arrays, [rows], types, stateful=False)
        for tensor, known in zip(tensors, ([None, 2], [None], [2], [None]), strict=True):
            tensor.set_shape(known)
        indices, entries, shape, labels = tensors
        return tf.SparseTensor(indices, entries, shape), labels

    rows = tf.data.Dataset.range(len(reviews))
    if shuffle_seed is None:
        rows = rows.batch(batch_size)
    else:
        rows = rows.shuffle(len(reviews), seed=shuffle_seed).batch(batch_size).repeat()
    # One step after the other, as determinism wants it, leaves TensorFlow nothing to tune.
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    return rows.map(batch).prefetch(2).with_options(options)


def log_count_ratios(reviews: Reviews, columns: int) -> NDArray[np.float32]:
    """The naive-Bayes log-count ratio of each column, (columns,), divided by sqrt(450).

    It is above 0 for a column that is more frequent in positive reviews, and 0 for one that no
    review has; counts are of reviews, plus one: Wang and Manning, "Baselines and Bigrams" (2012).
    About 450 columns of a review are not 0, so the division gives its values a length near 1.
    """
    row = np.repeat(reviews.labels, np.diff(reviews.offsets))
    positive, negative = (np.bincount(reviews.values[row == k], minlength=columns) for k in (1, 0))
    shares = [(counts + 1) / (counts + 1).sum() for counts in (positive, negative)]
    ratios = np.log(shares[0] / shares[1]) / 450**0.5
    return np.where(positive + negative, ratios, 0).astype(np.float32)


EVALUATION_BATCH = 512  # the size does not change a prediction; this one bounds the memory


def predict(
    model: keras.Model, batches: tf.data.Dataset
) -> Callable[[], tuple[NDArray[np.float32], float]]:
    """A function that applies `model`, with its weights at the time of the call, to n reviews.

    It returns the probability of being positive for each review, (n,), and the mean loss that the
    model was trained with, penalties included, as Keras reports it.
    """

    @tf.function(input_signature=batches.element_spec)  # type: ignore[untyped-decorator]
    def step(vectors: Any, labels: Any) -> tuple[Any, Any]:
        outputs = model(vectors, training=False)
        return outputs, model.compute_loss(y=labels, y_pred=outputs, training=False)

    def apply() -> tuple[NDArray[np.float32], float]:
        probabilities, losses = [], []
        for vectors, labels in batches:
            outputs, loss = step(vectors, labels)
            probabilities.append(outputs.numpy().ravel())
            losses.append(float(loss) * len(labels))
        predictions = np.concatenate(probabilities)
        return predictions, sum(losses) / len(predictions)

    return apply


def load_weights(model: keras.Sequential, plain: keras.Sequential, path: Path) -> None:
    """Load the weights in a .keras file into `model`, through `plain`, made of Keras's own classes.

    Raises:
        InputError: the file is missing or damaged, or holds another network.
    """
    with reading(path, RERUN_HINT), memory_errors():
        plain.load_weights(path)
    model.set_weights(plain.get_weights())


@contextmanager
def memory_errors() -> Iterator[None]:
    """A lack of memory as a `MemoryError`, whatever TensorFlow and Keras make of it."""
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        raise MemoryError(error.message) from None
    except ValueError as error:  # Keras hides NumPy's MemoryError in one of its own
        if refused := re.search("Unable to allocate .* data type \\w+", str(error)):
            raise MemoryError(refused[0]) from None
        raise


def with_keras_classes(
    network: keras.Sequential,
    recipe: Recipe,
    columns: int,
    scale: NDArray[np.float32] | None = None,
) -> keras.Sequential:
    """An equivalent network of Keras's own classes; a scale is folded into its first kernel."""
    plain = build(recipe, columns, seed=0, plain=True)
    first, *others = network.layers
    kernel, bias = first.get_weights()
    plain.layers[0].set_weights([kernel if scale is None else kernel * scale[:, None], bias])
    for layer, own in zip(plain.layers[1:], others, strict=True):
        layer.set_weights(own.get_weights())
    return plain


UNUSED = (("ragged", False), ("optional", False))  # of an input layer


def normalized(config: Any, ids: dict[int, int]) -> Any:
    """The configuration of a network with shared objects numbered 0, 1, …

    Without settings that are not used, of which Keras 3.4 and later ones do not know all.
    """
    if isinstance(config, list):
        return [normalized(item, ids) for item in config]
    if not isinstance(config, dict):
        return config
    return {
        key: ids.setdefault(value, len(ids))
        if key == "shared_object_id"
        else normalized(value, ids)
        for key, value in config.items()
        if value is not None and (key, value) not in UNUSED
    }


def to_bytes(network: keras.Sequential) -> bytes:
    """The network, with a fresh optimizer, as a .keras archive: same weights, same bytes.

    `Model.save` writes the time of saving, and memory addresses as the ids of shared objects.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        network.save(path)
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in sorted(archive.namelist())}
    metadata = json.loads(members["metadata.json"])
    members["metadata.json"] = json.dumps(metadata | {"date_saved": ""}).encode()
    config = normalized(json.loads(members["config.json"]), {})
    members["config.json"] = json.dumps(config).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:  # weights do not compress
        for name, content in members.items():
            dated_1980 = zipfile.ZipInfo(name)
            archive.writestr(dated_1980, content)
    return buffer.getvalue()
