"""UNU101."""

from __future__ import annotations

from archscope.ir import Node
from archscope.ops.reshape import Identity
from archscope.rules.network import Network
from archscope.rules.rule import Findings, Rule, removal, rule


@rule("UNU101", "layer-without-effect")
class LayerWithoutEffect(Rule, frozen=True, kw_only=True):
    """A layer returns its input unchanged.

    Examples are identity in a chain, dropout of 0, pooling over windows of 1, flattening a vector,
    a slice of everything, and resizing to the same size. `identity` as a branch marks a shortcut
    and is not reported, nor is a layer of a block that has an effect in other instances. The fix
    removes the layer.
    """

    fixes = "safe"

    def check(self, network: Network) -> Findings:
        idle = [node for node in network.graph.nodes if node.op.is_identity(*node.ins)]
        names = {node.name for node in idle}
        useful = {node.at for node in network.graph.nodes if idle and node.name not in names}
        for node in idle:
            if node.at in useful or self._shortcut(network, node):
                continue
            fix = removal(node.op.name, node.at, safe=True)
            yield self.finding(
                network, f"{node.op.name} returns its input unchanged", node, fix=fix
            )

    def _shortcut(self, network: Network, node: Node) -> bool:
        """Return whether an identity is a branch of its own."""
        readers = [network.graph.by_name[name] for name in network.readers[node.name]]
        merged = all(len(reader.inputs) > 1 for reader in readers)
        return isinstance(node.op, Identity) and bool(readers) and merged
