"""The networks: built by Keras, fed with sparse batches, saved as the same bytes every time.

Importing this module imports TensorFlow, which takes seconds, and sets it up; only train and
evaluate do.
"""

import ctypes
import io
import json
import re
import tempfile
import threading
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from workflow.errors import InputError
from workflow.params import Recipe
from workflow.storage import REMEDY, Reviews

# Every operation is deterministic. No sum is split among threads, so that it is taken in the same
# order on any number of cores; the cores are used by training several seeds at once.
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.experimental.enable_op_determinism()
tf.get_logger().setLevel("ERROR")  # one trace per network is what is wanted
keras.config.set_floatx("float32")  # whatever keras.json says

# The C library on Linux would keep a heap for every thread, which takes 80 MB more.
with suppress(AttributeError):
    M_ARENA_MAX = -8
    ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def sparse_matmul(indices: Any, values: Any, shape: Any, kernel: Any) -> Any:
    """The product of a sparse matrix and a dense one, in compressed sparse row (CSR) form.

    (n, k) sparse times (k, m) dense gives (n, m); the gradient is that of the dense product.
    Several times as fast as `tf.sparse.sparse_dense_matmul`, which takes the matrix entry by entry.
    """
    csr = tf.raw_ops.SparseTensorToCSRSparseMatrix(
        indices=indices, values=values, dense_shape=shape
    )
    product = tf.raw_ops.SparseMatrixMatMul(a=csr, b=kernel)
    product.set_shape([None, kernel.shape[1]])

    def gradient(upstream: Any) -> tuple[Any, ...]:
        # Transposing first is faster than multiplying by the transposed matrix (transpose_a).
        transposed = tf.raw_ops.SparseMatrixTranspose(input=csr, type=tf.float32)
        return None, None, None, tf.raw_ops.SparseMatrixMatMul(a=transposed, b=upstream)

    return product, gradient


class SparseDense(keras.layers.Dense):  # type: ignore[misc]
    """A `Dense` layer that multiplies sparse input by its kernel without making it dense.

    Weights, arguments and results are those of `Dense`, which takes its place in saved models.
    """

    def call(self, inputs: Any, **options: Any) -> Any:
        if not isinstance(inputs, tf.SparseTensor):
            return super().call(inputs, **options)
        kernel = tf.convert_to_tensor(self.kernel)
        outputs = sparse_matmul(inputs.indices, inputs.values, inputs.dense_shape, kernel)
        return self.activation(outputs + self.bias if self.use_bias else outputs)


class OnePassAdam(keras.optimizers.Adam):  # type: ignore[misc]
    """Keras's Adam, its update computed in one pass over the weights.

    Keras takes a dozen, which cost a fifth of an epoch: most of the first layer's weights belong to
    words that a batch does not have, and Adam moves them all the same.
    """

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        step = tf.cast(self.iterations + 1, tf.float32)
        number = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[number].value.handle,
            v=self._velocities[number].value.handle,
            beta1_power=self.beta_1**step,
            beta2_power=self.beta_2**step,
            lr=learning_rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


def build(recipe: Recipe, columns: int, seed: int, *, plain: bool = False) -> keras.Sequential:
    """A compiled network: (n, columns) multi-hot float32 in, (n, 1) probabilities out.

    Args:
        recipe: the architecture and how it is trained.
        columns: the length of the input vectors.
        seed: determines the initial weights and what dropout drops.
        plain: all classes are Keras's own, for comparison and to be saved.
    """
    seeds = map(int, np.random.SeedSequence(seed).generate_state(2 * len(recipe.layers) + 1))
    network = keras.Sequential(
        [keras.Input((columns,), sparse=True, name="multi_hot")], name="network"
    )
    for number, layer in enumerate(recipe.hidden_layers, 1):
        dense = SparseDense if number == 1 and not plain else keras.layers.Dense
        network.add(
            dense(
                layer.units,
                activation=layer.activation,
                kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
                kernel_regularizer=l1_l2(layer.kernel_l1, layer.kernel_l2),
                activity_regularizer=l1_l2(layer.activity_l1, layer.activity_l2),
                name=f"hidden_{number}",
            )
        )
        if layer.dropout:
            network.add(
                keras.layers.Dropout(layer.dropout, seed=next(seeds), name=f"dropout_{number}")
            )
    network.add(
        keras.layers.Dense(
            1,
            activation="sigmoid",
            kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
            name="output",
        )
    )
    config: dict[str, Any] = {"name": "optimizer"}
    if recipe.learning_rate is not None:
        config["learning_rate"] = recipe.learning_rate
    optimizer = keras.optimizers.get({"class_name": recipe.optimizer, "config": config})
    if type(optimizer) is keras.optimizers.Adam and not plain:
        optimizer = OnePassAdam.from_config(optimizer.get_config())
    network.compile(
        optimizer=optimizer,
        loss=recipe.loss,
        metrics=[keras.metrics.BinaryAccuracy(name="accuracy")],
        jit_compile=False,
    )
    # `fit` would do it too late for optimizers that start from the weights.
    network.optimizer.build(network.trainable_variables)
    return network


