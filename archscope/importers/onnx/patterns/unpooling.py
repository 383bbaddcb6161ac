"""The positions that a maximum pool took its values from, and values put back to them.

ONNX numbers the positions of all maps of a batch; our operators number those of one map.
"""

from __future__ import annotations

from math import prod

from msgspec.structs import replace

from archscope.importers.onnx.patterns.dataflow import Dataflow, Replacement, fuse, require
from archscope.importers.onnx.resolved_model import OnnxOperator

INDICES = "MaxPoolIndices"
WINDOW = ("kernel_shape", "strides", "pads")


def remainder(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match positions modulo the size of a map, as archscope writes them."""
    places, size = operator.inputs
    pool = _pool(flow, places)
    require(flow.number(size) == prod(flow.shape(pool.inputs[0])[2:]))
    return _indices(operator, pool)


def less_first(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match positions minus the first of each map, which torch takes from a pool of one value."""
    places, first = operator.inputs
    pool = _pool(flow, places)
    part = flow.producers[first]
    all_places = _pool(flow, part.inputs[0])
    require(set(all_places.attributes["kernel_shape"]) == {1})
    require(all_places.inputs == pool.inputs and set(flow.shape(first)[2:]) == {1})
    if part.kind == "Slice":
        require(not flow.constant(part.inputs[1]).any())
    else:
        require(part.kind == "Range" and part.attributes["start"] == 0)
    return _indices(operator, pool)


def unpool(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match ONNX's unpooling to the positions that a pool of the same model found."""
    require(not any(operator.inputs[2:]))  # a size, by which positions are numbered differently
    x, places = operator.inputs[0], _behind(flow, operator.inputs[1], "Identity")
    pool = _pool(flow, places)
    inside = f"{places}/inside"
    made = []
    if inside not in flow.model.shapes:
        flow.model.shapes[inside] = flow.shape(places)
        made = [replace(pool, kind=INDICES, outputs=(inside,))]
    require(flow.shape(pool.inputs[0]) == flow.shape(operator.outputs[0]))
    return [operator], [*made, _unpool(flow, operator, x, inside, pool)]


def scattered(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match values written to the positions of a pool among zeros, map by map or all at once."""
    scatter = flow.match(operator.inputs[0], "ScatterElements", "ScatterND")
    zeros, places, values = scatter.inputs
    require(scatter.attributes.get("reduction", "none") == "none" and _is_zero(flow, zeros))
    out = flow.shape(operator.outputs[0])
    if scatter.kind == "ScatterElements":
        require(scatter.attributes.get("axis", 0) % len(flow.shape(zeros)) == 2)
        require(flow.shape(zeros) == (*out[:2], prod(out[2:])))
        places = _behind(flow, places, "Cast", "Reshape")
    else:
        require(flow.shape(zeros) == (prod(out),))
        within = flow.producers[_behind(flow, places, "Unsqueeze", "Reshape")]
        places = _without_starts(flow, within, out)
    pool, x = flow.producers[places], _behind(flow, values, "Reshape")
    require(pool.kind == INDICES and flow.shape(x) == flow.shape(places))
    return [operator], [_unpool(flow, operator, x, places, pool)]


def _pool(flow: Dataflow, places: str) -> OnnxOperator:
    """Return the pool that found positions, numbered row by row. Raises LookupError."""
    pool = flow.producers[places]
    require(pool.kind == "MaxPool" and pool.outputs[1:] == (places,))
    require(not pool.attributes.get("storage_order"))
    return pool


def _indices(operator: OnnxOperator, pool: OnnxOperator) -> Replacement:
    return fuse([operator], INDICES, pool.inputs, **pool.attributes)


def _unpool(
    flow: Dataflow, operator: OnnxOperator, x: str, places: str, pool: OnnxOperator
) -> OnnxOperator:
    """Return an unpooling with the window of the pool, in place of an operator."""
    window = {word: pool.attributes[word] for word in WINDOW if word in pool.attributes}
    window["size"] = list(flow.shape(operator.outputs[0])[2:])
    return replace(operator, kind="Unpool", inputs=(x, places), attributes=window)


def _behind(flow: Dataflow, name: str, *kinds: str) -> str:
    """Return the value that operators of these kinds, which compute nothing, start from."""
    while name in flow.producers and flow.producers[name].kind in kinds:
        name = flow.producers[name].inputs[0]
    return name


def _is_zero(flow: Dataflow, name: str) -> bool:
    """Return whether a value is zeros: a constant, or a value times 0 that is repeated."""
    if name in flow.model.constants:
        return not flow.constant(name).any()
    zero = flow.producers[_behind(flow, name, "Expand")]
    return zero.kind == "Mul" and 0 in map(flow.number, zero.inputs)


def _without_starts(flow: Dataflow, operator: OnnxOperator, out: tuple[int, ...]) -> str:
    """Return the positions to which the start of each map is added."""
    require(operator.kind == "Add")
    (places,) = (name for name in operator.inputs if name not in flow.model.constants)
    (starts,) = (name for name in operator.inputs if name in flow.model.constants)
    expected = [prod(out[2:]) * number for number in range(prod(out[:2]))]
    found = flow.constant(starts)
    require(found.ndim == len(out) and found.reshape(-1).tolist() == expected)
    return places
