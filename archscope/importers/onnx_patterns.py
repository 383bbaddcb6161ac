"""Several ONNX operators that are one operator here, brought together.

Exporters write GELU, swish, channel shuffle and norms out as arithmetic. Each function looks at
one operator, the last of its pattern, and returns what stands for all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isclose, sqrt
from typing import Any

from archscope.importers.onnx_trace import Step, Trace, with_


class Web:
    """The operators of a trace by what they give and read."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.givers = {name: step for step in trace.steps for name in step.outputs if name}
        self.readers = trace.readers()
        self.gone: set[int] = set()

    def giver(self, name: str, *kinds: str) -> Step | None:
        """Return what gives a value, if it is of one of these kinds."""
        step = self.givers.get(name)
        return step if step is not None and (not kinds or step.kind in kinds) else None

    def private(self, name: str, readers: int = 1) -> bool:
        """Return whether a value is read so many times, and is no output."""
        return name not in self.trace.outputs and len(self.readers.get(name, ())) == readers

    def inner(self, name: str, *kinds: str, readers: int = 1) -> Step | None:
        """Return what gives a value that nothing outside the pattern reads."""
        return self.giver(name, *kinds) if self.private(name, readers) else None

    def number(self, name: str) -> float | None:
        """Return the one number of a constant."""
        value = self.trace.constants.get(name)
        if value is None or value.size != 1 or value.dtype.kind not in "fiu":
            return None
        return float(value.reshape(()))

    def split(self, step: Step) -> tuple[str, float] | None:
        """Return the value and the number that an operator on two inputs takes."""
        for value, other in (step.inputs, step.inputs[::-1]):
            found = self.number(other)
            if found is not None and value not in self.trace.constants:
                return value, found
        return None

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a value, with the batch."""
        return self.trace.shapes[name]


Found = tuple[list[Step], list[Step]]
"""The operators of a pattern, and what stands for them."""
Pattern = Callable[[Web, Step], Found | None]


def simplify(trace: Trace) -> Trace:
    """Return the trace with its patterns brought together, until none is left."""
    changed = True
    while changed:
        changed = False
        web = Web(trace)
        steps: list[Step] = []
        dropped: set[int] = set()
        spent: set[str] = set()  # values that a pattern of this round has taken
        for step in trace.steps:
            found = None
            for pattern in PATTERNS.get(step.kind, ()):
                found = pattern(web, step)
                if found and not any(name in spent for one in found[0] for name in one.outputs):
                    break
                found = None
            if found is None:
                steps.append(step)
                continue
            old, new = found
            dropped.update(id(one) for one in old)
            spent.update(name for one in old for name in one.outputs)
            steps += new
            changed = True
        trace.steps = [step for step in steps if id(step) not in dropped]
    return trace


def _one(old: list[Step], kind: str, inputs: tuple[str, ...], **attributes: Any) -> Found:
    """Return one operator in place of several; the last of them names it."""
    return old, [with_(old[-1], kind=kind, inputs=inputs, attributes=attributes)]


def swish(web: Web, step: Step) -> Found | None:
    """Find x * sigmoid(x), x * hardsigmoid(x) and x * tanh(softplus(x))."""
    for x, gate in (step.inputs, step.inputs[::-1]):
        given = web.inner(gate, "Sigmoid", "HardSigmoid", "Tanh")
        if given is None:
            continue
        if given.kind == "Sigmoid" and given.inputs[0] == x:
            return _one([given, step], "Swish", (x,))
        if given.kind == "HardSigmoid" and given.inputs[0] == x and _sixth(given):
            return _one([given, step], "HardSwish", (x,))
        soft = web.inner(given.inputs[0], "Softplus") if given.kind == "Tanh" else None
        if soft is not None and soft.inputs[0] == x:
            return _one([soft, given, step], "Mish", (x,))
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
    return _one([plus, clip, step], "HardSigmoid", (sides[0],), alpha=1 / 6, beta=0.5)


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
            return _one([plus, clip, product, step], "HardSwish", (x,))
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
            return _one([scaled, erf, plus, *old[::-1]], "Gelu", (x,), approximate="none")
    return None


def linear(web: Web, step: Step) -> Found | None:
    """Find a product with a constant matrix, and the bias that is added to it."""
    for product_name, bias in (step.inputs, step.inputs[::-1]):
        product = web.inner(product_name, "MatMul")
        addend = web.trace.constants.get(bias)
        if product is None or addend is None or product.inputs[0] in web.trace.constants:
            continue
        matrix = web.trace.constants.get(product.inputs[1])
        if matrix is not None and matrix.ndim == 2 and addend.shape == matrix.shape[1:]:
            new = with_(product, kind="Linear", inputs=(*product.inputs, bias), outputs=step.outputs)
            return [product, step], [new]
    return None


def product(web: Web, step: Step) -> Found | None:
    """Find a product with a constant matrix that no bias follows."""
    matrix = web.trace.constants.get(step.inputs[1])
    if matrix is None or matrix.ndim != 2 or step.inputs[0] in web.trace.constants:
        return None
    for reader in web.readers.get(step.outputs[0], ()):
        if reader.kind == "Add" and linear(web, reader):
            return None
    return _one([step], "Linear", step.inputs)


def shuffle(web: Web, step: Step) -> Found | None:
    """Find channels that are dealt out anew: reshape to groups, transpose, reshape back."""
    turn = web.inner(step.inputs[0], "Transpose")
    spread = web.inner(turn.inputs[0], "Reshape") if turn is not None else None
    if turn is None or spread is None:
        return None
    outer, inner = web.shape(spread.inputs[0]), web.shape(spread.outputs[0])
    rank = len(inner)
    if (
        turn.attributes.get("perm") == [0, 2, 1, *range(3, rank)]
        and inner[:1] + inner[3:] == outer[:1] + outer[2:]
        and web.shape(step.outputs[0]) == outer
    ):
        return _one([spread, turn, step], "ChannelShuffle", spread.inputs[:1], groups=inner[1])
    return None


def ranges(web: Web, step: Step) -> Found | None:
    """Write a split as a range for each of its outputs."""
    axis = step.attributes.get("axis", 0) % len(web.shape(step.inputs[0]))
    new, start = [], 0
    for name in step.outputs:
        stop = start + web.shape(name)[axis] if name else start
        if name and web.readers.get(name, ()) or name in web.trace.outputs:
            words = {"axis": axis, "start": start, "stop": stop}
            new.append(
                with_(step, kind="Range", inputs=step.inputs[:1], outputs=(name,), attributes=words)
            )
        start = stop
    return [step], new


def one_range(web: Web, step: Step) -> Found | None:
    """Write a slice along one axis as a range of it."""
    shape, out = web.shape(step.inputs[0]), web.shape(step.outputs[0])
    cut = [axis for axis, (a, b) in enumerate(zip(shape, out, strict=True)) if a != b]
    values = [web.trace.constants.get(name) if name else None for name in step.inputs[1:]]
    if len(values) < 2 or any(value is None for value in values[:2]):
        return None
    starts = [int(one) for one in values[0]]  # type: ignore[union-attr]
    axes = [int(one) for one in values[2]] if len(values) > 2 and values[2] is not None else None
    axes = [one % len(shape) for one in (axes if axes is not None else range(len(starts)))]
    steps = [int(one) for one in values[3]] if len(values) > 3 and values[3] is not None else []
    if any(one != 1 for one in steps) or len(cut) > 1:
        return None
    if not cut:
        return _one([step], "Identity", step.inputs[:1])
    start = starts[axes.index(cut[0])]
    start = max(start + shape[cut[0]], 0) if start < 0 else min(start, shape[cut[0]])
    stop = start + out[cut[0]]
    return _one([step], "Range", step.inputs[:1], axis=cut[0], start=start, stop=stop)


def kept_axes(web: Web, step: Step) -> Found | None:
    """Write a mean that drops its axes as one that keeps them, and a reshape."""
    shape, out = web.shape(step.inputs[0]), web.shape(step.outputs[0])
    axes = step.attributes.get("axes")
    if axes is None and len(step.inputs) > 1 and step.inputs[1]:
        constant = web.trace.constants.get(step.inputs[1])
        if constant is None:
            return None
        axes = [int(one) for one in constant]
    if not axes and step.attributes.get("noop_with_empty_axes"):
        return _one([step], "Identity", step.inputs[:1])
    axes = sorted(one % len(shape) for one in (axes or range(len(shape))))
    if len(step.inputs) == 1 and len(shape) == len(out) and step.attributes.get("axes") == axes:
        return None
    mean = with_(step, inputs=step.inputs[:1], attributes={"axes": axes, "keepdims": 1})
    if len(shape) == len(out):
        return [step], [mean]
    between = f"{step.outputs[0]}/kept"
    web.trace.shapes[between] = tuple(1 if a in axes else n for a, n in enumerate(shape))
    mean = with_(mean, outputs=(between,))
    return [step], [mean, with_(step, kind="Reshape", inputs=(between,), attributes={})]


def padded(web: Web, step: Step) -> Found | None:
    """Let a convolution or pool do the padding that stands before it."""
    pad = web.inner(step.inputs[0], "Pad")
    if pad is None or step.attributes.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        return None
    rank = len(web.shape(pad.inputs[0]))
    amounts = web.trace.constants.get(pad.inputs[1]) if len(pad.inputs) > 1 else None
    fill = web.number(pad.inputs[2]) if len(pad.inputs) > 2 and pad.inputs[2] else 0.0
    if amounts is None or pad.attributes.get("mode", "constant") != "constant":
        return None
    if (len(pad.inputs) > 3 and pad.inputs[3]) or len(amounts) != 2 * rank or min(amounts) < 0:
        return None
    wanted = float("-inf") if step.kind == "MaxPool" else 0.0
    own = step.attributes.get("pads") or [0] * (2 * (rank - 2))
    if fill != wanted or any(amounts[axis] or amounts[rank + axis] for axis in (0, 1)):
        return None
    ends = [*amounts[2:rank], *amounts[rank + 2 :]]
    words = {**step.attributes, "pads": [int(a) + int(b) for a, b in zip(own, ends, strict=True)]}
    words.pop("auto_pad", None)
    if step.kind == "AveragePool":
        before, after = ends[: rank - 2], ends[rank - 2 :]
        if any(own) or list(before) != list(after) or words.get("ceil_mode"):
            return None
        words["count_include_pad"] = 1
    if step.kind == "MaxPool":
        taps = words["kernel_shape"]
        if any(2 * p > k for p, k in zip(words["pads"], [*taps, *taps], strict=True)):
            return None
    return [pad, step], [with_(step, inputs=(pad.inputs[0], *step.inputs[1:]), attributes=words)]


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
        inputs = (spread.inputs[0], scaled.inputs[1], step.inputs[1])
        epsilon = norm.attributes.get("epsilon", 1e-5)
        return _one(old, "GroupNormalization", inputs, num_groups=inner[1], epsilon=epsilon)
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
        return _one(old, "LayerNormalization", (x, weight, bias), **words)
    return None


PATTERNS: dict[str, tuple[Pattern, ...]] = {
    "Mul": (gelu, swish, hard_swish, hard_sigmoid),
    "Div": (gelu, hard_swish, hard_sigmoid),
    "Add": (group_norm, layer_norm, linear),
    "MatMul": (product,),
    "Reshape": (shuffle,),
    "Split": (ranges,),
    "Slice": (one_range,),
    "ReduceMean": (kept_axes,),
    "Conv": (padded,),
    "AveragePool": (padded,),
    "MaxPool": (padded,),
}
"""The patterns by the kind of operator that ends them."""
