"""CST101."""

from __future__ import annotations

from typing import Any

from archscope.ops.linear import Linear
from archscope.rules.network import Network
from archscope.rules.rule import Findings, Rule, rule
from archscope.units import format_bytes


@rule("CST101", "heavy-classifier")
class HeavyClassifier(Rule, frozen=True, kw_only=True):
    """Fully connected layers hold most of the parameters.

    share: share of the parameters that they may hold
    params: networks with fewer parameters are too small to report

    Flattening a feature map gives every position weights of its own: 103 of the 138 M params of
    VGG16 are in one layer. With global average pooling before it, the classifier needs one weight
    per channel and class, and inputs may have any size.

    The threshold: half. A plain classifier after global pooling, such as ShuffleNetV2's with 1.0 of
    2.3 M params, stays below; networks under a million params are not reported.

    What helps: `global_avgpool` in place of `flatten` and hidden linear layers.

    Source: Lin et al. 2013, arXiv:1312.4400, section 3.2.
    """

    share: float = 0.5
    params: int = 1_000_000

    def check(self, network: Network) -> Findings:
        graph = network.graph
        owned = {node.name: node.own_params for node in graph.nodes if node.shares is None}
        total = sum(owned.values())
        heads = [node for node in graph.nodes if isinstance(node.op, Linear) and node.name in owned]
        held = sum(owned[node.name] for node in heads)
        if total < self.params or held <= self.share * total:
            return
        stored = ""
        evidence: dict[str, Any] = {}
        if graph.weights:
            sizes = {node.name: node.weight_bytes or 0 for node in graph.nodes}
            taken, whole = sum(sizes[node.name] for node in heads), sum(sizes.values())
            stored = f"; {format_bytes(taken)} of {format_bytes(whole)} as stored"
            evidence = {"weight_bytes": taken, "total_weight_bytes": whole}
        heaviest = max(heads, key=lambda node: owned[node.name])
        yield self.finding(
            network,
            f"fully connected layers hold {100 * held / total:.0f} % of {total:,} params,"
            f" '{heaviest.name}' alone {owned[heaviest.name]:,}{stored}",
            heaviest,
            params=held,
            total_params=total,
            share=round(held / total, 4),
            **evidence,
        )
