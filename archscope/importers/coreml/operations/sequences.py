"""Recurrent layers."""

from __future__ import annotations

from typing import Any

from archscope.errors import LimitError
from archscope.importers.coreml.program import Program, operation

MOST_HIDDEN = 1 << 20

GATES = {"lstm": (0, 2, 1, 3), "gru": (2, 0, 1), "rnn": (0,)}
"""The places of ONNX's gates among those of the file."""


@operation("lstm", "gru", "rnn")
def recurrent(t: Program) -> str | list[str]:
    """Write a recurrent layer, whose sequence comes first and whose gates have another order."""
    kind = t.entry.kind
    direction = t.word("direction", "forward")
    activation = t.word("activation", "tanh")
    plain = activation == "tanh" and t.word("cell_activation", "tanh") == "tanh"
    plain = plain and t.word("recurrent_activation", "sigmoid") == "sigmoid"
    plain = plain or (kind == "rnn" and activation == "relu")
    if not plain or t.has("peephole") or t.has("clip"):
        return t.unknown()
    sides = ["", "_back"] if direction == "bidirectional" else [""]
    x = t.value("x")
    hidden = t.known_dims(t.value("weight_hh"))[-1]
    inputs = [x]
    inputs += [
        _joined(t, [_gates(t, t.value(f"{word}{side}"), hidden) for side in sides])
        for word in ("weight_ih", "weight_hh")
    ]
    inputs.append(_joined(t, [_bias(t, f"bias{side}", hidden) for side in sides]))
    inputs.append("")  # all sequences have the same length
    states = ["initial_h", "initial_c"] if kind == "lstm" else ["initial_h"]
    batch = t.known_dims(x)[1]
    for word in states:
        start = t.reshaped(t.value(word), [batch, len(sides), hidden])
        inputs.append(t.turned(start, (1, 0, 2)))
    given: dict[str, Any] = {"hidden_size": hidden, "direction": direction}
    if activation == "relu":
        given["activations"] = ["Relu"] * len(sides)
    made = t.op(kind.upper(), *inputs, outputs=1 + len(states), **given)
    length = t.known_dims(x)[0]
    width = len(sides) * hidden
    ends = [t.reshaped(t.turned(state, (1, 0, 2)), [batch, width]) for state in made[1:]]
    if t.flag("output_sequence"):
        y = t.turned(made[0], (0, 2, 1, 3))
        y = t.reshaped(y, [length, batch, width])
    else:
        y = t.reshaped(ends[0], [1, batch, width])
    return [y, *ends]


def _gates(t: Program, value: str, hidden: int) -> str:
    """Write weights with their gates in ONNX's order, and an axis for the direction."""
    order = GATES[t.entry.kind]
    if len(order) > 1:
        if hidden > MOST_HIDDEN:
            raise LimitError(f"{t.entry} has {hidden} states, beyond the limit of {MOST_HIDDEN}")
        places = [gate * hidden + row for gate in order for row in range(hidden)]
        value = str(t.op("Gather", value, t.constant(places), axis=0))
    return str(t.op("Unsqueeze", value, t.constant([0])))


def _bias(t: Program, word: str, hidden: int) -> str:
    """Write a bias followed by zeros, those of the recurrent product."""
    count = len(GATES[t.entry.kind]) * hidden
    zeros = t.filled(0, [1, count], t.value("weight_hh"))
    first = _gates(t, t.value(word), hidden) if t.has(word) else zeros
    return str(t.op("Concat", first, zeros, axis=1))


def _joined(t: Program, values: list[str]) -> str:
    return values[0] if len(values) == 1 else str(t.op("Concat", *values, axis=0))
