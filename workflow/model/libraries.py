"""Keras and TensorFlow, set up so that the same commit gives the same bytes: import them from here.

It takes seconds.
"""

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

# TensorFlow and Keras read these when they are imported; results do not depend on who runs them.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # no notices about the processor
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # its sums depend on the processor
os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever keras.json says
os.environ["TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL"] = "0"  # nor its products

# Python looks for garbage after every 700 new objects by default. TensorFlow's import makes half a
# million, none of them garbage, and would be half a second longer.
gc.set_threshold(100_000)


@contextmanager
def without(*packages: str) -> Iterator[None]:
    """Imports in the body do not find these packages, unless they were imported before."""
    hidden = [name for name in packages if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment] # Python's way to say so
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


# Keras imports them where they are installed, for what is not used here: a third of its time.
with without("matplotlib", "sklearn"):
    import keras
    import tensorflow as tf

__all__ = ["keras", "tf"]

# Every operation is deterministic. Sums are not split among threads, so that their order is the
# same on any number of cores; the cores are used by training several seeds at once.
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.experimental.enable_op_determinism()
# It would turn x / sqrt(y) into x * rsqrt(y), an approximation in which processors differ.
tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})
tf.get_logger().setLevel("ERROR")  # one trace per network is intended
keras.config.set_floatx("float32")  # whatever keras.json says
gc.freeze()  # what was imported is never garbage: not looked at again, which also ends sooner

# The C library on Linux would keep the memory of kernels that are no longer used, of which each
# seed leaves several: six seeds of the candidate would need 2.5 GB instead of 1.6. With the second
# setting alone it would return what a step frees, and ask for it again in the next one.
with suppress(AttributeError):
    M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
    for setting in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
        ctypes.CDLL(None).mallopt(setting, 16_000_000)  # bytes
