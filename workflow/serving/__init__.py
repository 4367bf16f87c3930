"""A trained variant applied to texts: in Python, and as a TensorFlow SavedModel.

Used by commands only.
"""

import workflow.model  # noqa: F401 - its environment variables, before TensorFlow is imported
