"""Channel shuffles, slices, means and padding, in the form of our operators."""

from __future__ import annotations

from math import prod

from msgspec.structs import replace

from archscope.importers.onnx.patterns.dataflow import Dataflow, Replacement, fuse, require
from archscope.importers.onnx.resolved_model import OnnxOperator

INSIDE = {
    (0, 1, 3, 5, 2, 4): "channel", (0, 3, 5, 1, 2, 4): "row", (0, 5, 3, 1, 2, 4): "column",
}  # fmt: skip
"""What lies together of blocks of positions that became channels, by the order of the axes."""


def channel_shuffle(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match a reshape to groups of channels, a transpose and a reshape back."""
    between: list[OnnxOperator] = []
    transpose = _behind_copies(flow, operator.inputs[0], "Transpose", between)
    split = _behind_copies(flow, transpose.inputs[0], "Reshape", between)
    image, groups = flow.shape(split.inputs[0]), flow.shape(split.outputs[0])
    require(transpose.attributes.get("perm") == [0, 2, 1, *range(3, len(groups))])
    require(groups[0] == image[0] and flow.shape(operator.outputs[0]) == image)
    require(groups[1] * groups[2] == image[1])  # so that what is left are the positions
    old = [split, transpose, *between, operator]
    _, new = fuse(old, "ChannelShuffle", split.inputs[:1], groups=groups[1])
    rounded = [copy for copy in between if copy.kind == "FakeQuantize"]
    for number, quantize in enumerate(rounded):
        name = f"{operator.outputs[0]}/shuffled{number}"
        flow.model.shapes[name] = image
        new[-1] = replace(new[-1], outputs=(name,))
        new.append(replace(quantize, inputs=(name,), outputs=operator.outputs))
    return old, new


def unshuffle(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match a reshape to blocks of positions, a transpose, and a reshape to more channels."""
    transpose = flow.match(operator.inputs[0], "Transpose")
    split = flow.match(transpose.inputs[0], "Reshape")
    image, blocks = flow.shape(split.inputs[0]), flow.shape(split.outputs[0])
    order = INSIDE.get(tuple(transpose.attributes.get("perm", ())))
    require(order is not None and len(blocks) == 6 and blocks[3] == blocks[5])
    batch, channels, height, block, width, _ = blocks
    require(image == (batch, channels, height * block, width * block))
    require(flow.shape(operator.outputs[0]) == (batch, channels * block**2, height, width))
    attributes = {"block": block, "order": order}
    return fuse([split, transpose, operator], "Unshuffle", split.inputs[:1], **attributes)


def _behind_copies(
    flow: Dataflow, name: str, kind: str, between: list[OnnxOperator]
) -> OnnxOperator:
    """Return what produces a value, and add copies and quantization on the way to `between`."""
    while (operator := flow.match(name, kind, "Identity", "FakeQuantize")).kind != kind:
        between.append(operator)
        name = operator.inputs[0]
    return operator


def whole_sequences(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Drop the lengths of sequences that are those of all of them."""
    inputs = [*operator.inputs]
    require(len(inputs) > 4 and bool(inputs[4]) and not operator.attributes.get("layout"))
    require(bool((flow.constant(inputs[4]) == flow.shape(inputs[0])[0]).all()))
    inputs[4] = ""
    return [operator], [replace(operator, inputs=tuple(inputs))]


def gather_everything(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match a gather of all values in order, which torch's exporter writes for strides."""
    flat = flow.match(operator.inputs[0], "Reshape")
    places = flow.constant(operator.inputs[1])
    require(flow.shape(flat.outputs[0]) == (places.size,))
    require(places.reshape(-1).tolist() == list(range(places.size)))
    unchanged = flow.shape(flat.inputs[0]) == flow.shape(operator.outputs[0])
    return fuse([flat, operator], "Identity" if unchanged else "Reshape", flat.inputs[:1])


def split(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Replace a split by a range for each of its outputs that is read."""
    axis = operator.attributes.get("axis", 0) % len(flow.shape(operator.inputs[0]))
    ranges, start = [], 0
    for name in operator.outputs:
        stop = start + flow.shape(name)[axis] if name else start
        if name and (name in flow.readers or name in flow.model.outputs):
            whole = replace(operator, kind="Range", inputs=operator.inputs[:1], outputs=(name,))
            attributes = {"axis": axis, "start": start, "stop": stop}
            ranges.append(replace(whole, attributes=attributes))
        start = stop
    return [operator], ranges


def slice_of_one_axis(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Replace a slice along an axis by a range of it."""
    shape, out = flow.shape(operator.inputs[0]), flow.shape(operator.outputs[0])
    cut = [axis for axis, (a, b) in enumerate(zip(shape, out, strict=True)) if a != b]
    x, starts_name, ends_name, *rest = operator.inputs
    starts = [int(start) for start in flow.constant(starts_name)]
    flow.constant(ends_name)
    axes, steps = (
        [int(number) for number in values] if values is not None else None
        for values in (flow.model.constants.get(name) for name in (*rest, "", "")[:2])
    )
    require(all(step == 1 for step in steps or ()) and len(cut) < 2)
    if not cut:
        return fuse([operator], "Identity", (x,))
    axes = [axis % len(shape) for axis in (range(len(starts)) if axes is None else axes)]
    start = starts[axes.index(cut[0])]
    start = max(start + shape[cut[0]], 0) if start < 0 else min(start, shape[cut[0]])
    stop = start + out[cut[0]]
    return fuse([operator], "Range", (x,), axis=cut[0], start=start, stop=stop)


def mean_without_axes(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Replace a mean that drops its axes by one that keeps them, and a reshape."""
    shape, out = flow.shape(operator.inputs[0]), flow.shape(operator.outputs[0])
    axes = operator.attributes.get("axes")
    if axes is None and len(operator.inputs) > 1 and operator.inputs[1]:
        axes = [int(axis) for axis in flow.constant(operator.inputs[1])]
    if not axes and operator.attributes.get("noop_with_empty_axes"):
        return fuse([operator], "Identity", operator.inputs[:1])
    axes = sorted(axis % len(shape) for axis in (axes or range(len(shape))))
    keeps_axes = len(shape) == len(out)
    # Nor a mean that already has this form.
    require(len(operator.inputs) > 1 or not keeps_axes or operator.attributes.get("axes") != axes)
    mean = replace(operator, inputs=operator.inputs[:1], attributes={"axes": axes, "keepdims": 1})
    if keeps_axes:
        return [operator], [mean]
    kept = f"{operator.outputs[0]}/kept"
    flow.model.shapes[kept] = tuple(1 if axis in axes else n for axis, n in enumerate(shape))
    reshape = replace(operator, kind="Reshape", inputs=(kept,), attributes={})
    return [operator], [replace(mean, outputs=(kept,)), reshape]


def padding(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Merge padding into the convolution or pool after it."""
    pad = flow.match(operator.inputs[0], "Pad")
    amounts = flow.constant(pad.inputs[1])
    rank = len(flow.shape(pad.inputs[0]))
    fill = flow.number(pad.inputs[2]) if len(pad.inputs) > 2 and pad.inputs[2] else 0.0
    own = operator.attributes.get("pads") or [0] * (2 * (rank - 2))
    require(operator.attributes.get("auto_pad", "NOTSET") in ("NOTSET", "VALID"))
    require(pad.attributes.get("mode", "constant") == "constant" and not any(pad.inputs[3:4]))
    require(fill == (float("-inf") if operator.kind == "MaxPool" else 0.0))
    require(len(amounts) == 2 * rank and min(amounts) >= 0)
    require(not any(amounts[axis] or amounts[rank + axis] for axis in (0, 1)))
    before, after = [*amounts[2:rank]], [*amounts[rank + 2 :]]
    sums = [int(a) + int(b) for a, b in zip(own, [*before, *after], strict=True)]
    attributes = {**operator.attributes, "pads": sums}
    attributes.pop("auto_pad", None)
    if operator.kind == "AveragePool":
        require(not any(own) and before == after and not attributes.get("ceil_mode"))
        attributes["count_include_pad"] = 1
    if operator.kind == "MaxPool":
        taps = attributes["kernel_shape"]
        require(all(2 * n <= size for n, size in zip(sums, [*taps, *taps], strict=True)))
    inputs = (pad.inputs[0], *operator.inputs[1:])
    return [pad, operator], [replace(operator, inputs=inputs, attributes=attributes)]


def windows(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match a convolution whose kernels each pick one position of the windows of a channel."""
    import numpy

    kernels, channels = flow.constant(operator.inputs[1]), flow.shape(operator.inputs[0])[1]
    taps = prod(kernels.shape[2:])
    require(operator.attributes.get("group", 1) == channels and not any(operator.inputs[2:]))
    require(taps > 1 and kernels.ndim == 4 and kernels.shape[:2] == (channels * taps, 1))
    require((kernels.reshape(channels, taps, taps) == numpy.eye(taps)).all())
    attributes = {**operator.attributes, "kernel_shape": list(kernels.shape[2:])}
    return fuse([operator], "Unfold", operator.inputs[:1], **attributes)


def mean_of_all(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match a pool whose only window covers the whole input, with padding that is not counted."""
    shape, out = flow.shape(operator.inputs[0]), flow.shape(operator.outputs[0])
    rank, attributes = len(shape) - 2, operator.attributes
    pads = attributes.get("pads") or [0] * (2 * rank)
    kernel, dilations = attributes["kernel_shape"], attributes.get("dilations") or [1]
    require(not attributes.get("count_include_pad") and any(pads) and set(dilations) == {1})
    require(attributes.get("auto_pad", "NOTSET") == "NOTSET")
    require(all(size == 1 for size in out[2:]) and min(pads) >= 0)
    sizes = zip(pads, kernel, shape[2:], strict=False)
    require(all(taps - before >= size for before, taps, size in sizes))
    return fuse([operator], "GlobalAveragePool", operator.inputs)
