"""UNU104."""

from __future__ import annotations

from collections.abc import Iterator

from archscope.language.edit import Edit
from archscope.language.usage import blocks_used
from archscope.rules.network import Network
from archscope.rules.rule import Finding, Fix, Rule, rule


@rule("UNU104", "unused-block")
class UnusedBlock(Rule, frozen=True, kw_only=True):
    """A block of the spec is used by nothing.

    Blocks of other files, which `use` and `extends` bring, are not meant. The fix takes the block
    out.
    """

    fixes = "safe"

    def check(self, network: Network) -> Iterator[Finding]:
        document = network.document
        if document is None:
            return
        used = blocks_used(document.blocks, document.body)
        for name, block in document.blocks.items():
            if name not in used and block.at.file == document.file:
                at = block.at
                edit = Edit(at.file, (at.line, at.column))
                yield self.finding(
                    network,
                    f"nothing uses the block '{name}'",
                    at=at,
                    fix=Fix(f"remove '{name}'", (edit,), safe=True),
                    block=name,
                )
