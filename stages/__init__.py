"""The stages of the pipeline, one script each, and the few modules they share."""

import os
import sys

from stages.errors import end_when_told

if sys.argv[0] == "-m":  # a stage begins: before the seconds that its imports take
    end_when_told()

# TensorFlow and Keras read these when they are imported; results do not depend on who runs them.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # no notices about the processor
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # its sums depend on the processor
os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever keras.json says
