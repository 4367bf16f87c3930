"""How long the parts of a process take."""

import json
import time


class Clock:
    """Seconds from one lap to the next."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.last = time.perf_counter()

    def lap(self, part: str) -> None:
        now = time.perf_counter()
        self.seconds[part], self.last = now - self.last, now

    def print(self, **values: float) -> None:
        print(json.dumps(self.seconds | values))
