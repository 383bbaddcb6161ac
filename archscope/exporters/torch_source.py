"""Python source: a module as one would write it by hand, which needs only torch."""

from __future__ import annotations

from typing import Any

from archscope.build import Network
from archscope.exporters.agreement import check
from archscope.exporters.formats import Made
from archscope.exporters.source.module_text import write


def export(network: Network, opset: int) -> Made:
    """Return the source of a network, run and compared with it before."""
    text = write(network.graph)
    space: dict[str, Any] = {"__name__": "exported"}
    exec(compile(text, f"<{network.graph.name}.py>", "exec"), space)  # noqa: S102 - our own text
    module = space[space["__all__"][0]]().eval()
    module.load_state_dict(network.state_dict(), strict=True)
    return Made(text.encode(), check(network, module, "torch"))
