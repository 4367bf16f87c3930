"""Blocks of params.yaml, strictly checked, and YAML read in bounded time and memory."""

import reprlib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.events import AliasEvent

from workflow.errors import reading

LARGEST_FILE = 100_000  # bytes; reading so many takes a second or two


class Block(BaseModel):
    """A block of params.yaml: no conversions, no unknown keys, no NaN."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _know_every_key(cls, values: object) -> object:
        if isinstance(values, dict):
            for key in values.keys() - cls.model_fields.keys():
                known = ", ".join(cls.model_fields)
                raise ValueError(
                    f"unknown key {str(key)[:100]} ({shown(values[key])}); the keys are {known}"
                )
        return values


def shown(value: object) -> str:
    """The value as one writes it, shortened."""
    try:
        return reprlib.repr(value)
    except ValueError:  # Python writes no integer of more than 4300 digits
        return "a number of thousands of digits"


def read_yaml(path: Path) -> Any:
    """What the file says; InputError if it cannot be read."""
    with reading(f"{path} cannot be read"):
        return parse(path.read_bytes())


def parse(content: bytes) -> Any:
    if len(content) > LARGEST_FILE:
        raise ValueError(f"it has {len(content):,} bytes, more than {LARGEST_FILE:,}")
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer = WithoutAliases
    return yaml.load(content.decode("utf-8"))


class WithoutAliases(Composer):
    """Refuses aliases: a few lines of nested ones can stand for billions of values."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.parser.check_event(AliasEvent):
            alias = self.parser.peek_event()
            line = alias.start_mark.line + 1
            raise ValueError(f"line {line}: write out what *{alias.anchor} stands for")
        return super().compose_node(parent, index)
