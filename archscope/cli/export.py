"""`archscope export`: a network as a file that needs no archscope."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from archscope.cli.shared.given_weights import (
    given_weights,
    own_weights,
    spec_of_run,
    weights_option,
)
from archscope.cli.shared.inapplicable import indifferent, refused
from archscope.cli.shared.options import Output, SpecReader, one_spec, reader_options
from archscope.errors import OptionError
from archscope.exporters.formats import FORMATS, OPSET
from archscope.files import write_bytes
from archscope.records.run_folder import is_run, read_summary
from archscope.report.tables.export import export_table
from archscope.sources import is_foreign

if TYPE_CHECKING:
    from archscope.exporters.preprocessing import Preprocessing

GROUP = "Share"
KINDS = ", ".join(f"{kind.suffix} {kind.name}" for kind in FORMATS.values())


@click.command("export")
@one_spec
@reader_options
@indifferent(batch="what is exported takes batches of any size")
@refused(dtype="exported weights are float32")
@click.option("--to", type=click.Choice(list(FORMATS)), default=None,
              help="Format; by default the suffix of the file decides.")  # fmt: skip
@click.option("--output", "-o", type=click.Path(path_type=Path), required=True, metavar="FILE",
              help="File to write.")  # fmt: skip
@weights_option
@click.option("--seed", type=int, default=None,
              help="Seed of random weights, used without --weights.  [default: 0]")  # fmt: skip
@click.option("--opset", type=click.IntRange(1), default=None,
              help=f"Version of the ONNX operator set.  [default: {OPSET}]")  # fmt: skip
@click.option("--no-normalization", "plain", is_flag=True,
              help="Leave out the normalisation of images that a run had.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table",
              help="Format of the summary that is printed.")  # fmt: skip
def command(
    spec: str,
    reader: SpecReader,
    to: str | None,
    output: Path,
    weights: Path | None,
    seed: int | None,
    opset: int | None,
    plain: bool,
    form: str,
) -> None:
    """Write a network as Python source, ONNX, TorchScript or a torch.export program.

    Every export is loaded and compared with the network itself, for two batch sizes, before the
    file is written; outputs that differ by more than 1e-5 are an error. Python source (--to
    torch) needs only torch, has a class for each kind of block, and names its weights as
    `archscope.build` does; with --weights or --seed they are written beside it as .safetensors.
    An imported model keeps its own weights. A run is exported with its best weights, and files
    that hold weights normalise images as its training did. ONNX needs
    `pip install archscope[onnx]`.

    \b
    Examples:
      archscope export resnet50 -o resnet50.py
      archscope export runs/lenet5-digits -o lenet5.onnx
      archscope export mobilenet_v2 --fused -o mobilenet_v2.pt2 --weights mine.safetensors
    """
    to = to or _format(output)
    if weights is not None and seed is not None:
        raise OptionError("--seed is for random weights, and --weights gives them")
    if opset is not None and to != "onnx":
        raise OptionError(f"--opset is for ONNX, not for --to {to}")
    if not output.parent.is_dir():
        raise OptionError(f"cannot write '{output}': there is no folder '{output.parent}'")
    spec, of_run = spec_of_run(spec)
    weights = weights or (of_run if seed is None else None)
    graph = reader.unfused.graph(spec)
    # torch takes seconds; a wrong spec should not
    from archscope.exporters.export import export_network

    own = weights is None and seed is None and is_foreign(spec)
    given = given_weights(weights) if weights else None
    if own:
        given = own_weights(spec, reader.inputs, graph)
    run = _run_of(weights)
    try:
        exported = export_network(
            graph, to, weights=given, source=f"'{weights or spec}'", seed=seed or 0,
            fused=reader.fused,
            opset=opset or OPSET, preprocessing=_preprocessing(run, not plain) if run else None,
        )  # fmt: skip
    except OptionError as error:
        if run is None or spec == (run / "spec.yaml").as_posix():
            raise
        hint = f"they are of the network of that run: archscope export {run} -o {output}"
        raise OptionError(f"{error}; {hint}") from None
    files = {output: exported.content}
    if not FORMATS[to].holds_weights and (given is not None or seed is not None):
        beside = output.with_suffix(".safetensors")
        if weights is not None and weights.resolve() == beside.resolve() and reader.fused:
            raise OptionError(f"'{beside}' would be overwritten by its fused weights; rename it")
        files[beside] = exported.weights()
    for path, content in files.items():
        write_bytes(path, content)
    network = exported.network.graph
    record = {
        "format": 1,
        "name": network.name,
        "to": to,
        "opset": (opset or OPSET) if to == "onnx" else None,
        "files": [{"path": p.as_posix(), "bytes": len(content)} for p, content in files.items()],
        "inputs": {node.name: node.out for node in network.inputs},
        "outputs": [entry.name for entry in network.inference().outputs],
        "weights": weights.as_posix() if weights else spec if own else "random",
        "seed": (seed or 0) if given is None else None,
        "fused": reader.fused,
        "norms_folded": exported.norms_folded,
        "normalization": exported.preprocessing and exported.preprocessing.record(),
        "difference": exported.difference,
    }
    Output(form).show([export_table(record)], lambda: record)


def _format(output: Path) -> str:
    for kind in FORMATS.values():
        if kind.suffix == output.suffix.lower():
            return kind.name
    raise OptionError(f"the suffix of '{output}' is not that of a format ({KINDS}); see --to")


def _run_of(weights: Path | None) -> Path | None:
    """Return the run that weights are from, None if they are from elsewhere."""
    if weights is None:
        return None
    folder = weights if weights.is_dir() else weights.parent
    return folder if is_run(folder) else None


def _preprocessing(run: Path, in_file: bool) -> Preprocessing:
    """Return how a run prepared its images. Raises OptionError."""
    from archscope.exporters.preprocessing import Preprocessing

    data = read_summary(run, "statistics", "classes").data
    mean, std = (tuple(map(float, data["statistics"][key])) for key in ("mean", "std"))
    return Preprocessing(mean, std, tuple(data["classes"]), in_file)
