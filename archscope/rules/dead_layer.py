"""UNU102."""

from __future__ import annotations

from archscope.rules.network import Network
from archscope.rules.rule import ERROR, Findings, Rule, removal, rule


@rule("UNU102", "dead-layer")
class DeadLayer(Rule, frozen=True, kw_only=True):
    """A layer's output reaches no output of the network.

    It is built, counted and run for nothing; most often, a `from:` names the wrong layer. The fix
    removes a layer that nothing reads; running it again removes the layers that fed only this one.
    It is unsafe, as the intention is unknown.
    """

    severity = ERROR
    fixes = "unsafe"

    def check(self, network: Network) -> Findings:
        graph = network.full
        alive = graph.ancestors(*(output.node for output in graph.outputs))
        readers = graph.readers()
        for node in graph.nodes:
            if node.name in alive:
                continue
            removable = node.inputs and not readers[node.name]
            facts = graph.facts[node.name]
            yield self.finding(
                network,
                f"'{node.name}' reaches no output: {facts.macs:,} macs and {facts.params:,} params"
                " for nothing",
                node,
                fix=removal(node.op.name, node.at, unread=True) if removable else None,
                macs=facts.macs,
                params=facts.params,
            )
