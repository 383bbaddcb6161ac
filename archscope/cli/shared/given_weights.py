"""The weights that a command works on: of a file, a run or an imported model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archscope import language
from archscope.cli.shared.options import shapes
from archscope.errors import OptionError, WordError
from archscope.ir import Graph
from archscope.records.run_folder import (
    HOME,
    all_runs,
    find_run,
    is_abandoned,
    is_run,
    runs_of_seeds,
)
from archscope.sources import imported, is_foreign
from archscope.transforms.fuse import fuse

if TYPE_CHECKING:
    from torch import Tensor

weights_option = click.option(
    "--weights", type=click.Path(path_type=Path), metavar="FILE",
    help="Weights: a .safetensors file, a state dict (.pth, .pt), or the folder of a run.",
)  # fmt: skip


def spec_of_run(spec: str) -> tuple[str, Path | None]:
    """Return the spec that a word names, and the run if the word is a run's folder.

    Raises ArchscopeError for a word that names neither, or several runs.
    """
    run = Path(spec)
    if is_run(run):
        return (run / "spec.yaml").as_posix(), run
    check_exists(spec)
    return spec, None


def check_exists(word: str) -> None:
    """Raise ArchscopeError for a word that is no network, with the run that may be meant.

    Without this, a mistyped run would be an error of options that are only for runs.
    """
    if word == "-" or "->" in word or language.is_text(word):
        return
    path = Path(word)
    try:
        if word in language.zoo() or word in language.spaces() or is_foreign(word):
            return
        if path.is_file():
            return
        if is_run(HOME / path):
            raise WordError(f"'{word}' is no network", word, (HOME / path).as_posix())
        beside = not path.suffix and not path.exists() and all_runs(path.parent)
        if runs_of_seeds(word) or is_abandoned(path) or beside:
            find_run(word)  # raises
        if not path.exists():
            language.document(word)  # raises
    except (OSError, ValueError):
        return  # no path: left to the code that reads it


def weights_file(path: Path) -> Path:
    """Return the file of weights at a path: the path itself, or the best weights of a run.

    Raises OptionError for a run without weights, and for several runs.
    """
    if not path.is_dir():
        if not path.exists() and runs_of_seeds(path):
            find_run(path)  # raises
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


def fused_with_weights(
    graph: Graph, given: Mapping[str, Tensor], source: str
) -> tuple[Graph, dict[str, Tensor]]:
    """Return a network with its batch norms folded, and its weights.

    Raises OptionError, which names `source`, for weights that do not fit.
    """
    from archscope.compress.tensors import fitted_weights
    from archscope.fused import fused_weights

    return fuse(graph), fused_weights(graph, fitted_weights(graph, given, source))
