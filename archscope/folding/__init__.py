"""Folds flat graphs into blocks and repeats, as a person would write them."""
