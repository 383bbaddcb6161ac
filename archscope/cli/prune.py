"""`archscope prune`: remove channels or weights from a network."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import structs

from archscope.cli.shared.given_weights import spec_of_run, weights_of, weights_option
from archscope.cli.shared.inapplicable import refuse_given, refused
from archscope.cli.shared.options import (
    Output,
    SpecPath,
    SpecReader,
    dtype_option,
    gathered,
    one_spec,
    reader_options,
    together,
)
from archscope.cli.shared.output_files import OutputPath
from archscope.cli.shared.pruning_options import budget_option, lanes_option, scratch_option
from archscope.cli.shared.teacher import distill_option
from archscope.cli.shared.terminal import say
from archscope.cli.shared.training_options import dataset_of
from archscope.compress import Pruned, channel_groups, prune
from archscope.compress.importance import IMPORTANCES, NORMS, SCOPES, Scope
from archscope.compress.pruning import Choice
from archscope.compress.sensitivity import group_sensitivities
from archscope.compress.sparsity import sparsify
from archscope.compress.steps import prune_in_steps, sparsify_in_steps
from archscope.compress.targets import limited_costs, predictions, targets
from archscope.errors import OptionError
from archscope.files import write_text
from archscope.ir import Graph
from archscope.report.table import Part
from archscope.report.tables.pruning import (
    group_parts,
    group_records,
    pruned_parts,
    pruned_record,
    sensitivity_parts,
    sensitivity_record,
    sparse_parts,
    sparse_record,
    steps_table,
)
from archscope.search.reference_costs import costs_at
from archscope.sources import is_foreign
from archscope.units import parse_share

if TYPE_CHECKING:
    from torch import Tensor

    from archscope.cli.shared.fine_tuning import FineTuning
    from archscope.records.training import RunSummary
    from archscope.train.post_training import Material

GROUP = "Make"
IMAGES = 512  # for the gradients of a run's loss

choice_options = gathered("choice", dict, together(
    click.option("--importance", type=click.Choice(IMPORTANCES), default="magnitude",
                 help="How to rank channels: by the norm of their filters, the scale of their"
                      " batch norms, the change in a run's loss, or at random."),
    click.option("--norm", type=click.Choice(NORMS), default="l1", help="Norm of filters."),
    click.option("--scope", type=click.Choice(SCOPES), default="global",
                 help="Rank channels across the network, or prune each layer by the same share."),
    lanes_option,
    click.option("--min-width", type=click.IntRange(1), default=1,
                 help="Prune no layer below this width."),
    click.option("--seed", type=int, default=0,
                 help="Seed of random weights and of random importance."),
    dtype_option,
))  # fmt: skip
"""The keyword arguments of `prune` that select channels, as the `choice` of a command."""


@click.command("prune")
@one_spec
@reader_options
@refused(batch="budgets are for one image")
@click.option("--groups", is_flag=True, help="Show which channels can only be removed together.")
@budget_option("--budget", "-b")
@click.option("--sparsity", metavar="SHARE",
              help="Set this share of the weights to zero, keeping all shapes: 90%.")  # fmt: skip
@click.option(
    "--sensitivity",
    is_flag=True,
    help="Measure what a run loses without a quarter, half and most of each group.",
)
@choice_options
@weights_option
@click.option("--epochs", type=click.IntRange(1),
              help="Fine-tune a pruned run for this many epochs, on its images.")  # fmt: skip
@distill_option
@scratch_option
@click.option("--steps", type=click.IntRange(1), default=1,
              help="Prune in this many steps, fine-tuning after each; needs --epochs.")  # fmt: skip
@click.option("--output", "-o", type=SpecPath(), metavar="FILE",
              help="Write the pruned spec to this .yaml file.")  # fmt: skip
@click.option("--weights-output", type=OutputPath(), metavar="FILE",
              help="Write the pruned weights to this .safetensors file.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table",
              help="Output format.")  # fmt: skip
def command(
    spec: str,
    reader: SpecReader,
    groups: bool,
    budgets: tuple[str, ...],
    sparsity: str | None,
    choice: dict[str, Any],
    form: str,
    **options: Any,
) -> None:
    """Remove channels from a network until it fits a budget.

    Whole channels are removed, with everything that reads or produces them. The result is a smaller
    spec, which trains and exports like any other, and with --weights the matching slices of the
    weights. SPEC may be the folder of a run: its best weights are used. Without weights, channels
    are ranked by a seeded random initialisation: right for the cost, not for accuracy.

    --epochs fine-tunes the pruned network of a run, as a run of its own next to it; with --steps,
    it is pruned a little at a time. If the command was stopped, run it again to continue. Weights
    that --sparsity sets to zero stay zero. --scratch shows what the pruned weights are worth: it
    trains the same network from scratch for as long.

    --groups shows what can be removed at all, and --sensitivity what that costs a run before any
    fine-tuning, measured on images that it was not trained on. --sparsity sets single weights to
    zero instead, which makes files smaller but nothing faster.

    \b
    Examples:
      archscope prune resnet18 --groups
      archscope prune runs/lenet5-digits --sensitivity
      archscope prune resnet18 --budget 50% -o smaller.yaml
      archscope prune mobilenet_v2 --budget 150MMACs --scope layer
      archscope prune runs/mine --budget 40% -o s.yaml \\
        --weights-output s.safetensors
      archscope prune runs/mine --budget 25% --steps 3 --epochs 5 --scratch
      archscope prune runs/mine --sparsity 90% --weights-output s.safetensors
      archscope prune runs/lenet5-digits --sparsity 95% --steps 3 --epochs 5
    """
    spec, run = spec_of_run(spec)
    asked = groups + bool(budgets) + (sparsity is not None) + options["sensitivity"]
    _check(asked, groups, budgets, options)
    _check_run(run, choice, options)
    if reader.fused and (run is not None or options["weights"] is not None or is_foreign(spec)):
        raise OptionError(
            "--fused: prune the network with its batch norms, which its weights belong to, and fold"
            " them afterwards by `archscope export --fused`"
        )
    graph = reader.graph(spec)
    if groups:
        found = channel_groups(graph)
        parts, record = group_parts(found), {"name": graph.name, "groups": group_records(found)}
    else:
        path = options["weights"] or run
        given = weights_of(spec, reader.inputs, graph, path)
        parts, record = _smaller(
            graph, run, given, f"'{path or spec}'", choice, budgets, sparsity, options
        )
    Output(form).show(parts, lambda: {"format": 1, **record})


def _smaller(
    graph: Graph,
    run: Path | None,
    given: dict[str, Tensor] | None,
    source: str,
    choice: dict[str, Any],
    budgets: tuple[str, ...],
    sparsity: str | None,
    options: dict[str, Any],
) -> tuple[list[Part], dict[str, Any]]:
    """Prune, make sparse or measure sensitivity; return the result as parts and a record."""
    if given is None and (options["weights_output"] is not None or sparsity is not None):
        what = "--sparsity" if options["weights_output"] is None else "--weights-output"
        raise OptionError(f"{what} needs weights: give --weights, or a run")
    if options["sensitivity"]:
        assert run is not None and given is not None
        return _sensitivity(graph, run, given, choice, source)
    if sparsity is not None:
        assert given is not None
        return _sparse(graph, run, given, sparsity, source, choice["scope"], options)
    pruned, runs = _pruned(graph, run, given, budgets, source, choice, options)
    _write_pruned(pruned, graph, budgets, options)
    parts, record = pruned_parts(pruned), pruned_record(pruned)
    if runs:  # the groups describe the last step only
        parts[-1] = steps_table(runs)
        record["runs"] = runs
        del record["groups"]
    if given is None and choice["importance"] != "random":
        say("no weights given: channels were ranked by a random initialisation; see --weights")
    return parts, record


def _check(asked: int, groups: bool, budgets: tuple[str, ...], options: dict[str, Any]) -> None:
    """Raise OptionError for options that exclude each other."""
    if asked != 1:
        raise OptionError(
            "give one of --groups, --budget, --sparsity and --sensitivity; see --help"
        )
    if options["output"] is not None and not budgets:
        raise OptionError("-o writes a spec, and only --budget changes the spec")
    if options["weights_output"] is not None and budgets and options["output"] is None:
        raise OptionError("--weights-output needs -o: the weights are named as in that spec")
    if options["epochs"] is None and options["steps"] > 1:
        raise OptionError("--steps needs --epochs, the training after each step")
    for name in ("distill", "scratch"):
        if options["epochs"] is None and options[name]:
            raise OptionError(f"--{name} needs --epochs")
    if options["scratch"] and not budgets:
        raise OptionError("--scratch needs --budget: it trains the smaller network")
    if options["epochs"] is not None and groups:
        raise OptionError("--epochs needs --budget or --sparsity: it trains what they leave")
    ranking = ("importance", "norm", "lanes", "min_width", "seed")
    if groups:
        refuse_given((*ranking, "scope"), "is for --budget; --groups shows all channels")
    elif not budgets and not options["sensitivity"]:
        refuse_given(ranking, "is for --budget; --sparsity selects the smallest weights")


def _check_run(run: Path | None, choice: dict[str, Any], options: dict[str, Any]) -> None:
    """Raise OptionError for options that need a run and its own weights."""
    if run is not None and options["weights"] is None:
        return
    for name, asked in (
        ("--epochs", options["epochs"] is not None),
        ("--sensitivity", options["sensitivity"]),
        ("--importance taylor", choice["importance"] == "taylor"),
    ):
        if asked:
            raise OptionError(f"{name} needs a run: it uses the run's images and recipe")


def _pruned(
    graph: Graph,
    run: Path | None,
    given: dict[str, Tensor] | None,
    budgets: tuple[str, ...],
    source: str,
    choice: dict[str, Any],
    options: dict[str, Any],
) -> tuple[Pruned, list[RunSummary]]:
    """Return the pruned network, and the runs of its steps if it was trained."""
    of_others = costs_at(lambda: graph, choice["dtype"])
    gradients = _material(run).gradients if run and choice["importance"] == "taylor" else None
    if options["epochs"] is None:
        return prune(
            graph, given, budget=budgets, source=source, costs_by_name=of_others,
            gradients=gradients, **choice,
        ), []  # fmt: skip
    assert run is not None and given is not None
    limits = targets(budgets, graph, of_others, choice["dtype"])
    tune = _fine_tuning(run, options)
    *_, last = prune_in_steps(
        graph, given, limits, options["steps"], tune, Choice(**choice), source, gradients
    )
    if options["scratch"]:
        tune.from_scratch(last.graph)
    own = limited_costs(graph, choice["dtype"], predictions(limits))
    return structs.replace(last, before=own), [tune.summary, *tune.results]


def _material(run: Path) -> Material:
    """Return the images of a run, for scores and gradients."""
    from archscope.records.run_folder import read_summary
    from archscope.train.post_training import of_run

    return of_run(run, dataset_of(read_summary(run, "source", "adapt")), None, IMAGES)


def _sensitivity(
    graph: Graph, run: Path, given: dict[str, Tensor], choice: dict[str, Any], source: str
) -> tuple[list[Part], dict[str, Any]]:
    """Measure what removing each group costs a run; return the parts and the record."""
    material = _material(run)
    found = group_sensitivities(
        graph, given, material.accuracy, choice=Choice(**choice), source=source,
        gradients=material.gradients,
    )  # fmt: skip
    return sensitivity_parts(graph.name, found), sensitivity_record(graph.name, found)


def _sparse(
    graph: Graph,
    run: Path | None,
    given: dict[str, Tensor],
    sparsity: str,
    source: str,
    scope: Scope,
    options: dict[str, Any],
) -> tuple[list[Part], dict[str, Any]]:
    """Make weights sparse, train and write them; return their sizes as parts and a record."""
    share = parse_share(sparsity)
    if options["epochs"] is None:
        sparse, runs = sparsify(graph, given, share, scope=scope, source=source), []
    else:
        assert run is not None
        tune = _fine_tuning(run, options, keep="zeros")
        *_, sparse = sparsify_in_steps(
            graph, given, share, options["steps"],
            lambda now, weights: tune.tuned(f"sparse{100 * now:.4g}", graph, weights),
            scope, source,
        )  # fmt: skip
        runs = [tune.summary, *tune.results]
    _write(None, "", options["weights_output"], sparse.weights)
    parts, record = sparse_parts(graph.name, sparse), sparse_record(graph.name, sparse)
    if runs:
        parts.append(steps_table(runs))
        record["runs"] = runs
    return parts, record


def _fine_tuning(run: Path, options: dict[str, Any], **knobs: Any) -> FineTuning:
    from archscope.cli.shared.fine_tuning import FineTuning

    command = shlex.join(["archscope", *sys.argv[1:]])
    teacher = run if options["distill"] else None
    return FineTuning(run, options["epochs"], command=command, teacher=teacher, **knobs)


def _write_pruned(
    pruned: Pruned, graph: Graph, budgets: tuple[str, ...], options: dict[str, Any]
) -> None:
    """Write the spec and the weights of a pruned network to the given files, if any."""
    if options["output"] is not None:
        text, state = pruned.spec()
        words = " ".join(f"--budget '{budget}'" for budget in budgets)
        heading = f"# Written by `archscope prune {graph.name} {words}`.\n"
        _write(options["output"], heading + text, options["weights_output"], state)


def _write(
    output: Path | None, text: str, weights_output: Path | None, state: dict[str, Tensor] | None
) -> None:
    if weights_output is not None and state is not None:
        from archscope.weights import write_weights

        write_weights(state, weights_output)
    if output is not None:
        write_text(output, text)
