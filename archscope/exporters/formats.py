"""The formats that a network can be exported to, each loaded when it is asked for.

To add a format, write a file beside this one with the functions `export` and `load` that `Format`
names, and add a line to `FORMATS`. `tests/exporters/test_contract.py` then tests it.
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
    """What a network gives: a tensor, or several by name."""


class Format(Struct, frozen=True):
    """One format, and where the functions that write and run its files are."""

    name: str
    module: str  # in this folder; the `__name__` of a plug-in's own module
    suffix: str
    about: str
    holds_weights: bool = True
    weights_suffix: str = ".safetensors"  # of the file beside one that holds no weights
    partial: bool = False  # it cannot say every network, and is a GraphError for others
    unchecked: str = ""  # why its files cannot be loaded and run here, where that is so

    def exporter(self) -> Callable[[Network, int | None], bytes]:
        """Return `export(network, opset)`, which returns the content of a file."""
        return self._module().export  # type: ignore[no-any-return]

    def loader(self) -> Callable[[bytes, Mapping[str, Tensor]], Callable[..., Outputs]]:
        """Return `load(content, weights)`, which returns a function that runs the file.

        The function takes the network's inputs, in their order. `weights` are for formats whose
        files hold none. A format with a reason in `unchecked` has no `load`.
        """
        return self._module().load  # type: ignore[no-any-return]

    def weights_writer(self) -> Callable[[Network], bytes] | None:
        """Return the function that gives the content of the file beside, None for safetensors."""
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
"""Version of ONNX's operators if none is requested and the oldest that is written lacks one."""
