"""UNU102."""

from __future__ import annotations

from collections.abc import Iterator

from archscope.language.edit import Edit
from archscope.rules.network import Network
from archscope.rules.rule import ERROR, Finding, Fix, Rule, rule


@rule("UNU102", "dead-layer")
class DeadLayer(Rule, frozen=True, kw_only=True):
    """A layer's value reaches no output.

    It is built, counted and run for nothing; most often a `from:` names the wrong layer. The fix
    takes out a layer that nothing reads, and with the next run those that only it read. It is
    unsafe: what was meant is not known.
    """

    severity = ERROR
    fixes = "unsafe"

    def check(self, network: Network) -> Iterator[Finding]:
        graph = network.full
        alive = graph.ancestors(*(output.node for output in graph.outputs))
        readers = graph.readers()
        for node in graph.nodes:
            if node.name in alive:
                continue
            fix = None
            if node.at and not readers[node.name] and node.inputs:
                edit = Edit(node.at.file, (node.at.line, node.at.column), unread=True)
                fix = Fix(f"remove '{node.op.name}'", (edit,))
            facts = graph.facts[node.name]
            yield self.finding(
                network,
                f"'{node.name}' reaches no output: {facts.macs:,} macs and {facts.params:,} params"
                " for nothing",
                node,
                fix=fix,
                macs=facts.macs,
                params=facts.params,
            )
