"""Encode networks as compact JSON for the page, with operators and layers as indices."""

from __future__ import annotations

from typing import Any

import msgspec

from archscope.drawing.tree import TreeNode
from archscope.report.pages.content import NetworkSection, Page
from archscope.report.pages.summary import judged_by


def for_script(content: Any) -> str:
    """Encode content as JSON for a script element, escaping what would end it or a comment."""
    text = msgspec.json.encode(content).decode()
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def page_data(page: Page) -> dict[str, Any]:
    """Return the data that the page's script needs at the start."""
    return {
        "measures": page.measures,
        "judge": judged_by(page.networks),
        "networks": [
            {
                **_fields(network, "id", "name", "about", "input", "field", "values", "predicted"),
                **({"measured": network.measured} if network.measured is not None else {}),
                "broken": [score.code for score in network.scores if score.broken],
                "stages": [msgspec.structs.astuple(stage) for stage in network.stages],
            }
            for network in page.networks
        ],
    }


def network_data(network: NetworkSection, root: TreeNode) -> dict[str, Any]:
    """Return the data that the page's script needs when a network is opened."""
    ops = list(dict.fromkeys(layer.op for layer in network.layers))
    number = {op: place for place, op in enumerate(ops)}
    texts = list(dict.fromkeys(layer.attributes for layer in network.layers))
    place_of = {layer.name: place for place, layer in enumerate(network.layers)}
    return {
        **_fields(network, "about", "paper", "source", "batch", "dtype"),
        **({"weights": network.weights} if network.weights else {}),
        "peak": network.totals.peak_node,
        "peak_bytes": network.totals.peak_activation_bytes,
        "ops": ops,
        "texts": texts,
        "attributes": [texts.index(layer.attributes) for layer in network.layers],
        "windows": [layer.window for layer in network.layers],
        "layers": [
            (  # in the order of KEYS in network.js
                number[layer.op], [place_of[name] for name in layer.inputs], layer.out,
                layer.params, layer.macs, layer.memory_access_bytes, layer.alive_bytes,
                layer.field, layer.stride,
                *((layer.seconds,) if layer.seconds is not None else ()),
            )
            for layer in network.layers
        ],
        "tree": _compact(root),
        "scores": network.scores,
        "findings": [_finding(finding) for finding in network.findings],
        **_fields(network, "yaml", "missing"),
        "accuracy": (*network.accuracy, *network.latency),
        **({"overlay": network.overlay} if network.overlay is not None else {}),
        **({"before": network.before} if network.before is not None else {}),
    }  # fmt: skip


def _fields(network: NetworkSection, *names: str) -> dict[str, Any]:
    return {name: getattr(network, name) for name in names}


def _compact(node: TreeNode) -> list[Any]:
    """Return a layer as label and index; a block as label, children, rows and edges."""
    if node.arrangement is None:
        return [node.label, node.layers[0]]
    children = [_compact(child) for child in node.children]
    return [node.label, children, node.arrangement.rows, node.arrangement.edges]


def _finding(found: dict[str, Any]) -> dict[str, Any]:
    keys = ("code", "rule", "severity", "node", "line", "message", "evidence", "others", "fix")
    return {key: found[key] for key in keys if found.get(key)}
