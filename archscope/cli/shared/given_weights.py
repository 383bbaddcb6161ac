"""The weights that a command works on: of a file, a run or an imported model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archscope.cli.shared.options import shapes
from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.records.run_folder import is_run
from archscope.sources import imported

if TYPE_CHECKING:
    from torch import Tensor

weights_option = click.option(
    "--weights", type=click.Path(path_type=Path), metavar="FILE",
    help="Weights: a .safetensors file, a state dict (.pth, .pt), or the folder of a run.",
)  # fmt: skip


def spec_of_run(spec: str) -> tuple[str, Path | None]:
    """Return the spec that a word names, and the run if the word is a run's folder."""
    run = Path(spec)
    return ((run / "spec.yaml").as_posix(), run) if is_run(run) else (spec, None)


def weights_file(path: Path) -> Path:
    """Return the file of weights at a path: the path itself, or the best weights of a run.

    Raises OptionError for a run without weights.
    """
    if not path.is_dir():
        return path
    file = path / "best.safetensors"
    if not file.exists():
        if not is_run(path):
            raise OptionError(f"expected a file of weights or a run, got the folder '{path}'")
        raise OptionError(f"'{path}' has no best weights; it may have stopped in its first epoch")
    return file


def given_weights(path: Path, graph: Graph) -> dict[str, Tensor]:
    """Return the weights of a file, or the best weights of a run, by the names of a network.

    Wrappers' prefixes are left out. A file that has no name of the network, as those of
    torchvision, is matched by order and shape, and then all of it must fit. Raises OptionError.
    """
    from archscope.build import build
    from archscope.pretrained import pretrained
    from archscope.weights import SAFETENSORS, read_weights, without_prefix

    file = weights_file(path)
    read = read_weights(file)
    names = build(graph, device="meta").state_dict().keys()
    weights = without_prefix(read, names)
    if file.suffix == SAFETENSORS or names & weights.keys():
        return weights
    found = pretrained(graph, file)
    left_out = (*found.record.new, *found.record.unused)
    return weights if left_out else found.weights


def own_weights(spec: str, inputs: Sequence[str], graph: Graph) -> dict[str, Tensor]:
    """Return the weights of an imported model."""
    from archscope.weights import state_dict_of

    return state_dict_of(graph, imported(spec, shapes(inputs)).weights())
