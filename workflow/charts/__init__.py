"""The style that the pictures in plots/figures share, drawn with Matplotlib.

Used by the stages curves and plot.
"""

import os

os.environ["MPLBACKEND"] = (
    "agg"  # read when Matplotlib is imported; a notebook's shell sets another
)
