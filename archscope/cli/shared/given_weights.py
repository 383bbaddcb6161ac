"""The weights that a command works on: of a file, a run or an imported model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archscope import language
from archscope.cli.shared.options import shapes
from archscope.errors import WordError
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
        if language.shipped(word) or is_foreign(word):
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


def given_weights(path: Path, graph: Graph) -> dict[str, Tensor]:
    """Return the weights of a file or a run, as `pretrained.given_weights` does."""
    from archscope import pretrained  # loads torch

    return pretrained.given_weights(path, graph)


def own_weights(spec: str, inputs: Sequence[str], graph: Graph) -> dict[str, Tensor]:
    """Return the weights of an imported model."""
    from archscope.weights import state_dict_of

    return state_dict_of(graph, imported(spec, shapes(inputs)).weights())


def weights_of(
    spec: str, inputs: Sequence[str], graph: Graph, path: Path | None
) -> dict[str, Tensor] | None:
    """Return the weights of a file or a run, if one is given, or of an imported model, if any."""
    if path is not None:
        return given_weights(path, graph)
    return own_weights(spec, inputs, graph) if is_foreign(spec) else None


def fused_with_weights(
    graph: Graph, given: Mapping[str, Tensor], source: str
) -> tuple[Graph, dict[str, Tensor]]:
    """Return a network with its batch norms folded, and its weights.

    Raises OptionError, which names `source`, for weights that do not fit.
    """
    from archscope.compress.tensors import fitted_weights
    from archscope.fused import fused_weights

    return fuse(graph), fused_weights(graph, fitted_weights(graph, given, source))
