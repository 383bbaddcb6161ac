"""Channel shuffles, ranges, means and paddings in the words that operators take."""

from __future__ import annotations

from archscope.importers.onnx.dataflow import Found, Web, one
from archscope.importers.onnx.step import Step, with_


def shuffle(web: Web, step: Step) -> Found | None:
    """Find channels that are dealt out anew: reshape to groups, transpose, reshape back."""
    between: list[Step] = []
    turn = _through(web, step.inputs[0], "Transpose", between)
    spread = _through(web, turn.inputs[0], "Reshape", between) if turn is not None else None
    if turn is None or spread is None:
        return None
    outer, inner = web.shape(spread.inputs[0]), web.shape(spread.outputs[0])
    if (
        turn.attributes.get("perm") != [0, 2, 1, *range(3, len(inner))]
        or inner[0] != outer[0]
        or inner[1] * inner[2] != outer[1]  # so that what is left are the positions
        or web.shape(step.outputs[0]) != outer
    ):
        return None
    found = with_(
        step, kind="ChannelShuffle", inputs=spread.inputs[:1], attributes={"groups": inner[1]}
    )
    new = [found]
    for number, rounded in enumerate(s for s in between if s.kind == "FakeQuantize"):
        name = f"{step.outputs[0]}/shuffled{number}"
        web.trace.shapes[name] = outer
        new[-1] = with_(new[-1], outputs=(name,))
        new.append(with_(rounded, inputs=(name,), outputs=step.outputs))
    return [spread, turn, *between, step], new


def _through(web: Web, name: str, kind: str, between: list[Step]) -> Step | None:
    """Return what gives a value, behind copies and quantisation that stand between."""
    while (step := web.inner(name, kind, "Identity", "FakeQuantize")) is not None:
        if step.kind == kind:
            return step
        between.append(step)
        name = step.inputs[0]
    return None


def strided(web: Web, step: Step) -> Found | None:
    """Find the same numbers in the same order, taken one by one: torch's exporter does so."""
    row = web.inner(step.inputs[0], "Reshape")
    places = web.trace.constants.get(step.inputs[1])
    if row is None or places is None or len(web.shape(row.outputs[0])) != 1:
        return None
    if places.size != web.shape(row.outputs[0])[0]:
        return None
    if places.reshape(-1).tolist() != list(range(places.size)):
        return None
    alike = web.shape(row.inputs[0]) == web.shape(step.outputs[0])
    return one([row, step], "Identity" if alike else "Reshape", row.inputs[:1])


def ranges(web: Web, step: Step) -> Found | None:
    """Write a split as a range for each of its outputs."""
    axis = step.attributes.get("axis", 0) % len(web.shape(step.inputs[0]))
    new, start = [], 0
    for name in step.outputs:
        stop = start + web.shape(name)[axis] if name else start
        if name and (name in web.readers or name in web.trace.outputs):
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
    starts = [int(value) for value in values[0]]  # type: ignore[union-attr]
    axes = (
        [int(value) for value in values[2]] if len(values) > 2 and values[2] is not None else None
    )
    axes = [axis % len(shape) for axis in (axes if axes is not None else range(len(starts)))]
    steps = [int(value) for value in values[3]] if len(values) > 3 and values[3] is not None else []
    if any(step != 1 for step in steps) or len(cut) > 1:
        return None
    if not cut:
        return one([step], "Identity", step.inputs[:1])
    start = starts[axes.index(cut[0])]
    start = max(start + shape[cut[0]], 0) if start < 0 else min(start, shape[cut[0]])
    stop = start + out[cut[0]]
    return one([step], "Range", step.inputs[:1], axis=cut[0], start=start, stop=stop)


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
        return one([step], "Identity", step.inputs[:1])
    axes = sorted(axis % len(shape) for axis in (axes or range(len(shape))))
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
