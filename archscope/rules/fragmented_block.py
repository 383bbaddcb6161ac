"""G3."""

from __future__ import annotations

from archscope.analysis.fragments import BuildingBlock, building_blocks
from archscope.rules.network import Network
from archscope.rules.rule import Findings, Guideline, Score, rule


@rule("G3", "fragmented-block")
class FragmentedBlock(Guideline, frozen=True, kw_only=True):
    """A building block consists of many small parallel operators.

    fragments: convolutions and poolings that a block may have
    branches: a block is only reported with at least this many in parallel

    Many small operators keep a parallel machine less busy than a few large ones, and each costs a
    launch and a synchronisation. The paper counts the individual convolutions and poolings of a
    building block: 13 in NASNet-A, 2 or 3 in ResNet. It measured four in parallel at a third of the
    speed of one, on a GPU and at equal macs; on ARM the loss is small.

    A block is the part between two values that every path passes through, or, where several of
    these overlap, as in cells that read the two cells before them, an instance of a block of the
    spec. Matrix products count as convolutions. The number of branches is the largest number of
    fragments at the same level, counted from the entry of the block.

    The threshold: ShuffleNetV2's own block of stride 2 has 5 fragments in 2 branches, and ResNet's
    bottleneck with projection has 4. GoogLeNet's Inception has 7 in 4 branches.

    What helps: fewer, larger branches.

    Source: Ma et al. 2018, arXiv:1807.11164, guideline 3.
    """

    fragments: int = 5
    branches: int = 2

    def check(self, network: Network) -> Findings:
        for block in building_blocks(network.graph):
            if self._broken(block):
                yield self.finding(
                    network,
                    f"block of {block.fragments} fragments, {block.branches} side by side"
                    f" (limit {self.fragments})",
                    network.graph.by_name[block.end],
                    weight=block.fragments,
                    block=block.scope,
                    fragments=block.fragments,
                    branches=block.branches,
                )

    def score(self, network: Network) -> Score:
        all_ = building_blocks(network.graph)
        worst = max(all_, key=lambda block: (self._broken(block), block.fragments), default=None)
        about = "convolutions and poolings of the block that has most"
        broken = worst is not None and self._broken(worst)
        most = worst.fragments if worst else None
        return Score(self.code, most, self.fragments, "fragments", broken, about)

    def _broken(self, block: BuildingBlock) -> bool:
        return block.fragments > self.fragments and block.branches >= self.branches
