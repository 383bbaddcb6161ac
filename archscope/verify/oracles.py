"""Check shapes, params, MACs and memory against torch and fvcore, and totals against papers."""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from archscope.analysis.analyzer import analyze
from archscope.analysis.cost import costs, total
from archscope.analysis.memory import memory
from archscope.build import Network, build
from archscope.ir import Graph, Node
from archscope.verify.check import Check, Pairs, compare
from archscope.weights import COUNTER

MATRIX_WORK = ("conv", "linear", "addmm", "matmul", "bmm", "einsum")
"""fvcore's names for operators with MACs; it also counts norms, pools and resizes."""

BATCH = 2  # for the training step, as batch norm cannot train on a single value


def network_and_inputs(graph: Graph, device: str = "cpu") -> tuple[Network, tuple[Tensor, ...]]:
    """Return the module of a graph in evaluation mode, and one random image for it."""
    inputs = tuple(torch.rand(1, *node.out, device=device) for node in graph.inputs)
    return build(graph, device=device).eval(), inputs


def fvcore_analysis(module: nn.Module, inputs: tuple[Tensor, ...]) -> Any:
    """Return fvcore's analysis of a module, without its warnings."""
    from fvcore.nn import FlopCountAnalysis

    analysis = FlopCountAnalysis(module, inputs).unsupported_ops_warnings(False)
    # It has rules for the products inside attention, but not for torch's function.
    analysis.set_op_handle("aten::scaled_dot_product_attention", _attention)
    for kind in ("lstm", "gru", "rnn_tanh", "rnn_relu"):
        analysis.set_op_handle(f"aten::{kind}", _recurrence)
    return analysis.uncalled_modules_warnings(False).tracer_warnings("none")


