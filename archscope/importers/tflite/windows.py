"""Operators of TensorFlow Lite with weights, and pooling."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from archscope.importers.tflite.conversion import Constant, Conversion, Unsupported, Value
from archscope.importers.tflite.model_file import TfliteOperator
from archscope.importers.tflite.pointwise import activated
from archscope.ir import Shape
from archscope.ops.geometry import short, short_padding, sliding

SAME, VALID = 0, 1

AXES = ("D", "H", "W")
"""The names of spatial axes in options."""


def _each(op: TfliteOperator, pattern: str, rank: int, default: int = 1) -> Shape:
    return tuple(op.option(pattern.format(axis), default) for axis in AXES[-rank:])


def padding_of(net: Conversion, op: TfliteOperator) -> Any:
    """Return the padding of an operator: `same` or 0."""
    number = op.option("Padding", SAME)
    if number not in (SAME, VALID):
        raise net.error(op, f"has the unknown padding {number}")
    return "same" if number == SAME else 0


def convolution(net: Conversion, op: TfliteOperator) -> list[Value]:
    """Add a convolution, which absorbs the zero padding of its input."""
    value, weight, bias = net.value(op), net.constant(op, 1), net.constant(op, 2)
    rank = 3 if op.kind == "CONV_3D" else 2
    if weight is None or len(weight.shape) != rank + 2:
        raise Unsupported
    channels, *_ = net.shape(value)
    if value.flat or len(net.file_shape(value)) != rank + 2:
        raise net.error(op, f"needs a map with {rank} spatial axes")
    layout: Callable[[Any], Any]
    if op.kind == "DEPTHWISE_CONV_2D":
        first, *kernel, out = weight.shape
        inner, groups = 1, channels
        layout = lambda array: array.transpose(3, 0, 1, 2)  # noqa: E731
        fits = first == 1
    elif op.kind == "CONV_3D":
        *kernel, inner, out = weight.shape
        groups = channels // inner if inner else 0
        layout = lambda array: array.transpose(4, 3, 0, 1, 2)  # noqa: E731
        fits = inner * groups == channels
    else:
        out, *kernel, inner = weight.shape
        groups = channels // inner if inner else 0
        layout = lambda array: array.transpose(0, 3, 1, 2)  # noqa: E731
        fits = inner * groups == channels
    if not fits:
        raise net.error(op, f"has weights for {inner} channels, its input has {channels}")
    _check_bias(net, op, bias, out)
    padding, node = padding_of(net, op), value.node
    dilation = _each(op, "Dilation{}Factor", rank)
    if op.outputs[0] in net.dilated:
        dilation, pads = net.dilated[op.outputs[0]]
        padding = short_padding(pads)
    elif value.pads and padding == 0:
        padding = short_padding(value.pads)
    else:
        node = net.node(op)
    stride = _each(op, "Stride{}", rank)
    if padding == "same" and set(kernel) == {1}:
        padding = 0  # a window of size 1 needs none
    made = net.add(
        net.title(op), "conv", node, out=out, kernel=short(kernel), padding=padding, groups=groups,
        stride=short(stride), dilation=short(dilation), bias=bias is not None,
    )  # fmt: skip
    net.hold(made, weight=(weight, layout), bias=(bias, _as_it_is))
    return [Value(activated(net, op, made), batched=value.batched)]


def _check_bias(net: Conversion, op: TfliteOperator, bias: Constant | None, out: int) -> None:
    if bias is not None and prod(bias.shape) != out:
        raise net.error(op, f"has {prod(bias.shape)} biases for {out} outputs")


def _as_it_is(array: Any) -> Any:
    return array.reshape(-1)


def transposed(net: Conversion, op: TfliteOperator) -> list[Value]:
    """Add a transposed convolution, and a crop if the padding is uneven."""
    value, weight, bias = net.value(op, 2), net.constant(op, 1), net.constant(op, 3)
    if weight is None or len(weight.shape) != 4:
        raise Unsupported
    out, *kernel, inner = weight.shape
    node, title = net.node(op, 2), net.title(op)
    channels, *sizes = net.shape(node)
    if inner != channels or len(sizes) != 2:
        raise net.error(op, f"has weights for {inner} channels, its input has {channels}")
    _check_bias(net, op, bias, out)
    strides = _each(op, "Stride{}", 2)
    same = padding_of(net, op) == "same"
    wanted = [n * s if same else (n - 1) * s + k
              for n, s, k in zip(sizes, strides, kernel, strict=True)]  # fmt: skip
    if not net.resized and net.constant(op, 0) is not None:
        wanted = net.integers(op, 0)[1:3]
    full = [(n - 1) * s + k for n, s, k in zip(sizes, strides, kernel, strict=True)]
    over = [max(a - b, 0) for a, b in zip(full, wanted, strict=True)]
    made = net.add(
        title, "conv_transpose", node, out=out, kernel=short(kernel), stride=short(strides),
        padding=short(more // 2 for more in over), bias=bias is not None,
        output_padding=short(max(b - a, 0) for a, b in zip(full, wanted, strict=True)),
    )  # fmt: skip
    net.hold(
        made,
        weight=(weight, lambda array: array.transpose(3, 0, 1, 2)),
        bias=(bias, _as_it_is),
    )
    for axis, more in enumerate(over, start=1):
        if more % 2:  # one more position is cropped at the end than at the start
            made = net.add(f"{title}_crop", "slice", made, start=0, stop=wanted[axis - 1],
                           axis=axis)  # fmt: skip
    return [Value(activated(net, op, made), batched=value.batched)]


def fully_connected(net: Conversion, op: TfliteOperator) -> list[Value]:
    """Add a fully connected layer over all values of an image, or over those of each position."""
    value, weight, bias = net.value(op), net.constant(op, 1), net.constant(op, 2)
    if weight is None or len(weight.shape) != 2 or op.option("WeightsFormat", 0):
        raise Unsupported
    out, inner = weight.shape
    _check_bias(net, op, bias, out)
    title = net.title(op)
    shape = net.shape(value) if value.flat else net.shape(net.node(op))
    if prod(shape) != inner or (not value.batched and len(shape) > 1):
        return _at_positions(net, op, weight, bias)
    node, layout = value.node if value.flat else net.node(op), _linear(shape)
    if len(shape) > 1:
        node = net.add(f"{title}_flatten", "flatten", node)
    made = net.add(title, "linear", node, out=out, bias=bias is not None)
    net.hold(made, weight=(weight, layout), bias=(bias, _as_it_is))
    made = activated(net, op, made)
    if op.option("KeepNumDims", False) and len(net.file_shape(value)) > 2:
        size = (out, *(1,) * (len(net.file_shape(value)) - 2))
        made = net.add(f"{title}_reshape", "reshape", made, size=size)
    return [Value(made, batched=value.batched)]


def _linear(shape: Shape) -> Callable[[Any], Any]:
    """Return the function that reorders weights for channels last to those for channels first."""
    channels, *sizes = shape

    def layout(array: Any) -> Any:
        rows = array.reshape(len(array), prod(sizes), channels)
        return rows.swapaxes(1, 2).reshape(len(array), -1)

    return layout


def _at_positions(
    net: Conversion, op: TfliteOperator, weight: Constant, bias: Constant | None
) -> list[Value]:  # fmt: skip
    out, inner = weight.shape
    value, node = net.value(op), net.node(op)
    channels, *sizes = net.shape(node)
    if channels != inner:
        raise net.error(op, f"has weights for {inner} values, its input has {channels}")
    if not 1 <= len(sizes) <= 3:
        raise Unsupported
    made = net.add(net.title(op), "conv", node, out=out, bias=bias is not None)
    net.hold(
        made,
        weight=(weight, lambda array: array.reshape(out, inner, *(1,) * len(sizes))),
        bias=(bias, _as_it_is),
    )
    made = activated(net, op, made)
    if op.option("KeepNumDims", False) or not value.batched:
        return [Value(made, batched=value.batched)]
    if net.batch > 1:
        raise Unsupported
    if len(sizes) > 1:
        size = (out, prod(sizes))
        made = net.add(f"{net.title(op)}_reshape", "reshape", made, size=size)
    return [Value(made, batched=False)]


def pooling(net: Conversion, op: TfliteOperator) -> list[Value]:
    """Add pooling; average pooling does not count the zeros of the padding."""
    value, node, title = net.value(op), net.node(op), net.title(op)
    shape = net.shape(node)
    kernel = op.option("FilterHeight"), op.option("FilterWidth")
    stride = _each(op, "Stride{}", 2, 0)
    if op.kind == "L2_POOL_2D":
        raise Unsupported(products=0)
    word = "maxpool" if op.kind == "MAX_POOL_2D" else "avgpool"
    padding: Any = padding_of(net, op)
    if padding == 0 and kernel == shape[1:]:
        node = net.add(title, f"global_{word}", node)
        return [Value(activated(net, op, node), batched=value.batched)]
    given: dict[str, Any] = {"kernel": short(kernel), "stride": short(stride)}
    if padding == "same" and len(shape) == 3 and min(*kernel, *stride) > 0:
        if not any(w.before + w.after for w in sliding(word, shape, kernel, stride, padding)):
            padding = 0
        elif word == "avgpool":
            given["count_padding"] = False
    node = net.add(title, word, node, padding=padding, **given)
    return [Value(activated(net, op, node), batched=value.batched)]


def to_blocks(net: Conversion, op: TfliteOperator) -> list[Value]:
    """Read space to batch, convolution and batch to space as a dilated convolution."""
    value = net.value(op)
    block, pads = tuple(net.integers(op, 1)), net.integers(op, 2)
    conv = net.only_reader(op.outputs[0], "CONV_2D", "DEPTHWISE_CONV_2D")
    back = net.only_reader(conv.outputs[0], "BATCH_TO_SPACE_ND") if conv else None
    if conv is None or back is None or value.pads or len(block) != 2 or len(pads) != 4:
        raise Unsupported
    steps = (*_each(conv, "Stride{}", 2), *_each(conv, "Dilation{}Factor", 2))
    if conv.option("Padding") != VALID or steps != (1, 1, 1, 1):
        raise Unsupported
    around = [pad - crop for pad, crop in zip(pads, net.integers(back, 2), strict=True)]
    if tuple(net.integers(back, 1)) != block or min(around) < 0:
        raise Unsupported
    net.dilated[conv.outputs[0]] = block, ((around[0], around[1]), (around[2], around[3]))
    net.passed.add(back.outputs[0])
    return [value]
