"""Recurrent layers, which read the positions of a map one after another.

Inputs are (channels, positions) or (channels, rows, positions), with any axes of rows: each row is
a sequence of its own, as in ReNet and Sequencer.
"""

from __future__ import annotations

from math import prod
from typing import Annotated, Any, ClassVar

from archscope.errors import ShapeError
from archscope.ir import INNER, WEIGHTS, Call, Example, Op, Saved, Shape, call, text_of
from archscope.onnx_form import Input, Value, X, ints, node, weight
from archscope.ops.attributes import Count, Flag, Positive, choice
from archscope.ops.facts import free, moved, whole
from archscope.ops.foreign import Foreign, Recognised, recognises
from archscope.ops.registry import op

Result = Annotated[str, choice("sequence", "state")]
ResultOfLSTM = Annotated[str, choice("sequence", "state", "sequence_and_cell")]


class Recurrent(Op, frozen=True, kw_only=True):
    """The base class of recurrent layers; not an operator itself.

    A single layer may read its first state from a second input, that of the reverse direction
    behind that of the other; without one, it starts from zeros.
    """

    principal = "hidden"
    arity = (1, 2)
    nonlinear = relates = True

    gates: ClassVar[int]  # products with the input, and with the state, at each position
    work: ClassVar[int]  # other operations per hidden unit, without biases
    onnx_gates: ClassVar[tuple[int, ...]]  # torch's index of each of ONNX's gates

    hidden: Annotated[Positive, "channels of the state in each direction"]
    layers: Annotated[Positive, "number of stacked layers"] = 1
    bidirectional: Annotated[Flag, "also read the positions backwards, with other weights"] = False
    bias: Annotated[Flag, "add two learned biases to each gate, as torch does"] = True
    result: Annotated[
        Result, "the output: the whole sequence, or the last state of each direction"
    ] = "sequence"

    buffers = free
    access = moved
    window = whole
    may_see_less = True

    @property
    def directions(self) -> int:
        """The number of directions in which the positions are read."""
        return 2 if self.bidirectional else 1

    @property
    def keeps_zero(self) -> bool:
        return not self.bias

    @property
    def width(self) -> int:
        """The output channels of a direction."""
        return self.hidden

    def shape(self, *ins: Shape) -> Shape:
        x, *states = ins
        if len(x) < 2:
            raise ShapeError(f"'{self.name}' needs channels and positions, got {text_of(x)}")
        if states and (self.layers > 1 or len(x) > 2):
            raise ShapeError(
                f"'{self.name}' with a first state has 1 layer, and no rows, got {self.layers}"
                f" and {text_of(x)}"
            )
        widths = (self.width, self.hidden)  # of a state, and of an LSTM's cell
        for state, width in zip(states, widths, strict=False):
            if state != (self.directions * width,):
                raise ShapeError(
                    f"'{self.name}' needs states of {self.directions * width} channels,"
                    f" got {text_of(state)}"
                )
        sizes = x[1:] if self.result == "sequence" else x[1:-1]
        return self.directions * self.width, *sizes

    def inputs(self, *ins: Shape) -> list[int]:
        """Return the input channels of each layer."""
        return [ins[0][0], *(self.directions * self.width for _ in range(self.layers - 1))]

    def read(self, *ins: Shape) -> int:
        """Return the numbers read by all layers; each direction copies those of the first."""
        first, *others = self.inputs(*ins)
        return prod(ins[0][1:]) * (self.directions * first + sum(others))

    def matrix(self, channels: int) -> int:
        """Return the numbers of the matrices of one direction of a layer."""
        return self.gates * self.hidden * (channels + self.width)

    def params(self, *ins: Shape) -> int:
        weights = sum(map(self.matrix, self.inputs(*ins)))
        return self.directions * (weights + self.biases_of_layer() * self.layers)

    def biases_of_layer(self) -> int:
        """Return the biases of one direction of a layer."""
        return 2 * self.gates * self.hidden if self.bias else 0

    def biases(self, *ins: Shape) -> int:
        return self.directions * self.layers * self.biases_of_layer()

    def macs(self, *ins: Shape) -> int:
        """Count every matrix once for each position."""
        return self.directions * prod(ins[0][1:]) * sum(map(self.matrix, self.inputs(*ins)))

    def factors(self, *ins: Shape) -> tuple[tuple[int, int, int], ...]:
        """Return the products with the input, then those with states and inner layers."""
        outer = self.directions * self.gates * self.hidden * prod(ins[0])
        return (WEIGHTS, 0, outer), (WEIGHTS, INNER, self.macs(*ins) - outer)

    def backward_macs(self, *ins: Shape, needed: tuple[bool, ...]) -> int:
        """Count all products twice, except for inputs, and first states, without gradient."""
        rows = self.directions * self.gates * self.hidden
        states = prod(ins[0][1:-1]) * self.layers * rows * self.width
        states = 0 if any(needed[1:2]) else states
        return 2 * self.macs(*ins) - states - (0 if needed[0] else rows * prod(ins[0]))

    def elementwise(self, *ins: Shape) -> int:
        """Count the gates, the biases and the computation of the next state at every position."""
        units = self.directions * self.layers * prod(ins[0][1:])
        return units * (self.work * self.hidden + self.biases_of_layer())

    def torch(self, *ins: Shape) -> Call:
        words: dict[str, Any] = {}
        if self.layers > 1:
            words["num_layers"] = self.layers
        if self.bidirectional:
            words["bidirectional"] = True
        if not self.bias:
            words["bias"] = False
        if self.result != "sequence":
            words["result"] = self.result
        return call(f"archscope.nn.{type(self).__name__}", ins[0][0], self.hidden, **words)

    def onnx(self, *ins: Shape) -> Value | None:
        channels, *rows, _ = ins[0]
        rank, width = len(ins[0]) + 1, self.directions * self.hidden
        x = node("Transpose", X, perm=(rank - 1, 0, *range(2, rank - 1), 1))
        if rows:  # (positions, N * rows, channels)
            x = node("Reshape", x, ints(0, -1, channels))
        results: Value = x
        first = [self._apart(Input(place)) for place in range(1, len(ins))]
        for place, channels in enumerate(self.inputs(*ins)):
            layer = self._onnx_layer(results, place, channels, first)
            if self.result == "state" and place == self.layers - 1:
                results = node("Reshape", self._together(layer.result(1)), ints(-1, *rows, width))
                last = rank - 2
                return node("Transpose", results, perm=(0, last, *range(1, last)))
            # (positions, directions, N, hidden) to (positions, N, directions * hidden)
            results = node("Reshape", node("Transpose", layer, perm=(0, 2, 1, 3)),
                           ints(0, 0, width))  # fmt: skip
        results = node("Reshape", results, ints(0, -1, *rows, width)) if rows else results
        sequence = node("Transpose", results, perm=(1, rank - 1, *range(2, rank - 1), 0))
        if self.result == "sequence":
            return sequence
        cell = node("Reshape", self._together(layer.result(2)), ints(0, 0, 1))
        return node("Concat", sequence, cell, axis=2)

    def _apart(self, states: Value) -> Value:
        """Describe (N, directions * hidden) as ONNX's (directions, N, hidden)."""
        each = node("Reshape", states, ints(0, self.directions, self.hidden))
        return node("Transpose", each, perm=(1, 0, 2))

    def _together(self, states: Value) -> Value:
        """Describe ONNX's (directions, N, hidden) as (N, directions * hidden)."""
        each = node("Transpose", states, perm=(1, 0, 2))
        return node("Reshape", each, ints(0, self.directions * self.hidden))

    def _onnx_layer(self, x: Value, place: int, channels: int, first: list[Value]) -> Any:
        rows = self.gates * self.hidden
        ends = [f"_l{place}{end}" for end in ("", "_reverse")[: self.directions]]
        spread = self.hidden**-0.5

        def joined(word: str, *shape: int) -> Value:
            parts = [self._in_order(weight(word + end, *shape, spread=spread)) for end in ends]
            both = parts[0] if len(parts) == 1 else node("Concat", *parts, axis=0)
            return node("Reshape", both, ints(self.directions, *shape))

        biases = None
        if self.bias:
            biases = node("Concat", joined("bias_ih", rows), joined("bias_hh", rows), axis=1)
        return node(
            type(self).__name__,
            x,
            joined("weight_ih", rows, channels),
            joined("weight_hh", rows, self.hidden),
            biases,
            *([None, *first] if first else []),
            hidden_size=self.hidden,
            direction="bidirectional" if self.bidirectional else "forward",
            **self.onnx_words(),
        )

    def onnx_words(self) -> dict[str, Any]:
        """Return additional attributes of the ONNX operator."""
        return {}

    def _in_order(self, rows: Value) -> Value:
        """Describe rows of weights with their gates in ONNX's order."""
        if len(self.onnx_gates) == 1:
            return rows
        parts = [
            node("Slice", rows, ints(gate * self.hidden), ints((gate + 1) * self.hidden), ints(0))
            for gate in self.onnx_gates
        ]
        return node("Concat", *parts, axis=0)


