"""Check that ONNX files of the zoo compute the same as torch, and measure their speed.

check     onnx's checker, the difference to torch, and whether the importer reads the same network
quantize  onnxruntime's pre-processing and static quantization, as QDQ and as QOperator
time      seconds of an export with all weights: without the file, as bytes, and with the file,
          each with the processor time
speed     the time in onnxruntime over that of the file that onnxscript's optimizer makes of it
"""

from __future__ import annotations

import argparse
import logging
import time
import warnings
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx

from archscope import analyze, load
from archscope.bench.onnx_latency import onnx_latencies
from archscope.exporters.onnx_export import ExportedOnnx, export_onnx
from archscope.exporters.onnx_model import onnx_difference
from archscope.importers.onnx import from_file
from archscope.language.files import zoo

TOTALS = ("params", "macs", "elementwise", "memory_access", "activations")


def check(exported: ExportedOnnx, folder: Path) -> str:
    """Return the difference to torch, and the totals in which the file that is read differs."""
    path = folder / "x.onnx"
    path.write_bytes(exported.model.content())
    ours, read = analyze(exported.graph).totals, analyze(from_file(path).graph).totals
    other = [total for total in TOTALS if getattr(ours, total) != getattr(read, total)]
    return f"{onnx_difference(exported):.1e}, read {', other '.join(['the same', *other])}"


class Images:
    """Two random images for each input, in the form that onnxruntime's quantizer reads."""

    def __init__(self, exported: ExportedOnnx) -> None:
        random = np.random.default_rng(0)
        self.feeds: Iterator[dict[str, Any]] = iter([
            {node.name: random.standard_normal((1, *node.out), np.float32)
             for node in exported.graph.inputs}
            for _ in range(2)
        ])  # fmt: skip

    def get_next(self) -> dict[str, Any] | None:
        """Return the next images, None behind the last."""
        return next(self.feeds, None)


def quantize(exported: ExportedOnnx, folder: Path) -> str:
    """Return how large the quantized files are, as a share of the file."""
    from onnxruntime.quantization import QuantFormat, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    path, prepared = folder / "x.onnx", folder / "prepared.onnx"
    path.write_bytes(exported.model.content())
    # Without this, it takes the batch of an upsampled value, floor(1.0 * batch), for another.
    resizes = any(node.op_type == "Resize" for node in exported.model.nodes)
    quant_pre_process(str(path), str(prepared), auto_merge=resizes)
    shares = []
    for form in (QuantFormat.QDQ, QuantFormat.QOperator):
        made = folder / "q.onnx"
        quantize_static(str(prepared), str(made), Images(exported), quant_format=form)
        onnx_latencies([made.read_bytes()], seconds=0.01)  # it runs
        shares.append(f"{form.name} {made.stat().st_size / path.stat().st_size:.0%}")
    return ", ".join(shares)


def speed(exported: ExportedOnnx, folder: Path) -> str:
    """Return the milliseconds of a file, and over those of its optimized form."""
    import onnx_ir
    from onnxscript import optimizer

    content = exported.model.content()
    model = onnx_ir.serde.deserialize_model(onnx.load_from_string(content))
    optimizer.optimize(model)
    optimized = onnx_ir.serde.serialize_model(model)
    ours, theirs = onnx_latencies([content, optimized.SerializeToString()], seconds=3.0)
    ratio = ours.median_seconds / theirs.median_seconds
    return (
        f"{ours.median_seconds * 1e3:.2f} ms, {ratio:.3f} of that with"
        f" {len(optimized.graph.node)} operators"
    )


def export_time(exported: ExportedOnnx, folder: Path) -> str:
    """Return the seconds of an export without the file, as bytes, and with the file."""

    def file() -> None:
        with (folder / "x.onnx").open("wb") as opened:
            opened.writelines(export_onnx(exported.plain).model.chunks())

    ways = {
        "values": lambda: deque(export_onnx(exported.plain).model.chunks(), maxlen=0),
        "bytes": lambda: export_onnx(exported.plain).model.content(),
        "file": file,
    }
    told = []
    for way, call in ways.items():
        start, processor = time.perf_counter(), time.process_time()
        call()
        seconds, processor = time.perf_counter() - start, time.process_time() - processor
        told.append(f"{way} {seconds:.2f} s ({processor:.2f} s)")
    return ", ".join(told)


PARTS = {"check": check, "quantize": quantize, "time": export_time, "speed": speed}


def main() -> None:
    """Print a line for each network."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--networks", nargs="+", default=sorted(zoo()), metavar="NAME")
    parser.add_argument("--parts", nargs="+", default=["check"], choices=PARTS)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    for name in options.networks:
        try:
            exported = export_onnx(load(name))
            with TemporaryDirectory() as folder:
                told = [PARTS[part](exported, Path(folder)) for part in options.parts]
        except Exception as error:  # of whatever tool
            print(f"{name:28} FAILED {type(error).__name__}: {error}", flush=True)
            continue
        count = len(exported.model.nodes)
        print(f"{name:28} {count:5} operators", *told, sep="  ", flush=True)


if __name__ == "__main__":
    main()
