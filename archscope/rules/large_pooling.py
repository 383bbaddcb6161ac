"""POL101."""

from __future__ import annotations

from archscope.axes import Window
from archscope.ops.pool import AvgPool, MaxPool
from archscope.rules.network import Network
from archscope.rules.rule import INFO, Findings, Rule, rule


@rule("POL101", "large-pooling")
class LargePooling(Rule, frozen=True, kw_only=True):
    """A pooling discards much at once: its window is larger than 3.

    kernel: side of the largest window that is not reported

    Windows of 2 and 3 are common; larger ones are usually too destructive. Windows over the whole
    map, which is global pooling, and those of stride 1, which discard nothing, are not reported.

    What helps: several smaller poolings, or convolutions of stride 2.

    Source: CS231n, "Convolutional networks: pooling layer".
    """

    severity = INFO

    kernel: int = 3

    def check(self, network: Network) -> Findings:
        for node in network.graph.nodes:
            if not isinstance(node.op, MaxPool | AvgPool):
                continue
            windows = [w for w in node.op.window(*node.ins) or () if isinstance(w, Window)]
            side = max((window.kernel for window in windows), default=0)
            whole = all(w.kernel >= n for w, n in zip(windows, node.ins[0][1:], strict=True))
            if side > self.kernel and not whole and max(w.stride for w in windows) > 1:
                yield self.finding(
                    network,
                    f"{node.op.name} over a window of {side} (limit {self.kernel})",
                    node,
                    kernel=side,
                )
