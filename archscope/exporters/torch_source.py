"""Export to Python source: a module that looks handwritten and needs only torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from archscope.build import Network
from archscope.exporters.source.module_text import write


def export(network: Network, opset: int | None) -> bytes:
    """Return the source of a network."""
    return write(network.graph).encode()


def load(content: bytes, weights: Mapping[str, Tensor]) -> Callable[..., Any]:
    """Return the module that a source defines, with the given weights."""
    space: dict[str, Any] = {"__name__": "exported"}
    exec(compile(content, "<exported>", "exec"), space)  # noqa: S102 - our own text
    module = space[space["__all__"][0]]().eval()
    module.load_state_dict(weights, strict=True)
    return module  # type: ignore[no-any-return]
