"""The base of lint rules: thresholds as fields, a manual page as docstring, and findings."""

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

    A safe fix does not change the function that the network computes, for equal weights.
    """

    about: str  # what it does: "remove the second activation"
    edits: tuple[Edit, ...]
    safe: bool = False


class Finding(Struct, frozen=True, gc=False):
    """A place where a network breaks a rule, with the evidence."""

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
    weight: float = 0.0  # of the findings in one place, the one of most weight is shown


Findings = Iterator[Finding]


def removal(
    what: str, at: Source | None, *, safe: bool = False, unread: bool = False
) -> Fix | None:
    """Return the fix that takes out what stands at a place; None where there is no place.

    An `unread` layer stays as long as something reads it.
    """
    if at is None:
        return None
    edit = Edit(at.file, (at.line, at.column), unread=unread)
    return Fix(f"remove '{what}'", (edit,), safe)


class Rule(Struct, frozen=True, kw_only=True):
    """A guideline: its fields are thresholds, its docstring is the manual page."""

    code: ClassVar[str]
    name: ClassVar[str]
    severity: ClassVar[str] = WARNING
    fixes: ClassVar[str] = ""  # "safe" or "unsafe", of rules that can mend what they find

    def check(self, network: Network) -> Findings:
        """Return what the rule finds. It changes nothing, prints nothing and never raises."""
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
    """Register a rule under its code and name, which are never given to another.

    The name says the problem, not the cure. Raises ContractError if either is taken, or if the rule
    has no page or no check.
    """

    def register(cls: type[Rule]) -> type[Rule]:
        for known, other in RULES.own.items():
            if other.name == name:
                raise ContractError(f"two rules are named '{name}', one is {known}")
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
    about: str  # what the value is


class Guideline(Rule, frozen=True, kw_only=True):
    """A rule that gives every network a score, such as ShuffleNetV2's four."""

    def score(self, network: Network) -> Score:
        """Return the score of the network."""
        raise NotImplementedError
