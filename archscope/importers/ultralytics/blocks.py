"""The elements of the building blocks of YOLO models: functions that add layers after a node.

Nodes are named as the modules of the frameworks: `model.2.cv1.conv`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from math import gcd
from typing import Any

from archscope.errors import quoted
from archscope.importers.file_graph import FileGraph
from archscope.importers.ultralytics.model_file import ModelFile
from archscope.ir import Shape

ACTIVATION = re.compile(r"(?:torch\.)?nn\.(\w+)\(([^()]*)\)")
WORDS = {
    "SiLU": "silu", "ReLU": "relu", "ReLU6": "relu6", "Hardswish": "hardswish", "GELU": "gelu",
    "Sigmoid": "sigmoid", "Tanh": "tanh", "ELU": "elu", "Identity": "", "LeakyReLU": "leaky_relu",
    "Softplus": "softplus", "Hardsigmoid": "hardsigmoid",
}  # fmt: skip

Side = int | Sequence[int]


class Blocks:
    """The graph under construction, and settings that the modules of a file share."""

    def __init__(self, found: ModelFile) -> None:
        self.found = found
        self.made = FileGraph(found.path)
        self.line = 1

    def add(self, title: str, word: str, *inputs: str, **given: Any) -> str:
        """Add an operator."""
        return self.made.add(title, self.line, word, inputs, **given)

    def shape(self, node: str) -> Shape:
        """Return the output shape of a node."""
        return self.made.shape(node)

    def channels(self, node: str) -> int:
        """Return the output channels of a node."""
        return self.made.shape(node)[0]

    def activation(self, path: str, node: str, act: object) -> str:
        """Add an activation: the default for True, none for False, or one of torch by name."""
        text = self.found.activation if act is True else act
        if not text or text is None:
            return node
        found = ACTIVATION.fullmatch(text) if isinstance(text, str) else None
        if found and found[1] == "Mish":
            gate = self.add(f"{path}.softplus", "softplus", node)
            gate = self.add(f"{path}.tanh", "tanh", gate)
            return self.add(f"{path}.act", "mul", node, gate)
        if found is None or found[1] not in WORDS:
            raise self.made.error(f"unknown activation {quoted(text)}", self.line)
        given: dict[str, Any] = {}
        number = re.search(r"(?:^|negative_slope\s*=\s*|\s)([\d.]+)", found[2])
        if number and found[1] == "LeakyReLU":
            given["slope"] = float(number[1])
        word = WORDS[found[1]]
        return self.add(f"{path}.act", word, node, **given) if word else node


def conv(
    net: Blocks, path: str, x: str, c2: int, k: Side = 1, s: int = 1, p: Side | None = None,
    g: int = 1, d: Any = 1, act: object = True,
) -> str:  # fmt: skip
    """Add a convolution that keeps the size up to its stride, a batch norm and an activation."""
    if net.found.early:  # their sixth argument is the activation
        d, act = (1, d) if not isinstance(d, int) or isinstance(d, bool) else (d, act)
    node = net.add(
        f"{path}.conv", "conv", x, out=c2, kernel=_sides(k), stride=s, groups=g, dilation=d,
        padding=_kept(k, d) if p is None else _sides(p), bias=False,
    )  # fmt: skip
    node = net.add(f"{path}.bn", "batchnorm", node, eps=0.001, momentum=0.03)
    return net.activation(path, node, act)


def _sides(k: Side) -> Any:
    return tuple(k) if isinstance(k, list | tuple) else k


def _kept(k: Side, d: int) -> Any:
    """Return the padding that keeps the size."""
    if not isinstance(k, int):
        return tuple((d * (side - 1) + 1) // 2 for side in k)
    return (d * (k - 1) + 1) // 2


def dwconv(
    net: Blocks, path: str, x: str, c2: int, k: int = 1, s: int = 1, d: int = 1, act: object = True
) -> str:
    """Add a depthwise convolution."""
    groups = gcd(net.channels(x), c2)
    return conv(net, path, x, c2, k, s, None, groups, 1 if net.found.early else d, act)


def plain(net: Blocks, path: str, x: str, c2: int, k: int = 1, s: int = 1, p: int = 0) -> str:
    """Add a convolution with a bias, without norm and activation."""
    return net.add(path, "conv", x, out=c2, kernel=k, stride=s, padding=p)


def concat(net: Blocks, path: str, *nodes: str) -> str:
    """Add the concatenation of nodes."""
    return net.add(f"{path}.cat", "concat", *nodes)


def halves(net: Blocks, path: str, node: str, size: int) -> list[str]:
    """Add the two halves of a node's channels."""
    return [
        net.add(f"{path}.split", "slice", node, start=start, stop=start + size)
        for start in (0, size)
    ]


def chain(net: Blocks, path: str, x: str, n: int, block: Callable[[str, str], str]) -> list[str]:
    """Add `n` consecutive blocks and return all nodes, `x` first."""
    nodes = [x]
    for place in range(n):
        nodes.append(block(f"{path}.m.{place}", nodes[-1]))
    return nodes


def pooled(net: Blocks, path: str, x: str, k: int, s: int = 1) -> str:
    """Add maximum pooling that keeps the size."""
    return net.add(path, "maxpool", x, kernel=k, stride=s, padding=k // 2)
