"""How a stage ends when its user can put things right: one sentence, no traceback."""

import sys
from collections.abc import Callable

INTERRUPTED = 130  # what a shell reports for Ctrl-C; DVC records only a stage that ends with 0


class InputError(Exception):
    """Parameters or data that cannot be used; the message says which, why, and what would do."""


def run(main: Callable[[], None]) -> None:
    """Call `main`; an `InputError` is printed to standard error and ends the process with 1."""
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
