"""Activation functions that ONNX files write out as arithmetic."""

from __future__ import annotations

from math import isclose, sqrt

from archscope.importers.onnx.dataflow import Found, Web, one
from archscope.importers.onnx.step import Step


def swish(web: Web, step: Step) -> Found | None:
    """Find x * sigmoid(x), x * hardsigmoid(x) and x * tanh(softplus(x))."""
    for x, gate in (step.inputs, step.inputs[::-1]):
        given = web.inner(gate, "Sigmoid", "HardSigmoid", "Tanh")
        if given is None:
            continue
        if given.kind == "Sigmoid" and given.inputs[0] == x:
            return one([given, step], "Swish", (x,))
        if given.kind == "HardSigmoid" and given.inputs[0] == x and _sixth(given):
            return one([given, step], "HardSwish", (x,))
        soft = web.inner(given.inputs[0], "Softplus") if given.kind == "Tanh" else None
        if soft is not None and soft.inputs[0] == x:
            return one([soft, given, step], "Mish", (x,))
    return None


def _sixth(step: Step) -> bool:
    attributes = {"alpha": 0.2, "beta": 0.5} | step.attributes
    return isclose(attributes["alpha"], 1 / 6, rel_tol=1e-5) and attributes["beta"] == 0.5


def hard_sigmoid(web: Web, step: Step) -> Found | None:
    """Find relu6(x + 3) / 6."""
    parts = web.split(step)
    if parts is None or (step.kind == "Div" and step.inputs[0] != parts[0]):
        return None
    factor = 1 / parts[1] if step.kind == "Div" and parts[1] else parts[1]
    clip = web.inner(parts[0], "Clip")
    if clip is None or not isclose(factor, 1 / 6, rel_tol=1e-5):
        return None
    limits = [web.number(name) for name in clip.inputs[1:]]
    plus = web.inner(clip.inputs[0], "Add")
    sides = web.split(plus) if plus is not None else None
    if plus is None or sides is None or limits != [0, 6] or sides[1] != 3:
        return None
    return one([plus, clip, step], "HardSigmoid", (sides[0],), alpha=1 / 6, beta=0.5)


def hard_swish(web: Web, step: Step) -> Found | None:
    """Find x * relu6(x + 3) / 6, divided last."""
    parts = web.split(step)
    if parts is None or (step.kind == "Div" and step.inputs[0] != parts[0]) or not parts[1]:
        return None
    factor = 1 / parts[1] if step.kind == "Div" else parts[1]
    product = web.inner(parts[0], "Mul")
    if product is None or not isclose(factor, 1 / 6, rel_tol=1e-5):
        return None
    for x, gate in (product.inputs, product.inputs[::-1]):
        clip = web.inner(gate, "Clip")
        plus = web.inner(clip.inputs[0], "Add") if clip is not None else None
        sides = web.split(plus) if plus is not None else None
        if clip is None or plus is None or sides != (x, 3.0):
            continue
        if [web.number(name) for name in clip.inputs[1:]] == [0, 6]:
            return one([plus, clip, product, step], "HardSwish", (x,))
    return None


def gelu(web: Web, step: Step) -> Found | None:
    """Find x * (1 + erf(x / sqrt 2)) / 2, its factors in any order."""
    old, values, factor = [step], [], 1.0
    todo = [(step, True)]
    while todo:
        product, _ = todo.pop()
        for place, name in enumerate(product.inputs):
            number = web.number(name)
            if number is not None:
                factor = factor / number if product.kind == "Div" and place else factor * number
                continue
            further = web.inner(name, "Mul", "Div")
            if further is not None and (further.kind == "Mul" or web.number(further.inputs[1])):
                old.append(further)
                todo.append((further, False))
            else:
                values.append(name)
    if len(values) != 2 or not isclose(factor, 0.5):
        return None
    for x, gate in (values, values[::-1]):
        plus = web.inner(gate, "Add")
        sides = web.split(plus) if plus is not None else None
        erf = web.inner(sides[0], "Erf") if sides is not None and sides[1] == 1 else None
        scaled = web.inner(erf.inputs[0], "Div", "Mul") if erf is not None else None
        if plus is None or erf is None or scaled is None:
            continue
        parts = web.split(scaled)
        if parts is None or parts[0] != x:
            continue
        by = parts[1] if scaled.kind == "Div" else 1 / (parts[1] or 1)
        if isclose(by, sqrt(2), rel_tol=1e-5):
            return one([scaled, erf, plus, *old[::-1]], "Gelu", (x,), approximate="none")
    return None
