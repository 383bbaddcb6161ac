"""Products with constant matrices, which are linear layers."""

from __future__ import annotations

from archscope.importers.onnx.dataflow import TURNED, Found, Web
from archscope.importers.onnx.step import Step, with_


def product(web: Web, step: Step) -> Found | None:
    """Find a product with a constant matrix."""
    matrix = web.trace.constants.get(step.inputs[1])
    if matrix is None or matrix.ndim != 2 or step.inputs[0] in web.trace.constants:
        return None
    turned = web.derived(step.inputs[1], TURNED, matrix.T)
    return [step], [with_(step, kind="Linear", inputs=(step.inputs[0], turned), attributes={})]


def bias(web: Web, step: Step) -> Found | None:
    """Find the bias that is added to a linear layer."""
    for given, addend in (step.inputs, step.inputs[::-1]):
        linear = web.inner(given, "Linear")
        value = web.trace.constants.get(addend)
        if linear is None or len(linear.inputs) > 2 or value is None:
            continue
        if value.shape == web.shape(linear.inputs[1])[:1]:
            new = with_(linear, inputs=(*linear.inputs, addend), outputs=step.outputs)
            return [linear, step], [new]
    return None


def conv_bias(web: Web, step: Step) -> Found | None:
    """Find the bias that is added to a convolution, as TensorFlow writes it."""
    for given, addend in (step.inputs, step.inputs[::-1]):
        conv = web.inner(given, "Conv", "ConvTranspose")
        if conv is None or any(conv.inputs[2:]):
            continue
        flat = web.channels(addend, web.shape(given))
        if flat is not None and web.shape(given) == web.shape(step.outputs[0]):
            new = with_(conv, inputs=(*conv.inputs[:2], flat), outputs=step.outputs)
            return [conv, step], [new]
    return None


def gemm(web: Web, step: Step) -> Found | None:
    """Find a general matrix product that is a linear layer."""
    words = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 0} | step.attributes
    matrix = web.trace.constants.get(step.inputs[1])
    if matrix is None or words["transA"] or words["alpha"] != 1 or words["beta"] != 1:
        return None
    weight = step.inputs[1]
    if not words["transB"]:
        weight = web.derived(weight, TURNED, matrix.T)
    features = web.shape(weight)[0]
    inputs: tuple[str, ...] = (step.inputs[0], weight)
    if len(step.inputs) > 2 and step.inputs[2]:
        addend = web.trace.constants.get(step.inputs[2])
        if addend is None or addend.size != features or addend.shape[-1:] != (features,):
            return None
        row = step.inputs[2]
        inputs += (row if addend.ndim == 1 else web.derived(row, "|flat", addend.reshape(-1)),)
    return [step], [with_(step, kind="Linear", inputs=inputs, attributes={})]


def no_bias(web: Web, step: Step) -> Found | None:
    """Leave out the zeros that torch's exporter computes where a convolution has no bias."""
    if len(step.inputs) < 3 or web.trace.roots.get(step.inputs[2]):
        return None
    value = web.trace.constants.get(step.inputs[2])
    if value is None or value.any():
        return None
    return [step], [with_(step, inputs=step.inputs[:2])]
