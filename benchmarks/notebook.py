"""The notebook's way as one script: dense vectors, three systems one after the other.

usage   python -m benchmarks.notebook ARCHIVE
reads   ARCHIVE, the imdb.npz of keras.datasets.imdb

Two slips of the notebook are corrected: `single_regularized` is trained (it has `epochs=0`), and
`activation_regularizer`, which Keras does not know, is `activity_regularizer`.
"""

import sys

import numpy as np
from tensorflow import keras
from tensorflow.keras import layers, regularizers
from tensorflow.keras.datasets import imdb

setattr(sys.modules[imdb.load_data.__module__], "get_file", lambda *_, **__: sys.argv[1])
(train_data, train_labels), (test_data, test_labels) = imdb.load_data(num_words=10000)


def vectorize_sequences(sequences, dimension=10000):
    results = np.zeros((len(sequences), dimension))
    for i, sequence in enumerate(sequences):
        for j in sequence:
            results[i, j] = 1.0
    return results


x_train = vectorize_sequences(train_data)
x_test = vectorize_sequences(test_data)
y_train = np.asarray(train_labels).astype("float32")
y_test = np.asarray(test_labels).astype("float32")

l1, l2 = regularizers.L1(0.01), regularizers.L2(0.01)
output = {"units": 1, "activation": "sigmoid"}
systems = {
    "single": [layers.Dense(32, activation="tanh"), layers.Dense(**output)],
    "single_regularized": [
        layers.Dense(32, activation="tanh", activity_regularizer=l2),
        layers.Dropout(0.2),
        layers.Dense(**output),
    ],
    "three_regularized": [
        layers.Dense(32, activation="tanh"),
        layers.Dropout(0.5),
        layers.Dense(32, activation="tanh", kernel_regularizer=l1, activity_regularizer=l1),
        layers.Dropout(0.5),
        layers.Dense(32, activation="tanh"),
        layers.Dense(**output),
    ],
}
x_val, partial_x_train = x_train[:10000], x_train[10000:]
y_val, partial_y_train = y_train[:10000], y_train[10000:]
for stack in systems.values():
    model = keras.Sequential(stack)
    model.compile(optimizer="adam", loss="mean_squared_error", metrics=["accuracy"])
    model.fit(
        partial_x_train,
        partial_y_train,
        epochs=20,
        batch_size=256,
        validation_data=(x_val, y_val),
        verbose=0,
    )
    model.evaluate(x_test, y_test, verbose=0)
