"""The linter: run rules on specs, suppress findings and apply fixes."""

from archscope.linter.runner import lint
from archscope.rules.rule import Finding

__all__ = ["Finding", "lint"]
