"""The formats that a network can be exported to, each imported when it is needed.

To add a format, write a module in this folder with the functions `export` and `load` described in
`Format`, and add a line to `FORMATS`. `tests/exporters/test_contract.py` then tests it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from archscope.plugins.registry import Registry, stated

if TYPE_CHECKING:
    from torch import Tensor

    from archscope.build import Network

    Outputs = Tensor | Mapping[str, Tensor]
    """What a network returns: a tensor, or several by name."""


class Format(Struct, frozen=True):
    """An export format, and the module with the functions that write and run its files."""

    name: str
    module: str  # in this folder; the `__name__` of a plug-in's own module
    suffix: str
    about: str
    holds_weights: bool = True
    weights_suffix: str = ".safetensors"  # suffix of the separate weights file
    partial: bool = False  # cannot express every network; raises GraphError for others
    unchecked: str = ""  # the reason if its files cannot be loaded and run here

    def exporter(self) -> Callable[[Network, int | None], bytes]:
        """Return `export(network, opset)`, which returns the content of a file."""
        return self._module().export  # type: ignore[no-any-return]  # named at run time

    def loader(self) -> Callable[[bytes, Mapping[str, Tensor]], Callable[..., Outputs]]:
        """Return `load(content, weights)`, which returns a function that runs the file.

        The function takes the network's inputs, in their order. `weights` are for formats whose
        files hold none. A format with a reason in `unchecked` has no `load`.
        """
        return self._module().load  # type: ignore[no-any-return]  # named at run time

    def weights_writer(self) -> Callable[[Network], bytes] | None:
        """Return the function that writes the separate weights file, None for safetensors."""
        return getattr(self._module(), "weights", None)

    def _module(self) -> Any:
        name = self.module
        return import_module(name if "." in name else f"archscope.exporters.{name}")


_OURS = (
    Format("torch", "torch_source", ".py", "Python source that needs only torch", False),
    Format("onnx", "onnx_model", ".onnx", "ONNX, for any batch"),
    Format("onnx-torch", "onnx_of_torch", ".onnx", "ONNX by torch's exporter, for any batch"),
    Format("torchscript", "torchscript", ".pt", "TorchScript, traced"),
    Format("exported-program", "exported_program", ".pt2", "torch.export, for any batch"),
    Format("darknet", "darknet", ".cfg", "darknet's configuration, where its layers suffice",
           False, weights_suffix=".weights", partial=True),
    Format("prototxt", "prototxt", ".prototxt", "Caffe's definition, where its layers suffice",
           False, partial=True),
)  # fmt: skip
FORMATS: Registry[Format] = Registry(
    "exporters", {entry.name: entry for entry in _OURS}, stated(Format, "name")
)
"""All formats by name."""

OPSET = 20
"""Default ONNX opset for networks that need an operator missing in the oldest supported one."""
