"""RFD103."""

from __future__ import annotations

from archscope.rules.network import Network
from archscope.rules.rule import Findings, Rule, rule


@rule("RFD103", "misaligned-merge")
class MisalignedMerge(Rule, frozen=True, kw_only=True):
    """Branches that see different places of the input are merged.

    At each position, the merge combines values whose receptive fields have different centres or
    different strides. Even windows, asymmetric padding and resizing cause this.

    What helps: odd windows with the same padding on both sides, and equal strides in all branches.

    Source: Araujo, Norris and Sim 2019, Distill, on alignment.
    """

    def check(self, network: Network) -> Findings:
        for clash in network.fields.clashes:
            branches = ", ".join(f"'{name}'" for name in clash.branches)
            yield self.finding(
                network,
                f"branches of {clash.kind} are merged: {branches}",
                network.graph.by_name[clash.node],
                kind=clash.kind,
                branches=clash.branches,
            )
