"""Writes a graph as Python source of a torch module that looks handwritten."""
