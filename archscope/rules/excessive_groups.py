"""G2."""

from __future__ import annotations

from archscope.ir import Node
from archscope.rules.kinds import area, convolution, grouped, taps
from archscope.rules.network import Network
from archscope.rules.rule import Findings, Guideline, Score, rule


@rule("G2", "excessive-groups")
class ExcessiveGroups(Guideline, frozen=True, kw_only=True):
    """Grouped convolutions move more memory than dense ones with the same macs.

    limit: memory access of all grouped convolutions, relative to dense ones

    With g groups, the same macs pay for g times the channels, and every channel must be read or
    written. A 1x1 convolution of c1 channels at h x w with B macs moves hw c1 + B g/c1 + B/hw
    elements, which grows with g. This rule compares it with g = 1, the same input and the same
    macs; windows larger than 1x1 are treated alike. Depthwise convolutions are exempt: they are the
    subject of G4. The paper measured 8 groups at less than a third of the speed of one, on a GPU
    and at equal macs.

    The threshold: two groups of equal width reach 1.33 at most, and the paper advises to choose
    groups with care, not to avoid them. Networks above 1.2: ShuffleNetV1 with 3 groups 1.4, with 8
    groups 1.6, ResNeXt-50 1.5.

    What helps: fewer groups; fewer channels in their place.

    Source: Ma et al. 2018, arXiv:1807.11164, guideline 2 and equation 2.
    """

    limit: float = 1.2

    def check(self, network: Network) -> Findings:
        score = self.score(network)
        if not score.broken:
            return
        for node in network.conv_like:
            if not grouped(node):
                continue
            access, dense = against_dense(node, network.batch)
            if access > self.limit * dense:
                op = convolution(node)
                assert op is not None
                yield self.finding(
                    network,
                    f"convolution in {op.groups} groups moves {access / dense:.2f} times the memory"
                    f" of a dense one of equal macs (network {score.value:.2f},"
                    f" limit {self.limit:g})",
                    node,
                    weight=access - dense,
                    groups=op.groups,
                    memory_access=access,
                    dense_memory_access=round(dense),
                    ratio=round(access / dense, 4),
                    network_ratio=score.value,
                )

    def score(self, network: Network) -> Score:
        pairs = [against_dense(node, network.batch) for node in network.conv_like if grouped(node)]
        access, dense = sum(own for own, _ in pairs), sum(full for _, full in pairs)
        value = round(access / dense, 4) if pairs else None
        about = "memory access of convolutions in groups over that of dense ones"
        broken = value is not None and value > self.limit
        return Score(self.code, value, self.limit, "x", broken, about)


def against_dense(node: Node, batch: int = 1) -> tuple[int, float]:
    """Return the memory access of a grouped convolution, and of a dense one with the same macs.

    The dense one reads the same input, has as many weights, and writes 1/g of the channels.
    """
    op = convolution(node)
    assert op is not None
    read = batch * node.ins[0][0] * area(node.ins[0])
    written = batch * node.out[0] * area(node.out)
    weights = node.ins[0][0] * node.out[0] * taps(node) // op.groups
    return read + written + weights, read + written / op.groups + weights
