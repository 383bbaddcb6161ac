"""UNU104."""

from __future__ import annotations

from archscope.language.document import blocks_used
from archscope.rules.network import Network
from archscope.rules.rule import Findings, Rule, removal, rule


@rule("UNU104", "unused-block")
class UnusedBlock(Rule, frozen=True, kw_only=True):
    """A block of the spec is never used.

    Blocks of other files, taken from `use` and `extends`, are not reported. The fix removes the
    block.
    """

    fixes = "safe"

    def check(self, network: Network) -> Findings:
        document = network.document
        if document is None:
            return
        used = blocks_used(document.blocks, document.body)
        for name, block in document.blocks.items():
            if name not in used and block.at.file == document.file:
                yield self.finding(
                    network,
                    f"nothing uses the block '{name}'",
                    at=block.at,
                    fix=removal(name, block.at, safe=True),
                    block=name,
                )