@op("lstm")
class LSTM(Recurrent, frozen=True, kw_only=True):
    """Long short-term memory, Hochreiter and Schmidhuber 1997.

    Autograd keeps at least the sequences and the first and last states; how much more depends on
    the kernels that torch chooses.
    """

    arity = (1, 3)
    gates = 4
    work = 22  # sums of both products, three sigmoids, two tanh, and 4 for the cell and the output
    onnx_gates = (0, 3, 1, 2)

    projection: Annotated[Count, "channels that the state is projected to; 0 for no projection"] = 0
    result: Annotated[
        ResultOfLSTM,
        "the output: the whole sequence, the last state of each direction, or the sequence and"
        " behind it the last cell of each direction as one more position",
    ] = "sequence"

    @property
    def width(self) -> int:
        return self.projection or self.hidden

    def shape(self, *ins: Shape) -> Shape:
        if self.projection >= self.hidden:
            raise ShapeError(
                f"'lstm' of {self.hidden} channels cannot project to {self.projection}"
            )
        if len(ins) == 2:
            raise ShapeError("'lstm' reads a state and a cell, or neither, got one of them")
        out = super().shape(*ins)
        if self.result != "sequence_and_cell":
            return out
        if self.projection or self.layers > 1 or len(ins[0]) > 2:
            raise ShapeError("'lstm' with its cell has 1 layer, no projection, and no rows")
        return self.directions * self.hidden, ins[0][1] + 1

    def matrix(self, channels: int) -> int:
        return super().matrix(channels) + self.projection * self.hidden

    def saved(self, *ins: Shape) -> Saved:
        """State the sequences, and the first and last states of each direction."""
        *rows, positions = ins[0][1:]
        each = positions * self.width + 2 * (self.width + self.hidden)
        elements = prod(ins[0]) + prod(rows) * self.layers * self.directions * each
        return Saved(elements=elements, least=True)

    def torch(self, *ins: Shape) -> Call:
        made = super().torch(*ins)
        return made.with_(proj_size=self.projection) if self.projection else made

    def onnx(self, *ins: Shape) -> Value | None:
        """Describe it, unless it has a projection, which ONNX's operator lacks."""
        return None if self.projection else super().onnx(*ins)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(hidden=6), ((5, 7),)),
            Example(cls(hidden=4, layers=2, bidirectional=True), ((5, 7),)),
            Example(cls(hidden=4, bias=False, result="state", bidirectional=True), ((3, 5),)),
            Example(cls(hidden=4, bidirectional=True), ((3, 2, 5),)),
            Example(cls(hidden=4, result="state", bidirectional=True), ((3, 2, 5),)),
            Example(cls(hidden=4, result="sequence_and_cell"), ((5, 7), (4,), (4,))),
        )


