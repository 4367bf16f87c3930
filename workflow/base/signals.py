"""How a stage ends early: on a signal, or with the DVC process that runs it."""

import os
import signal
import sys
import threading
import time
from contextlib import suppress

import psutil

GRACE = 5  # seconds in which a stage may clean up after its parent has ended


def exit_on_signal() -> None:
    """Exit, cleaning up, on Ctrl-C, on SIGTERM and when the DVC that runs this stage ends."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:  # ignored under nohup and a script's &
            signal.signal(number, lambda number, _: sys.exit(128 + number))
    if "DVC_STAGE" in os.environ:
        threading.Thread(target=exit_with_parent, daemon=True).start()


def exit_with_parent() -> None:
    """Exit when DVC ends: nobody records the result, and the next `dvc repro` would compete."""
    above = psutil.Process().parents()
    if above and "stages." in "".join(above[0].cmdline()[-1:]):
        del above[0]  # a shell that waits for its only command
    # If DVC has ended already, the first process of the system is in its place.
    adopted = not above or (above[0].pid == 1 and os.getsid(0) != os.getsid(1))
    if not adopted:
        with suppress(psutil.NoSuchProcess):
            while above[0].is_running() and above[0].status() != psutil.STATUS_ZOMBIE:
                time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)  # the main thread may be inside TensorFlow, which no signal interrupts
    os._exit(128 + signal.SIGTERM)
