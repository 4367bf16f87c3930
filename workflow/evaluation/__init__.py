"""How good a variant is, and whether a difference is a gain or noise: scores, significance, tables.

Used by the stages evaluate, compare and plot, and by the commands that compare results.
"""
