"""`archscope export`: write a network to a file that works without archscope."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from archscope.cli.shared.given_weights import (
    given_weights,
    own_weights,
    spec_of_run,
    weights_option,
)
from archscope.cli.shared.inapplicable import indifferent, refused
from archscope.cli.shared.options import (
    Output,
    SpecReader,
    one_spec,
    reader_options,
    shapes,
)
from archscope.cli.shared.output_files import OutputPath
from archscope.errors import OptionError
from archscope.exporters.formats import FORMATS, OPSET
from archscope.files import Content, write_bytes
from archscope.ir import Graph
from archscope.records.run_folder import WEIGHTS, is_run, read_summary, weights_file
from archscope.report.tables.export import export_table
from archscope.sources import imported, is_foreign

if TYPE_CHECKING:
    from torch import Tensor

    from archscope.exporters.preprocessing import Preprocessing
    from archscope.exporters.weight_arrays import Arrays

GROUP = "Share"
KINDS = ", ".join(f"{kind.suffix} {kind.name}" for kind in FORMATS.values())


@click.command("export")
@one_spec
@reader_options
@indifferent(batch="exported networks take batches of any size")
@refused(dtype="exported weights are float32")
@click.option("--to", type=click.Choice(list(FORMATS)), default=None,
              help="Output format; by default that of the file's suffix.")  # fmt: skip
@click.option("--output", "-o", type=OutputPath(), required=True, metavar="FILE",
              help="File to write.")  # fmt: skip
@weights_option
@click.option("--seed", type=int, default=None,
              help="Seed of the random weights used without --weights.  [default: 0]")  # fmt: skip
@click.option("--opset", type=click.IntRange(1), default=None,
              help="Version of the ONNX operator set.  [default: 18, or 20 if needed]")  # fmt: skip
@click.option(
    "--no-fuse",
    is_flag=True,
    help="Keep batch norms in an ONNX file; by default they are folded.",
)
@click.option(
    "--check",
    is_flag=True,
    help="Run the ONNX file and the network in torch, and compare their outputs.",
)
@click.option("--no-normalization", "plain", is_flag=True,
              help="Leave out the image normalisation of a run.")  # fmt: skip
@click.option("--pixels", type=click.Choice(["1", "255"]), default="1",
              help="Largest pixel value in the input of an exported run: 255 for images as they"
              " are read.  [default: 1]")  # fmt: skip
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table",
              help="Format of the printed summary.")  # fmt: skip
def command(
    spec: str,
    reader: SpecReader,
    to: str | None,
    output: Path,
    weights: Path | None,
    seed: int | None,
    opset: int | None,
    no_fuse: bool,
    check: bool,
    plain: bool,
    pixels: str,
    form: str,
) -> None:
    """Write a network as Python source, ONNX, TorchScript, torch.export program, darknet or Caffe.

    ONNX is written without torch, with batch norms folded into the layers before them, and
    checked by onnx; --check also compares its outputs with those of the network. Every other
    export is loaded and compared, for two batch sizes, before the file is written; a difference
    of more than 1e-5 is an error, unless values round to another level (fake_quantize). Python
    source (--to torch) needs only torch, has a class for each kind of block, and names its
    weights as `archscope.build` does; with --weights or --seed these are written to a
    .safetensors file next to it. An imported model keeps its own weights. A run is exported
    with its best weights, and files that hold weights normalise images as its training did. A
    network with layers that darknet (.cfg, with .weights) or Caffe (.prototxt) cannot express
    is an error in these formats. ONNX needs `pip install archscope[onnx]`.

    \b
    Examples:
      archscope export resnet50 -o resnet50.py
      archscope export runs/lenet5-digits -o lenet5.onnx
      archscope export runs/mine --pixels 255 -o mine.onnx   (takes raw images)
      archscope export net.yaml --fused -o net.pt2 --weights net.safetensors
    """
    to = to or _format(output)
    if weights is not None and seed is not None:
        raise OptionError("--seed is for random weights: it cannot be combined with --weights")
    for name, given in (("--opset", opset), ("--no-fuse", no_fuse), ("--check", check)):
        if given and not to.startswith("onnx"):
            raise OptionError(f"{name} is for ONNX, not for --to {to}")
    if no_fuse and reader.fused:
        raise OptionError("--fused folds batch norms and --no-fuse keeps them: choose one")
    spec, of_run = spec_of_run(spec)
    source = _Weights(spec, reader.inputs, weights or (of_run if seed is None else None), seed)
    run = source.run
    graph = reader.unfused.graph(spec)
    if pixels != "1" and (plain or not run):
        raise OptionError("--pixels applies only to exported runs, whose file normalises images")
    preprocessing = _preprocessing(run, not plain).of_pixels(int(pixels)) if run else None
    fused = reader.fused or (to == "onnx" and not no_fuse)
    words = {"source": f"'{source.file or spec}'", "seed": seed or 0, "fused": fused,
             "opset": opset, "preprocessing": preprocessing}  # fmt: skip
    try:
        if to == "onnx":
            written = _onnx(graph, source, check, f"{output.name}.data", words)
        else:
            written = _by_torch(graph, to, source, words)
    except OptionError as error:
        if run is None or spec == (run / "spec.yaml").as_posix():
            raise
        hint = f"they are of the network of that run: archscope export {run} -o {output}"
        raise OptionError(f"{error}; {hint}") from None
    files = _files(written, to, output, source, fused)
    for path, content in reversed(files.items()):  # the main file last
        write_bytes(path, content)
    record = {
        "format": 1,
        "name": written.graph.name,
        "to": to,
        "opset": written.opset,
        "files": [{"path": path.as_posix(), "bytes": path.stat().st_size} for path in files],
        "inputs": {node.name: node.out for node in written.graph.inputs},
        "outputs": [entry.name for entry in written.graph.inference().outputs],
        "weights": source.name,
        "seed": (seed or 0) if source.random else None,
        "fused": fused,
        "norms_folded": written.norms_folded,
        "normalization": written.preprocessing and written.preprocessing.record(),
        "difference": written.difference,
        "operators": written.operators,
    }
    Output(form).show([export_table(record)], lambda: record)


class _Weights(Struct, frozen=True):
    """The weights to export: those of a file or a run, of the imported model, or random ones."""

    spec: str
    inputs: Sequence[str]
    file: Path | None  # or the folder of a run
    seed: int | None  # as given by the user

    @property
    def own(self) -> bool:
        """Whether they are those of the imported model."""
        return self.file is None and self.seed is None and is_foreign(self.spec)

    @property
    def random(self) -> bool:
        """Whether they are drawn, from the seed."""
        return self.file is None and not self.own

    @property
    def run(self) -> Path | None:
        """The run that they come from, or None if they come from elsewhere."""
        if self.file is None:
            return None
        folder = self.file if self.file.is_dir() else self.file.parent
        return folder if is_run(folder) else None

    @property
    def name(self) -> str:
        """Their file, the imported model, or the word `random`."""
        return self.file.as_posix() if self.file else self.spec if self.own else "random"

    def arrays(self, graph: Graph) -> Arrays | None:
        """Return them without loading torch; None for random ones. Raises ArchscopeError."""
        if self.random:
            return None
        from archscope.exporters.weight_arrays import imported_arrays, read_arrays
        from archscope.weights import SAFETENSORS, check_suffix

        if self.file is None:
            return imported_arrays(graph, imported(self.spec, shapes(self.inputs)).weights())
        file = weights_file(self.file)
        check_suffix(file)
        if file.suffix == SAFETENSORS:
            return read_arrays(file)
        return {name: tensor.float().numpy() for name, tensor in given_weights(file, graph).items()}

    def tensors(self, graph: Graph) -> dict[str, Tensor] | None:
        """Return them as a state dict; None for random ones. Raises ArchscopeError."""
        if self.file is not None:
            return given_weights(self.file, graph)
        return own_weights(self.spec, self.inputs, graph) if self.own else None


class _Written(Struct, frozen=True):
    """The result of an exporter, whatever the format."""

    content: Iterable[Content]
    graph: Graph
    norms_folded: int
    difference: float | None
    preprocessing: Preprocessing | None
    operators: int | None  # ONNX only
    opset: int | None  # ONNX only
    weights: Callable[[], bytes]
    data: Iterable[Content] | None = None  # of ONNX over 2 GiB, for a file of its own


def _onnx(
    graph: Graph, source: _Weights, check: bool, data_name: str, words: dict[str, Any]
) -> _Written:
    import onnx  # noqa: F401 - report a missing onnx first

    from archscope.exporters.onnx_export import export_onnx

    exported = export_onnx(graph, source.arrays(graph), **words)
    difference = None
    if check:
        from archscope.exporters.onnx_model import onnx_difference

        difference = onnx_difference(exported)
    model = exported.model
    content, data = model.split(data_name) if model.too_large else (model.chunks(), None)
    return _Written(content, exported.graph, exported.norms_folded, difference,
                    exported.preprocessing, len(model.nodes), model.opset, bytes, data)  # fmt: skip


def _by_torch(graph: Graph, to: str, source: _Weights, words: dict[str, Any]) -> _Written:
    from archscope.exporters.export import export_network

    exported = export_network(graph, to, weights=source.tensors(graph), **words)
    return _Written([exported.content], exported.graph, exported.norms_folded,
                    exported.difference, exported.preprocessing, None,
                    (words["opset"] or OPSET) if to == "onnx-torch" else None,
                    exported.weights)  # fmt: skip


def _files(
    written: _Written, to: str, output: Path, source: _Weights, fused: bool
) -> dict[Path, Iterable[Content]]:
    """Return the files to write, the main file first. Raises OptionError."""
    files = {output: written.content}
    if written.data is not None:
        files[output.with_name(f"{output.name}.data")] = written.data
    if FORMATS[to].holds_weights or (source.random and source.seed is None):
        return files
    beside = output.with_suffix(FORMATS[to].weights_suffix)
    run = source.run
    if run is not None and beside.resolve() in [(run / name).resolve() for name in WEIGHTS]:
        raise OptionError(f"the weights would overwrite '{beside}' of the run; write elsewhere")
    if fused and source.file is not None and source.file.resolve() == beside.resolve():
        raise OptionError(f"the fused weights would overwrite '{beside}', their source; rename it")
    files[beside] = [written.weights()]
    return files


def _format(output: Path) -> str:
    for kind in FORMATS.values():
        if kind.suffix == output.suffix.lower():
            return kind.name
    raise OptionError(f"the suffix of '{output}' belongs to no format ({KINDS}); name one by --to")


def _preprocessing(run: Path, in_file: bool) -> Preprocessing:
    """Return how a run prepared its images. Raises OptionError."""
    from archscope.exporters.preprocessing import Preprocessing

    data = read_summary(run, "statistics", "classes").data
    mean, std = (tuple(map(float, data["statistics"][key])) for key in ("mean", "std"))
    return Preprocessing(mean, std, tuple(data["classes"]), in_file)
