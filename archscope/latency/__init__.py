"""Predicted latency: the kernels of a network, and profiles of kernel times on a machine."""
