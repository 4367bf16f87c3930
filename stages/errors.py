"""How a stage ends when it cannot go on: quietly, with one sentence where its user can mend it."""

import os
import signal
import sys
import threading
from collections.abc import Callable

import psutil  # type: ignore[import-untyped]

INTERRUPTED = 130  # what a shell reports for Ctrl-C; DVC records only a stage that ends with 0


class InputError(Exception):
    """Parameters or data that cannot be used; the message says which, why, and what would do."""


def run(main: Callable[[], None]) -> None:
    """Call `main`; what its user can mend is printed to standard error and ends it with 1."""
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {error}: make room or give access, then try again")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def end_when_told() -> None:
    """End this process, cleaning up, on Ctrl-C, on SIGTERM and when the DVC that runs it ends."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup and a script's & want it
            signal.signal(number, lambda number, _: sys.exit(128 + number))
    if "DVC_STAGE" in os.environ:
        threading.Thread(target=follow_dvc, daemon=True).start()


def follow_dvc() -> None:
    """A result that no DVC records is no use, and the next `dvc repro` would train beside us."""
    dvc, *above = psutil.Process().parents()
    if "stages." in "".join(dvc.cmdline()[-1:]):  # a shell that waits for its only command
        dvc = above[0]
    dvc.wait()
    os.kill(os.getpid(), signal.SIGTERM)
