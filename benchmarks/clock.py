"""What both ways are measured with."""

import json
import resource
import statistics
import time
from typing import Any


class Clock:
    """Seconds from one lap to the next, and what else is worth knowing."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.facts: dict[str, float] = {}
        self.restart()

    def restart(self) -> None:
        self.last = time.perf_counter()

    def lap(self, part: str) -> None:
        self.seconds[part] = time.perf_counter() - self.last
        self.restart()

    def print(self) -> None:
        self.facts["peak MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(self.seconds | self.facts))


def epoch_times() -> Any:
    """A Keras callback whose `median` is the seconds from the end of one epoch to the next."""
    import keras  # noqa: PLC0415  # not before the clock of the imports runs

    class EpochTimes(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
            self.ends: list[float] = []

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            self.ends.append(time.perf_counter())

        def median(self) -> float:
            return statistics.median(b - a for a, b in zip(self.ends, self.ends[1:], strict=False))

    return EpochTimes()
