"""Predicted latency: the kernels of a network, and profiles of what kernels take on a machine."""
