"""Programs, today's kind of models: their operations as operators of ONNX."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from archscope.errors import DataError
from archscope.importers.coreml.messages import Message
from archscope.importers.coreml.stored import (
    INDEX,
    INDICES,
    TEXT,
    TYPES,
    Stored,
    WeightStore,
    tensor_type,
)
from archscope.importers.coreml.writing import Writing

Form = Callable[["Program"], "str | Sequence[str]"]
"""Writes the current operation in operators, and returns the values of its outputs."""

FORMS: dict[str, Form] = {}
"""How each kind of operation is written."""

Constant = Stored | list[str]

GENERATED = re.compile(r"(input|x|y|out|var|op|tmp|const)(_\d+)*(_cast(_fp(16|32))?)?")
"""Names that the converter makes up."""

OF_IMAGES = re.compile(r"__(scaled|biased)__")
"""In the names of the factor and the addends that the converter applies to an image."""

ADDED = re.compile(r"(_(to_fp(16|32)|promoted|palettized|quantized|sparsified|sparse|cast|fp16))+")
"""What the converter adds to the name of a weight."""


def operation(*kinds: str) -> Callable[[Form], Form]:
    """Register how operations of these kinds are written."""

    def register(form: Form) -> Form:
        FORMS.update(dict.fromkeys(kinds, form))
        return form

    return register


class ComputedSettingError(Exception):
    """A setting of an operation is computed by the network."""


class Operation(Struct):
    """An operation with its inputs by name, each a list of values or constants."""

    kind: str
    name: str
    inputs: dict[str, list[str | Constant]]
    outputs: list[tuple[str, int, tuple[int, ...]]]  # name, type and shape
    inner: bool = False  # it has operations inside

    def __str__(self) -> str:
        """Return the name for messages."""
        return f"{self.kind} '{self.name[-100:]}'"


class Program(Writing):
    """Writes the operators of one operation after another."""

    def __init__(self, weights: WeightStore) -> None:
        super().__init__(weights)
        self.values: dict[str, str] = {}  # what was written, by the program's names
        self.constants: dict[str, Constant] = {}
        self.compressed: dict[str, Callable[[], str]] = {}  # how some constants are written
        self.entry = Operation("", "", {}, [])

    def write(self, entry: Operation) -> None:
        """Write an operation."""
        self.entry, self.label = entry, entry.name
        self.title = "" if GENERATED.fullmatch(entry.name) else entry.name
        form = FORMS.get(entry.kind)
        try:
            made = self.unknown() if form is None else form(self)
        except ComputedSettingError:
            made = self.unknown()
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"{entry} does not follow Core ML's definition") from None
        names = [made] if isinstance(made, str) else made
        for (name, element, dims), value in zip(entry.outputs, names, strict=False):
            self.values[name] = value
            if element in TYPES and -1 in self.dims(value) and -1 not in dims:
                self.declare(value, self.element(value), dims)

    # The inputs of the current operation.

    def has(self, word: str) -> bool:
        """Return whether an input is given."""
        return bool(self.entry.inputs.get(word))

    def value(self, word: str, place: int = 0) -> str:
        """Return the value of an input, which is written if it is a constant."""
        return self.value_of(self.entry.inputs[word][place])

    def all_of(self, word: str) -> list[str]:
        """Return the values of an input that is a list."""
        return [self.value_of(given) for given in self.entry.inputs[word]]

    def value_of(self, given: str | Constant) -> str:
        """Return a value by its name in the program, or that of a constant."""
        if not isinstance(given, str):
            if isinstance(given, list):
                raise DataError(f"{self.entry} reads a text")
            return self.stored(given, "const")
        if given not in self.values:
            if given in self.compressed:
                self.values[given] = self.compressed[given]()
            elif isinstance(found := self.constants.get(given), Stored):
                if OF_IMAGES.search(given) and found.kind.numpy:
                    self.values[given] = self.constant(found.read(), found.kind.numpy)
                else:
                    self.values[given] = self.stored(found, weight_name(given, found.size))
            else:
                raise DataError(f"{self.entry} reads '{given[-60:]}', which nothing produces")
        return self.values[given]

    def _given(self, word: str) -> str | Constant | None:
        given = self.entry.inputs.get(word)
        return given[0] if given else None

    def constant_of(self, word: str) -> Constant | None:
        """Return an input that is a constant, None if it is absent.

        Raises ComputedSettingError if it is computed.
        """
        given = self._given(word)
        if not isinstance(given, str):
            return given
        if given not in self.constants:
            raise ComputedSettingError
        return self.constants[given]

    def is_constant(self, word: str) -> bool:
        """Return whether an input is given and constant."""
        given = self._given(word)
        return given is not None and (not isinstance(given, str) or given in self.constants)

    def array(self, word: str) -> Any:
        """Return the numbers of an input, None if it is absent."""
        found = self.constant_of(word)
        if isinstance(found, list):
            raise TypeError
        return None if found is None else found.read()

    def integers(self, word: str, default: Sequence[int] = ()) -> list[int]:
        """Return an input that is constant integers."""
        found = self.array(word)
        return list(default) if found is None else [int(part) for part in found.reshape(-1)]

    def integer(self, word: str, default: int = 0) -> int:
        """Return an input that is a constant integer."""
        (found,) = self.integers(word, [default])
        return found

    def flag(self, word: str, default: bool = False) -> bool:
        """Return an input that is true or false."""
        return bool(self.integer(word, int(default)))

    def real(self, word: str, default: float = 0.0) -> float:
        """Return an input that is a constant number."""
        found = self.array(word)
        return default if found is None else float(found.reshape(-1)[0])

    def word(self, word: str, default: str = "") -> str:
        """Return an input that is a constant text."""
        found = self.constant_of(word)
        if isinstance(found, Stored):
            raise TypeError
        return default if found is None else found[0]

    def out(self, place: int = 0) -> list[int]:
        """Return the shape that the file states of an output."""
        return list(self.entry.outputs[place][2])

    # Writing.

    def unknown(self) -> list[str]:
        """Write an operation without an equivalent. Raises DataError for one with others inside."""
        entry = self.entry
        if entry.inner:
            raise DataError(f"{entry} has operations inside, which is not supported")
        inputs = []
        for givens in entry.inputs.values():
            for given in givens:
                found = self.constants.get(given) if isinstance(given, str) else given
                setting = isinstance(found, list) or (
                    isinstance(found, Stored) and (found.is_index or found.size == 1)
                )
                if not setting:
                    inputs.append(self.value_of(given))
        return self.opaque(entry.kind, inputs, [self.type_of(out) for out in entry.outputs])

    def type_of(self, out: tuple[str, int, tuple[int, ...]]) -> tuple[int, tuple[int, ...]]:
        """Return ONNX's type of an output, and its shape. Raises DataError if it is not stated."""
        name, element, dims = out
        if element not in TYPES or -1 in dims:
            raise DataError(
                f"{self.entry} is unknown, and the size of its output '{name[-60:]}' depends on"
                " the data"
            )
        onnx = TYPES[element].onnx
        return INDEX if onnx in INDICES else onnx, dims


