"""What a process measures itself with."""

import json
import resource
import statistics
import time
from itertools import pairwise


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
        """The last line is JSON, whatever was printed before."""
        self.facts["peak MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
        print(json.dumps(self.seconds | self.facts))


def median_step(ends: list[float]) -> float:
    """The seconds from the end of one epoch to that of the next."""
    return statistics.median(b - a for a, b in pairwise(ends))
