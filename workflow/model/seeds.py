"""The seeds of a variant, trained side by side: in threads, or on a Dask cluster."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, CancelledError, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, TypeVar

from tqdm import tqdm

from workflow.base.errors import InputError, warn

CLUSTER = "DASK_SCHEDULER_ADDRESS"  # Dask's own name for it
CONNECT_SECONDS = 10
ATTEMPTS = 3  # if a cluster loses the workers that hold the data
LOG_SECONDS = 30  # between two lines of progress if there is no terminal

Result = TypeVar("Result")
Report = Callable[[str], bool]  # called after each epoch; False: the training is to end


@contextmanager
def progress(total: int, unit: str) -> Iterator[Callable[[str], None]]:
    """A progress bar on a terminal; in a log, a line every half minute.

    Yields a function that is called with a note when one more is done.
    """
    done, logged = 0, time.monotonic()
    with tqdm(total=total, unit=unit, disable=None) as bar:

        def step(note: str) -> None:
            nonlocal done, logged
            done += 1
            if not bar.disable:
                bar.set_postfix_str(note, refresh=False)
                bar.update()
            elif time.monotonic() - logged >= LOG_SECONDS:
                logged = time.monotonic()
                warn(f"  {done} of {total} {unit}s{note and f': {note}'}")

        yield step


def for_every_seed(
    task: Callable[..., Result], data: Any, seeds: range, epochs: int
) -> list[Result]:
    """`task(data, seed)`, or with `report=…`, for each seed; the results in order of the seeds.

    `epochs` is the maximum number of reports of a task.
    """
    if CLUSTER in os.environ:
        with progress(len(seeds), "seed") as step:
            return on_cluster(task, data, seeds, step)
    with progress(len(seeds) * epochs, "epoch") as step:
        return in_threads(task, data, seeds, step)


def in_threads(
    task: Callable[..., Result], data: Any, seeds: range, step: Callable[[str], None]
) -> list[Result]:
    """As many seeds at once as there are processors.

    Processes were no faster, and each needs TensorFlow's memory.
    """
    stop = threading.Event()

    def report(note: str) -> bool:
        step(note)
        return not stop.is_set()

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            futures = [pool.submit(task, data, seed, report=report) for seed in seeds]
            waiting = set(futures)
            while waiting:  # a signal that one of TensorFlow's threads receives does not end a wait
                done, waiting = wait(waiting, timeout=1, return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()
            return [future.result() for future in futures]
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def on_cluster(
    task: Callable[..., Result], data: Any, seeds: range, step: Callable[[str], None]
) -> list[Result]:
    """Each seed on a worker that Dask chooses; if that is lost, on another one.

    The data go to each worker once, and again if all workers that hold them are lost.

    Raises:
        InputError: Dask is not installed, its scheduler cannot be reached or is lost, or its
            processes cannot import the stages.
    """
    address = os.environ[CLUSTER]
    try:
        from distributed import Client, KilledWorker, as_completed  # noqa: PLC0415 - an extra

        # Errors are reported below. The import sets the level, too.
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
        client = Client(address, timeout=CONNECT_SECONDS)
    except ImportError:
        raise InputError(f"{CLUSTER} is set, but the extra dask is not installed") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{CLUSTER}: no Dask scheduler at {address}: {error}") from None
    results: dict[int, Result] = {}
    failure: Exception | None = None
    with client:
        for _ in range(ATTEMPTS):
            missing = [seed for seed in seeds if seed not in results]
            try:
                shared = send(client, data)
                futures = client.map(task, [shared] * len(missing), missing, pure=False)
                seed_of = dict(zip(futures, missing, strict=True))
                for future in as_completed(futures):
                    results[seed_of[future]] = future.result()
                    step(f"seed {seed_of[future]}")
                return [results[seed] for seed in seeds]
            except CancelledError as error:
                failure = error
            except (KilledWorker, ImportError, RuntimeError) as error:
                failure = error
                break
    raise InputError(
        f"{CLUSTER}: {address} did not train all seeds: {failure}; check that scheduler and "
        "workers run, each in an environment where this commit of the project is installed"
    )


def send(client: Any, data: Any) -> Any:
    """`data` on every worker, as a future; ImportError if a worker cannot unpickle it."""
    try:
        # Hashed, they would be recognized if sent again, which takes longer than it saves.
        (shared,) = client.scatter([data], broadcast=True, hash=False)
    except CancelledError:
        raise
    except Exception as error:  # Dask raises a bare one
        raise ImportError(str(error)) from error
    return shared
