"""Parts of a training that Keras and TensorFlow round differently on different processors.

TensorFlow cuts long sums at places that depend on the processor's caches, and its reciprocal starts
from an approximation of which each vendor has its own. What replaces them here gives the same bytes
on every x86-64 processor.
"""

from typing import Any

import keras
import tensorflow as tf

ROWS = 256  # the longest sum that TensorFlow never cuts


class ReproducibleDense(keras.layers.Dense):  # type: ignore[misc]
    """A `Dense` layer whose gradient sums over a batch 256 rows at a time, in order.

    Args:
        batch_size: the largest that the layer is trained with.
    """

    def __init__(self, units: int | None, *, batch_size: int, **options: Any) -> None:
        super().__init__(units, **options)
        self.starts = range(0, batch_size, ROWS)

    def call(self, inputs: Any) -> Any:
        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def product(inputs: Any, kernel: Any) -> Any:
            def gradient(upstream: Any) -> tuple[Any, Any]:
                parts = [
                    tf.matmul(inputs[at : at + ROWS], upstream[at : at + ROWS], transpose_a=True)
                    for at in self.starts
                ]
                return tf.matmul(upstream, kernel, transpose_b=True), tf.add_n(parts)

            return tf.matmul(inputs, kernel), gradient

        return self.activation(product(inputs, tf.convert_to_tensor(self.kernel)) + self.bias)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def log(x: Any) -> Any:
    """The logarithm; its gradient divides, where TensorFlow multiplies by a reciprocal."""
    return tf.math.log(x), lambda upstream: upstream / x


def binary_crossentropy(labels: Any, outputs: Any) -> Any:
    """Keras's loss of this name, (n,), of (n, 1) labels and probabilities."""
    smallest = keras.config.epsilon()
    outputs = tf.clip_by_value(outputs, smallest, 1 - smallest)
    return -tf.reduce_mean(labels * log(outputs) + (1 - labels) * log(1 - outputs), axis=-1)
