"""Sparse input to a network: its first layer, and an optimizer that updates single rows."""

from typing import Any

from workflow.model.libraries import keras, tf


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

    Args:
        by_rows: the kernel's gradient has only the rows of columns that occur in the batch. Their
            weights stay in the variable's `rows` until the end of the step, for `FastAdam`, which
            then need not fetch them from memory again.
    """

    def __init__(self, units: int | None, *, by_rows: bool = False, **options: Any) -> None:
        super().__init__(units, **options)
        self.by_rows = by_rows

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        if self.by_rows:
            self.kernel.value.rows = None

    def call(self, inputs: Any, training: Any = None) -> Any:
        indices, shape = inputs.indices, inputs.dense_shape
        kernel = tf.convert_to_tensor(self.kernel)
        if self.by_rows and training:
            columns, positions = tf.unique(indices[:, 1])
            kernel = self.kernel.value.rows = tf.gather(self.kernel.value, columns)
            indices = tf.stack([indices[:, 0], tf.cast(positions, tf.int64)], axis=1)
            shape = tf.stack([shape[0], tf.size(columns, tf.int64)])
        outputs = sparse_matmul(indices, inputs.values, shape, kernel)
        return self.activation(outputs + self.bias)


class FastAdam(keras.optimizers.Adam):  # type: ignore[misc]
    """Keras's Adam in one pass over the weights, or over a few of their rows.

    Keras takes a dozen passes, which cost a fifth of an epoch: most of the first layer's weights
    belong to words that a batch lacks, and Adam updates them all the same. If the gradient has only
    some rows, the others and their moments stay as they are (known as lazy Adam).
    """

    def add_variable_from_reference(self, variable: Any, name: str, **options: Any) -> Any:
        """As Keras has it, but with both moments of a kernel `by_rows` in one (columns, 2 * units).

        Most of a step is waiting for rows from memory: two that lie side by side come at once.
        """
        if not hasattr(variable.value, "rows"):
            return super().add_variable_from_reference(variable, name, **options)
        if name == "momentum":
            columns, units = variable.shape
            self.moments = self.add_variable((columns, 2 * units), name="moments")
        return self.moments

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        step = tf.cast(self.iterations + 1, tf.float32)
        powers = self.beta_1**step, self.beta_2**step
        if not isinstance(gradient, tf.IndexedSlices):
            m, v = slots(self, variable, "momentum", "velocity")
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=m.handle,
                v=v.handle,
                beta1_power=powers[0],
                beta2_power=powers[1],
                lr=learning_rate,
                beta1=self.beta_1,
                beta2=self.beta_2,
                epsilon=self.epsilon,
                grad=gradient,
            )
            return
        rows, slope = gradient.indices, gradient.values
        mean, square = tf.split(tf.gather(self.moments.value, rows), 2, axis=1)
        mean += (slope - mean) * (1 - self.beta_1)
        square += (slope * slope - square) * (1 - self.beta_2)
        rate = learning_rate * tf.sqrt(1 - powers[1]) / (1 - powers[0])
        change = rate * mean / (tf.sqrt(square) + self.epsilon)
        moments = tf.concat([mean, square], axis=1)
        for changed, values in (variable, variable.rows - change), (self.moments.value, moments):
            changed.scatter_update(tf.IndexedSlices(values, rows))


def slots(optimizer: keras.Optimizer, variable: Any, *kinds: str) -> list[tf.Variable]:
    """The state that `optimizer` keeps for `variable`; Keras names it after both."""
    prefix = variable.name.partition(":")[0].replace("/", "_")
    named = {slot.name: slot.value for slot in optimizer.variables}
    return [named[f"{prefix}_{kind}"] for kind in kinds]