def start(recipe: Recipe, columns: int, seed: int, steps: int) -> keras.Sequential:
    """A network as `build` makes it, or this thread's last one, made the same again.

    It runs all `steps` of an epoch in TensorFlow, without returning to Python. Its first `fit`
    costs a second, in which TensorFlow traces them; a network of the same kind that starts again,
    as another seed has it, has that behind it.
    """
    network = build(recipe, columns, seed)
    network.steps_per_execution = steps
    if getattr(last, "made_for", None) == (recipe, columns, steps):
        variables, fresh = map(all_variables, (last.network, network))
        for variable, value in zip(variables, fresh, strict=True):
            variable.assign(value)
    else:
        last.made_for, last.network = (recipe, columns, steps), network
    return last.network


last = threading.local()  # made_for and network


def all_variables(network: keras.Sequential) -> list[keras.Variable]:
    """Weights, and what dropout, metrics and the optimizer remember."""
    return [*network.variables, *network.optimizer.variables]


def l1_l2(l1: float | None, l2: float | None) -> keras.Regularizer | None:
    return keras.regularizers.L1L2(l1 or 0.0, l2 or 0.0) if l1 or l2 else None


def batches(
    reviews: Reviews, columns: int, batch_size: int, shuffle_seed: int | None = None
) -> tf.data.Dataset:
    """Multi-hot reviews as batches for Keras; with a seed endless, in a new order every epoch.

    Returns:
        Pairs of a (batch_size, columns) float32 SparseTensor and (batch_size,) float32 labels;
        the last batch of an epoch may be smaller.
    """
    # Without the overhead of np.memmap for each batch.
    values, offsets, labels = map(np.asarray, (reviews.values, reviews.offsets, reviews.labels))

    def arrays(rows: NDArray[np.int64]) -> tuple[NDArray[Any], ...]:
        """What a SparseTensor is made of, and the labels, of these reviews."""
        starts, lengths = offsets[rows], offsets[rows + 1] - offsets[rows]
        row = np.repeat(np.arange(len(rows)), lengths)
        ends = np.cumsum(lengths)
        words = values[np.arange(ends[-1]) + (starts - ends + lengths)[row]]
        shape = np.array([len(rows), columns])
        ones = np.ones(len(words), np.float32)
        return np.column_stack([row, words]), ones, shape, labels[rows].astype(np.float32)

    def batch(rows: Any) -> Any:
        # NumPy reads what it needs from a memory-mapped file; a TensorFlow constant holds it all.
        # A function without state may run beside the training.
        types = [tf.int64, tf.float32, tf.int64, tf.float32]
        tensors = tf.numpy_function(arrays, [rows], types, stateful=False)
        for tensor, known in zip(tensors, ([None, 2], [None], [2], [None]), strict=True):
            tensor.set_shape(known)
        indices, ones, shape, labels = tensors
        return tf.SparseTensor(indices, ones, shape), labels

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


EVALUATION_BATCH = 512  # where nothing is trained any size will do; this one bounds the memory


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


def load_weights(model: keras.Model, path: Path) -> None:
    try:
        model.set_weights(keras.models.load_model(path).get_weights())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {error}{REMEDY}") from None


def to_bytes(network: keras.Sequential) -> bytes:
    """The network, with a fresh optimizer, as a .keras archive: same weights, same bytes.

    `Model.save` writes down the time of saving and the memory addresses of shared objects.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        network.save(path)
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in sorted(archive.namelist())}
    metadata = json.loads(members["metadata.json"])
    members["metadata.json"] = json.dumps(metadata | {"date_saved": ""}).encode()
    addresses = re.compile(rb'(?<="shared_object_id": )\d+')
    order = list(dict.fromkeys(addresses.findall(members["config.json"])))
    members["config.json"] = addresses.sub(
        lambda address: str(order.index(address[0])).encode(), members["config.json"]
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            dated_1980 = zipfile.ZipInfo(name)
            archive.writestr(dated_1980, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
