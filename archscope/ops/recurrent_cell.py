"""Recurrent cells: a single step, which Python loops repeat with the same weights."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, ClassVar

from archscope.errors import ShapeError
from archscope.ir import INNER, WEIGHTS, Call, Example, Op, Saved, Shape, call, text_of
from archscope.onnx_form import Input, Value, X, floats, ints, node, scalar, weight
from archscope.ops.attributes import Flag, Positive, choice
from archscope.ops.facts import free, moved, whole
from archscope.ops.foreign import Foreign, Recognised, Tensor, recognises
from archscope.ops.registry import op


class RecurrentCell(Op, frozen=True, kw_only=True):
    """The base class of recurrent cells; not an operator itself.

    Without a state among its inputs, a cell starts from zeros.
    """

    principal = "hidden"
    arity = (1, 2)
    nonlinear = True

    gates: ClassVar[int]  # products with the input, and with the state
    work: ClassVar[int]  # other operations per hidden unit, without biases

    hidden: Annotated[Positive, "channels of the state"]
    bias: Annotated[Flag, "add two learned biases to each gate, as torch does"] = True

    buffers = free
    access = moved
    window = whole
    may_see_less = True

    @property
    def keeps_zero(self) -> bool:
        return not self.bias

    @property
    def rows(self) -> int:
        """The number of rows of each matrix."""
        return self.gates * self.hidden

    def shape(self, *ins: Shape) -> Shape:
        x, *states = ins
        if len(x) != 1 or any(state != (self.hidden,) for state in states):
            given = ", ".join(map(text_of, ins))
            raise ShapeError(
                f"'{self.name}' needs channels, and states of {self.hidden} channels, got {given}"
            )
        return (self.hidden,)

    def params(self, *ins: Shape) -> int:
        return self.rows * (ins[0][0] + self.hidden + 2 * self.bias)

    def biases(self, *ins: Shape) -> int:
        return 2 * self.rows * self.bias

    def macs(self, *ins: Shape) -> int:
        """Count both matrices, as torch also multiplies a state of zeros."""
        return self.rows * (ins[0][0] + self.hidden)

    def factors(self, *ins: Shape) -> tuple[tuple[int, int, int], ...]:
        state = 1 if len(ins) > 1 else INNER
        return (WEIGHTS, 0, self.rows * ins[0][0]), (WEIGHTS, state, self.rows * self.hidden)

    def backward_macs(self, *ins: Shape, needed: tuple[bool, ...]) -> int:
        """Count each matrix once, and once more for an input that needs a gradient."""
        state = len(ins) > 1 and needed[1]
        return self.rows * (ins[0][0] * (1 + needed[0]) + self.hidden * (1 + state))

    def elementwise(self, *ins: Shape) -> int:
        """Count the gates, the biases and the computation of the next state."""
        return self.hidden * self.work + self.biases(*ins)

    def saved(self, *ins: Shape) -> Saved:
        return Saved(input=True, least=True)

    def torch(self, *ins: Shape) -> Call:
        words: dict[str, Any] = {} if self.bias else {"bias": False}
        return call(f"archscope.nn.{type(self).__name__}", ins[0][0], self.hidden, **words)

    def products(self, *ins: Shape) -> tuple[Value, Value]:
        """Describe the products with the input and with the state in ONNX."""
        spread = self.hidden**-0.5

        def held(word: str, *shape: int) -> Value:
            return weight(word, *shape, spread=spread)

        biases = [held(w, self.rows) if self.bias else None for w in ("bias_ih", "bias_hh")]
        own = node("Gemm", X, held("weight_ih", self.rows, ins[0][0]), biases[0], transB=1)
        matrix = held("weight_hh", self.rows, self.hidden)
        if len(ins) > 1:
            return own, node("Gemm", Input(1), matrix, biases[1], transB=1)
        zeros = node("MatMul", floats((0.0,) * self.hidden), node("Transpose", matrix, perm=(1, 0)))
        return own, zeros if biases[1] is None else node("Add", zeros, biases[1])

    def parts(self, value: Value) -> list[Value]:
        """Describe the gates of a product in ONNX."""
        ends = [place * self.hidden for place in range(self.gates + 1)]
        return [node("Slice", value, ints(a), ints(b), ints(1)) for a, b in pairwise(ends)]


@op("lstm_cell")
class LSTMCell(RecurrentCell, frozen=True, kw_only=True):
    """A step of long short-term memory, Hochreiter and Schmidhuber 1997.

    It reads an input, the previous state and the previous cell; its output is the next state
    followed by the next cell along the channels, which `slice` separates.
    """

    arity = (1, 3)
    gates = 4
    work = 22  # the sum of both products, three sigmoids, two tanh, and 4 for cell and state

    def shape(self, *ins: Shape) -> Shape:
        super().shape(*ins)
        if len(ins) == 2:
            raise ShapeError("'lstm_cell' reads a state and a cell, or neither, got one of them")
        return (2 * self.hidden,)

    def onnx(self, *ins: Shape) -> Value:
        i, f, g, o = self.parts(node("Add", *self.products(*ins)))
        cell: Value = node("Mul", node("Sigmoid", i), node("Tanh", g))
        if len(ins) > 1:
            cell = node("Add", node("Mul", node("Sigmoid", f), Input(2)), cell)
        state = node("Mul", node("Sigmoid", o), node("Tanh", cell))
        return node("Concat", state, cell, axis=1)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(hidden=6), ((5,), (6,), (6,))),
            Example(cls(hidden=4, bias=False), ((3,),)),
        )


@op("gru_cell")
class GRUCell(RecurrentCell, frozen=True, kw_only=True):
    """A step of gated recurrent units, Cho et al. 2014, from an input and the previous state."""

    gates = 3
    work = 17  # 2 sums, two sigmoids, a gated product and its sum, a tanh, and 4 for the mean

    def onnx(self, *ins: Shape) -> Value:
        own, state = self.products(*ins)
        (r, z, n), (hr, hz, hn) = self.parts(own), self.parts(state)
        gated = node("Mul", node("Sigmoid", node("Add", r, hr)), hn)
        new = node("Tanh", node("Add", n, gated))
        keep = node("Sigmoid", node("Add", z, hz))
        if len(ins) == 1:
            return node("Mul", new, node("Sub", scalar(1), keep))
        return node("Add", new, node("Mul", keep, node("Sub", Input(1), new)))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(hidden=6), ((5,), (6,))),
            Example(cls(hidden=4), ((3,),)),
            Example(cls(hidden=4, bias=False), ((3,),)),
        )


@op("rnn_cell")
class RNNCell(RecurrentCell, frozen=True, kw_only=True):
    """A step of Elman's network, 1990, from an input and the previous state."""

    gates = 1
    work = 2  # a sum and the function

    function: Annotated[
        Annotated[str, choice("tanh", "relu")], "activation of the sum of both products"
    ] = "tanh"

    def saved(self, *ins: Shape) -> Saved:
        return Saved(input=True, output=True, least=True)

    def torch(self, *ins: Shape) -> Call:
        made = super().torch(*ins)
        return made if self.function == "tanh" else made.with_(nonlinearity=self.function)

    def onnx(self, *ins: Shape) -> Value:
        return node(self.function.capitalize(), node("Add", *self.products(*ins)))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(hidden=6), ((5,), (6,))),
            Example(cls(hidden=4, bias=False, function="relu"), ((3,), (4,))),
            Example(cls(hidden=4), ((3,),)),
        )


