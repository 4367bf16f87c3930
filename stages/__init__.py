"""The stages of the pipeline, one script each: what DVC runs.

No stage depends on this file, which changes nothing that a stage writes.
"""

import os
import sys

from workflow.base.signals import exit_on_signal

# Read when a stage imports Matplotlib; the shell of a notebook names one that may not be there.
os.environ["MPLBACKEND"] = "agg"

if sys.argv[0] == "-m":  # a stage starts: before its imports, which may take seconds
    exit_on_signal()
