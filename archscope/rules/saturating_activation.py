"""ACT102."""

from __future__ import annotations

from archscope.analysis.structure import structure
from archscope.ops.activation import Sigmoid, Softsign, Tanh
from archscope.ops.merge import Mul
from archscope.rules.network import Network
from archscope.rules.rule import Findings, Rule, rule


@rule("ACT102", "saturating-activation")
class SaturatingActivation(Rule, frozen=True, kw_only=True):
    """A deep network has a saturating activation in a hidden layer.

    depth: a network is deep with more layers with weights than this on its longest path

    Sigmoid, tanh and softsign are flat for large values, and the product of their derivatives over
    many layers is tiny: gradients vanish before they reach the first layers. Gates, whose result
    multiplies something, and outputs of the network are meant to saturate and are not reported,
    nor are activations of normalised values.

    The threshold: LeNet-5 and its tanh, 5 layers, trained well.

    What helps: relu, or a normalisation before the activation.

    Source: Glorot and Bengio 2010; Krizhevsky et al. 2012, section 3.1.
    """

    depth: int = 5

    def check(self, network: Network) -> Findings:
        suspects = [
            node for node in network.graph.nodes if isinstance(node.op, Sigmoid | Tanh | Softsign)
        ]
        deep = structure(network.graph).depth if suspects else 0
        if deep <= self.depth:
            return
        for node in suspects:
            readers = [network.graph.by_name[name].op for name in network.readers[node.name]]
            gate = any(isinstance(op, Mul) for op in readers)
            before = network.graph.by_name[node.inputs[0]].op
            if gate or not readers or node.name in network.outputs or before.normalises:
                continue
            yield self.finding(
                network,
                f"{node.op.name} in a hidden layer of a network {deep} layers deep"
                f" (limit {self.depth})",
                node,
                depth=deep,
            )
