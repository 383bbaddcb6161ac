"""Activation functions of darknet, as operators of ours that compute the same."""

from __future__ import annotations

from math import prod
from typing import Any

from archscope.errors import did_you_mean, quoted
from archscope.importers.file_graph import FileGraph

Step = tuple[str, dict[str, Any]]

CHAINS: dict[str, tuple[Step, ...]] = {
    "linear": (),
    "leaky": (("leaky_relu", {"slope": 0.1}),),
    "relu": (("relu", {}),),
    "relu6": (("relu6", {}),),
    "relie": (("leaky_relu", {"slope": 0.01}),),
    "logistic": (("sigmoid", {}),),
    "tanh": (("tanh", {}),),
    "elu": (("elu", {}),),
    "gelu": (("gelu", {}),),
    "swish": (("silu", {}),),
    # x + 0.1x where positive, 0.1x where negative
    "ramp": (("leaky_relu", {"slope": 1 / 11}), ("mul_scalar", {"factor": 1.1})),
    # 2 / (1 + exp(-x)) - 1 = tanh(x / 2)
    "loggy": (("mul_scalar", {"factor": 0.5}), ("tanh", {})),
}

UNSAID = {"selu": 4, "plse": 3, "hardtan": 2, "lhtan": 3, "stair": 4, "hard_mish": 6}
"""Activations without an equivalent operator, with the operations per element."""


def activate(made: FileGraph, title: str, line: int, name: str, node: str) -> str:
    """Add an activation after a node and return the last node. Raises SpecError."""
    if name == "mish":  # x * tanh(log(1 + exp(x)))
        gate = made.add(f"{title}/softplus", line, "softplus", (node,))
        gate = made.add(f"{title}/tanh", line, "tanh", (gate,))
        return made.add(f"{title}/mul", line, "mul", (node, gate))
    if name in UNSAID:
        work = UNSAID[name] * prod(made.shape(node))
        return made.opaque(
            f"{title}/{name}",
            line,
            f"darknet.{name}",
            (node,),
            products=0,
            work=work,
            pointwise=True,
        )
    if name not in CHAINS:
        hint = did_you_mean(name, {*CHAINS, *UNSAID, "mish"})
        raise made.error(f"unknown activation of darknet {quoted(name)}{hint}", line)
    for word, given in CHAINS[name]:
        node = made.add(f"{title}/{word}", line, word, (node,), **given)
    return node