def _attention(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    """Return the macs of scores and weighted sums, from the traced shapes."""
    query, key, value = (value.type().sizes() for value in inputs[:3])
    return Counter(matmul=prod(query[:-1]) * key[-2] * (query[-1] + value[-1]))


def _recurrence(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    """Return the macs of all matrices at all positions, from the traced shapes."""
    held = (value.type().sizes() for value in inputs[2].node().inputs())
    matrices = sum(prod(sizes) for sizes in held if len(sizes) == 2)
    return Counter(matmul=prod(inputs[0].type().sizes()[:2]) * matrices)


def check_shapes(graph: Graph) -> Check:
    """Run a random image through the module and compare the shape of every value."""
    seen: dict[str, tuple[int, ...]] = {}

    def probe(name: str, value: Tensor) -> Tensor:
        seen[name] = tuple(value.shape[1:])
        return value

    network, inputs = network_and_inputs(graph)
    with torch.inference_mode():
        network.run(inputs, probe)
    pairs = [(node.name, node.out, seen[node.name]) for node in graph.nodes]
    return compare("shapes", "torch forward pass", "shape", pairs)


def check_params(graph: Graph) -> Check:
    """Compare with the params and buffers of each sub-module; shared ones count once."""
    network, cost = build(graph, device="meta"), costs(graph)
    owners = _owners(graph)
    # Weights tied in another form are copies in the module, which counts them again.
    copies = {node.name: node.facts.params - cost[node.name].params for node in owners}
    pairs: Pairs = []
    for node in owners:
        own = cost[node.name]
        ours = own.params + copies[node.name], own.buffers
        pairs.append((node.name, ours, _numbers(network.part(node.name))))
    whole, added = total(cost), sum(copies.values())
    pairs.append(("total", (whole.params + added, whole.buffers), _numbers(network)))
    note = f"{added:,} params are copies of others in the module" if added else ""
    return compare("params", "torch module", "params and buffers", pairs, note)


def _numbers(module: nn.Module) -> tuple[int, int]:
    """Return the number of parameters and of statistics, without step counters and constants."""
    kept = module.state_dict()
    statistics = sum(
        buffer.numel()
        for name, buffer in module.named_buffers()
        if name in kept and not name.endswith(COUNTER)
    )
    return sum(parameter.numel() for parameter in module.parameters()), statistics


def check_macs_fvcore(graph: Graph) -> Check:
    """Compare with fvcore, which counts a multiply-accumulate as 1."""
    network, inputs = network_and_inputs(graph)
    counted = fvcore_analysis(network, inputs).by_module_and_operator()
    live = graph.ancestors(*(output.node for output in graph.outputs))
    ours: dict[str, int] = {}
    first: dict[str, str] = {}  # the node that each module was made for
    for node in graph.nodes:
        if node.inputs:
            path = ".".join(network.paths[node.name])
            first.setdefault(path, node.name)
            # Nodes that no output needs are not in fvcore's trace.
            ours[path] = ours.get(path, 0) + (node.facts.macs if node.name in live else 0)

    def theirs(path: str) -> int:
        return sum(int(counted[path][kind]) for kind in MATRIX_WORK)

    pairs = [(first[path], macs, theirs(path)) for path, macs in ours.items()]
    pairs.append(("total", sum(ours.values()), theirs("")))
    dead = len(graph.nodes) - len(live)
    note = f"{dead} nodes that no output needs count 0" if dead else ""
    return compare("macs", "fvcore conv + linear", "macs", pairs, note)


def check_macs_torch(graph: Graph) -> Check:
    """Compare with torch.utils.flop_counter, which counts a multiply-accumulate as 2.

    Only shapes are needed, so tensors are on the meta device.
    """
    network, inputs = network_and_inputs(graph, "meta")
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


def check_saved(graph: Graph) -> Check:
    """Run the forward pass of a training step and sum the tensors that autograd keeps."""
    network = build(graph).train()
    weights = {p.untyped_storage().data_ptr() for p in (*network.parameters(), *network.buffers())}
    current: dict[int, int] = {}
    everything: dict[int, int] = {}
    alive: list[Tensor] = []  # keeps storages alive, so that addresses are not reused

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            alive.append(tensor.detach())
            current[storage.data_ptr()] = storage.nbytes()
            everything[storage.data_ptr()] = storage.nbytes()
        return tensor

    seen: dict[str, int] = {}

    def probe(name: str, value: Tensor) -> Tensor:
        seen[name] = sum(current.values())
        current.clear()
        alive.append(value.detach())
        return value

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        network.run(tuple(torch.rand(BATCH, *node.out) for node in graph.inputs), probe)
    maps = memory(graph)
    pairs = []
    more = 0  # that operators keep which state a part
    for node in graph.nodes:
        kept = maps.kept.get(node.name)
        ours = 0
        if kept is not None:
            numbers = sum(maps.sizes[name] for name in kept.maps) + kept.elements
            ours = (numbers * 4 + kept.indices * 8) * BATCH + kept.fixed * 4
        if node.facts.saved.least and ours <= seen[node.name]:
            more += seen[node.name] - ours
            ours = seen[node.name]
        pairs.append((node.name, ours, seen[node.name]))
    pairs.append(("total", maps.saved_bytes(BATCH, 4) + more, sum(everything.values())))
    note = f"kernels keep {more:,} bytes more than is stated" if more else ""
    what = f"bytes for {BATCH} images"
    return compare("saved bytes", "torch saved-tensor hooks", what, pairs, note)


def check_reference(graph: Graph) -> Check:
    """Compare the totals with the `reference:` that the spec quotes."""
    quoted = dict(graph.reference)
    analysis = analyze(graph)
    pairs: Pairs = [
        (key, getattr(analysis.totals, key), quoted[key])
        for key in ("params", "macs")
        if key in quoted
    ]
    if "receptive_field" in quoted:
        field = analysis.receptive_field
        axes = (field.size, field.stride, field.padding) if field else (None, None, None)
        ours = [axis[0] if axis else None for axis in axes]
        pairs.append(("receptive_field", ours, quoted["receptive_field"]))
    source = str(quoted.get("source", "the spec"))
    note = "" if pairs else "the spec quotes no numbers"
    return compare("reference", source, "published number", pairs, note)


def _owners(graph: Graph) -> list[Node]:
    """Return the nodes that have a module of their own."""
    return [node for node in graph.nodes if node.inputs and node.shares is None]
