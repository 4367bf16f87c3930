"""Recipes in params.yaml: an architecture, and how it is trained."""

import itertools
from typing import Annotated

from pydantic import AfterValidator, Field

from workflow.block import Block

MOST_WEIGHTS = 100_000_000  # of one network: 400 MB, and an optimizer may keep as much twice more

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


def _one_of(choices: list[str]) -> AfterValidator:
    def check(name: str) -> str:
        if name not in choices:
            raise ValueError(f"Keras knows {', '.join(choices)}")
        return name

    return AfterValidator(check)


Activation = Annotated[str, _one_of(ACTIVATIONS)]
Optimizer = Annotated[str, AfterValidator(str.lower), _one_of(OPTIMIZERS)]  # as Keras: any case
Loss = Annotated[str, _one_of(LOSSES)]
Units = Annotated[int, Field(ge=1, le=65_536)]
Dropout = Annotated[float, Field(ge=0, lt=1)]
Penalty = Annotated[float, Field(ge=0)]


class Layer(Block):
    """A hidden layer; what is None here is taken from the recipe."""

    units: Units | None = None
    activation: Activation | None = None
    dropout: Dropout | None = None
    kernel_l1: Penalty | None = None
    kernel_l2: Penalty | None = None
    activity_l1: Penalty | None = None
    activity_l2: Penalty | None = None


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
    naive_bayes: bool = False
    initial_scale: Annotated[float, Field(gt=0, le=1000)] | None = None
    lazy: bool = False
    refit: bool = False

    @property
    def hidden_layers(self) -> list[Layer]:
        """The layers with nothing left unset."""
        own = [layer.model_dump(exclude_none=True) for layer in self.layers]
        shared = self.model_dump(include=set(Layer.model_fields))
        return [Layer(**shared | layer) for layer in own]

    def check_size(self, place: str, columns: int) -> None:
        """ValueError if the network would not fit into memory."""
        units = [layer.units or self.units for layer in self.layers]
        weights = sum(a * b for a, b in itertools.pairwise([columns, *units, 1]))
        if weights > MOST_WEIGHTS:
            raise ValueError(
                f"{place}: {weights:,} weights are more than {MOST_WEIGHTS:,}; fewer units or "
                "fewer columns in features"
            )
