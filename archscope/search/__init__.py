"""Choosing between networks: how large a space is, what fits a budget, and how to draw from it."""
