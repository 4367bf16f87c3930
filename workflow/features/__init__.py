"""From word ranks to the columns of a network's input: multi-hot vectors and n-grams.

Used by the stage vectorize, and by commands that take texts.
"""
