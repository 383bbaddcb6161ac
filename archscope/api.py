"""The Python interface: questions to whatever a user calls a network.

A network is a `Graph`, an `nn.Module`, or a word that the command line takes: a path, a zoo name,
a pattern `INPUT 3x32x32 -> ...`, or a model to import such as `package.module:name`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from archscope import analysis, sources
from archscope.analysis import Analysis
from archscope.errors import OptionError
from archscope.importers.formats import Inputs
from archscope.ir import Graph
from archscope.language.document import Document


def graph_of(network: Any, *, set: Mapping[str, Any] | None = None, input: Inputs = None) -> Graph:
    """Return the graph of a network.

    `set` gives values to names of a spec's `let`. `input` is the shape of one input, channels
    first and without the batch, or shapes by the names of inputs; an `nn.Module` needs it.
    Raises ArchscopeError.
    """
    return _read(network, set, input, 1)[0]


def analyze(
    network: Any,
    *,
    set: Mapping[str, Any] | None = None,
    input: Inputs = None,
    batch: int = 1,
    **settings: Any,
) -> Analysis:
    """Return the analysis of a network: counts per batch and bytes, all exact.

    `set` and `input` are those of `graph_of`; `settings` are those of `archscope.analysis.analyze`:
    `dtype`, `optimizer`, `training`, `memory_bytes`, `count` and `target`. Raises ArchscopeError.
    """
    return analysis.analyze(_read(network, set, input, batch)[0], batch=batch, **settings)


def lint(
    network: Any,
    document: Any = None,
    config: Any = None,
    *,
    set: Mapping[str, Any] | None = None,
    input: Inputs = None,
    batch: int = 1,
) -> tuple[Any, ...]:
    """Return what the rules find in a network, of every severity, as `Finding`s.

    `document` and `config` are those of `archscope.linter.lint`; the document of a spec is found
    by itself. `set` and `input` are those of `graph_of`. Raises ArchscopeError.
    """
    from archscope import linter  # its rules take time to load that few programs have

    graph, found = _read(network, set, input, batch)
    return linter.lint(graph, document or found, config, batch=batch)


class Comparison(Struct, frozen=True):
    """Analyses of several networks; printed, and shown in notebooks, one row for each."""

    networks: tuple[Analysis, ...]

    def __str__(self) -> str:
        return self._written("table").rstrip("\n")

    def _repr_markdown_(self) -> str:
        """Return the table for notebooks."""
        return self._written("markdown")

    def _written(self, form: str) -> str:
        from archscope.report.formats import render  # rich takes time to load
        from archscope.report.table import CommandOutput
        from archscope.report.tables.networks import comparison_table

        return render(CommandOutput([comparison_table(self.networks)], wide=True), form)


def compare(*networks: Any, input: Inputs = None, **settings: Any) -> Comparison:
    """Return the analyses of networks, which print as a table with ratios to the first.

    `input` and `settings` are those of `analyze`, and hold for all. Raises ArchscopeError.
    """
    if not networks:
        raise OptionError("compare takes one network or more, got none")
    return Comparison(tuple(analyze(each, input=input, **settings) for each in networks))


def _read(
    network: Any, set: Mapping[str, Any] | None, input: Inputs, batch: int
) -> tuple[Graph, Document | None]:
    """Return the graph of a network, and the document it was read from if there is one."""
    if isinstance(network, (str, Path)):
        return sources.read(network, set=set, input=input, batch=batch)
    if set:
        raise OptionError(f"set gives values to names of a spec, got a {type(network).__name__}")
    if isinstance(network, Graph):
        if input is None:
            return network, None
        return _with_input(network, input), None
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(network, torch.nn.Module):
        raise OptionError(
            "a network is a Graph, an nn.Module, or a path or name as text,"
            f" got a {type(network).__name__}"
        )
    if input is None:
        raise OptionError(
            f"a {type(network).__name__} does not know the shape of its input;"
            " give it, channels first and without the batch: input=(3, 224, 224)"
        )
    from archscope.importers.torch import from_module

    return from_module(network, input, batch=batch).graph, None


def _with_input(graph: Graph, input: Any) -> Graph:
    from archscope.transforms.input_shapes import with_inputs

    shapes = input if isinstance(input, Mapping) else {graph.inputs[0].name: tuple(input)}
    return with_inputs(graph, shapes)
