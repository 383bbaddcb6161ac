"""The base class of lint rules, and their findings and fixes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar

from msgspec import Struct

from archscope.ir import Node, Source
from archscope.language.edit import Edit
from archscope.plugins.discovery import ContractError
from archscope.plugins.registry import Registry
from archscope.rules.network import Network

ERROR, WARNING, INFO = "error", "warning", "info"
SEVERITIES = (INFO, WARNING, ERROR)
"""Severities of findings, in ascending order."""


class Fix(Struct, frozen=True, gc=False):
    """A change of the spec that resolves a finding.

    With a safe fix, the network computes the same function for the same weights.
    """

    about: str  # what it does: "remove the second activation"
    edits: tuple[Edit, ...]
    safe: bool = False


class Finding(Struct, frozen=True, gc=False):
    """A violation of a rule, with its location and evidence."""

    code: str
    message: str  # one sentence that includes the evidence
    severity: str
    network: str
    node: str | None = None  # None: the network as a whole
    scope: str = ""
    at: Source | None = None
    evidence: dict[str, Any] = {}
    others: tuple[str, ...] = ()  # further nodes from the same place of the spec
    fix: Fix | None = None
    weight: float = 0.0  # of merged findings, the one with the largest weight is shown


Findings = Iterator[Finding]


def removal(
    what: str, at: Source | None, *, safe: bool = False, unread: bool = False
) -> Fix | None:
    """Return the fix that removes the item at a place; None without a place.

    With `unread`, a layer is removed only if nothing reads it.
    """
    if at is None:
        return None
    edit = Edit(at.file, (at.line, at.column), unread=unread)
    return Fix(f"remove '{what}'", (edit,), safe)


class Rule(Struct, frozen=True, kw_only=True):
    """A lint rule: its fields are thresholds, its docstring is its manual page."""

    code: ClassVar[str]
    name: ClassVar[str]
    severity: ClassVar[str] = WARNING
    fixes: ClassVar[str] = ""  # "safe" or "unsafe" for rules that offer fixes

    def check(self, network: Network) -> Findings:
        """Return the findings. Must not change the network, print or raise."""
        raise NotImplementedError

    def finding(
        self,
        network: Network,
        message: str,
        node: Node | None = None,
        *,
        at: Source | None = None,
        fix: Fix | None = None,
        weight: float = 0.0,
        **evidence: Any,
    ) -> Finding:
        """Return a finding of this rule at a node, at a place, or about the whole network."""
        if at is None:
            at = network.place(node)
        name, scope = (node.name, node.scope) if node else (None, "")
        return Finding(
            self.code, message, self.severity, network.graph.name, name, scope, at, evidence,
            fix=fix, weight=weight,
        )  # fmt: skip


RULES: Registry[type[Rule]] = Registry("rules")
"""Every rule by its code."""

_CODE = re.compile(r"G\d|[A-Z]{3}\d{3}")


def rule(code: str, name: str) -> Any:
    """Register a rule under its code and name, which are never reused.

    The name states the problem, not the cure. Raises ContractError if either is taken, or if the
    rule has no docstring or no check.
    """

    def register(cls: type[Rule]) -> type[Rule]:
        for known, other in RULES.own.items():
            if other.name == name:
                raise ContractError(f"the rule name '{name}' is already used by {known}")
        if not _CODE.fullmatch(code) or not cls.__doc__ or cls.check is Rule.check:
            raise ContractError(f"rule {code} needs a code such as CHN101, a page and a check")
        RULES.add(code, cls)
        cls.code, cls.name = code, name
        return cls

    return register


class Score(Struct, frozen=True, gc=False):
    """The value of a guideline for a network, for the score card."""

    code: str
    value: float | None  # None: the guideline does not apply
    limit: float
    unit: str
    broken: bool
    about: str  # what the value measures


class Guideline(Rule, frozen=True, kw_only=True):
    """A rule that gives every network a score, such as ShuffleNetV2's four."""

    def score(self, network: Network) -> Score:
        """Return the score of the network."""
        raise NotImplementedError
