"""Layers that give values another shape, or order of axes."""

from __future__ import annotations

from archscope.errors import DataError
from archscope.importers.coreml.neural_network import NeuralNetwork, layer
from archscope.importers.onnx.operator_writer import FLOAT

LAST_TO_FIRST = (0, 3, 1, 2)
FIRST_TO_LAST = (0, 2, 3, 1)


@layer("flatten")
def flatten(t: NeuralNetwork) -> str:
    """Write images as vectors, their channels first or last."""
    x, back = t.image()
    if t.settings.integer("mode"):
        x = t.turned(x, FIRST_TO_LAST)
    elif not t.exact and t.rank(t.value()) == 2:
        return t.value()
    flat = t.flat(x)
    return back(t.reshaped(flat, [*t.known_dims(flat), 1, 1])) if t.exact else flat


@layer("reshape")
def reshape(t: NeuralNetwork) -> str:
    """Write images in another shape, their channels first or last."""
    s = t.settings
    shape = s.integers("targetShape")
    x, _ = t.image()
    if len(shape) == 4:
        sequence, *shape = shape
        if sequence != 1:
            raise DataError(f"{t.layer} makes a sequence, which is not supported")
    channels, height, width = shape
    batch = t.known_dims(x)[0]
    if s.integer("mode"):
        made = t.reshaped(t.turned(x, FIRST_TO_LAST), [batch, height, width, channels])
        return t.turned(made, LAST_TO_FIRST)
    if height == width == 1 and not t.exact:
        return t.flat(x)
    return t.reshaped(x, [batch, channels, height, width])


@layer("permute")
def permute(t: NeuralNetwork) -> str:
    """Write another order of channels and positions."""
    order = t.settings.integers("axis") or [0, 1, 2, 3]
    if order[0] != 0:
        raise DataError(f"{t.layer} makes a sequence, which is not supported")
    return t.turned(t.whole(), order)


@layer("transpose")
def transpose(t: NeuralNetwork) -> str:
    """Write another order of axes."""
    axes = t.settings.integers("axes")
    return t.turned(t.whole(), axes if t.exact else [axis - 1 for axis in axes[1:]])


@layer("squeeze")
def squeeze(t: NeuralNetwork) -> str:
    """Write axes of size 1 that go."""
    axes = [] if t.settings.flag("squeezeAll") else [t.constant(t.axes("axes"))]
    return str(t.op("Squeeze", t.whole(), *axes))


@layer("expandDims")
def expand(t: NeuralNetwork) -> str:
    """Write axes of size 1 that come."""
    return str(t.op("Unsqueeze", t.whole(), t.constant(t.axes("axes"))))


@layer("flattenTo2D")
def flatten_to_2d(t: NeuralNetwork) -> str:
    """Write axes that are joined to two."""
    x = t.whole()
    return t.flat(x, t.axis(t.settings.integer("axis")) % t.rank(x))


@layer("reshapeStatic", "rankPreservingReshape")
def reshape_static(t: NeuralNetwork) -> str:
    """Write another shape, in which a zero may stand for the size of the input's axis."""
    shape = t.settings.integers("targetShape")
    return t.reshaped(t.whole(), shape if t.exact else shape[-4:])


@layer("reshapeLike")
def reshape_like(t: NeuralNetwork) -> str:
    """Write the shape of another value."""
    return t.reshaped(t.value(), t.known_dims(t.value(1)))


@layer("reshapeDynamic")
def reshape_dynamic(t: NeuralNetwork) -> str:
    """Write a shape that is computed."""
    return str(t.op("Reshape", t.value(), t.whole_number(t.value(1))))


@layer("getShape")
def shape(t: NeuralNetwork) -> str:
    """Write a shape, whose numbers are real ones in the file."""
    return str(t.op("Cast", t.op("Shape", t.value()), to=FLOAT))


@layer("broadcastToStatic")
def broadcast(t: NeuralNetwork) -> str:
    """Write repeated values."""
    shape = t.settings.integers("targetShape")
    return str(t.op("Expand", t.whole(), t.constant(shape if t.exact else shape[-4:])))


@layer("broadcastToLike")
def broadcast_like(t: NeuralNetwork) -> str:
    """Write repeated values, as many as another has."""
    return str(t.op("Expand", t.whole(), t.constant(t.known_dims(t.whole(1)))))


@layer("broadcastToDynamic")
def broadcast_dynamic(t: NeuralNetwork) -> str:
    """Write repeated values in a shape that is computed."""
    return str(t.op("Expand", t.value(), t.whole_number(t.value(1))))
