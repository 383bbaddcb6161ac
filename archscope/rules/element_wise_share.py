"""G4."""

from __future__ import annotations

from archscope.ops.merge import Add, Mul
from archscope.ops.norm import BatchNorm
from archscope.rules.kinds import activation, depthwise
from archscope.rules.network import Network
from archscope.rules.rule import Findings, Guideline, Score, rule
from archscope.units import format_apart


@rule("G4", "element-wise-share")
class ElementwiseShare(Guideline, frozen=True, kw_only=True):
    """Element-wise work causes most of the memory access.

    limit: share of element-wise work in the memory access of the network

    Activations, additions, multiplications and depthwise convolutions do little arithmetic per
    element moved, so macs do not reflect their time. The paper found that they take a good part of
    the time of ShuffleNetV1 and MobileNetV2, and that removing the ReLU and the shortcut of a
    bottleneck makes it about 20 % faster.

    Memory access is that of the deployed network: batch norms are folded into the convolutions
    before them, and operators that only arrange data (concat, slice, shuffle, flatten) are left
    out. A bias is written with the output of its convolution and adds no access.

    The threshold: half. ShuffleNetV2 is at 0.39 to 0.45; MobileNetV2 at 0.64 and ShuffleNetV1 at
    0.55 to 0.60 move more for element-wise work than for everything else.

    What helps: fewer activations on wide maps, concatenation in place of addition, narrower
    depthwise convolutions.

    Source: Ma et al. 2018, arXiv:1807.11164, guideline 4.
    """

    limit: float = 0.5

    def check(self, network: Network) -> Findings:
        score = self.score(network)
        if score.broken and score.value is not None:
            parts = _parts(network)
            total = sum(parts.values())
            most = sorted(parts, key=lambda kind: -parts[kind])
            shares = {kind: round(parts[kind] / total, 4) for kind in most if kind != OTHER}
            told = ", ".join(f"{kind} {100 * share:.0f} %" for kind, share in shares.items())
            whole = format_apart(100 * score.value, 100 * self.limit, 0)
            yield self.finding(
                network,
                f"{whole} % of the memory access serves element-wise work"
                f" ({told}; limit {100 * self.limit:.0f} %)",
                memory_access=total,
                share=score.value,
                shares=shares,
            )

    def score(self, network: Network) -> Score:
        parts = _parts(network)
        total = sum(parts.values())
        value = round(1 - parts.get(OTHER, 0) / total, 4) if total else None
        about = "share of element-wise work in the memory access"
        broken = value is not None and value > self.limit
        return Score(self.code, value, self.limit, "share", broken, about)


OTHER = "other"


def _parts(network: Network) -> dict[str, int]:
    """Return the memory access of a batch by kind of work."""
    parts: dict[str, int] = {}
    for node in network.graph.nodes:
        facts = node.facts
        if depthwise(node):
            kind = "depthwise"
        elif activation(node):
            kind = "activation"
        elif isinstance(node.op, Add | Mul):
            kind = "add and multiply"
        elif isinstance(node.op, BatchNorm) or not (facts.macs or facts.elementwise):
            continue
        else:
            kind = OTHER
        parts[kind] = parts.get(kind, 0) + network.access[node.name]
    return parts
