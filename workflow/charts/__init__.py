"""The pictures in plots/figures, drawn with Matplotlib: their style, intervals, learning curves.

Used by the stage plot.
"""
