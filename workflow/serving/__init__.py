"""A trained variant applied to texts: in Python, and as a TensorFlow SavedModel.

Used by commands only.
"""
