"""Transforms of a graph into another graph, one in each file."""
