"""`archscope import`: convert a model of another framework to a spec."""

from __future__ import annotations

from pathlib import Path

import click

from archscope.cli.shared import completion
from archscope.cli.shared.options import shapes, spec_output_option, write
from archscope.cli.shared.output_files import OutputPath
from archscope.cli.shared.terminal import say
from archscope.errors import GraphError
from archscope.folding.fold import other_peak, readable
from archscope.sources import imported

GROUP = "Make"


@click.command("import")
@click.argument("source", shell_complete=completion.specs)
@click.option(
    "--input", "inputs", multiple=True, metavar="SHAPE",
    help="Shape of the input, channels first: --input 3x224x224, or NAME=SHAPE for several"
    " inputs.",
)  # fmt: skip
@spec_output_option
@click.option(
    "--weights", type=OutputPath(), metavar="FILE",
    help="Also write the weights to this .safetensors file, named as `archscope build` names them.",
)  # fmt: skip
@click.option("--strict", is_flag=True, help="Fail if an operator is not recognised.")
def command(
    source: str, inputs: tuple[str, ...], output: Path | None, weights: Path | None, strict: bool
) -> None:
    """Convert a model of another framework to a spec.

    SOURCE is a Python file, `mynet.py`; an nn.Module, or a class or function that returns one, as
    `package.module:name`, with arguments if need be, `'mynet:Net(width=32)'`; a model of timm or
    torchvision, `timm:resnet50`; or a file of ONNX (.onnx), Core ML (.mlpackage, .mlmodel),
    OpenVINO (.xml), TensorFlow Lite (.tflite), darknet (.cfg), Caffe (.prototxt, .caffemodel), ncnn
    (.param), YOLO (.yaml with backbone and head) or Keras (.keras). Importing a Python module runs
    its code; the current folder is searched first. Most commands accept such a source in place of
    a spec.

    \b
    Examples:
      archscope import torchvision.models:resnet50 -o resnet50.yaml
      archscope import mymodels.net:small --input 1x28x28 -o small.yaml \\
        --weights small.safetensors
      archscope import net.onnx -o net.yaml
      archscope import yolov3.cfg --input 3x416x416 -o yolov3.yaml
      archscope analyze torchvision.models:vit_b_16
    """
    found = imported(source, shapes(inputs))
    opaque = sorted({str(getattr(n.op, "kind", "")) for n in found.graph.nodes if n.op.unknown})
    if opaque and (strict or weights):
        why = "" if strict else ", so it cannot be built, and its weights cannot be placed"
        raise GraphError(
            f"'{found.graph.name}' has operators that are not recognised: {', '.join(opaque)}{why}"
        )
    folded = readable(found.graph)
    graph = folded.graph
    summary = f"{sum(bool(node.inputs) for node in graph.nodes)} layers"
    if weights is not None:
        from archscope.weights import (  # imports torch, which is slow: read the source first
            state_dict_of,
            write_weights,
        )

        state = state_dict_of(graph, found.weights(), folded.names)
        write_weights(state, weights)
        summary += f", {len(state)} tensors in {weights}"
    write(f"# Written by `archscope import {source}`.\n{folded.text}", output)
    if opaque:
        summary += f"; not recognised, so it can be analysed but not built: {', '.join(opaque)}"
    say(f"{output or graph.name}: {summary}")
    if note := other_peak(found.graph, graph):
        say(note)
