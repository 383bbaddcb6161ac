"""Networks, images and recipes that train in a moment."""

from __future__ import annotations

from typing import Any

from archscope import datasets, load
from archscope.datasets import Dataset
from archscope.ir import Graph
from archscope.train import Recipe

SMALL = "INPUT 1x8x8 -> CONV 6 -> RELU -> POOL -> FC 16 -> RELU -> FC 4"

DROPPING = """
input: [1, 8, 8]
layers:
  - conv: {out: 6, kernel: 3, padding: 1}
    then: [batchnorm, relu]
  - maxpool: 2
  - flatten
  - dropout: 0.3
  - linear: 4
"""
"""A network whose training depends on everything that a resumed run must bring back."""

HEADS = """
input: [1, 8, 8]
blocks:
  head: {layers: [flatten, {linear: 4}]}
layers:
  - conv: {out: 6, kernel: 3}
    then: relu
  - head: {}
    output: {name: aside, weight: 0.3, train_only: true}
  - head: {}
"""


def small() -> Graph:
    """Return a chain of a convolution and two linear layers."""
    return load(SMALL)


def images(**options: Any) -> Dataset:
    """Return 160 images of 1x8x8 in four classes to train with, and 40 to test with."""
    return datasets.load(
        "synthetic", **{"images": 160, "test": 40, "shape": "1x8x8", "noise": 0.3, **options}
    )


def quick(**knobs: Any) -> Recipe:
    """Return a recipe of two epochs of four steps."""
    return Recipe(**{"epochs": 2, "batch": 32, "log_every": 2, "validation": 0.2, **knobs})
