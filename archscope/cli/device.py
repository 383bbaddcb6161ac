"""`archscope device`: the roofline of this machine, and latency profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from archscope.bench.conditions import DEVICES, DTYPES
from archscope.cli.shared import completion
from archscope.cli.shared.options import THREADS, Output, output_options
from archscope.cli.shared.terminal import tell
from archscope.errors import OptionError, did_you_mean
from archscope.report.table import Part
from archscope.report.tables.measurements import busy_notes, roofline_table

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

GROUP = "Judge"


PROFILES = ("calibrate", "list", "show", "export", "import")
"""First words that select a command of `cli/device_profiles.py`."""


class Device(click.Command):
    """The command `device`, which passes `device calibrate` and others on to their commands."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Return the context of `device`, or of the subcommand that the first word names."""
        if args[:1] and args[0] in PROFILES:
            from archscope.cli.device_profiles import group

            return group.make_context("device", args, parent, **extra)
        if args[:1] and not args[0].startswith("-"):
            hint = did_you_mean(args[0], PROFILES) or f"; there are {', '.join(PROFILES)}"
            raise OptionError(f"no command 'device {args[0]}'{hint}")
        return super().make_context(info_name, args, parent, **extra)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the subcommands and the options that begin with an incomplete word."""
        words = completion.names(lambda: PROFILES)(ctx, self.params[0], incomplete)
        return [*words, *super().shell_complete(ctx, incomplete)]


@click.command("device", cls=Device)
@click.option(
    "--device",
    type=click.Choice(DEVICES),
    default="auto",
    help="Device to measure; auto takes a GPU if there is one.",
)
@click.option(
    "--dtype",
    "dtypes",
    type=click.Choice(DTYPES),
    multiple=True,
    help="Element type; repeatable.  [default: float32, bfloat16]",
)
@click.option(
    "--threads",
    type=THREADS,
    multiple=True,
    help="Threads that torch uses; repeatable.  [default: 1 and all]",
)
@click.option("--refresh", is_flag=True, help="Measure again, even if the result is cached.")
@output_options
def command(
    device: str, dtypes: tuple[str, ...], threads: tuple[int, ...], refresh: bool, output: Output
) -> None:
    """Measure the roofline of this machine: arithmetic, memory bandwidth and call overhead.

    GMAC/s are 10^9 multiply-accumulates per second in a square matrix product; vendors count each
    as two operations and print twice as many GFLOP/s. GB/s are 10^9 bytes per second in a triad
    a = b + s c over 384 MiB. The call overhead is that of a ReLU module applied to one number. Each
    row takes about a second and is cached, for this processor, torch version, dtype and number of
    threads, in the user's cache folder or in ARCHSCOPE_CACHE.

    `archscope device calibrate` makes a latency profile of this machine, for --latency; `device
    list`, `show NAME`, `export NAME -o FILE` and `import FILE` manage profiles.

    \b
    Examples:
      archscope device
      archscope device --dtype float32 --threads 1 --threads 2 --refresh
      archscope device calibrate --threads 4
      archscope device --device cuda --dtype float16 --format json
    """
    from archscope.bench.machine import this_machine, using_threads
    from archscope.bench.roofline import known_roofline  # imports torch, which is slow

    place = this_machine(device)
    if not threads:
        with using_threads(None) as all_of_them:
            threads = (1, all_of_them) if place.device == "cpu" else (all_of_them,)
    roofs = []
    try:
        for count in dict.fromkeys(threads):
            for name in dict.fromkeys(dtypes or ("float32", "bfloat16")):
                tell(f"measuring {name}, {count} threads")
                roofs.append(known_roofline(place, name, count, refresh=refresh))
    finally:
        tell("")
    where = f"{place.device}: {place.name}, {place.cores} cores, torch {place.torch}"
    parts: list[Part] = [where, roofline_table(roofs), *busy_notes(roofs)]
    output.show(parts, lambda: {"format": 1, "rooflines": roofs})
