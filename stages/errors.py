"""How a stage ends when its user can put things right: one sentence, no traceback."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

INTERRUPTED = 130  # what a shell reports for Ctrl-C; DVC records only a stage that ends with 0


class InputError(Exception):
    """Parameters or data that cannot be used; the message says which, why, and what would do."""


@contextmanager
def reading(what: str | Path, remedy: str = "") -> Iterator[None]:
    """Turn whatever goes wrong inside into an `InputError` about `what`, the file that is read.

    For parsing alone: of a damaged file, the parsers of YAML, zip, pickle, NumPy and pandas raise
    nearly any exception, and no list of them is complete.
    """
    try:
        yield
    except Exception as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise InputError(f"{what}: {reason}{remedy}") from error


def run(main: Callable[[], None]) -> None:
    """Call `main`; an `InputError` is printed to standard error and ends the process with 1."""
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
