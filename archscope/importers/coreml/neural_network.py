"""Neural networks, the older kind of models: their layers as operators of ONNX.

In networks of the first generation all values have the axes sequence, batch, channels, height and
width. They are written without the sequence, which has one step, and without height and width
where both are 1 since the values were flattened: a flat value is `batch x channels`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from msgspec import Struct

from archscope.errors import DataError
from archscope.importers.coreml.messages import Message, Place
from archscope.importers.coreml.network_schema import LAYERS
from archscope.importers.coreml.stored import (
    BYTES,
    FLOAT16,
    FLOAT32,
    INDEX,
    NIBBLES,
    TYPES,
    Stored,
    WeightStore,
    unpacked,
)
from archscope.importers.coreml.writing import Writing
from archscope.importers.onnx.operator_writer import FLOAT

Form = Callable[["NeuralNetwork"], "str | Sequence[str]"]
"""Writes the current layer in operators, and returns the values of its outputs."""

FORMS: dict[str, Form] = {}
"""How each kind of layer is written."""

DECODED = "weights compressed by tables count as the numbers that they stand for"
DYNAMIC = "layers that round their inputs to int8 are written without"

INNER = frozenset({"branch", "loop", "loopBreak", "loopContinue"})
"""Layers with networks inside, and those that end them."""

BOOL = 9
"""ONNX's type of truths."""

SIGNED_BYTES = 21
"""The number of the type of signed bytes in programs."""


def layer(*kinds: str) -> Callable[[Form], Form]:
    """Register how layers of these kinds are written."""

    def register(form: Form) -> Form:
        FORMS.update(dict.fromkeys(kinds, form))
        return form

    return register


class Layer(Struct):
    """A layer of the file."""

    name: str
    kind: str
    inputs: list[str]
    outputs: list[str]
    settings: Message
    shapes: list[list[int]]  # of the outputs, if the file states them

    def __str__(self) -> str:
        """Return the name for messages."""
        return f"{self.kind} '{self.name[-100:]}'"


KINDS = [name for name, _ in LAYERS.values()]


def layers_of(network: Message) -> list[Layer]:
    """Return the layers of a network."""
    return [_layer(message) for message in network.messages("layers")]


def _layer(message: Message) -> Layer:
    kind = next((word for word in message.values if word in KINDS), "")
    kind = kind or next((word for word in message.values if word.startswith("layer")), "layer")
    outputs = message.texts("output")
    name = message.text("name") or "".join(outputs[:1])
    shapes = [tensor.integers("dimValue") for tensor in message.messages("outputTensor")]
    return Layer(name, kind, message.texts("input"), outputs, message.message(kind), shapes)


