"""Flat graphs -> blocks and repeats, as a person would write them."""
