"""Recipes and the networks they describe: building, training, saving and applying them.

Used by the stages train and evaluate.
"""

import gc
import os

# TensorFlow and Keras read these when they are imported; results do not depend on who runs them.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # no notices about the processor
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # its sums depend on the processor
os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever keras.json says
os.environ["TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL"] = "0"  # nor its products

# Python looks for garbage after every 700 new objects by default. TensorFlow's import makes half a
# million, none of them garbage, and would be half a second longer.
gc.set_threshold(100_000)
