"""How a process ends when it cannot go on: with one sentence where its user can mend it."""

import errno
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

REFUSED = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)
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
    """Call `main`; what its user can mend is printed to standard error and ends it with 1.

    What is printed never costs a result: a character that the output's encoding does not have
    becomes a question mark, and a reader that has closed the pipe misses the rest.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
    except BrokenPipeError:
        pass
    except OSError as error:
        remedy = ": make room or give access, then try again" if error.errno in REFUSED else ""
        sys.exit(f"error: {error}{remedy}")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    finally:
        try:
            if sys.stdout:  # there is none where it was closed before the start
                sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def end_when_told() -> None:
    """End this process, cleaning up, on Ctrl-C, on SIGTERM and when the DVC that runs it ends."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup and a script's & want it
            signal.signal(number, lambda number, _: sys.exit(128 + number))
    if "DVC_STAGE" in os.environ:
        threading.Thread(target=follow_dvc, daemon=True).start()


def follow_dvc() -> None:
    """A result that no DVC records is no use, and the next `dvc repro` would train beside us."""
    above = psutil.Process().parents()
    if above and "stages." in "".join(above[0].cmdline()[-1:]):
        del above[0]  # a shell that waits for its only command
    if above and (above[0].pid > 1 or "dvc" in "".join(above[0].cmdline())):
        with suppress(psutil.NoSuchProcess):
            while above[0].is_running() and above[0].status() != psutil.STATUS_ZOMBIE:
                time.sleep(1)
    # Else DVC has ended already, and the first process of the system is in its place.
    os.kill(os.getpid(), signal.SIGTERM)


def say(message: str) -> None:
    """Tell the user what is not a result."""
    print(message, file=sys.stderr, flush=True)
