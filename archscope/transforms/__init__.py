"""Transforms from a graph to another graph, one per file."""
