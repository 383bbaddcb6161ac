"""The formats that a network can be imported from, each loaded on demand, and their result.

To add a format, write a folder next to this file whose `__init__.py` has a function that takes a
source and its input shape and returns an `Imported`, and add a line to `FORMATS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from msgspec import Struct

from archscope.importers import import_strings
from archscope.ir import Graph, Shape
from archscope.plugins.registry import Registry, stated

Inputs = Shape | Mapping[str, Shape] | None
"""The shape of a network's input, or of each input by name, without the batch."""


class Imported(Struct, frozen=True):
    """An imported graph, and the weights of its source, by node.

    `weights()` returns torch tensors or numpy arrays, each named after its node and its name in
    the torch module of that node's operator: `layer1.0.conv1.weight`.
    """

    graph: Graph
    weights: Callable[[], Mapping[str, Any]]


class ImportFormat(Struct, frozen=True):
    """A format: the pattern of its sources, and the function of its folder that reads them."""

    folder: str  # in this one; the `__name__` of a plug-in's own module
    function: str
    pattern: str  # matches a whole source
    about: str  # a description of sources, for messages
    batched: bool = False  # the function also takes a `batch`, as images may be treated differently
    test: str = ""  # its function that recognises sources, if the pattern is not enough
    folders: bool = False  # sources may be folders
    runnable: str = ""  # the function that returns the torch module and inputs, if any

    def importer(self) -> Callable[..., Imported]:
        """Return the function that imports a source of this format."""
        return self._function(self.function)

    def module_loader(self) -> Callable[[str, Inputs], tuple[Any, tuple[Any, ...]]] | None:
        """Return the function that loads the module of a source and inputs for one image."""
        return self._function(self.runnable) if self.runnable else None

    def takes(self, source: str) -> bool:
        """Return whether a source has this format."""
        if not re.fullmatch(self.pattern, source):
            return False
        return not self.test or bool(self._function(self.test)(source))

    def _module(self) -> Any:
        """Return the name of the folder's module, a dotted name for plug-ins."""
        name = self.folder
        return import_module(name if "." in name else f"archscope.importers.{name}")

    def _function(self, name: str) -> Callable[..., Any]:
        return getattr(self._module(), name)  # type: ignore[no-any-return]


_OURS = (
    ImportFormat("onnx", "from_file", r"[^\n]*\.onnx", ".onnx"),
    ImportFormat("darknet", "from_file", r"[^\n]*\.cfg", ".cfg"),
    ImportFormat("caffe", "from_file", r"[^\n]*\.(prototxt|caffemodel)", ".prototxt"),
    ImportFormat("ncnn", "from_file", r"[^\n]*\.param", ".param"),
    ImportFormat("ultralytics", "from_file", r"[^\n]*\.ya?ml", ".yaml with backbone and head",
                 test="is_model"),
    ImportFormat("keras", "from_file", r"[^\n]*\.(keras|json)", ".keras", test="is_model"),
    ImportFormat("tflite", "from_file", r"[^\n]*\.tflite", ".tflite"),
    ImportFormat("openvino", "from_file", r"[^\n]*\.xml", ".xml of OpenVINO", test="is_network"),
    ImportFormat("coreml", "from_file", r"[^\n]*\.(mlmodel|mlpackage)/?", ".mlpackage or .mlmodel",
                 folders=True),
    ImportFormat("torch", "from_program_file", r"[^\n]*\.pt2", ".pt2", batched=True),
    # A Windows drive letter has a slash after its colon.
    ImportFormat("torch", "from_import_string", import_strings.PATTERN, "package.module:name",
                 batched=True, runnable="module_and_inputs"),
)  # fmt: skip
FORMATS: Registry[ImportFormat] = Registry(
    "importers", {entry.about: entry for entry in _OURS}, stated(ImportFormat, "about")
)
"""All formats, in the order in which they are tried on a source."""


def format_of(source: str) -> ImportFormat | None:
    """Return the format of a source, None for a spec."""
    return next((entry for entry in FORMATS.values() if entry.takes(source)), None)
