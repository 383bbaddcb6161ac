"""`archscope device`: how fast this machine is at best."""

from __future__ import annotations

from pathlib import Path

import click

from archscope.cli import FINE
from archscope.cli.shared.options import output_options, show
from archscope.cli.shared.progress import tell
from archscope.report.tables.measurements import busy_notes, roofline_table

GROUP = "Measure"
DEVICES = ("auto", "cpu", "cuda")
DTYPES = ("float32", "bfloat16", "float16", "float64")


@click.command("device")
@click.option(
    "--device",
    type=click.Choice(DEVICES),
    default="auto",
    show_default=True,
    help="What to measure; auto is a GPU where there is one.",
)
@click.option(
    "--dtype",
    "dtypes",
    type=click.Choice(DTYPES),
    multiple=True,
    help="Element type; repeatable. float32 and bfloat16 unless given.",
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    multiple=True,
    help="Threads of torch; repeatable. 1 and all unless given.",
)
@click.option("--refresh", is_flag=True, help="Measure again what was measured before.")
@output_options
def command(
    device: str,
    dtypes: tuple[str, ...],
    threads: tuple[int, ...],
    refresh: bool,
    form: str,
    output: Path | None,
) -> int:
    """Measure the roofline of this machine: arithmetic, memory, and an empty call.

    GMAC/s are 10^9 multiply-accumulates per second of a square matrix product; vendors count
    each as two operations and print twice as many GFLOP/s. GB/s are 10^9 bytes per second of a
    triad a = b + s c over 384 MiB. A call is one ReLU of one number through a module. About a
    second for each row, kept in the user's cache folder (or ARCHSCOPE_CACHE) for this
    processor, torch, dtype and threads.

    \b
    Examples:
      archscope device
      archscope device --dtype float32 --threads 1 --threads 2 --refresh
      archscope device --device cuda --dtype float16 --format json
    """
    from archscope.bench.machine import machine, using_threads
    from archscope.bench.roofline_cache import known  # torch takes seconds to load

    place = machine(device)
    if not threads:
        with using_threads(None) as all_of_them:
            threads = (1, all_of_them) if place.device == "cpu" else (all_of_them,)
    roofs = []
    try:
        for count in dict.fromkeys(threads):
            for name in dict.fromkeys(dtypes or ("float32", "bfloat16")):
                tell(f"measuring {name}, {count} threads")
                roofs.append(known(place, name, count, refresh=refresh))
    finally:
        tell("")
    where = f"{place.device}: {place.name}, {place.cores} cores, torch {place.torch}"
    show(
        [where, roofline_table(roofs), *busy_notes(roofs)],
        form,
        output,
        lambda: {"format": 1, "rooflines": roofs},
    )
    return FINE
