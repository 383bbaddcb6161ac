"""Definitions for the tests of Caffe, and the network of one."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

import archscope
from archscope.build import build
from archscope.importers.formats import Inputs
from archscope.ir import Graph
from archscope.sources import imported


def load(where: Path, text: str, input: Inputs = None) -> Graph:
    (where / "net.prototxt").write_text(text)
    return imported(str(where / "net.prototxt"), input).graph


def inputs(*shape: int) -> str:
    return 'input: "data" input_shape { ' + " ".join(f"dim: {n}" for n in shape) + " }\n"


def layer(kind: str, name: str, bottoms: str = "data", more: str = "", top: str = "") -> str:
    reads = " ".join(f'bottom: "{bottom}"' for bottom in bottoms.split())
    tops = " ".join(f'top: "{t}"' for t in (top or name).split())
    return f'layer {{ name: "{name}" type: "{kind}" {reads} {tops} {more} }}\n'


def conv(name: str, bottom: str, out: int, kernel: int, more: str = "") -> str:
    sizes = f"num_output: {out} kernel_size: {kernel} {more}"
    return layer("Convolution", name, bottom, f"convolution_param {{ {sizes} }}") + layer(
        "ReLU", f"{name}_relu", name, top=name
    )


def result(where: Path, text: str, *values: Tensor) -> Tensor:
    """Return what a network without weights computes, all of it in operators."""
    graph = load(where, text)
    assert not archscope.analyze(graph).opaque
    made = build(graph).eval()(*values)
    assert isinstance(made, Tensor)
    return made


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))
