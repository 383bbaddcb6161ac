"""Recurrent layers, whose values have the axes sequence, batch, channels, height and width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archscope.importers.coreml.messages import Message
from archscope.importers.coreml.neural_network import NeuralNetwork, layer
from archscope.importers.coreml.writing import kind_of

GATES = {
    "LSTM": ("inputGate", "outputGate", "forgetGate", "blockInput"),
    "GRU": ("updateGate", "resetGate", "outputGate"),
}
"""The gates in ONNX's order."""

USUAL = {"LSTM": ["sigmoid", "tanh", "tanh"], "GRU": ["sigmoid", "tanh"]}


@layer("uniDirectionalLSTM", "biDirectionalLSTM")
def lstm(t: NeuralNetwork) -> str | list[str]:
    """Write an LSTM of one or two directions."""
    s = t.settings
    two = t.layer.kind == "biDirectionalLSTM"
    p = s.message("params")
    sides = s.messages("weightParams")
    words = ("activationsForwardLSTM", "activationsBackwardLSTM") if two else ("activations",)
    plain = all(_words(s, word) in ([], USUAL["LSTM"]) for word in words)
    odd = ("hasPeepholeVectors", "coupledInputAndForgetGate")
    if not plain or any(p.flag(word) for word in odd) or len(sides) != 1 + two:
        return t.unknown()
    direction = "bidirectional" if two else "reverse" if s.flag("reverseInput") else "forward"
    biased, forget = p.flag("hasBiasVectors"), p.flag("forgetBias")
    inputs = _weights(t, sides, "LSTM", biased, forget)
    return _recurrent(t, "LSTM", inputs, direction, p.flag("sequenceOutput"))


@layer("gru")
def gru(t: NeuralNetwork) -> str | list[str]:
    """Write a GRU."""
    s = t.settings
    if _words(s, "activations") not in ([], USUAL["GRU"]):
        return t.unknown()
    inputs = _weights(t, [s], "GRU", s.flag("hasBiasVectors"), False)
    direction = "reverse" if s.flag("reverseInput") else "forward"
    return _recurrent(t, "GRU", inputs, direction, s.flag("sequenceOutput"))


@layer("simpleRecurrent")
def simple(t: NeuralNetwork) -> str | list[str]:
    """Write a recurrent layer without gates."""
    s = t.settings
    word = kind_of(s.message("activation"), "tanh", "ReLU")
    if not word:
        return t.unknown()
    into, hidden = s.integer("inputVectorSize"), s.integer("outputVectorSize")
    parts = [t.weight("weightMatrix", [hidden, into]), t.weight("recursionMatrix", [hidden] * 2)]
    bias = t.weight("biasVector", [hidden]) if s.flag("hasBiasVector") else ""
    inputs = [str(t.op("Unsqueeze", part, t.constant([0]))) for part in parts]
    inputs.append(_with_zeros(t, bias, hidden, parts[1]))
    direction = "reverse" if s.flag("reverseInput") else "forward"
    given = {"activations": ["Relu"]} if word == "ReLU" else {}
    return _recurrent(t, "RNN", inputs, direction, s.flag("sequenceOutput"), **given)


def _words(settings: Message, word: str) -> list[str]:
    kinds = ("sigmoid", "tanh")
    return [kind_of(entry, *kinds) for entry in settings.messages(word)]


def _weights(
    t: NeuralNetwork, sides: Sequence[Message], kind: str, biased: bool, forget: bool
) -> list[str]:
    """Write the weights of the gates of each direction, one after another."""
    s = t.settings
    into, hidden = s.integer("inputVectorSize"), s.integer("outputVectorSize")
    joined: list[list[str]] = [[], [], []]
    for side in sides:
        for place, (word, width) in enumerate(
            (("WeightMatrix", into), ("RecursionMatrix", hidden))
        ):
            rows = [t.weight(f"{gate}{word}", [hidden, width], of=side) for gate in GATES[kind]]
            joined[place].append(_stacked(t, rows))
        bias = ""
        if biased:
            rows = [t.weight(f"{gate}BiasVector", [hidden], of=side) for gate in GATES[kind]]
            if forget:
                rows[2] = str(t.op("Add", rows[2], t.filled(1, [hidden], rows[2])))
            bias = str(t.op("Concat", *rows, axis=0))
        count = len(GATES[kind]) * hidden
        joined[2].append(_with_zeros(t, bias, count, rows[0]))
    return [
        parts[0] if len(parts) == 1 else str(t.op("Concat", *parts, axis=0)) for parts in joined
    ]


def _stacked(t: NeuralNetwork, rows: Sequence[str]) -> str:
    return str(t.op("Unsqueeze", t.op("Concat", *rows, axis=0), t.constant([0])))


def _with_zeros(t: NeuralNetwork, bias: str, count: int, like: str) -> str:
    """Write a bias followed by zeros, those of the recurrent product."""
    zeros = t.filled(0, [1, count], like)
    first = str(t.op("Unsqueeze", bias, t.constant([0]))) if bias else zeros
    return str(t.op("Concat", first, zeros, axis=1))


def _recurrent(
    t: NeuralNetwork, kind: str, weights: Sequence[str], direction: str, all_steps: bool,
    **given: Any,
) -> list[str]:  # fmt: skip
    """Write a recurrent layer; its states come and go with axes of size 1 around them."""
    sides = 2 if direction == "bidirectional" else 1
    hidden = t.settings.integer("outputVectorSize")
    x = t.value()
    dims = t.known_dims(x)
    five = t.exact and len(dims) == 5
    length, batch = dims[:2] if five else (1, dims[0])
    states = (1 + (kind == "LSTM")) * sides
    given_states = range(1, min(1 + states, len(t.layer.inputs)))
    starts = [t.reshaped(t.value(place), [1, batch, hidden]) for place in given_states]
    if sides == 2 and starts:  # those of one direction first
        half = len(starts) // 2
        starts = [str(t.op("Concat", starts[at], starts[at + half], axis=0)) for at in range(half)]
    flat = t.reshaped(x, [length, batch, t.settings.integer("inputVectorSize")])
    made = t.op(kind, flat, *weights, "", *starts, outputs=3 if kind == "LSTM" else 2,
                hidden_size=hidden, direction=direction, **given)  # fmt: skip
    y = t.turned(made[0], (0, 2, 1, 3))
    ends = [_parts(t, state, sides) for state in made[1:]]
    if not all_steps:
        parts = ends[0]
        y = str(t.op("Concat", *parts, axis=2)) if len(parts) > 1 else parts[0]
        length = 1
    shape = [length, batch, sides * hidden, 1, 1] if five else [batch, sides * hidden]
    after = [1, batch, hidden, 1, 1] if five else [batch, hidden]
    by_side = [end[at] for at in range(sides) for end in ends]
    return [t.reshaped(y, shape), *(t.reshaped(end, after) for end in by_side)]


def _parts(t: NeuralNetwork, state: str, sides: int) -> list[str]:
    if sides == 1:
        return [state]
    return list(t.op("Split", state, outputs=2, axis=0, num_outputs=2))
