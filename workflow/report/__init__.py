"""What commands report about results: revisions compared, errors analysed, the model card.

Used by commands only.
"""
