"""Express ONNX's recurrent layers by those of torch, whose gates have another order."""

from __future__ import annotations

from typing import Any

from archscope.importers.onnx.forms.applied import Applied, Steps, form, last
from archscope.ops.foreign import Foreign, Tensor

GATES = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
"""The places of torch's gates among ONNX's: i, f, g, o of i, o, f, c; and r, z, n of z, r, h."""

FUNCTIONS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}
"""The activations of one direction by default, which are torch's."""


@form(*GATES)
def recurrent(applied: Applied) -> Steps:
    """Return a layer that starts from zeros: its sequence, or its last state."""
    target = _target(applied)
    if target is None:
        return ()
    sides = len(applied.array(1))
    zero = Tensor("zeros", (), constant=True, value=0)
    has_biases = applied.given(3) is not None
    args = {
        "input": applied.x, "hx": (zero, zero) if target == "lstm.input" else zero,
        "params": tuple(_params(applied, sides, has_biases)), "has_biases": has_biases,
        "num_layers": 1, "dropout": 0.0, "train": False, "bidirectional": sides == 2,
        "batch_first": False, "result": applied.place,
    }  # fmt: skip
    if applied.place == 0:
        return _sequence(target, args, applied.out)
    sequence = applied.results.get(0)
    if applied.place == 1 and sequence is None:
        return (Foreign(f"aten.{target}", args, applied.out),)
    if applied.place == 1 and sides == 1:
        end = {"self": sequence, "dim": 0, "index": applied.x.shape[0] - 1}
        return (Foreign("aten.select.int", end, applied.out),)
    return ()


def _target(applied: Applied) -> str | None:
    """Return torch's operator, None if a layer does what that one cannot."""
    kind, attribute = applied.operator.kind, applied.attribute
    sides = len(applied.array(1))
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
        or attribute("direction", "forward") == "reverse"
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
    order = GATES[applied.operator.kind]
    found: list[Tensor] = []
    for side in range(sides):
        for place in (1, 2):
            gates = applied.array(place)[side]
            found.append(applied.constant(place, f"|{side}", _reordered(gates, order)))
        if has_biases:
            both = applied.array(3)[side]
            half = len(both) // 2
            for word, part in (("ih", both[:half]), ("hh", both[half:])):
                found.append(applied.constant(3, f"|{side}{word}", _reordered(part, order)))
    return found


def _reordered(gates: Any, order: tuple[int, ...]) -> Any:
    """Return weights (gates * hidden, ...) with their gates in another order."""
    each = gates.reshape(len(order), -1, *gates.shape[1:])
    return each[list(order)].reshape(gates.shape)


def _sequence(target: str, args: dict[str, Any], out: tuple[int, ...]) -> Steps:
    """Return all states, with the directions before the batch as ONNX has them."""
    time, sides, batch, hidden = out
    sequence = (time, batch, sides * hidden)
    layer = Foreign(f"aten.{target}", args, sequence)
    if sides == 1:
        return layer, Foreign("aten.reshape.default", {"self": last(sequence)}, out)
    apart = (time, batch, sides, hidden)
    return (
        layer,
        Foreign("aten.reshape.default", {"self": last(sequence)}, apart),
        Foreign("aten.permute.default", {"self": last(apart), "dims": (0, 2, 1, 3)}, out),
    )
