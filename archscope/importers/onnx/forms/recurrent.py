"""Express ONNX's recurrent layers by those of torch, whose gates have another order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archscope.importers.onnx.deferred import Deferred
from archscope.importers.onnx.forms.applied import Applied, Steps, form, last
from archscope.ops.foreign import Foreign, Tensor

GATES = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
"""The places of torch's gates among ONNX's: i, f, g, o of i, o, f, c; and r, z, n of z, r, h."""

FUNCTIONS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}
"""The activations of one direction by default, which are torch's."""


@form(*GATES)
def recurrent(applied: Applied) -> Steps:
    """Return a layer that starts from zeros: its sequence, or the last states of it."""
    target = _target(applied)
    if target is None:
        return ()
    sides = applied.input(1).shape[0]
    zero = Tensor("zeros", (), constant=True, value=0)
    has_biases = applied.given(3) is not None
    args = {
        "input": applied.x, "hx": (zero, zero) if target == "lstm.input" else zero,
        "params": tuple(_params(applied, sides, has_biases)), "has_biases": has_biases,
        "num_layers": 1, "dropout": 0.0, "train": False, "bidirectional": sides == 2,
        "batch_first": False, "result": 0,
    }  # fmt: skip
    time, batch = applied.x.shape[:2]
    hidden = applied.input(2).shape[2]
    shape = (time, sides, batch, hidden)
    backward = applied.attribute("direction", "forward") == "reverse"
    made = applied.results.get(0)
    steps = [] if made is not None else [*_sequence(target, args, shape, backward)]
    if applied.place == 0:
        return steps
    if applied.place > 1:  # the cell of an LSTM
        return ()
    # The last state is at the end of the sequence, that of the direction back at its start.
    states = (sides, batch, hidden)
    end = {"self": made or last(shape), "dim": 0, "index": 0 if backward else time - 1}
    steps.append(Foreign("aten.select.int", end, states))
    if sides == 1:
        return steps
    state = (1, batch, hidden)
    start = {"self": made or last(shape, ago=3), "dim": 0, "index": 0}
    part = {"dim": 0, "step": 1}
    return [
        *steps,
        Foreign("aten.slice.Tensor", {"self": last(states), **part, "start": 0, "end": 1}, state),
        Foreign("aten.select.int", start, states),
        Foreign("aten.slice.Tensor", {"self": last(states), **part, "start": 1, "end": 2}, state),
        Foreign(
            "aten.cat.default", {"tensors": (last(state, ago=3), last(state)), "dim": 0}, states
        ),
    ]


def _target(applied: Applied) -> str | None:
    """Return torch's operator, None if a layer does what that one cannot."""
    kind, attribute = applied.operator.kind, applied.attribute
    sides = applied.input(1).shape[0]
    functions = attribute("activations") or FUNCTIONS[kind] * sides
    functions = [word.decode() if isinstance(word, bytes) else word for word in functions]
    given = [*applied.tensors[4:], None, None, None, None]
    starts = [tensor for tensor in given[1:3] if tensor is not None]
    if (
        given[0] is not None  # lengths of sequences
        or given[3] is not None  # peepholes
        or any(not tensor.constant or applied.arrays[tensor.name].any() for tensor in starts)
        or attribute("clip") is not None
        or attribute("layout")
        or attribute("input_forget")
        or (kind == "GRU" and not attribute("linear_before_reset"))
    ):
        return None
    if kind == "RNN" and functions == ["Relu"] * sides:
        return "rnn_relu.input"
    if functions != FUNCTIONS[kind] * sides:
        return None
    return {"LSTM": "lstm.input", "GRU": "gru.input", "RNN": "rnn_tanh.input"}[kind]


def _params(applied: Applied, sides: int, has_biases: bool) -> list[Tensor]:
    """Return the weights and biases of each direction in torch's order of gates."""
    found: list[Tensor] = []
    for side in range(sides):
        found += [_part(applied, place, side) for place in (1, 2)]
        if has_biases:
            half = applied.input(3).shape[1] // 2
            found += [_part(applied, 3, side, slice(start, start + half)) for start in (0, half)]
    return found


def _part(
    applied: Applied, place: int, side: int, rows: slice[int, int, None] | None = None
) -> Tensor:
    """Return the weights of a direction with their gates in torch's order; computed when read."""
    array, order = applied.array(place), GATES[applied.operator.kind]
    kept = rows or slice(0, array.shape[1])
    shape = (kept.stop - kept.start, *array.shape[2:])

    def reordered() -> Any:
        gates = array[side][kept]
        return gates.reshape(len(order), -1, *shape[1:])[list(order)].reshape(shape)

    suffix = f"|{side}:{kept.start}"
    return applied.constant(place, suffix, Deferred(shape, array.dtype, reordered))


def _sequence(
    target: str, args: dict[str, Any], out: tuple[int, ...], backward: bool
) -> Sequence[Foreign]:
    """Return all states, with the directions before the batch as ONNX has them.

    Backward, the layer reads the sequence from its end, and so its states are turned.
    """
    time, sides, batch, hidden = out
    sequence = (time, batch, sides * hidden)
    steps = []
    if backward:
        x = args["input"]
        steps.append(Foreign("aten.flip.default", {"self": x, "dims": (0,)}, x.shape))
        args = {**args, "input": last(x.shape)}
    steps.append(Foreign(f"aten.{target}", args, sequence))
    if backward:
        steps.append(Foreign("aten.flip.default", {"self": last(sequence), "dims": (0,)}, sequence))
    if sides == 1:
        return [*steps, Foreign("aten.reshape.default", {"self": last(sequence)}, out)]
    apart = (time, batch, sides, hidden)
    return [
        *steps,
        Foreign("aten.reshape.default", {"self": last(sequence)}, apart),
        Foreign("aten.permute.default", {"self": last(apart), "dims": (0, 2, 1, 3)}, out),
    ]