KINDS: dict[str, tuple[type[RecurrentCell], dict[str, Any]]] = {
    "lstm_cell": (LSTMCell, {}),
    "gru_cell": (GRUCell, {}),
    "rnn_tanh_cell": (RNNCell, {}),
    "rnn_relu_cell": (RNNCell, {"function": "relu"}),
}
"""The cells by torch's functions."""


@recognises(*(f"aten.{name}.default" for name in KINDS))
def cell_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise a step from a state of the network, or from zeros."""
    kind, settings = KINDS[foreign.target.split(".")[1]]
    args, hx = foreign.args, foreign.args["hx"]
    states: tuple[Tensor, ...] = hx if isinstance(hx, tuple) else (hx,)
    zeros = [state.constant and state.value == 0 for state in states]
    if args["input"].constant or (any(state.constant for state in states) and not all(zeros)):
        return None
    words = {"weight_ih": "w_ih", "weight_hh": "w_hh", "bias_ih": "b_ih", "bias_hh": "b_hh"}
    given = {word: args.get(name) for word, name in words.items()}
    held = {word: tensor for word, tensor in given.items() if isinstance(tensor, Tensor)}
    hidden, biased = held["weight_hh"].shape[1], len(held) == 4
    if len(held) == 3:
        return None
    found = kind(hidden=hidden, bias=biased, **settings)
    return Recognised(found, (args["input"], *(() if all(zeros) else states)), held)
