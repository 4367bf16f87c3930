"""The stages of the pipeline, one script each, and the few modules they share."""

import os
import sys

from stages.errors import end_when_told

if sys.argv[0] == "-m":  # a stage begins: before the seconds that its imports take
    end_when_told()

# TensorFlow reads these when it is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # no notices about the processor
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # its sums depend on the processor
