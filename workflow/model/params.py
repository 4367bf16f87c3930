"""The recipes in params.yaml, each an architecture and how it is trained; and its block train."""

import itertools
from typing import Annotated

from pydantic import AfterValidator, Field

from workflow.base.schema import Block, one_of

MAX_WEIGHTS = 100_000_000  # of one network: 400 MB; an optimizer may need twice as much again

# The names Keras accepts, written out because asking Keras costs the import of TensorFlow in
# every stage; a test compares them with Keras's own tables.
ACTIVATIONS = """
    celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh
    leaky_relu linear log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink
    softmax softplus softsign sparse_plus sparse_sigmoid sparsemax squareplus swish tanh
    tanh_shrink threshold
""".split()
OPTIMIZERS = """
    adadelta adafactor adagrad adam adamax adamw ftrl lion muon nadam rmsprop schedulefreeadamw sgd
""".split()
LOSSES = """
    BCE BinaryCrossentropy BinaryFocalCrossentropy CTC CategoricalCrossentropy
    CategoricalFocalCrossentropy CategoricalHinge Circle CosineSimilarity Dice Hinge Huber
    KLD KLDivergence LogCosh MAE MAPE MSE MSLE MeanAbsoluteError MeanAbsolutePercentageError
    MeanSquaredError MeanSquaredLogarithmicError Poisson SparseCategoricalCrossentropy
    SquaredHinge Tversky bce binary_crossentropy binary_focal_crossentropy
    categorical_crossentropy categorical_focal_crossentropy categorical_hinge circle
    cosine_similarity ctc dice hinge huber kl_divergence kld log_cosh mae mape
    mean_absolute_error mean_absolute_percentage_error mean_squared_error
    mean_squared_logarithmic_error mse msle poisson sparse_categorical_crossentropy
    squared_hinge tversky
""".split()


Activation = Annotated[str, one_of(ACTIVATIONS)]
Optimizer = Annotated[str, AfterValidator(str.lower), one_of(OPTIMIZERS)]  # as Keras: any case
Loss = Annotated[str, one_of(LOSSES)]
Units = Annotated[int, Field(ge=1, le=65_536)]
Dropout = Annotated[float, Field(ge=0, lt=1)]
Penalty = Annotated[float, Field(ge=0)]


class TrainParams(Block):
    """How many times each variant is trained, with the seeds first_seed, first_seed + 1, …"""

    seeds: Annotated[int, Field(ge=1, le=1000)]
    first_seed: Annotated[int, Field(ge=0, lt=2**31)]

    @property
    def all_seeds(self) -> range:
        return range(self.first_seed, self.first_seed + self.seeds)


class Layer(Block):
    """A hidden layer; a setting that is None here is taken from the recipe."""

    units: Units | None = None
    activation: Activation | None = None
    dropout: Dropout | None = None
    kernel_l1: Penalty | None = None
    kernel_l2: Penalty | None = None
    activity_l1: Penalty | None = None
    activity_l2: Penalty | None = None


PENALTIES = ("kernel_l1", "kernel_l2", "activity_l1", "activity_l2")


class Recipe(Block):
    """An architecture and how it is trained."""

    layers: Annotated[list[Layer], Field(max_length=32)]  # none: logistic regression
    units: Units
    activation: Activation
    dropout: Dropout = 0.0
    kernel_l1: Penalty = 0.0
    kernel_l2: Penalty = 0.0
    activity_l1: Penalty = 0.0
    activity_l2: Penalty = 0.0
    optimizer: Optimizer
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    loss: Loss
    epochs: Annotated[int, Field(ge=1, le=10_000)]
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)]
    patience: Annotated[int, Field(ge=1)] | None = None
    naive_bayes_scaling: bool = False
    sparse_updates: bool = False
    refit: bool = False

    @property
    def hidden_layers(self) -> list[Layer]:
        """The layers with nothing left unset."""
        shared = self.model_dump(include=set(Layer.model_fields))
        return [Layer(**shared | layer.model_dump(exclude_none=True)) for layer in self.layers]

    @property
    def output_layer(self) -> Layer:
        """The sigmoid unit; without hidden layers it has the penalties of the recipe."""
        penalties = {} if self.layers else {name: getattr(self, name) for name in PENALTIES}
        return Layer(units=1, activation="sigmoid", **penalties)

    @property
    def penalties(self) -> list[list[float]]:
        """The PENALTIES of each layer that has any: parts of the loss."""
        layers = [*self.hidden_layers, self.output_layer]
        rows = [[getattr(layer, name) or 0.0 for name in PENALTIES] for layer in layers]
        return [row for row in rows if any(row)]

    def check_size(self, place: str, columns: int) -> None:
        """ValueError if a network with so many input columns would not fit into memory."""
        units = [layer.units or self.units for layer in self.layers]
        weights = sum(a * b for a, b in itertools.pairwise([columns, *units, 1]))
        if weights > MAX_WEIGHTS:
            raise ValueError(
                f"{place}: {weights:,} weights are more than {MAX_WEIGHTS:,}; fewer units or "
                "fewer columns in features"
            )
