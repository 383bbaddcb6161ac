"""UNU103."""

from __future__ import annotations

from archscope.errors import did_you_mean
from archscope.language.document import names_used
from archscope.rules.network import Network
from archscope.rules.rule import Findings, Rule, removal, rule


@rule("UNU103", "unused-name")
class UnusedName(Rule, frozen=True, kw_only=True):
    """A name of `let` is never used.

    In a spec with `extends`, this reveals a misspelt name: the value that it should replace stays
    the same. Names in the files that this spec extends are not reported. The fix removes the name.
    """

    fixes = "safe"

    def check(self, network: Network) -> Findings:
        document = network.document
        if document is None:
            return
        used = names_used(document)
        for name, value in document.let.items():
            if name in used or value.at.file != document.file:
                continue
            hint = did_you_mean(name, used)
            yield self.finding(
                network,
                f"nothing uses the name '{name}'{hint}",
                at=value.at,
                fix=removal(name, value.at, safe=not hint),
                name=name,
            )
