"""`archscope verify`: check archscope's numbers against independent tools."""

from __future__ import annotations

from collections.abc import Callable

import click

from archscope.cli import FINDINGS, FINE
from archscope.cli.shared import completion
from archscope.cli.shared.inapplicable import refused
from archscope.cli.shared.options import Output, SpecReader, output_options, reader_options
from archscope.cli.shared.terminal import tell
from archscope.errors import OptionError, did_you_mean
from archscope.language import zoo
from archscope.report.tables.verification import verification_parts

GROUP = "Judge"
QUICK = ("shapes", "params", "macs-fvcore", "macs-torch", "reference")
"""Checks that are fast enough for the whole zoo."""


@click.command("verify")
@click.argument("specs", nargs=-1, metavar="[SPEC]...", shell_complete=completion.specs)
@click.option("--all", "everything", is_flag=True, help="Verify every network of the zoo.")
@reader_options
@refused(
    batch="numbers are verified for one image; those of a batch follow from them",
    dtype="numbers are verified in float32",
)
@click.option("--only", multiple=True, metavar="CHECK", help="Run only this check; repeatable.")
@output_options
def command(
    specs: tuple[str, ...],
    everything: bool,
    reader: SpecReader,
    only: tuple[str, ...],
    output: Output,
) -> int:
    """Check every number of a network against an independent tool.

    Shapes are checked against a forward pass of the module, params against its tensors, macs
    against fvcore and torch's own counter, receptive fields against gradients, training memory
    against saved-tensor hooks, totals against the spec's `reference:`. Exit code 1 on any
    difference. Runs torch on the CPU, for seconds to a minute.

    \b
    Examples:
      archscope verify resnet50
      archscope verify specs/*.yaml --only params --only macs-torch
      archscope verify --all     (shapes, params and macs; takes minutes)
    """
    if everything and specs:
        raise OptionError(f"name a SPEC or give --all, not both: got '{specs[0]}' and --all")
    if everything:
        specs, only = tuple(zoo()), only or QUICK
    if not specs:
        raise OptionError("name a SPEC to verify, or give --all")
    graphs = reader.graphs(specs)
    from archscope.verify import CHECKS, verify  # imports torch and fvcore, which is slow

    for name in only:
        if name not in CHECKS:
            known = did_you_mean(name, CHECKS) or f"; there are {', '.join(CHECKS)}"
            raise OptionError(f"--only: no check '{name}'{known}")
    results = [verify(graph, only=only, progress=_teller(graph.name)) for graph in graphs]
    tell("")
    output.show(verification_parts(results), lambda: {"format": 1, "networks": results})
    return FINE if all(result.agrees for result in results) else FINDINGS


def _teller(network: str) -> Callable[[str], None]:
    return lambda check: tell(f"{network}: {check}")
