"""The stages of the pipeline, one script each: what DVC runs.

No stage depends on this file, which changes nothing that a stage writes.
"""

import sys

from workflow.base.signals import exit_on_signal

if sys.argv[0] == "-m":  # a stage starts: before its imports, which may take seconds
    exit_on_signal()
