"""Torch modules that `torch.nn` lacks, for operators that need one; a file for each family."""

from archscope.nn.layers import *  # noqa: F403
