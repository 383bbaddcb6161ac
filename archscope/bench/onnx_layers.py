"""A network in onnxruntime: a call that runs it, and the times of its kernels by layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import prod

from msgspec import Struct

from archscope.analysis.cost import DTYPES
from archscope.bench.conditions import Conditions
from archscope.bench.layer_timings import LayerTimings, layer_timing
from archscope.bench.onnx_kernels import Kernel, KernelProfiler
from archscope.bench.onnx_latency import onnx_call
from archscope.bench.onnx_session import int8_model
from archscope.bench.roofline import BOUNDS, Roofline
from archscope.exporters.onnx_export import ExportedOnnx, export_onnx
from archscope.ir import Graph


class PreparedOnnx(Struct, frozen=True):
    """A network as onnxruntime runs it, with random weights and a random batch."""

    exported: ExportedOnnx
    content: bytes  # of the model, quantized if the conditions say so
    batch: int
    threads: int
    call: Callable[[], object]  # one forward pass

    def stopwatch(self) -> KernelStopwatch:
        """Return the stopwatch of the layers."""
        return KernelStopwatch(self)


def prepare_onnx(graph: Graph, batch: int, conditions: Conditions) -> PreparedOnnx:
    """Return a graph ready to run in onnxruntime, batch norms folded, always with equal weights.

    Raises UnavailableError without onnx or onnxruntime, GraphError for an operator that ONNX lacks,
    and whatever onnxruntime raises.
    """
    exported = export_onnx(graph)
    content = exported.model.content()
    if conditions.dtype == "int8":
        content = int8_model(content)
    call = onnx_call(content, conditions.threads, batch)
    return PreparedOnnx(exported, content, batch, conditions.threads, call)


class KernelStopwatch:
    """Runs a network in onnxruntime's profiler, and reports the times of layers."""

    def __init__(self, prepared: PreparedOnnx) -> None:
        self.graph = prepared.exported.graph
        self.profiler = KernelProfiler(
            prepared.exported, batch=prepared.batch, threads=prepared.threads,
            content=prepared.content,
        )  # fmt: skip

    def __call__(self) -> None:
        """Run once."""
        self.profiler()

    def layers(self, batch: int, dtype: str, roof: Roofline) -> LayerTimings:
        """Return the time of layers, those that one kernel computes together, by the roofline."""
        times = self.profiler.times()
        groups: dict[tuple[str, ...], list[Kernel]] = {}
        for kernel in times.kernels:
            groups.setdefault(kernel.layers, []).append(kernel)
        other = sum(kernel.seconds for kernel in groups.pop((), ()))
        layers = []
        for names, kernels in groups.items():
            seconds = sum(kernel.seconds for kernel in kernels)
            macs = batch * sum(self.graph.facts[name].macs for name in names)
            moved = memory_access(self.graph, names, batch) * DTYPES[dtype]
            main = max(names, key=lambda name: self.graph.facts[name].macs)
            op = " + ".join(self.graph.by_name[name].op.name for name in names)
            layers.append(
                layer_timing(
                    main, op, self.graph.by_name[names[-1]].out, seconds, times.whole_seconds,
                    macs, moved, roof,
                    fused=tuple(name for name in names if name != main),
                    kernels=tuple(kernel.kind for kernel in kernels),
                )
            )  # fmt: skip
        spent = sum(layer.seconds for layer in layers)
        by_bound = {
            name: sum(layer.seconds for layer in layers if layer.bound == name) for name in BOUNDS
        }
        whole = times.whole_seconds
        return LayerTimings(tuple(layers), whole, spent, whole - spent, by_bound, times.runs, other)


def memory_access(graph: Graph, names: Iterable[str], batch: int) -> int:
    """Return the elements that nodes read and write together, if values between them stay inside.

    Weights are read once for a batch.
    """
    inside = [graph.by_name[name] for name in names]
    made = {node.name for node in inside}
    ends = {output.node for output in graph.outputs}
    read = {name for node in inside for name in node.inputs if name not in made}
    outside = {name for node in graph.nodes if node.name not in made for name in node.inputs}
    written = {name for name in made if name in outside or name in ends}
    maps = sum(prod(graph.by_name[name].out) for name in (*read, *written))
    return batch * maps + sum(node.facts.params + node.facts.buffers for node in inside)
