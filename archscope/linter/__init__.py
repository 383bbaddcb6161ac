"""Linting: rules at work on specs, what is silenced, and what is mended."""

from archscope.linter.runner import lint
from archscope.rules.rule import Finding

__all__ = ["Finding", "lint"]