@op("gru")
class GRU(Recurrent, frozen=True, kw_only=True):
    """Gated recurrent units, Cho et al. 2014."""

    gates = 3
    work = 17  # 2 sums, two sigmoids, a gated product and its sum, a tanh, and 4 for the mean
    onnx_gates = (1, 0, 2)

    def saved(self, *ins: Shape) -> Saved:
        """State the inputs of layers, and 7 numbers for each hidden unit and position."""
        units = prod(ins[0][1:]) * self.layers * self.directions * self.hidden
        return Saved(elements=self.read(*ins) + 7 * units)

    def onnx_words(self) -> dict[str, Any]:
        return {"linear_before_reset": 1}

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(hidden=6), ((5, 7),)),
            Example(cls(hidden=4, layers=2, bidirectional=True), ((5, 7),)),
            Example(cls(hidden=4, bias=False, result="state"), ((3, 5),)),
            Example(cls(hidden=4, layers=2), ((3, 2, 5),)),
            Example(cls(hidden=4, bidirectional=True), ((5, 7), (8,))),
        )


@op("rnn")
class RNN(Recurrent, frozen=True, kw_only=True):
    """A layer that reads its own previous output, Elman 1990."""

    gates = 1
    work = 2  # a sum and the function
    onnx_gates = (0,)

    function: Annotated[
        Annotated[str, choice("tanh", "relu")], "activation of the sum of both products"
    ] = "tanh"

    def saved(self, *ins: Shape) -> Saved:
        """State the inputs of layers, and all states."""
        *rows, positions = ins[0][1:]
        states = prod(rows) * self.layers * self.directions * (positions + 1) * self.hidden
        return Saved(elements=self.read(*ins) + states)

    def torch(self, *ins: Shape) -> Call:
        made = super().torch(*ins)
        return made if self.function == "tanh" else made.with_(nonlinearity=self.function)

    def onnx_words(self) -> dict[str, Any]:
        return {"activations": (self.function.capitalize(),) * self.directions}

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(hidden=6), ((5, 7),)),
            Example(cls(hidden=4, layers=2, bidirectional=True, function="relu"), ((5, 7),)),
            Example(cls(hidden=4, bias=False, result="state"), ((3, 5),)),
            Example(cls(hidden=4, layers=2), ((3, 2, 5),)),
            Example(cls(hidden=4), ((5, 7), (4,))),
        )


