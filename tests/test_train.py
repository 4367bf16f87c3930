"""The networks: the same as Keras's dense ones, trained reproducibly, saved reproducibly."""

import io
import itertools
import json
import resource
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from workflow.base.errors import InputError
from workflow.base.reviews import Reviews, split_validation
from workflow.model import network, reproducible, seeds, sparse, training
from workflow.model.libraries import keras, tf
from workflow.model.params import Layer, Recipe
from workflow.model.training import TrainingData

NUM_WORDS = 40


def make_recipe(**changes: Any) -> Recipe:
    block: dict[str, Any] = {
        "layers": [Layer()],
        "units": 4,
        "activation": "tanh",
        "optimizer": "adam",
        "loss": "binary_crossentropy",
        "epochs": 2,
        "batch_size": 16,
    }
    return Recipe(**block | changes)


def make_reviews(n: int = 50) -> Reviews:
    """Reviews whose label can be read off the words 0 to 19 against 20 to 39."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, n).astype(np.uint8)
    rows = [
        np.unique(random.integers(0, 20, 6) + np.where(random.random(6) < 0.3, 1 - y, y) * 20)
        for y in labels.astype(int)
    ]
    values = np.concatenate(rows).astype(np.uint8)
    return Reviews(values, np.cumsum([0, *map(len, rows)]), labels)


def dense(reviews: Reviews) -> Any:
    matrix = np.zeros((len(reviews), NUM_WORDS), dtype=np.float32)
    for i in range(len(reviews)):
        matrix[i, reviews.between(i, i + 1).values] = 1
    return matrix


def make_data(n: int = 50) -> TrainingData:
    """`n` reviews to train on, after 30 that validate."""
    return TrainingData(make_reviews(30 + n), 30, NUM_WORDS)


def fit(recipe: Recipe) -> Any:
    """The archive and the history of seed 1."""
    return training.train(recipe, make_data(), 1)[:2]


@pytest.fixture
def load(tmp_path):
    def load(archive: bytes) -> keras.Model:
        (tmp_path / "m.keras").write_bytes(archive)
        return keras.models.load_model(tmp_path / "m.keras")

    return load


@pytest.mark.parametrize("weighted", [False, True])
def test_batches_are_the_multi_hot_or_weighted_matrix_and_scaled(*, weighted: bool):
    reviews = make_reviews()
    expected = dense(reviews)
    if weighted:
        weights = np.arange(1, len(reviews.values) + 1, dtype=np.float32)
        reviews = replace(reviews, weights=weights)
        expected[expected == 1] = weights  # a row's columns are in ascending order
    batches = [(tf.sparse.to_dense(x), y) for x, y in network.batches(reviews, NUM_WORDS, 16)]
    assert [len(x) for x, _ in batches] == [16, 16, 16, 2]
    np.testing.assert_array_equal(np.concatenate([x for x, _ in batches]), expected)
    np.testing.assert_array_equal(np.concatenate([y for _, y in batches]), reviews.labels)
    scale = np.linspace(-2, 2, NUM_WORDS, dtype=np.float32)
    ((scaled, _),) = network.batches(reviews, NUM_WORDS, 50, scale=scale)
    np.testing.assert_array_equal(tf.sparse.to_dense(scaled), expected * scale)


def test_every_epoch_has_every_review_once_in_an_order_of_its_own():
    reviews = make_reviews()
    batches = iter(network.batches(reviews, NUM_WORDS, 16, shuffle_seed=3))
    first, second = (
        np.concatenate([tf.sparse.to_dense(x) for x, _ in itertools.islice(batches, 4)])
        for _ in range(2)
    )
    assert (first != second).any()
    for epoch in (first, second):
        np.testing.assert_array_equal(sorted(map(tuple, epoch)), sorted(map(tuple, dense(reviews))))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"kernel_l1": 0.01, "kernel_l2": 0.02},
        {"activity_l1": 0.01, "activity_l2": 0.02},
        {"batch_size": 600},  # summed in three parts
    ],
    ids=str,
)
def test_loss_and_gradients_are_those_of_a_dense_layer(changes: dict[str, float]):
    recipe, reviews = make_recipe(**changes, activation="relu"), make_reviews(600)
    sparse = network.build(recipe, NUM_WORDS, seed=1)
    plain = network.build(recipe, NUM_WORDS, seed=1, plain=True)
    ((batch, labels),) = network.batches(reviews, NUM_WORDS, 600)
    results = []
    for model, inputs in ((sparse, batch), (plain, tf.constant(dense(reviews)))):
        with tf.GradientTape() as tape:
            outputs = model(inputs, training=True)
            loss = model.compute_loss(y=labels, y_pred=outputs)
        weights = [variable.value for variable in model.trainable_variables]
        results.append([loss, outputs, *tape.gradient(loss, weights)])
    for ours, keras_models in zip(*results, strict=True):
        np.testing.assert_allclose(ours, keras_models, rtol=1e-5, atol=1e-7)


def test_the_crossentropy_is_that_of_keras_where_the_sigmoid_saturates_too():
    logits = tf.constant([[-60.0], [-1.0], [0.0], [2.0], [60.0], [60.0]])
    labels = tf.constant([[1.0], [0.0], [1.0], [1.0], [0.0], [1.0]])
    results = []
    for loss in (reproducible.binary_crossentropy, keras.losses.binary_crossentropy):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            losses = loss(labels, keras.activations.sigmoid(logits))
        results.append((losses, tape.gradient(losses, logits)))
    for ours, keras_values in zip(*results, strict=True):
        np.testing.assert_allclose(ours, keras_values, rtol=1e-6, atol=1e-9)
    assert float(results[0][0][0]) == pytest.approx(60)


@pytest.mark.parametrize("layers", [[], [Layer()], [Layer(kernel_l1=0.0), Layer()]], ids=len)
def test_every_hidden_layer_is_penalized_and_without_any_the_output(layers: list[Layer]):
    """As Keras has it: of the kernel, and of the outputs of a review, averaged over the batch."""
    penalties = {"kernel_l1": 0.1, "kernel_l2": 0.2, "activity_l1": 0.3, "activity_l2": 0.4}
    model = network.build(make_recipe(**penalties, layers=layers), NUM_WORDS, seed=1)
    ((batch, _),) = network.batches(make_reviews(), NUM_WORDS, 50)
    outputs, expected = batch, 0.0
    for number, layer in enumerate(model.layers):
        outputs = layer(outputs)
        if number < max(len(layers), 1):
            l1 = 0.0 if len(layers) == 2 and number == 0 else 0.1
            kernel = layer.kernel.numpy()
            expected += l1 * abs(kernel).sum() + 0.2 * (kernel**2).sum()
            expected += (0.3 * abs(outputs.numpy()) + 0.4 * outputs.numpy() ** 2).sum() / 50
    model(batch)
    assert float(sum(model.losses)) == pytest.approx(expected, rel=1e-5)


def test_a_saved_network_has_no_penalty_on_a_kernel_with_the_scale_inside():
    recipe = make_recipe(naive_bayes_scaling=True, kernel_l2=0.5, layers=[Layer(), Layer()])
    for model, penalized in (
        (network.build(recipe, NUM_WORDS, 1, training=True), (0, 1)),
        (network.build(recipe, NUM_WORDS, 1, plain=True), (1,)),
    ):
        squares = [(model.layers[number].kernel.numpy() ** 2).sum() for number in penalized]
        assert float(sum(model.losses)) == pytest.approx(0.5 * sum(squares), rel=1e-5)


def test_a_prediction_takes_every_batch_and_the_loss_is_the_mean_over_the_reviews():
    reviews = make_reviews(2 * network.EVALUATION_BATCH + 76)
    recipe = make_recipe(loss="mean_squared_error", kernel_l2=0.1)
    model = network.build(recipe, NUM_WORDS, seed=1)
    batches = network.batches(reviews, NUM_WORDS, network.EVALUATION_BATCH)
    probabilities, loss = network.predict(model, batches)()
    kernel, bias, output_kernel, output_bias = model.get_weights()
    hidden = np.tanh(dense(reviews) @ kernel + bias)
    expected = 1 / (1 + np.exp(-(hidden @ output_kernel + output_bias).ravel()))
    np.testing.assert_allclose(probabilities, expected, rtol=1e-5)
    squared = ((expected - reviews.labels) ** 2).mean()
    assert loss == pytest.approx(squared + 0.1 * (kernel**2).sum(), rel=1e-5)


def test_steps_of_adam_are_those_of_keras():
    recipe, reviews = make_recipe(learning_rate=0.01), make_reviews()
    ours, keras_models = (network.build(recipe, NUM_WORDS, seed=1, plain=p) for p in (False, True))
    assert type(ours.optimizer) is sparse.FastAdam
    assert type(keras_models.optimizer) is keras.optimizers.Adam
    for model in (ours, keras_models):
        model.fit(network.batches(reviews, NUM_WORDS, 16), epochs=20, shuffle=False, verbose=0)
    before = network.build(recipe, NUM_WORDS, seed=1).get_weights()
    for a, b, c in zip(ours.get_weights(), keras_models.get_weights(), before, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
        assert abs(a - c).max() > 0.05


@pytest.mark.parametrize("scaling", [False, True], ids=["plain", "scaled"])
@pytest.mark.parametrize("layers", [[], [Layer()]], ids=["logistic", "hidden"])
def test_a_sparse_update_is_the_dense_formula_on_the_rows_of_the_batch(
    layers: list[Layer],
    scaling: bool,  # noqa: FBT001 - pytest passes it by name
):
    """As Kingma and Ba (2015) have Adam just before section 2.1; other rows stay as they are."""
    reviews, rate = make_reviews(80), 0.05
    scale = network.log_count_ratios(reviews, NUM_WORDS) if scaling else None
    recipe = make_recipe(
        layers=layers, sparse_updates=True, naive_bayes_scaling=scaling, learning_rate=rate
    )
    model = network.build(recipe, NUM_WORDS, 1, training=True)
    kernel = model.layers[0].kernel.numpy().astype(np.float64)
    before = kernel.copy()
    means, squares = np.zeros_like(kernel), np.zeros_like(kernel)
    seen = np.zeros(NUM_WORDS, dtype=bool)
    for step in range(1, 6):
        batch = reviews.between(2 * step, 2 * step + 2)  # a dozen of the 40 columns
        rows = np.unique(batch.values)
        slope = dense_gradient(model, batch, scale)[rows]
        means[rows] = 0.9 * means[rows] + 0.1 * slope
        squares[rows] = 0.999 * squares[rows] + 0.001 * slope**2
        now = rate * (1 - 0.999**step) ** 0.5 / (1 - 0.9**step)
        kernel[rows] -= now * means[rows] / (np.sqrt(squares[rows]) + 1e-7)
        ((inputs, labels),) = network.batches(batch, NUM_WORDS, 2, scale=scale)
        model.train_step((inputs, labels))
        np.testing.assert_allclose(model.layers[0].kernel, kernel, rtol=1e-4, atol=1e-6)
        seen[rows] = True
    assert 0 < seen.sum() < NUM_WORDS
    np.testing.assert_array_equal((model.layers[0].kernel.numpy() != before).any(axis=1), seen)


def dense_gradient(model: keras.Sequential, batch: Reviews, scale: Any) -> Any:
    """Of the loss with respect to the first kernel, as NumPy multiplies: (columns, units)."""
    inputs = dense(batch) * (1 if scale is None else scale)
    outputs = tf.constant(inputs @ model.layers[0].kernel.numpy()) + model.layers[0].bias
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        after = model.layers[0].activation(outputs)
        for layer in model.layers[1:]:
            after = layer(after)
        loss = model.compute_loss(y=batch.labels[:, None].astype(np.float32), y_pred=after)
    return inputs.T @ tape.gradient(loss, outputs).numpy()


def test_the_scale_is_the_naive_bayes_log_count_ratio():
    """Of four reviews, counted by hand: column 0 in both positive ones, column 3 in none."""
    rows = [[0, 1], [0, 2], [1, 2], [2]]
    reviews = Reviews(
        np.concatenate(rows).astype(np.uint8),
        np.cumsum([0, *map(len, rows)]),
        np.array([1, 1, 0, 0], np.uint8),
    )
    positive, negative = np.array([3, 2, 2, 1]) / 8, np.array([1, 2, 3, 1]) / 7
    expected = np.log(positive / negative) / 450**0.5
    expected[3] = 0
    np.testing.assert_allclose(network.log_count_ratios(reviews, 4), expected, rtol=1e-6)


def test_a_saved_network_predicts_what_the_network_with_the_scale_does():
    recipe = make_recipe(naive_bayes_scaling=True)
    scale = np.linspace(-2, 2, NUM_WORDS, dtype=np.float32)
    model = network.build(recipe, NUM_WORDS, 1, training=True)
    saved = network.with_keras_classes(model, recipe, NUM_WORDS, scale)
    ((scaled, _),) = network.batches(make_reviews(), NUM_WORDS, 50, scale=scale)
    ((batch, _),) = network.batches(make_reviews(), NUM_WORDS, 50)
    np.testing.assert_allclose(saved(batch), model(scaled), rtol=1e-5)


def test_a_fit_scales_by_the_reviews_that_it_is_trained_on():
    """It has the losses of a training on scaled values. A refit has the validation reviews too."""
    data, plain = make_data(), make_recipe(layers=[])
    validation, train_reviews = split_validation(data.training, 30)
    scaled = make_recipe(layers=[], naive_bayes_scaling=True, refit=True)
    trained = training.train(scaled, data, 1)
    for fit_, reviews in (("first", train_reviews), ("refit", data.training)):
        scale = network.log_count_ratios(reviews, NUM_WORDS)
        values, held_out = (replace(r, weights=scale[r.values]) for r in (reviews, validation))
        if fit_ == "refit":
            _, expected = training.fit(plain, NUM_WORDS, 1, 2, values, None)
        else:
            model, expected = training.fit(plain, NUM_WORDS, 1, 2, values, held_out)
            ((batch, _),) = network.batches(held_out, NUM_WORDS, 30)
            assert trained.validation is not None
            np.testing.assert_allclose(trained.validation, model(batch)[:, 0], rtol=1e-4)
        found = trained.history[trained.history["fit"] == fit_]
        np.testing.assert_allclose(found["loss"], expected["loss"], rtol=1e-4)


def test_a_refit_starts_again_on_all_reviews_for_as_many_epochs_as_were_best(load):
    """One is best here: the reviews that validate have the other label."""
    data = make_data()
    data.training.labels[:30] ^= 1
    validation, train_reviews = split_validation(data.training, 30)
    recipe = make_recipe(epochs=9, learning_rate=0.05, patience=2, refit=True)
    trained = training.train(recipe, data, 1)
    epochs = trained.history.groupby(["fit", "split"])["epoch"].max().to_dict()
    assert epochs == {("first", "train"): 3, ("first", "validation"): 3, ("refit", "train"): 1}
    on_all, _ = training.fit(recipe, NUM_WORDS, 1, 1, data.training, None)
    both = load(trained.archive).get_weights(), on_all.get_weights()
    for saved, expected in zip(*both, strict=True):
        np.testing.assert_array_equal(saved, expected)
    # What the validation reviews say is of the network that has not seen them.
    on_train, _ = training.fit(recipe, NUM_WORDS, 1, 1, train_reviews, None)
    ((batch, _),) = network.batches(validation, NUM_WORDS, 30)
    assert trained.validation is not None
    np.testing.assert_allclose(trained.validation, on_train(batch)[:, 0], rtol=1e-5)
    assert int(on_train.optimizer.iterations) == 4  # batches of 16, 16, 16 and 2 reviews


def test_no_step_of_training_makes_the_reviews_dense():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    reviews, num_words = make_reviews(512), 1_000_000  # as one dense batch: 2 GB
    training.fit(make_recipe(units=1, batch_size=512), num_words, 1, 2, reviews, reviews)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 200_000  # kB


def test_each_seed_starts_and_drops_differently():
    recipe = make_recipe(dropout=0.5, layers=[Layer(), Layer()])
    first, again, second = (network.build(recipe, NUM_WORDS, seed) for seed in (1, 1, 2))
    for a, b, c in zip(first.get_weights(), again.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
        assert (a != c).any() or not a.any()
    dropout_seeds = {layer.seed for layer in first.layers if hasattr(layer, "seed")}
    assert len(dropout_seeds) == 2


def test_each_parameter_takes_effect():
    changes = {"dropout": 0.5, "units": 64, "activation": "relu", "loss": "mse"}
    recipe = make_recipe(**changes, optimizer="SGD", learning_rate=0.25)
    model = network.build(recipe, NUM_WORDS, seed=1)
    hidden, dropout, _ = model.layers
    assert (dropout.rate, hidden.units, hidden.activation.__name__) == (0.5, 64, "relu")
    assert model.loss == "mse"
    assert type(model.optimizer) is keras.optimizers.SGD
    assert float(model.optimizer.learning_rate) == 0.25
    log_loss = network.build(make_recipe(loss="bce"), NUM_WORDS, seed=1)
    assert log_loss.loss is reproducible.binary_crossentropy


def test_early_stopping_keeps_the_epoch_with_the_lowest_validation_loss(load):
    recipe = make_recipe(epochs=200, learning_rate=0.1, patience=2)
    archive, history = fit(recipe)
    validation = history[history["split"] == "validation"].reset_index()
    best = validation["loss"].idxmin()
    assert len(validation) == best + 3 < 200
    assert validation.loc[validation["kept"] == 1, "epoch"].tolist() == [best + 1]
    held_out, _ = split_validation(make_data().training, 30)
    loss, accuracy = load(archive).evaluate(dense(held_out), held_out.labels, verbose=0)
    assert loss == pytest.approx(validation["loss"][best], rel=1e-5)
    assert accuracy == pytest.approx(validation["accuracy"][best])


TWICE = {"refit": True, "naive_bayes_scaling": True, "sparse_updates": True, "patience": 1}


@pytest.mark.parametrize("more", [{"kernel_l2": 0.01}, TWICE], ids=["once", "twice"])
def test_the_same_seed_gives_the_same_bytes_on_any_number_of_threads(more: dict[str, Any]):
    recipe = make_recipe(dropout=0.3, layers=[Layer(), Layer()], **more)
    archive, history = fit(recipe)
    again = training.train_all(recipe, make_data(), range(1, 4))
    assert again[0][0] == archive
    assert again[0][1].equals(history)
    assert len({trained.archive for trained in again}) == 3


@pytest.mark.parametrize("optimizer", ["adam", "schedulefreeadamw"])
def test_a_network_that_starts_again_remembers_nothing(optimizer: str):
    """Neither weights nor the state of the optimizer, nor how many reviews there were."""
    recipe = make_recipe(optimizer=optimizer, dropout=0.3, patience=1, kernel_l2=0.01)
    with ThreadPoolExecutor(1) as thread:  # one that has no network yet
        alone = thread.submit(training.train, recipe, make_data(200), 2).result()
    training.train(recipe, make_data(), 1)
    before = network.last.network
    again = training.train(recipe, make_data(200), 2)
    assert network.last.network is before
    assert again.archive == alone.archive
    assert again.history.equals(alone.history)


def test_a_saved_model_is_plain_keras(load):
    archive, _ = fit(make_recipe(dropout=0.3))
    model = load(archive)
    assert (model.name, model.inputs[0].name) == ("network", "review")
    assert [(type(layer), layer.name) for layer in model.layers] == [
        (keras.layers.Dense, "hidden_1"),
        (keras.layers.Dropout, "dropout_1"),
        (keras.layers.Dense, "output"),
    ]
    (batch, _), *_ = network.batches(make_reviews(), NUM_WORDS, 50)
    np.testing.assert_allclose(model(batch), model(dense(make_reviews())), atol=1e-6)
    with zipfile.ZipFile(io.BytesIO(archive)) as members:
        metadata, config = map(members.read, ("metadata.json", "config.json"))
        assert json.loads(metadata) == {"keras_version": keras.__version__, "date_saved": ""}
        assert b"stages" not in config
        assert b"workflow" not in config


def test_a_network_that_does_not_fit_into_memory_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """NumPy refuses what Keras wants to read, as under `ulimit -v`."""
    path, recipe = tmp_path / "seed-1.keras", make_recipe()
    path.write_bytes(fit(recipe)[0])
    model, plain = (network.build(recipe, NUM_WORDS, 1, plain=p) for p in (False, True))
    message = "Unable to allocate 28.5 MiB for an array with data type f4"
    refuse = Mock(side_effect=MemoryError(message))
    monkeypatch.setattr(keras.layers.Dense, "load_own_variables", refuse)
    with pytest.raises(MemoryError, match=f"^{message}$"):
        network.load_weights(model, plain, path)


def test_a_loss_that_is_not_finite_stops_with_a_sentence():
    sentence = r"in epoch 1 the loss became (nan|inf): a lower learning_rate or another loss or act"
    with pytest.raises(InputError, match=sentence):
        fit(make_recipe(optimizer="sgd", learning_rate=1e30, kernel_l2=1.0))


def test_what_keras_refuses_is_told_in_a_sentence():
    with pytest.raises(InputError, match="Keras cannot train this variant: "):
        fit(make_recipe(loss="ctc"))


def test_a_training_that_is_not_wanted_any_more_ends_early():
    notes = []

    def unwanted(note: str) -> bool:
        notes.append(note)
        return False

    history = training.train(make_recipe(epochs=50), make_data(), 1, unwanted).history
    assert list(history) == ["seed", "fit", "epoch", "split", "loss", "accuracy", "kept"]
    assert history["epoch"].max() == 1
    accuracy = history.loc[history["split"] == "validation", "accuracy"].item()
    assert notes == [f"validation accuracy {accuracy:.4f}"]


def test_a_log_has_a_line_of_progress_every_half_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    times = iter([0, 20, 31, 31, 50, 62, 62, 70])  # read twice where a line is printed
    monkeypatch.setattr("time.monotonic", lambda: next(times))
    with seeds.progress(120, "epoch") as step:
        for note in ("", "validation accuracy 0.8", "", "", "validation accuracy 0.9"):
            step(note)
    assert capsys.readouterr().err == (
        "  2 of 120 epochs: validation accuracy 0.8\n  4 of 120 epochs\n"
    )
