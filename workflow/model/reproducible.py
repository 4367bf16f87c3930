"""Parts of a training that Keras and TensorFlow round differently on different processors.

TensorFlow cuts long sums at places that depend on the processor's caches, and its reciprocal starts
from an approximation of which each vendor has its own. What replaces them here gives the same bytes
on every x86-64 processor.
"""

from typing import Any

from workflow.model.libraries import keras, tf

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
def sigmoid_crossentropy(labels: Any, logits: Any) -> Any:
    """TensorFlow's function, whose own gradient multiplies by a reciprocal."""

    def gradient(upstream: Any) -> tuple[None, Any]:
        return None, upstream * (tf.sigmoid(logits) - labels)

    return tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits), gradient


def binary_crossentropy(labels: Any, outputs: Any) -> Any:
    """Keras's loss of this name, (n,), of (n, 1) labels and the outputs of a sigmoid layer.

    Like Keras's, it starts from what the sigmoid was applied to, so that no output saturates.
    """
    logits = outputs._keras_logits  # noqa: SLF001 - where Keras's loss finds them, too
    return tf.reduce_mean(sigmoid_crossentropy(labels, logits), axis=-1)
