"""ACT103."""

from __future__ import annotations

from archscope.ir import Node
from archscope.ops.activation import Hardsigmoid, ReLU, ReLU6, Sigmoid, Softplus
from archscope.ops.unary import Unary
from archscope.rules.kinds import activation
from archscope.rules.network import Network
from archscope.rules.rule import Findings, Rule, removal, rule

ACTIVATIONS = ("mish", "selu")
"""Functions of `unary` that networks use as activations."""


@rule("ACT103", "activation-twice")
class ActivationTwice(Rule, frozen=True, kw_only=True):
    """An activation directly follows another activation.

    The second one adds work and memory access, but no capacity worth it. ReLU after ReLU, ReLU6,
    sigmoid, hardsigmoid or softplus, whose values are never negative, and ReLU6 after ReLU6 have no
    effect at all; a safe fix removes the second one. Arithmetic such as `unary: exp` is none.
    """

    fixes = "safe"

    def check(self, network: Network) -> Findings:
        for node in network.graph.nodes:
            if not _activates(node):
                continue
            first = network.graph.by_name[node.inputs[0]]
            if not _activates(first):
                continue
            idle = changes_nothing(first, node)
            effect = " and has no effect" if idle else ""
            yield self.finding(
                network,
                f"{node.op.name} follows {first.op.name}{effect}",
                node,
                fix=removal(node.op.name, node.at, safe=True) if idle else None,
                before=first.name,
                changes_nothing=idle,
            )


def _activates(node: Node) -> bool:
    """Return whether it is an activation, and not a function that formulas are made of."""
    plain = isinstance(node.op, Unary) and node.op.function not in ACTIVATIONS
    return activation(node) and not plain


def changes_nothing(first: Node, second: Node) -> bool:
    """Return whether the second activation leaves every output of the first unchanged."""
    if isinstance(second.op, ReLU):
        return isinstance(first.op, ReLU | ReLU6 | Sigmoid | Hardsigmoid | Softplus)
    return isinstance(second.op, ReLU6) and isinstance(first.op, ReLU6 | Sigmoid | Hardsigmoid)
