"""Run rules on a network: locate their findings in the spec, suppress some and merge the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import structs

from archscope.ir import Graph, Source
from archscope.language.document import Document
from archscope.linter.config import Config
from archscope.linter.noqa import Suppressions, suppressions_in
from archscope.rules.network import Network
from archscope.rules.rule import Finding


def lint(
    graph: Graph,
    document: Document | None = None,
    config: Config | None = None,
    *,
    batch: int = 1,
) -> tuple[Finding, ...]:
    """Return the findings of all rules in a network, of every severity.

    With the document that the graph was read from, findings have a line and `# noqa` comments
    apply. Memory access is counted for `batch` images. Findings of one rule at one place are
    merged into one, which names the other nodes.
    """
    linter = Linter(config or Config(), batch=batch)
    return merged(linter.findings(graph, document))


class Linter:
    """Lints several networks, reading each file once."""

    def __init__(self, config: Config, unsaved: Mapping[str, str] = {}, batch: int = 1) -> None:
        self.config = config
        self.rules = config.chosen()
        self.unsaved = unsaved
        self.batch = batch
        self.suppressions: dict[str, Suppressions] = {}

    def findings(self, graph: Graph, document: Document | None) -> list[Finding]:
        """Return the findings in a network, one per node, without suppressed ones."""
        network = Network(graph, document, self.batch)
        return [
            finding
            for rule in self.rules
            for finding in rule.check(network)
            if not self._suppressed(network, finding)
        ]

    def _suppressed(self, network: Network, finding: Finding) -> bool:
        if network.document and self.config.ignored(finding.code, network.document.file):
            return True
        places: list[Source] = [finding.at] if finding.at else []
        if finding.node is not None:
            places += network.full.trail(network.full.by_name[finding.node])
        if any(self._suppressions(at.file).covers(finding.code, at.line) for at in places):
            return True
        # A spec that extends another may have no layers of its own.
        file = network.document.file if network.document else ""
        return self._suppressions(file).covers(finding.code, 0)

    def _suppressions(self, file: str) -> Suppressions:
        known = self.suppressions.get(file)
        if known is None:
            known = self.suppressions[file] = suppressions_in(self._text(file))
        return known

    def _text(self, file: str) -> str:
        path = Path(file)
        unsaved = self.unsaved.get(str(path.resolve()))
        if unsaved is not None:
            return unsaved
        try:
            return path.read_text(encoding="utf-8-sig")
        except (OSError, ValueError):
            return ""  # a pattern or standard input has no comments


def merged(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings in the order of the file, merging those of one rule at one place."""
    together: dict[object, list[Finding]] = {}
    place: object
    for number, finding in enumerate(findings):
        at = finding.at if finding.node else None
        # A line of Python may call a whole network.
        place = number if at is None or at.file.endswith(".py") else at
        together.setdefault((finding.network, finding.code, place), []).append(finding)
    shown = []
    for group in together.values():
        heaviest = max(group, key=lambda finding: finding.weight)
        others = tuple(other.node for other in group if other.node and other is not heaviest)
        shown.append(structs.replace(heaviest, others=others))
    return tuple(sorted(shown, key=_order))


def _order(finding: Finding) -> tuple[str, int, int, str]:
    at = finding.at or Source("", 0, 0)
    return at.file, at.line, at.column, finding.code
