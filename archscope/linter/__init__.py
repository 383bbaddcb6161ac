"""Linting: running rules on specs, suppressing findings, and applying fixes."""

from archscope.linter.runner import lint
from archscope.rules.rule import Finding

__all__ = ["Finding", "lint"]
