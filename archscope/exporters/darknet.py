"""Export to darknet: a configuration (`.cfg`) and its weights (`.weights`).

Darknet adds 1e-6 to variances; if the network adds more, the rest is added to the variances in
the file.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from archscope.build import Network, build
from archscope.exporters.darknet_sections import COMMENT, FLAT, sections_of
from archscope.exporters.layer_files import read_back
from archscope.importers.darknet import from_file
from archscope.ir import Node
from archscope.module_names import module_path
from archscope.ops.conv import Conv, ConvTranspose
from archscope.ops.linear import Linear
from archscope.ops.norm import BatchNorm

OF_NORM = ("weight", "bias", "running_mean", "running_var")


def export(network: Network, opset: int | None) -> bytes:
    """Return the configuration of a network. Raises GraphError for what it cannot express."""
    return "\n".join([*sections_of(network.graph).lines, ""]).encode()


def weights(network: Network) -> bytes:
    """Return the weights file of the `.cfg`, in the format of darknet 0.2 and later."""
    state = {name: value.detach().float() for name, value in network.state_dict().items()}
    content = [struct.pack("<3iq", 0, 2, 0, 0)]
    for held in sections_of(network.graph).weighted:
        own, norm = module_path(held.node), module_path(held.norm) if held.norm else None
        names = [f"{own}.weight"]
        names.insert(0, f"{norm or own}.bias")
        statistics = [f"{norm}.{word}" for word in ("weight", "running_mean", "running_var")]
        linear = state[f"{own}.weight"].dim() == 2
        if norm:
            names[2 if linear else 1 : 2 if linear else 1] = statistics
        for name in names:
            value = state[name]
            if name.endswith(".running_var"):
                value = value + held.extra
            content.append(value.contiguous().numpy().astype("<f4").tobytes())
    return b"".join(content)


def load(content: bytes, weights: Mapping[str, Tensor]) -> Callable[..., Any]:
    """Return the network of a configuration, read back by the importer, with the given weights."""
    found = read_back(content, from_file, "net.cfg")
    network = build(found.graph).eval()
    state = dict(_renamed(content.decode(), found.graph.nodes, weights))
    for name in network.state_dict():
        state.setdefault(name, torch.tensor(0))  # the step counter of a norm
    network.load_state_dict(state)
    if FLAT not in content.decode().splitlines():
        return network
    return lambda *inputs: network(*inputs).flatten(1)


def _renamed(
    text: str, nodes: tuple[Node, ...], weights: Mapping[str, Tensor]
) -> Iterator[tuple[str, Tensor]]:
    """Yield weights by the names of the network read back; its nodes are ordered as in `text`."""
    layers = [node for node in nodes if isinstance(node.op, Conv | ConvTranspose | Linear)]
    norms = iter([node for node in nodes if isinstance(node.op, BatchNorm)])
    for node, (own, norm, extra) in zip(layers, COMMENT.findall(text), strict=True):
        held: list[tuple[str, str, tuple[str, ...]]] = [(node.name, own, ("weight", "bias"))]
        if norm:
            held = [(node.name, own, ("weight",)), (next(norms).name, norm, OF_NORM)]
        for new, old, words in held:
            for word in words:
                value = weights[f"{module_path(old)}.{word}"]
                plus = float(extra) if word == "running_var" else 0.0
                yield f"{module_path(new)}.{word}", value + plus if plus else value
