"""Blocks of params.yaml and of facts.json files, strictly checked."""

import reprlib
from collections.abc import Collection
from pathlib import Path
from typing import Any, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML

from workflow.base.errors import InputError, reading


class Block(BaseModel):
    """A block of settings: no conversions, no unknown keys, no NaN."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False, extra="forbid")


def one_of(choices: Collection[str]) -> AfterValidator:
    """What refuses a setting that is none of these; a Literal would quote each of them."""

    def check(name: str) -> str:
        if name not in choices:
            raise ValueError(f"expected one of {', '.join(choices)}")
        return name

    return AfterValidator(check)


def shortened(value: object) -> str:
    """The value as one writes it, shortened."""
    try:
        return reprlib.repr(value)
    except ValueError:  # Python writes no integer of more than 4300 digits
        return "a number of thousands of digits"


def read_yaml(path: Path) -> Any:
    """The content of a YAML file; InputError if it cannot be read."""
    with reading(f"{path} cannot be read"):
        return YAML(typ="safe", pure=True).load(path.read_text("utf-8"))


def validate(schema: type[Block], values: object, path: Path, renamed: dict[str, str]) -> Any:
    """The content of a file as a `schema`; `renamed` has the new names of old keys.

    Raises:
        InputError: a line for each mistake: the key, its value, what is allowed.
    """
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        lines = [f"{path}: {_line(schema, details, renamed)}" for details in error.errors()]
        raise InputError("\n       ".join(lines)) from None


def _line(schema: type[Block], error: ErrorDetails, renamed: dict[str, str]) -> str:
    key = ".".join(map(str, error["loc"]))[:200]
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "missing":
        return f"{key}: missing"
    if error["type"] == "extra_forbidden":
        name = str(error["loc"][-1])
        if name in renamed:
            return f"{key}: this key is now called {renamed[name]}"
        known = ", ".join(_keys(schema, error["loc"][:-1]))
        return f"{key}: unknown key ({shortened(error['input'])}); expected one of {known}"
    if isinstance(error["input"], dict):  # a rule about a whole block names the key itself
        return f"{key}: {message}" if key else message
    return f"{key}: {shortened(error['input'])} is not allowed: {message[0].lower()}{message[1:]}"


def _keys(schema: type[Block], place: tuple[int | str, ...]) -> list[str]:
    """The keys of the block at a place, which is reached through blocks, lists and mappings."""
    at: Any = schema
    for part in place:
        fields = getattr(at, "model_fields", None)
        at = fields[part].annotation if fields else _block(at)  # a list or a mapping of blocks
    return list(at.model_fields)


def _block(annotation: Any) -> type[Block] | None:
    """The first kind of block that a type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, Block):
        return annotation
    return next(filter(None, map(_block, get_args(annotation))), None)
