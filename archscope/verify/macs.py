"""MACs against fvcore, and against torch's own counter halved."""

from __future__ import annotations

import torch
from fvcore.nn import FlopCountAnalysis
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from archscope.build import build, module_path
from archscope.ir import Graph
from archscope.verify.check import Check, compare

MATRIX_WORK = ("conv", "linear", "addmm", "matmul", "bmm", "einsum")
"""fvcore's names for what counts as MACs; it adds norms, pools and resizes of its own."""


def check_fvcore(graph: Graph) -> Check:
    """Compare with fvcore, which counts 1 for each multiply-accumulate."""
    network = build(graph).eval()
    inputs = tuple(torch.rand(1, *node.out) for node in graph.inputs)
    analysis = FlopCountAnalysis(network, inputs).unsupported_ops_warnings(False)
    analysis = analysis.uncalled_modules_warnings(False).tracer_warnings("none")
    counted = analysis.by_module_and_operator()
    live = graph.ancestors(*(output.node for output in graph.outputs))
    ours: dict[str, int] = {}
    for node in graph.nodes:
        owner = node.shares or node.name
        # What no output needs is not in the trace that fvcore counts.
        ours[owner] = ours.get(owner, 0) + (node.facts.macs if node.name in live else 0)
    pairs = []
    for node in graph.nodes:
        if node.inputs and node.shares is None:
            counts = counted[module_path(node.name)]
            theirs = sum(int(counts[kind]) for kind in MATRIX_WORK)
            pairs.append((node.name, ours[node.name], theirs))
    theirs = sum(int(counted[""][kind]) for kind in MATRIX_WORK)
    pairs.append(("total", sum(ours.values()), theirs))
    dead = len(graph.nodes) - len(live)
    note = f"{dead} nodes that no output needs count 0" if dead else ""
    return compare("macs", "fvcore conv + linear", "macs", pairs, note)


def check_torch(graph: Graph) -> Check:
    """Compare with torch.utils.flop_counter, which counts 2 for each multiply-accumulate.

    It needs only shapes, so tensors are on the meta device.
    """
    network = build(graph, device="meta").eval()
    inputs = tuple(torch.empty(1, *node.out, device="meta") for node in graph.inputs)
    counter = FlopCounterMode(display=False)
    before = 0
    seen: dict[str, int] = {}

    def probe(name: str, value: Tensor) -> Tensor:
        nonlocal before
        now = counter.get_total_flops()
        seen[name], before = (now - before) // 2, now
        return value

    with torch.no_grad(), counter:
        network.run(inputs, probe)
    pairs = [(node.name, node.facts.macs, seen[node.name]) for node in graph.nodes]
    pairs.append(("total", sum(n.facts.macs for n in graph.nodes), sum(seen.values())))
    return compare("macs", "torch FlopCounterMode / 2", "macs", pairs)
