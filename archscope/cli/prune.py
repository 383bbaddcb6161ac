"""`archscope prune`: a smaller network, as a spec and weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archscope.cli.shared.given_weights import (
    given_weights,
    own_weights,
    spec_of_run,
    weights_option,
)
from archscope.cli.shared.options import (
    Output,
    SpecReader,
    dtype_option,
    gathered,
    one_spec,
    reader_options,
    together,
)
from archscope.cli.shared.reference_costs import costs_at
from archscope.cli.shared.terminal import say
from archscope.compress import channel_groups, prune
from archscope.compress.importance import IMPORTANCES, NORMS, SCOPES
from archscope.compress.sparsity import sparsify
from archscope.errors import OptionError
from archscope.files import write_text
from archscope.ir import Graph
from archscope.report.tables.pruning import (
    group_parts,
    group_records,
    pruned_parts,
    pruned_record,
    sparse_parts,
    sparse_record,
)
from archscope.sources import is_foreign
from archscope.units import parse_share

if TYPE_CHECKING:
    from torch import Tensor

GROUP = "Compress"

choice_options = gathered("choice", dict, together(
    click.option("--importance", type=click.Choice(IMPORTANCES), default="magnitude",
                 help="What tells which channels matter least: the norm of their filters, the"
                      " scale of their batch norms, or chance."),
    click.option("--norm", type=click.Choice(NORMS), default="l1", help="Norm of filters."),
    click.option("--scope", type=click.Choice(SCOPES), default="global",
                 help="Compare in the whole network, or take the same share of each layer."),
    click.option("--lanes", type=click.IntRange(1), default=8,
                 help="Widths that change become multiples of this."),
    click.option("--min-width", type=click.IntRange(1), default=1,
                 help="No layer that changes gets narrower than this."),
    click.option("--seed", type=int, default=0,
                 help="Seed of the weights where none are given, and of chance."),
    dtype_option,
))  # fmt: skip
"""The keyword arguments of `prune` that say what goes, as the `choice` of a command."""


@click.command("prune")
@one_spec
@reader_options
@click.option("--groups", is_flag=True, help="Show which channels of which layers go together.")
@click.option("--budget", "budgets", multiple=True, metavar="TEXT",
              help="What may be left: 50% (of the macs), '60% params', 30MMACs, 'peak 64KiB';"
                   " repeatable.")  # fmt: skip
@click.option("--sparsity", metavar="SHARE",
              help="Set this share of the weights to zero, and keep all shapes: 90%.")  # fmt: skip
@choice_options
@weights_option
@click.option("--output", "-o", type=click.Path(path_type=Path), metavar="FILE",
              help="Write the spec of the pruned network.")  # fmt: skip
@click.option("--weights-output", type=click.Path(path_type=Path), metavar="FILE",
              help="Write the weights of the pruned network as .safetensors.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table",
              help="Format of what is printed.")  # fmt: skip
def command(
    spec: str,
    reader: SpecReader,
    groups: bool,
    budgets: tuple[str, ...],
    sparsity: str | None,
    choice: dict[str, Any],
    weights: Path | None,
    output: Path | None,
    weights_output: Path | None,
    form: str,
) -> None:
    """Remove channels from a network until it keeps a budget.

    Whole channels go, with everything that reads or makes them: the result is a smaller spec,
    which trains and exports like any other, and with --weights the slices of the weights that fit
    it. SPEC may be the folder of a run, whose best weights are taken. Without weights those of a
    seeded initialisation are compared: right for the cost, not for accuracy.

    --groups shows what can go at all. --sparsity sets single weights to zero instead, which makes
    files smaller and nothing faster.

    \b
    Examples:
      archscope prune resnet18 --groups
      archscope prune resnet18 --budget 50% -o smaller.yaml
      archscope prune mobilenet_v2 --budget 150MMACs --budget "peak 4MiB" --scope layer
      archscope prune runs/lenet5-digits --budget 40% -o s.yaml --weights-output s.safetensors
      archscope prune runs/lenet5-digits --sparsity 90% --weights-output sparse.safetensors
    """
    if groups + bool(budgets) + (sparsity is not None) != 1:
        raise OptionError("say one of --groups, --budget and --sparsity; see --help")
    if output is not None and not budgets:
        raise OptionError("-o writes a spec, which only --budget changes")
    spec, run = spec_of_run(spec)
    weights = weights or run
    graph = reader.graph(spec)
    if groups:
        found = channel_groups(graph)
        record: dict[str, Any] = {"name": graph.name, "groups": group_records(found)}
        Output(form).show(group_parts(found), lambda: {"format": 1, **record})
        return
    given = _weights(spec, reader, graph, weights)
    if given is None and (weights_output is not None or sparsity is not None):
        what = "--sparsity" if weights_output is None else "--weights-output"
        raise OptionError(f"{what} needs weights: give --weights, or a run")
    source = f"'{weights or spec}'"
    if sparsity is not None:
        assert given is not None
        sparse = sparsify(graph, given, parse_share(sparsity), scope=choice["scope"], source=source)
        _write(None, "", weights_output, sparse.weights)
        record = sparse_record(graph.name, sparse)
        Output(form).show(sparse_parts(graph.name, sparse), lambda: {"format": 1, **record})
        return
    if weights_output is not None and output is None:
        raise OptionError("--weights-output needs -o: the weights are named as in that spec")
    pruned = prune(
        graph, given, budget=budgets, source=source,
        costs_by_name=costs_at(lambda: graph, choice["dtype"]), **choice,
    )  # fmt: skip
    if output is not None:
        text, state = pruned.spec()
        words = " ".join(f"--budget '{budget}'" for budget in budgets)
        heading = f"# Written by `archscope prune {graph.name} {words}`.\n"
        _write(output, heading + text, weights_output, state)
    Output(form).show(pruned_parts(pruned), lambda: {"format": 1, **pruned_record(pruned)})
    if given is None and choice["importance"] != "random":
        say("no weights were given, so that those of an initialisation decided; see --weights")


def _weights(
    spec: str, reader: SpecReader, graph: Graph, path: Path | None
) -> dict[str, Tensor] | None:
    """Return the weights that are given, by a file, a run or an imported model."""
    if path is not None:
        return given_weights(path)
    return own_weights(spec, reader.inputs, graph) if is_foreign(spec) else None


def _write(
    output: Path | None, text: str, weights_output: Path | None, state: dict[str, Tensor] | None
) -> None:
    if weights_output is not None and state is not None:
        from archscope.weights import write_weights

        write_weights(state, weights_output)
    if output is not None:
        write_text(output, text)
