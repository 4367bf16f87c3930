"""A stage, timed without what it imports: as another program is whose parts are functions.

usage   python -m benchmarks.stage STAGE [ITEM]
prints  JSON: the seconds, the peak memory
"""

import importlib
import sys

from benchmarks.clock import Clock

_, name, *item = sys.argv
stage = importlib.import_module(f"stages.{name}")
sys.argv = [f"stages.{name}", *item]
clock = Clock()
stage.main()
clock.lap("seconds")
clock.print()
