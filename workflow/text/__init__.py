"""From texts to word ranks: where reviews come from, the tokenizers, the vocabulary.

Used by the stage download, and by commands that take texts.
"""
