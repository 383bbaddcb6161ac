"""Norms that ONNX files write out as arithmetic, and factors of the channels."""

from __future__ import annotations

from archscope.importers.onnx.dataflow import FLAT, Found, Web, one
from archscope.importers.onnx.step import Step


def group_norm(web: Web, step: Step) -> Found | None:
    """Find the group norm that torch's older exporter writes as an instance norm of groups."""
    scaled = web.inner(step.inputs[0], "Mul")
    back = web.inner(scaled.inputs[0], "Reshape") if scaled is not None else None
    norm = web.inner(back.inputs[0], "InstanceNormalization") if back is not None else None
    spread = web.inner(norm.inputs[0], "Reshape") if norm is not None else None
    if scaled is None or back is None or norm is None or spread is None:
        return None
    outer, inner = web.shape(spread.inputs[0]), web.shape(spread.outputs[0])
    constants = web.trace.constants
    ones, zeros = constants.get(norm.inputs[1]), constants.get(norm.inputs[2])
    weight, bias = constants.get(scaled.inputs[1]), constants.get(step.inputs[1])
    if ones is None or zeros is None or weight is None or bias is None:
        return None
    channels = (outer[1], *(1 for _ in outer[2:]))
    if (
        (ones == 1).all()
        and not zeros.any()
        and len(inner) == 3
        and inner[0] == outer[0]
        and web.shape(back.outputs[0]) == outer
        and weight.shape == channels == bias.shape
    ):
        old = [spread, norm, back, scaled, step]
        flat = (
            web.derived(scaled.inputs[1], FLAT, weight.reshape(-1)),
            web.derived(step.inputs[1], FLAT, bias.reshape(-1)),
        )
        inputs = (spread.inputs[0], *flat)
        epsilon = norm.attributes.get("epsilon", 1e-5)
        return one(old, "GroupNormalization", inputs, num_groups=inner[1], epsilon=epsilon)
    return None


def layer_norm(web: Web, step: Step) -> Found | None:
    """Find the layer norm that opsets below 17 write as arithmetic."""
    scaled = web.inner(step.inputs[0], "Mul")
    ratio = web.inner(scaled.inputs[0], "Div") if scaled is not None else None
    root = web.inner(ratio.inputs[1], "Sqrt") if ratio is not None else None
    plus = web.inner(root.inputs[0], "Add") if root is not None else None
    parts = web.split(plus) if plus is not None else None
    spread = web.inner(parts[0], "ReduceMean") if parts is not None else None
    power = web.inner(spread.inputs[0], "Pow") if spread is not None else None
    centred = web.inner(power.inputs[0], "Sub", readers=2) if power is not None else None
    mean = web.inner(centred.inputs[1], "ReduceMean") if centred is not None else None
    if scaled is None or ratio is None or root is None or plus is None or parts is None:
        return None
    if spread is None or power is None or centred is None or mean is None:
        return None
    x = mean.inputs[0]
    rank = len(web.shape(x))
    axes = {tuple(one.attributes.get("axes", ())) for one in (mean, spread)}
    weight, bias = scaled.inputs[1], step.inputs[1]
    if (
        centred.inputs[0] == x
        and ratio.inputs[0] == centred.outputs[0]
        and axes in ({(rank - 1,)}, {(-1,)})
        and web.number(power.inputs[1]) == 2
        and all(name in web.trace.constants for name in (weight, bias))
        and web.shape(weight) == web.shape(bias) == web.shape(x)[-1:]
    ):
        old = [mean, centred, power, spread, plus, root, ratio, scaled, step]
        words = {"axis": -1, "epsilon": parts[1]}
        return one(old, "LayerNormalization", (x, weight, bias), **words)
    return None


def scale(web: Web, step: Step) -> Found | None:
    """Find a constant factor for each channel, and the shift that may follow."""
    for x, factor in (step.inputs, step.inputs[::-1]):
        if x in web.trace.constants:
            continue
        flat = web.channels(factor, web.shape(step.outputs[0]))
        if (
            flat is None
            or web.number(factor) is not None
            or web.shape(x) != web.shape(step.outputs[0])
        ):
            continue
        return one([step], "Scale", (x, flat))
    return None


def shift(web: Web, step: Step) -> Found | None:
    """Find the shift of channels behind their factors."""
    for x, addend in (step.inputs, step.inputs[::-1]):
        scaled = web.inner(x, "Scale")
        if scaled is None or len(scaled.inputs) != 2:
            continue
        flat = web.channels(addend, web.shape(step.outputs[0]))
        if flat is not None:
            return one([scaled, step], "Scale", (*scaled.inputs, flat))
    return None


def slope(web: Web, step: Step) -> Found | None:
    """Bring the slopes of a PReLU into one row."""
    if len(web.shape(step.inputs[1])) == 1 and web.shape(step.inputs[1])[0] == 1:
        return None
    if step.inputs[1].endswith(FLAT):
        return None
    value = web.trace.constants.get(step.inputs[1])
    if value is not None and value.size == 1:
        flat: str | None = web.derived(step.inputs[1], FLAT, value.reshape(-1))
    else:
        flat = web.channels(step.inputs[1], web.shape(step.inputs[0]))
    return one([step], "PRelu", (step.inputs[0], flat)) if flat else None
