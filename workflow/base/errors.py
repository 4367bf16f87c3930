"""How a process ends when it cannot go on: with one sentence if its user can fix the cause."""

import errno
import io
import lzma
import os
import sys
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ruamel.yaml.error import YAMLError

REFUSED = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)
INTERRUPTED = 130  # what a shell reports for Ctrl-C; DVC records only a stage that exits with 0
# What parsers raise on a damaged file. pandas, pydantic, orjson and NumPy raise ValueErrors; an
# archive without an expected member raises a KeyError.
PARSE_ERRORS = (
    OSError, ValueError, KeyError, EOFError, YAMLError,
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, tokenize.TokenError,
)  # fmt: skip


class InputError(Exception):
    """Parameters or data that cannot be used; the message says which, why, and what would do."""


@contextmanager
def reading(
    what: str | Path, hint: str = "", errors: tuple[type[Exception], ...] = PARSE_ERRORS
) -> Iterator[None]:
    """Turn the errors of a parser into an `InputError` about `what`, the file that is read.

    For parsing and checking alone: any other exception is a bug, and keeps its traceback.
    """
    try:
        yield
    except MemoryError:
        raise
    except errors as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise InputError(f"{what}: {reason}{hint}") from error


def run(main: Callable[[], None]) -> None:
    """Call `main`; print an error that its user can fix to standard error, and exit with 1.

    Printing never costs a result: a character that the output's encoding lacks becomes a question
    mark, and a reader that has closed the pipe misses the rest.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
    except MemoryError as error:
        sys.exit(f"error: not enough memory: {str(error) or 'an allocation failed'}")
    except BrokenPipeError:
        pass
    except OSError as error:
        hint = ": free disk space or grant access, then try again" if error.errno in REFUSED else ""
        sys.exit(f"error: {error}{hint}")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    finally:
        try:
            if sys.stdout:  # there is none if it was closed before the start
                sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def warn(message: str) -> None:
    """Print what is not a result."""
    print(message, file=sys.stderr, flush=True)