def weight_name(name: str, size: int) -> str:
    """Return the name of a weight as a path, if it is that of a parameter of a module."""
    bare = re.sub(rf"{ADDED.pattern}$", "", name)
    if GENERATED.fullmatch(bare) or (size == 1 and re.search(r"\d$", bare)):
        return f"const_{name}"
    for _ in range(2):  # neighbours share an underscore
        bare = re.sub(r"_(\d+)_", r".\1.", bare)
    return re.sub(r"[_.](weight|bias)$", r".\1", bare)


def operations_of(block: Message, weights: WeightStore) -> list[Operation]:
    """Return the operations of a block."""
    return [_operation(message, weights) for message in block.messages("operations")]


def _operation(message: Message, weights: WeightStore) -> Operation:
    outputs = [
        (out.text("name"), *_type(out.message("type"))) for out in message.messages("outputs")
    ]
    kind, name = message.text("type"), outputs[0][0] if outputs else ""
    inputs: dict[str, list[str | Constant]] = {}
    for word, argument in message.entries("inputs").items():
        inputs[word] = [
            weights.value(binding.message("value")) if "value" in binding else binding.text("name")
            for binding in argument.messages("arguments")
        ]
    for word, value in message.entries("attributes").items():
        if word == "name":
            given = weights.value(value)
            name = given[0] if isinstance(given, list) and given else name
        elif "tensorType" in value.message("type"):
            inputs.setdefault(word, [weights.value(value)])
    return Operation(kind, name, inputs, outputs, bool(message.messages("blocks")))


def _type(kind: Message) -> tuple[int, tuple[int, ...]]:
    """Return the type and shape of a value; those of lists and the like are no tensors."""
    if "tensorType" in kind or "stateType" in kind:
        return tensor_type(kind)
    return TEXT, ()