class NeuralNetwork(Writing):
    """Writes the operators of one layer after another."""

    def __init__(self, weights: WeightStore, exact: bool) -> None:
        super().__init__(weights)
        self.exact = exact  # whether values have their own axes
        self.values: dict[str, str] = {}  # what was written, by the file's names
        self.layer = Layer("", "", [], [], Message(b"", {}), [])

    def write(self, entry: Layer) -> None:
        """Write a layer."""
        self.layer = entry
        self.label = self.title = entry.name
        form = FORMS.get(entry.kind)
        for name in entry.inputs:
            if name not in self.values:
                raise DataError(f"{entry} reads '{name[-60:]}', which nothing produces")
        try:
            made = self.unknown() if form is None else form(self)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"{entry} does not follow Core ML's definition") from None
        names = [made] if isinstance(made, str) else made
        self.values.update(zip(entry.outputs, names, strict=False))

    # The current layer.

    @property
    def settings(self) -> Message:
        """The settings of the layer."""
        return self.layer.settings

    @property
    def inputs(self) -> list[str]:
        """The values that the layer reads, as numbers."""
        return [self.value(place) for place in range(len(self.layer.inputs))]

    def value(self, place: int = 0) -> str:
        """Return the value that an input reads; truths are ones and zeros."""
        name = self.layer.inputs[place]
        if self.element(self.values[name]) == BOOL:
            self.values[name] = str(self.op("Cast", self.values[name], to=FLOAT))
        return self.values[name]

    def truth(self, value: str) -> str:
        """Write ones and zeros as truths."""
        return value if self.element(value) == BOOL else str(self.op("Cast", value, to=BOOL))

    @property
    def truths(self) -> list[str]:
        """The values that the layer reads, those of comparisons as they are."""
        return [self.values[name] for name in self.layer.inputs]

    def whole(self, place: int = 0) -> str:
        """Return the value of an input with all axes of the file, but for the sequence."""
        return self._whole(self.value(place))

    def _whole(self, value: str) -> str:
        flat = not self.exact and self.rank(value) == 2
        return self.reshaped(value, [*self.known_dims(value), 1, 1]) if flat else value

    def alike(self, values: Sequence[str] = ()) -> list[str]:
        """Return the inputs or other values, all of them flat or none."""
        values = list(values) or self.inputs
        ranks = {self.rank(value) for value in values}
        return values if self.exact or len(ranks) == 1 else [self._whole(value) for value in values]

    def axis(self, axis: int, rank: int = 5) -> int:
        """Return an axis of a whole value, which the file counts among five."""
        return axis if self.exact else (axis % rank) - 1

    def axes(self, name: str) -> list[int]:
        """Return a setting that lists axes."""
        return [self.axis(axis) for axis in self.settings.integers(name)]

    def image(self, place: int = 0) -> tuple[str, Callable[[str], str]]:
        """Return an input as images with channels, and what gives a result the input's axes."""
        value = self.whole(place)
        dims = self.dims(value)
        if len(dims) == 4:
            return value, lambda made: made
        lead = dims[:-3]
        inner = self.reshaped(value, [prod(lead), *dims[-3:]])
        return inner, lambda made: self.reshaped(made, [*lead, *self.known_dims(made)[1:]])

    def axes_behind(self, x: str) -> int:
        """Return how many axes are behind the channels of a value, the third of the last."""
        rank = self.rank(x)
        return 0 if not self.exact and rank == 2 else min(rank - 1, 2)

    def whole_number(self, value: str) -> str:
        """Write real numbers as whole ones, for sizes and places."""
        return value if self.element(value) == INDEX else str(self.op("Cast", value, to=INDEX))

    # Weights.

    def weight(
        self, word: str, shape: Sequence[int], axis: int = 0, of: Message | None = None
    ) -> str:
        """Write weights in single precision, whatever form they are stored in."""
        given = (of or self.settings).message(word)
        name = f"{self.layer.name}.{word}"
        stored = self.numbers(given, tuple(shape))
        if stored is not None:
            value = self.stored(stored, name)
            return value if stored.kind is FLOAT32 else str(self.op("Cast", value, to=FLOAT))
        coding = given.message("quantization")
        if "int8RawValue" in given:
            (place,) = given.places("int8RawValue")
            codes = self.weights.at(self.weights.own, place, TYPES[SIGNED_BYTES], tuple(shape))
            scale, _ = self._line(coding, len(shape), axis)
            self.note(DYNAMIC)
            return self.dequantized(codes, scale, None, name, FLOAT)
        return self._coded(given, coding, tuple(shape), name, axis)

    def numbers(self, given: Message, shape: tuple[int, ...]) -> Stored | None:
        """Return weights that are stored as real numbers, None for others."""
        own = self.weights.own
        if "floatValue" in given:
            return self.weights.floats(given.places("floatValue"), shape)
        if "float16Value" in given:
            return self.weights.at(own, given.places("float16Value")[-1], FLOAT16, shape)
        if not given.values:
            raise DataError(f"{self.layer} has no weights where {prod(shape)} are expected")
        return None

    def _line(self, coding: Message, rank: int, axis: int) -> tuple[Any, Any]:
        """Return the scale and the bias of quantized weights, along an axis."""
        line = coding.message("linearQuantization")
        parts = []
        for word in ("scale", "bias"):
            places = line.places(word)
            count = sum(stop - start for start, stop in places) // 4
            array = self.weights.floats(places, (count,)).read() if count else None
            if array is not None and count > 1:
                array = array.reshape([-1 if at == axis else 1 for at in range(rank)])
            parts.append(array)
        return parts[0], parts[1]

    def _coded(
        self, given: Message, coding: Message, shape: tuple[int, ...], name: str, axis: int
    ) -> str:
        """Write weights of a few bits: by a scale and a bias, or by a table."""
        bits, count = coding.integer("numberOfBits"), prod(shape)
        (place,) = given.places("rawValue")
        if not 1 <= bits <= 8:
            raise DataError(f"{self.layer} has weights of {bits} bits, expected 1 to 8")
        codes = self._codes(place, bits, shape, count)
        if "lookupTableQuantization" in coding:
            places = coding.message("lookupTableQuantization").places("floatValue")
            table = self.weights.floats(places, (1 << bits,)).read()
            self.weights.take(4 * count)
            self.note(DECODED)
            array = table[codes.read()].astype("float32")
            return self.stored(Stored(FLOAT32, shape, lambda: array), name)
        if bits not in (4, 8):
            self.note(f"weights of {bits} bits count as bytes")
        scale, bias = self._line(coding, len(shape), axis)
        real = self.op("Cast", self.stored(codes, name), to=FLOAT)
        real = self.op("Mul", real, self.number(scale, real))
        return str(real if bias is None else self.op("Add", real, self.number(bias, real)))

    def _codes(self, place: Place, bits: int, shape: tuple[int, ...], count: int) -> Stored:
        """Return the codes of weights, packed with the highest bits first."""
        own = self.weights.own
        if bits == 8:
            return self.weights.at(own, place, BYTES, shape)
        start, stop = place
        if stop - start != -(-count * bits // 8):
            raise DataError(f"{self.layer} has {stop - start} bytes for {count} weights")
        self.weights.take(count)
        packed = self.weights.content(own)[start:stop]
        array = unpacked(packed, bits, count, first_high=True).reshape(shape)
        return Stored(NIBBLES if bits == 4 else BYTES, shape, lambda: array)

    # Writing.

    def unknown(self) -> list[str]:
        """Write a layer without an equivalent, with its weights.

        Raises DataError if the file does not state its shape, or if it controls others.
        """
        entry = self.layer
        if entry.kind in INNER or not entry.outputs:
            raise DataError(f"{entry} controls other layers, which is not supported")
        kind = entry.settings.text("className") if entry.kind == "custom" else entry.kind
        if len(entry.shapes) < len(entry.outputs):
            raise DataError(f"{entry} ({kind}) is unknown, and the file does not say what it gives")
        weights = [
            self._flat_weights(given, place)
            for place, given in enumerate(_weights_in(entry.settings))
        ]
        outs = [(FLOAT, self.shape_of(shape)) for shape in entry.shapes]
        return self.opaque(kind, [*self.inputs, *weights], outs)

    def _flat_weights(self, given: Message, place: int) -> str:
        """Write weights of an unknown shape."""
        own, name = self.weights.own, f"{self.layer.name}.weight{place}"
        for field, kind in (
            ("floatValue", FLOAT32),
            ("float16Value", FLOAT16),
            ("rawValue", BYTES),
        ):
            if field in given:
                (start, stop) = given.places(field)[-1]
                size = (stop - start) * 8 // kind.bits
                return self.stored(self.weights.at(own, (start, stop), kind, (size,)), name)
        return self.constant([])

    def shape_of(self, shape: Sequence[int]) -> list[int]:
        """Return the shape in which a value is written, of that in the file.

        Raises DataError for a sequence of the first generation.
        """
        if self.exact or len(shape) not in (1, 3, 5):
            return list(shape)
        full = [1] * (5 - len(shape)) + list(shape) if len(shape) > 1 else [1, 1, *shape, 1, 1]
        if full[0] != 1:
            raise DataError(f"it has sequences of {full[0]} steps, which is not supported")
        return full[1:]


def _weights_in(message: Message) -> list[Message]:
    """Return the weights anywhere in a message."""
    found = []
    for values in message.values.values():
        for value in values:
            if isinstance(value, Message):
                forms = ("floatValue", "float16Value", "rawValue")
                found += [value] if any(form in value for form in forms) else _weights_in(value)
    return found
