"""What pages of the manual take for granted: `python -m tests.samples mynet.py photos net.onnx`.

A module, pictures of two classes, and an ONNX file with an operator that nobody knows.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

MODULE = """\
from torch import nn


class MyNet(nn.Sequential):
    def __init__(self, classes=10):
        super().__init__(
            nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, classes),
        )
"""


def photos(folder: Path, side: int = 64, of_each: int = 40) -> None:
    """Write pictures of two classes: bright discs and squares on noise."""
    from PIL import Image

    random = np.random.default_rng(0)
    rows, columns = np.indices((side, side))
    for name in ("discs", "squares"):
        (folder / name).mkdir(parents=True)
        for index in range(of_each):
            y, x = random.uniform(side / 3, side / 1.5, 2)
            far = {"discs": np.hypot, "squares": np.maximum}[name](abs(rows - y), abs(columns - x))
            inside = far < random.uniform(side / 8, side / 4)
            pixels = random.integers(0, 120, (side, side, 3)) + 130 * inside[..., None]
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{index:03}.png")


def unknown_operator(path: Path) -> None:
    """Write a convolution and an operator of another domain, whose shape the file states."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def value(name: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 32, 32])

    nodes = [
        helper.make_node("Conv", ["image", "w"], ["y"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("DeformConv", ["y"], ["boxes"], "dc", domain="mmcv"),
    ]
    weight = numpy_helper.from_array(np.ones((3, 3, 3, 3), np.float32), "w")
    graph = helper.make_graph(nodes, path.stem, [value("image")], [value("boxes")], [weight])
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("mmcv", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets), path)


if __name__ == "__main__":
    for word in sys.argv[1:]:
        if word.endswith(".py"):
            Path(word).write_text(MODULE, encoding="utf-8")
        elif word.endswith(".onnx"):
            unknown_operator(Path(word))
        else:
            photos(Path(word))
