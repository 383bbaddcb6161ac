"""Analyses of a graph, one per file; `analyze` runs them all."""

from __future__ import annotations

from archscope.analysis.analyzer import AnalysisSettings, analyze
from archscope.analysis.result import Analysis

__all__ = ["Analysis", "AnalysisSettings", "analyze"]
