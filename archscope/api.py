"""The Python interface: analyze, lint and compare networks.

A network is a `Graph`, an `nn.Module`, or anything that the command line accepts: a path, a zoo
name, a pattern `INPUT 3x32x32 -> ...`, or a model to import such as `package.module:name`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Unpack

from msgspec import Struct

from archscope import analysis, sources
from archscope.analysis import Analysis, AnalysisSettings
from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.language.document import Document
from archscope.sources import GivenInputs


def graph_of(
    network: Any, *, set: Mapping[str, Any] | None = None, input: GivenInputs = None
) -> Graph:
    """Return the graph of a network.

    `set` overrides values of a spec's `let`. `input` is the input shape, channels first and
    without the batch, `(3, 224, 224)` or `"3x224x224"`, or the shapes of several inputs by name; it
    is required for an `nn.Module`.
    Raises ArchscopeError.
    """
    return _read(network, set, input, 1)[0]


def analyze(
    network: Any,
    *,
    set: Mapping[str, Any] | None = None,
    input: GivenInputs = None,
    batch: int = 1,
    **settings: Unpack[AnalysisSettings],
) -> Analysis:
    """Analyze a network: exact counts per batch, and bytes.

    `set` and `input` are those of `graph_of`; `settings` are those of `archscope.analysis.analyze`:
    `dtype`, such as "float16", `optimizer` ("sgd", "momentum" or "adam"), `training`,
    `memory_bytes`, `count`, such as "fvcore", and `target` ("mcu"). Raises ArchscopeError.
    """
    return analysis.analyze(_read(network, set, input, batch)[0], batch=batch, **settings)


def lint(
    network: Any,
    document: Any = None,
    config: Any = None,
    *,
    set: Mapping[str, Any] | None = None,
    input: GivenInputs = None,
    batch: int = 1,
) -> tuple[Any, ...]:
    """Lint a network, and return the findings of every severity.

    `document` and `config` are those of `archscope.linter.lint`; a spec's own document is used
    automatically. `set` and `input` are those of `graph_of`. Raises ArchscopeError.
    """
    from archscope import linter  # loading the rules takes time

    graph, found = _read(network, set, input, batch)
    return linter.lint(graph, document or found, config, batch=batch)


class Comparison(Struct, frozen=True):
    """The analyses of several networks, printed and shown in notebooks as a table."""

    networks: tuple[Analysis, ...]

    def __str__(self) -> str:
        return self._written("table").rstrip("\n")

    def _repr_markdown_(self) -> str:
        """Return the table for notebooks."""
        return self._written("markdown")

    def _written(self, form: str) -> str:
        from archscope.report.formats import render  # imports rich, which is slow
        from archscope.report.table import CommandOutput
        from archscope.report.tables.networks import comparison_table

        return render(CommandOutput([comparison_table(self.networks)], wide=True), form)


def compare(
    *networks: Any, input: GivenInputs = None, **settings: Unpack[AnalysisSettings]
) -> Comparison:
    """Compare networks; the result prints as a table with ratios relative to the first.

    `input` and `settings` are those of `analyze`, and apply to all. Raises ArchscopeError.
    """
    if not networks:
        raise OptionError("compare takes one network or more, got none")
    return Comparison(tuple(analyze(each, input=input, **settings) for each in networks))


def _read(
    network: Any, set: Mapping[str, Any] | None, input: GivenInputs, batch: int
) -> tuple[Graph, Document | None]:
    """Return the graph of a network, and the document it was read from, if any."""
    shapes = sources.shapes_of(input)
    if isinstance(network, (str, Path)):
        return sources.read(network, set=set, input=shapes, batch=batch)
    if set:
        raise OptionError(f"set gives values to names of a spec, got a {type(network).__name__}")
    if isinstance(network, Graph):
        if shapes is None:
            return network, None
        return _with_input(network, shapes), None
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(network, torch.nn.Module):
        is_class = isinstance(network, type)
        given = f"the class {network.__name__}" if is_class else f"a {type(network).__name__}"
        raise OptionError(
            f"a network is a Graph, an nn.Module, or a path, name or spec as text, got {given}"
        )
    if shapes is None:
        raise OptionError(
            f"a {type(network).__name__} does not know the shape of its input;"
            " give it, channels first and without the batch: input=(3, 224, 224)"
        )
    from archscope.importers.torch import from_module

    return from_module(network, shapes, batch=batch).graph, None


def _with_input(graph: Graph, input: Any) -> Graph:
    from archscope.transforms.input_shapes import with_inputs

    shapes = input if isinstance(input, Mapping) else {graph.inputs[0].name: tuple(input)}
    return with_inputs(graph, shapes)
