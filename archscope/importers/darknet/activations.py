"""Activation functions of darknet, as operators of ours that compute the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archscope.errors import did_you_mean, quoted
from archscope.importers.file_graph import FileGraph

Step = tuple[str, dict[str, Any]]
Add = Callable[..., str]
"""Adds an operator by its name, the nodes that it reads and its attributes; returns its node."""

CHAINS: dict[str, tuple[Step, ...]] = {
    "linear": (),
    "leaky": (("leaky_relu", {"slope": 0.1}),),
    "relu": (("relu", {}),),
    "relu6": (("relu6", {}),),
    "relie": (("leaky_relu", {"slope": 0.01}),),
    "revleaky": (("leaky_relu", {"slope": 0.1}),),  # leaky but for the gradient
    "logistic": (("sigmoid", {}),),
    "tanh": (("tanh", {}),),
    "elu": (("elu", {}),),
    "selu": (("unary", {"function": "selu"}),),
    "gelu": (("gelu", {"tanh": True}),),
    "swish": (("silu", {}),),
    "silu": (("silu", {}),),  # in the files of YOLOR
    "mish": (("unary", {"function": "mish"}),),
    "hardtan": (("clamp", {"min": -1.0, "max": 1.0}),),
    # x + 0.1x where positive, 0.1x where negative
    "ramp": (("leaky_relu", {"slope": 1 / 11}), ("mul_scalar", {"factor": 1.1})),
    # 2 / (1 + exp(-x)) - 1 = tanh(x / 2)
    "loggy": (("mul_scalar", {"factor": 0.5}), ("tanh", {})),
}

SUM_EPSILON = 1e-4
"""What darknet adds to sums over channels before it divides by them."""


def _piecewise_linear(
    add: Add, node: str, low: float, high: float, inside: float, outside: float
) -> str:
    """Add a function with one slope between two bounds, and another outside of them."""
    within = add("mul_scalar", add("clamp", node, min=low, max=high), factor=inside - outside)
    return add("add", within, add("mul_scalar", node, factor=outside))


def _lhtan(add: Add, node: str) -> str:
    return _piecewise_linear(add, node, 0.0, 1.0, 1.0, 0.001)


def _plse(add: Add, node: str) -> str:
    return add("add_scalar", _piecewise_linear(add, node, -4.0, 4.0, 0.125, 0.01), value=0.5)


def _stair(add: Add, node: str) -> str:
    """Add floor(x / 2), plus the fraction of x where floor(x) is odd."""
    half = add("unary", add("mul_scalar", node, factor=0.5), function="floor")
    whole = add("unary", node, function="floor")
    odd = add("sub", whole, add("mul_scalar", half, factor=2.0))
    return add("add", half, add("mul", odd, add("sub", node, whole)))


def _hard_mish(add: Add, node: str) -> str:
    """Add x where positive, x^2 / 2 + x down to -2, and 0 below."""
    low = add("clamp", node, min=-2.0, max=0.0)
    bend = add("mul_scalar", add("mul", low, low), factor=0.5)
    return add("add", add("relu", node), low, bend)


def over_sum(add: Add, node: str) -> str:
    """Add the quotient of positive values and their sum over the first axis."""
    total = add("reduce", node, function="sum", axes=(0,))
    return add("div", node, add("add_scalar", total, value=SUM_EPSILON))


def soft(add: Add, node: str, peaked: bool = True) -> str:
    """Add darknet's softmax over the first axis; `peaked` shifts it by the largest value."""
    if peaked:
        node = add("sub", node, add("reduce", node, function="max", axes=(0,)))
    return over_sum(add, add("unary", node, function="exp"))


COMPOSED: dict[str, Callable[[Add, str], str]] = {
    "plse": _plse,
    "lhtan": _lhtan,
    "stair": _stair,
    "hard_mish": _hard_mish,
    "normalize_channels": lambda add, node: over_sum(add, add("relu", node)),
    "normalize_channels_softmax": lambda add, node: soft(add, node, peaked=False),
    "normalize_channels_softmax_maxval": soft,
}


def adder(made: FileGraph, title: str, line: int) -> Add:
    """Return the function that adds operators below a title."""

    def add(word: str, *nodes: str, **given: Any) -> str:
        return made.add(f"{title}/{word}", line, word, nodes, **given)

    return add


def activate(made: FileGraph, title: str, line: int, name: str, node: str) -> str:
    """Add an activation after a node and return the last node. Raises SpecError."""
    add = adder(made, title, line)
    if name in COMPOSED:
        return COMPOSED[name](add, node)
    if name not in CHAINS:
        hint = did_you_mean(name, {*CHAINS, *COMPOSED})
        raise made.error(f"unknown activation of darknet {quoted(name)}{hint}", line)
    for word, given in CHAINS[name]:
        node = add(word, node, **given)
    return node
