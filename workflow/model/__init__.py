"""Recipes and the networks they describe: building, training, saving and applying them.

Used by the stages train and evaluate.
"""
