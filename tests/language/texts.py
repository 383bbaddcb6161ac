"""Specs as text inside tests."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import pytest

from archscope.errors import SpecError
from archscope.ir import Graph
from archscope.language import LIMITS, Limits, document, graph

INPUT = "input: [3, 32, 32]\n"


def graph_of(text: str | bytes, limits: Limits = LIMITS, **settings: Any) -> Graph:
    """Return the graph of a spec; text without an input gets three channels of 32x32."""
    if isinstance(text, str):
        text = dedent(text).lstrip()
        text = (text if text.startswith(("input", "extends")) else INPUT + text).encode()
    return graph(document("spec.yaml", limits, text), limits=limits, **settings)


def refusal(text: str | bytes, limits: Limits = LIMITS, **settings: Any) -> str:
    """Return what is said of a spec that is wrong, after the name of the file."""
    with pytest.raises(SpecError) as caught:
        graph_of(text, limits, **settings)
    return str(caught.value).removeprefix("spec.yaml:").strip()


def names(net: Graph) -> list[str]:
    """Return the names of all nodes but the inputs."""
    return [node.name for node in net.nodes if node.inputs]


def ops(net: Graph) -> list[str]:
    """Return the operators of all nodes but the inputs."""
    return [node.op.name for node in net.nodes if node.inputs]
