"""The layers of an IR as operators of ONNX: values, constants, and the table of layer types."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from archscope.errors import DataError
from archscope.importers.onnx.operator_writer import OperatorWriter
from archscope.importers.onnx.resolved_model import PREPARED
from archscope.importers.openvino.ir_file import Layer, Port
from archscope.importers.openvino.weights_file import TYPES, WeightsFile

Form = Callable[["Translation"], "str | Sequence[str]"]
"""Writes the current layer in operators, and returns the values of its outputs."""

FORMS: dict[str, Form] = {}
"""How each type of layer is written."""

UNKNOWN = "openvino"
"""The domain of layers that no operator of ONNX equals."""

GENERATED = re.compile(r"[A-Za-z]+_\d+(_compressed|/.*)?|Constant\w*")
"""Names that OpenVINO makes up."""


def layer(*kinds: str) -> Callable[[Form], Form]:
    """Register how layers of these types are written."""

    def register(form: Form) -> Form:
        FORMS.update(dict.fromkeys(kinds, form))
        return form

    return register


class Translation(OperatorWriter):
    """Writes the operators of one layer after another."""

    domain = UNKNOWN

    def __init__(self, layers: Sequence[Layer], weights: WeightsFile) -> None:
        super().__init__()
        self.layers = {entry.id: entry for entry in layers}
        self.weights = weights
        self.readers: dict[tuple[str, str], list[Layer]] = {}
        for entry in layers:
            for source in entry.sources.values():
                self.readers.setdefault(source, []).append(entry)
        self.values: dict[tuple[str, str], str] = {}  # by layer and output
        self.integers: dict[str, str] = {}  # the type of values that are whole numbers, by value
        self.done: set[str] = set()  # layers that were written with one before them
        self.layer = layers[0]

    def write(self, entry: Layer) -> None:
        """Write a layer."""
        self.layer, self.label, self.title = entry, entry.name, node_name(entry)
        if entry.id in self.done:
            return
        form = FORMS.get(entry.kind)
        try:
            made = self.unknown() if form is None else form(self)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(
                f"line {entry.line}: {entry} does not follow OpenVINO's definition"
            ) from None
        names = [made] if isinstance(made, str) else made
        for port, name in zip(entry.outputs, names, strict=False):
            self.values[entry.id, port] = name

    # The current layer.

    @property
    def inputs(self) -> list[str]:
        """The values that the layer reads."""
        return [self.value_of(place) for place in range(len(self.layer.inputs))]

    def value_of(self, place: int) -> str:
        """Return the value that an input reads."""
        return self.values[self.source(place)]

    def source(self, place: int, of: Layer | None = None) -> tuple[str, str]:
        """Return the layer and output that an input reads."""
        entry = of or self.layer
        return entry.sources[[*entry.inputs][place]]

    def producer(self, place: int, of: Layer | None = None) -> Layer:
        """Return the layer that an input reads."""
        return self.layers[self.source(place, of)[0]]

    def dims(self, place: int = 0) -> list[int]:
        """Return the axes of an input, -1 for those of any size."""
        return [*self.layer.inputs.values()][place].dims

    def out(self, place: int = 0) -> Port:
        """Return an output."""
        return [*self.layer.outputs.values()][place]

    def word(self, key: str, default: str = "") -> str:
        """Return an attribute in lower case."""
        return self.layer.attributes.get(key, default).lower()

    def flag(self, key: str, default: bool = False) -> bool:
        """Return an attribute that is true or false."""
        return self.word(key, str(default)) in ("true", "1")

    def number(self, key: str, default: float | None = None) -> float:
        """Return an attribute that is a number."""
        given = self.layer.attributes.get(key)
        if given is None and default is not None:
            return default
        return float(self.layer.attributes[key])

    def integer(self, key: str, default: int | None = None) -> int:
        """Return an attribute that is an integer."""
        return int(self.number(key, default))

    def integers_of(self, key: str, default: Sequence[int] = ()) -> list[int]:
        """Return an attribute that lists integers."""
        given = self.layer.attributes.get(key)
        if given is None:
            return list(default)
        return [int(part) for part in given.split(",") if part.strip()]

    def array(self, place: int) -> Any:
        """Return the numbers of an input. Raises DataError if it is not constant."""
        found = self.known(place)
        if found is None:
            raise DataError(
                f"line {self.layer.line}: input {place} of {self.layer} is computed,"
                " which is not supported"
            )
        return found

    def known(self, place: int) -> Any:
        """Return the numbers of an input, None if there is none or it is computed."""
        if place >= len(self.layer.inputs):
            return None
        compute = self.arrays.get(self.value_of(place))
        return None if compute is None else compute()

    def list_of(self, place: int) -> list[int]:
        """Return an input that is constant integers."""
        return [int(part) for part in self.array(place).reshape(-1)]

    def only_reader(self) -> Layer | None:
        """Return the layer that reads the first output, None if there is not exactly one."""
        port = next(iter(self.layer.outputs))
        readers = self.readers.get((self.layer.id, port), [])
        return readers[0] if len(readers) == 1 else None

    # Writing.

    def prepared(self, kind: str, *inputs: str, **given: Any) -> str:
        """Write an operator of the importer of ONNX's own, with the shape of the output."""
        name = self.op(kind, *inputs, domain=PREPARED, **given)
        self.declare(name, self.out())
        return str(name)

    def unknown(self) -> list[str]:
        """Write a layer without an equivalent. Raises DataError for one with layers inside."""
        entry = self.layer
        if entry.body:
            raise DataError(f"line {entry.line}: {entry} has layers inside, which is not supported")
        inputs = self.inputs
        names = self.op(
            re.sub(r"\W", "_", entry.kind), *inputs, outputs=len(entry.outputs), domain=UNKNOWN
        )
        names = [names] if isinstance(names, str) else names
        for name, port in zip(names, entry.outputs.values(), strict=True):
            self.declare(name, port)
        return list(names)

    def declare(self, name: str, port: Port) -> None:
        """State the shape of a value; a first axis of any size is one image."""
        dims: list[Any] = [None if size < 0 else size for size in port.dims]
        if dims and dims[0] is None:
            dims[0] = 1
        kind = TYPES.get(port.precision.lower(), TYPES["f32"]).onnx
        self.types.append(self.onnx.helper.make_tensor_value_info(name, kind, dims))


def node_name(entry: Layer) -> str:
    """Return the name of a layer as a path: that of its module, if the file knows it."""
    name = entry.name.removesuffix("/WithoutBiases")
    if GENERATED.fullmatch(name):
        return ""
    if name.startswith(("aten::", "prim::")):
        return name.rpartition("/")[2]
    if name.startswith("__module."):
        module, *inner = name.removeprefix("__module.").split("/")
        return f"/{module}/{re.sub(r'_[0-9]+$', '', inner[-1]) if inner else entry.kind}"
    return name


def constant_name(entry: Layer) -> str:
    """Return the name of a constant: that of the weight of a module, if the file knows it."""
    name = entry.name.removesuffix("_compressed").removeprefix("self.")
    return f"const_{name}" if GENERATED.fullmatch(name) else name
