"""The Python interface: analyze, lint and compare networks.

A network is a `Graph`, an `nn.Module`, or anything that the command line accepts: a path, a zoo
name, a pattern `INPUT 3x32x32 -> ...`, or a model to import such as `package.module:name`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Unpack

from msgspec import Struct

from archscope import analysis, sources
from archscope.analysis import Analysis, AnalysisSettings
from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.language.document import Document
from archscope.sources import GivenInputs

if TYPE_CHECKING:
    from torch import Tensor

GivenWeights: TypeAlias = "str | Path | Mapping[str, Tensor] | None"
"""Weights of a network: a file, the folder of a run, or a state dict."""


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
    weights: GivenWeights = None,
    **settings: Unpack[AnalysisSettings],
) -> Analysis:
    """Analyze a network: exact counts per batch, and bytes.

    `weights` are a file, the folder of a run or a state dict, whose names and shapes are those of
    the network: bytes of weights are then as stored, and those of even levels in few bits, as for
    a network that is the folder of a run with weights of its own.
    `set` and `input` are those of `graph_of`; `settings` are those of `archscope.analysis.analyze`:
    `dtype`, such as "float16", `optimizer` ("sgd", "momentum" or "adam"), `training`,
    `memory_bytes`, `count`, such as "fvcore", and `target` ("mcu"). Raises ArchscopeError.
    """
    if weights is not None and settings.get("dtype") is not None:
        raise OptionError("weights exclude dtype: bytes are those of the weights as stored")
    graph = _read(network, set, input, batch, weights)[0]
    return analysis.analyze(graph, batch=batch, **settings)


def lint(
    network: Any,
    document: Any = None,
    config: Any = None,
    *,
    set: Mapping[str, Any] | None = None,
    input: GivenInputs = None,
    batch: int = 1,
    weights: GivenWeights = None,
) -> tuple[Any, ...]:
    """Lint a network, and return the findings of every severity.

    `document` and `config` are those of `archscope.linter.lint`; a spec's own document is used
    automatically. `set` and `input` are those of `graph_of`, `weights` those of `analyze`. Raises
    ArchscopeError.
    """
    from archscope import linter  # loading the rules takes time

    graph, found = _read(network, set, input, batch, weights)
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
    network: Any,
    set: Mapping[str, Any] | None,
    input: GivenInputs,
    batch: int,
    weights: GivenWeights = None,
) -> tuple[Graph, Document | None]:
    """Return the graph of a network, and the document it was read from, if any.

    The graph has the bytes of its weights, if there are some.
    """
    own, best = sources.run_of(network) or (network, None)
    graph, document = _read_network(own, set, input, batch)
    if weights is not None:
        from archscope.compress.stored_weights import with_given_weights  # slow to import

        given = Path(weights) if isinstance(weights, str) else weights
        return with_given_weights(graph, given), document
    if best is not None:
        from archscope.compress.stored_weights import with_stored_weights

        return with_stored_weights(graph, best), document
    return graph, document


def _read_network(
    network: Any, set: Mapping[str, Any] | None, input: GivenInputs, batch: int
) -> tuple[Graph, Document | None]:
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
