"""The style that the pictures in plots/figures share, drawn with Matplotlib.

Used by the stages curves and plot.
"""
