"""The seeds of a variant: trained side by side, in threads or on a Dask cluster, and summed up."""

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, CancelledError, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from tqdm import tqdm

from workflow.base.errors import InputError

CLUSTER = "DASK_SCHEDULER_ADDRESS"  # Dask's own name for it
CONNECT_SECONDS = 10

Result = TypeVar("Result")
Report = Callable[[str], bool]  # says how an epoch went; False: the training is to end


def for_every_seed(
    task: Callable[..., Result], data: Any, seeds: range, epochs: int
) -> list[Result]:
    """`task(data, seed)`, or with `report=…`, for each seed; the results in order of the seeds.

    `epochs` is how many times a task reports at most.
    """
    if CLUSTER in os.environ:
        with tqdm(total=len(seeds), unit="seed", disable=None) as bar:
            return on_cluster(task, data, seeds, bar)
    with tqdm(total=len(seeds) * epochs, unit="epoch", disable=None) as bar:
        return in_threads(task, data, seeds, bar)


def in_threads(
    task: Callable[..., Result], data: Any, seeds: range, bar: "tqdm[Any]"
) -> list[Result]:
    """As many seeds at once as there are processors.

    Processes were no faster, and each needs TensorFlow's memory.
    """
    stop = threading.Event()

    def report(note: str) -> bool:
        bar.update()
        bar.set_postfix_str(note)
        return not stop.is_set()

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            futures = [pool.submit(task, data, seed, report=report) for seed in seeds]
            waiting = set(futures)
            while waiting:  # a signal that one of TensorFlow's threads gets does not end a wait
                done, waiting = wait(waiting, timeout=1, return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()
            return [future.result() for future in futures]
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def on_cluster(
    task: Callable[..., Result], data: Any, seeds: range, bar: "tqdm[Any]"
) -> list[Result]:
    """Each seed wherever Dask puts it; one whose worker is lost is trained elsewhere.

    The data go to each worker once.

    Raises:
        InputError: Dask is not installed, its scheduler cannot be reached or is lost, or its
            processes cannot import the stages.
    """
    address = os.environ[CLUSTER]
    try:
        from distributed import Client, KilledWorker, as_completed  # noqa: PLC0415 - an extra

        # What goes wrong is said below. The import sets the level, too.
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
        client = Client(address, timeout=CONNECT_SECONDS)
    except ImportError:
        raise InputError(f"{CLUSTER} is set, but the extra dask is not installed") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{CLUSTER}: no Dask scheduler at {address}: {error}") from None
    try:
        with client:
            # Hashed, they would be recognized as sent before; that takes longer than it saves.
            try:
                (shared,) = client.scatter([data], broadcast=True, hash=False)
            except Exception as error:  # a bare one, if a worker cannot read what is sent
                raise ImportError(str(error)) from error
            futures = client.map(task, [shared] * len(seeds), seeds, pure=False)
            for _ in as_completed(futures):
                bar.update()
            return client.gather(futures)  # type: ignore[no-any-return]
    except (KilledWorker, CancelledError, ImportError, RuntimeError) as error:
        raise InputError(
            f"{CLUSTER}: {address} did not train all seeds: {error}; do scheduler and workers run, "
            "each in a checkout of this commit with PYTHONPATH=.?"
        ) from None
