"""The block compare of params.yaml."""

from typing import Annotated

from pydantic import Field

from workflow.base.schema import Block


class CompareParams(Block):
    """The variant that all others are compared with, and the smallest difference that matters."""

    reference: str
    min_effect: Annotated[float, Field(ge=0, lt=1)]