KINDS: dict[str, tuple[type[Recurrent], dict[str, Any]]] = {
    "lstm": (LSTM, {}),
    "gru": (GRU, {}),
    "rnn_tanh": (RNN, {}),
    "rnn_relu": (RNN, {"function": "relu"}),
}
"""The layers by torch's functions."""


@recognises(*(f"channels.{name}" for name in KINDS))
def recurrent_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise a recurrent layer, with its channels in front.

    Importers give first states that are not zeros as `states`, and the result that they need.
    """
    kind, settings = KINDS[foreign.target.split(".")[1]]
    args, x, states = foreign.args, foreign.args["input"], foreign.get("states", ())
    layers, place = args["num_layers"], args["result"]
    if place or (args["dropout"] and layers > 1) or (not states and not starts_from_zeros(foreign)):
        return None
    weights = dict(zip(weight_names(foreign), args["params"], strict=True))
    hidden = weights["weight_hh_l0"].shape[0] // kind.gates
    if "weight_hr_l0" in weights:
        settings = {"projection": weights["weight_hr_l0"].shape[0]}
    found = kind(
        hidden=hidden,
        layers=layers,
        bidirectional=args["bidirectional"],
        bias=args["has_biases"],
        result=foreign.get("needed", "sequence"),
        **settings,
    )
    return Recognised(found, (x, *states), weights)


def starts_from_zeros(foreign: Foreign) -> bool:
    """Return whether the first states of torch's recurrent layer are zeros."""
    states = foreign.args["hx"]
    return all(t.value == 0 for t in (states if isinstance(states, tuple) else (states,)))


def weight_names(foreign: Foreign) -> list[str]:
    """Return the names of the weights of torch's recurrent layer, in its order."""
    args = foreign.args
    ends = ("", "_reverse") if args["bidirectional"] else ("",)
    words = ["weight_ih", "weight_hh", *(["bias_ih", "bias_hh"] if args["has_biases"] else [])]
    if len(args["params"]) > args["num_layers"] * len(ends) * len(words):
        words.append("weight_hr")
    return [
        f"{w}_l{place}{end}" for place in range(args["num_layers"]) for end in ends for w in words
    ]
