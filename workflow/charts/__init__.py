"""The pictures in plots/figures, drawn with Matplotlib: their style, and the learning curves.

Used by the stage plot.
"""
