"""The formats that a network can be exported to, each loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from archscope.build import Network


class Made(Struct, frozen=True):
    """An exported file, and how far its outputs were from the network's."""

    content: bytes
    difference: float


class Format(Struct, frozen=True):
    """One format; its module has `export(network, opset)`, which makes the file."""

    name: str
    module: str
    suffix: str
    about: str
    holds_weights: bool = True

    def exporter(self) -> Callable[[Network, int], Made]:
        """Return the function that makes the file."""
        function: Callable[[Network, int], Made]
        function = import_module(f"archscope.exporters.{self.module}").export
        return function


FORMATS = {
    one.name: one
    for one in (
        Format("torch", "torch_source", ".py", "Python source that needs only torch", False),
        Format("onnx", "onnx_model", ".onnx", "ONNX, for any batch"),
        Format("torchscript", "torchscript", ".pt", "TorchScript, traced"),
        Format("exported-program", "exported_program", ".pt2", "torch.export, for any batch"),
    )
}
OPSET = 20
"""Version of ONNX's operators, where none is asked for."""
