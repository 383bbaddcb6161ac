"""Channels that come last for a while, as in ConvNeXt, brought to the front.

A transpose moves behind the operators that follow it, each said for channels in front, until it
meets the transpose back: the two vanish.
"""

from __future__ import annotations

from archscope.importers.onnx.dataflow import FLAT, Found, Web
from archscope.importers.onnx.resolve import Trace
from archscope.importers.onnx.step import Step, with_

KERNEL = "|kernel"
"""The mark behind the name of a matrix that is kept as a kernel of one position."""

ALIKE = frozenset({
    "Relu", "Gelu", "Swish", "HardSwish", "HardSigmoid", "Sigmoid", "Tanh", "Clip", "Elu",
    "LeakyRelu", "Mish", "Softplus", "Softsign", "Identity", "Dropout", "FakeQuantize",
})  # fmt: skip
"""Operators that do the same to every number."""


def channels_first(trace: Trace) -> None:
    """Take images with their channels in front where all that a file does is to bring them there.

    What it gives with the channels last is given before they are moved. TensorFlow's files do so.
    """
    web = Web(trace)
    for place, name in enumerate(trace.inputs):
        (turn, *others) = web.readers.get(name, [None])
        rank = len(web.shape(name))
        if turn is None or others or turn.kind != "Transpose" or name in trace.outputs:
            continue
        if rank > 2 and turn.attributes.get("perm") == [0, rank - 1, *range(1, rank - 1)]:
            trace.inputs[place] = turn.outputs[0]
            trace.titles[turn.outputs[0]] = name
            trace.steps = [step for step in trace.steps if step is not turn]
    for place, name in enumerate(trace.outputs):
        turn = None if web.readers.get(name) else web.giver(name, "Transpose")
        rank = len(web.shape(name))
        if turn is None or trace.outputs.count(name) > 1 or turn.inputs[0] in trace.inputs:
            continue
        if rank > 2 and turn.attributes.get("perm") == [0, *range(2, rank), 1]:
            trace.outputs[place] = turn.inputs[0]
            trace.titles[turn.inputs[0]] = name
            trace.steps = [step for step in trace.steps if step is not turn]


def sink(web: Web, step: Step) -> Found | None:
    """Move the transpose in front of an operator behind it."""
    turn = _to_last(web, step.inputs[0])
    said = _said(web, step) if turn is not None else None
    if turn is None or said is None:
        return None
    first, last = f"{step.outputs[0]}/first", web.shape(step.outputs[0])
    web.trace.shapes[first] = (last[0], last[-1], *last[1:-1])
    said = with_(said, inputs=(turn.inputs[0], *said.inputs[1:]), outputs=(first,))
    return [turn, step], [said, with_(turn, inputs=(first,), outputs=step.outputs)]


def sink_sum(web: Web, step: Step) -> Found | None:
    """Move the two transposes in front of a sum behind it."""
    one, other = (_to_last(web, name) for name in step.inputs)
    if one is None or other is None or one is other:
        return None
    if len({web.shape(name) for name in (*step.inputs, *step.outputs)}) > 1:
        return None
    first, last = f"{step.outputs[0]}/first", web.shape(step.outputs[0])
    web.trace.shapes[first] = (last[0], last[-1], *last[1:-1])
    said = with_(step, inputs=(one.inputs[0], other.inputs[0]), outputs=(first,))
    return [one, other, step], [said, with_(one, inputs=(first,), outputs=step.outputs)]


def there_and_back(web: Web, step: Step) -> Found | None:
    """Leave out a transpose and the one that undoes it."""
    turn = _to_last(web, step.inputs[0])
    rank = len(web.shape(step.inputs[0]))
    if turn is None or step.attributes.get("perm") != [0, rank - 1, *range(1, rank - 1)]:
        return None
    giver = web.inner(turn.inputs[0])
    if giver is None or len(giver.outputs) > 1:
        return None
    return [giver, turn, step], [with_(giver, outputs=step.outputs)]


def _to_last(web: Web, name: str) -> Step | None:
    """Return the transpose that gives a value its channels last."""
    turn = web.inner(name, "Transpose")
    rank = len(web.shape(name))
    ahead = turn is not None and turn.attributes.get("perm") == [0, *range(2, rank), 1]
    return turn if ahead and rank > 2 else None


def _said(web: Web, step: Step) -> Step | None:
    """Return an operator for channels in front; its first input and output are still to change."""
    constants = web.trace.constants
    shape = web.shape(step.inputs[0])
    if step.kind in ALIKE:
        return step
    held = [constants.get(name) for name in step.inputs[1:]]
    if not held or any(value is None for value in held):
        return None
    if step.kind == "Linear":
        matrix = held[0]
        assert matrix is not None
        ones = (1,) * (len(shape) - 2)
        kernel = web.derived(step.inputs[1], KERNEL, matrix.reshape(*matrix.shape, *ones))
        return with_(step, kind="Conv", inputs=(step.inputs[0], kernel, *step.inputs[2:]))
    flat = [value.size == shape[-1] == value.shape[-1] for value in held if value is not None]
    if not all(flat) or web.shape(step.outputs[0]) != shape:
        return None
    if step.kind == "LayerNormalization" and len(held) == 2:
        if step.attributes.get("axis", -1) % len(shape) != len(shape) - 1:
            return None
        return with_(step, kind="ChannelNorm")
    if step.kind == "Mul":
        factors = constants[step.inputs[1]]
        return with_(
            step,
            kind="Scale",
            inputs=(step.inputs[0], web.derived(step.inputs[1], FLAT, factors.reshape(-1))),
        )
    return None
