"""The tools that archscope is compared with, and the functions that call them.

A peer is one function that takes a module with its input and returns the multiply-accumulates
it counted. It imports its library itself, so that a missing one is missed only when asked.

    python -m benchmarks.peers fvcore cpu vgg16

counts one network in a separate process.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from archscope import load
from archscope.build import build

Peer = Callable[[nn.Module, Tensor], float]

PEERS: dict[str, Peer] = {}
"""Every peer by its name."""

DEVICES = ("cpu", "meta")
"""Where a peer may count: on real numbers, or on shapes alone."""


def peer(name: str) -> Callable[[Peer], Peer]:
    """Register a peer under `name`."""

    def register(function: Peer) -> Peer:
        PEERS[name] = function
        return function

    return register


def subject(network: str, device: str) -> tuple[nn.Module, Tensor]:
    """Return a network as a torch module ready for inference, and an input for it."""
    graph = load(network)
    module = build(graph, device=device).eval()
    return module, torch.rand(1, *graph.inputs[0].out, device=device)


@peer("fvcore")
def count_fvcore(module: nn.Module, image: Tensor) -> float:
    """Count with FlopCountAnalysis, which traces; norms, pools and resizes are in its total."""
    analysis: Any = import_module("fvcore.nn").FlopCountAnalysis(module, image)
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return float(analysis.tracer_warnings("none").total())


@peer("ptflops")
def count_ptflops(module: nn.Module, image: Tensor) -> float:
    """Count with get_model_complexity_info, which hooks modules and patches functions."""
    import_module("torch._dynamo")  # must not be imported first while torch is patched
    # It can do without torchvision, and one made for another torch would stop it.
    sys.modules.setdefault("torchvision", None)  # type: ignore[arg-type]
    macs, _ = import_module("ptflops").get_model_complexity_info(
        module, tuple(image.shape[1:]), as_strings=False, print_per_layer_stat=False
    )
    if macs is None:
        raise RuntimeError("estimation was not finished")
    return float(macs)


@peer("torchinfo")
def count_torchinfo(module: nn.Module, image: Tensor) -> float:
    """Count with summary, which hooks modules; its mult-adds are params times positions."""
    summary: Any = import_module("torchinfo").summary
    counted = summary(module, input_data=image, device=image.device, verbose=0)
    return float(counted.total_mult_adds)


@peer("torchprofile")
def count_torchprofile(module: nn.Module, image: Tensor) -> float:
    """Count with profile_macs, which traces."""
    return float(import_module("torchprofile").profile_macs(module, image))


@peer("thop")
def count_thop(module: nn.Module, image: Tensor) -> float:
    """Count with profile, which hooks modules; norms and pools are in its total."""
    macs, _ = import_module("thop").profile(module, (image,), verbose=False)
    return float(macs)


@peer("FlopCounterMode")
def count_flop_counter_mode(module: nn.Module, image: Tensor) -> float:
    """Count with torch's own dispatch mode, whose flops are two for each multiply-accumulate."""
    counter: Any = import_module("torch.utils.flop_counter").FlopCounterMode(display=False)
    with counter:
        module(image)
    return float(counter.get_total_flops()) / 2


if __name__ == "__main__":
    name, where, chosen = sys.argv[1:]
    with torch.no_grad():
        print(PEERS[name](*subject(chosen, where)))
