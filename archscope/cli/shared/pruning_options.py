"""The options that `prune` and `compress` share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click


def budget_option(*names: str, required: bool = False) -> Callable[[Any], Any]:
    """Return the option for what may remain of a network, as the `budgets` of a command."""
    return click.option(
        *names, "budgets", multiple=True, required=required, metavar="TEXT",
        help="What may remain: 50% (of the macs), '60% params', 30MMACs, 'peak 64KiB',"
        " 8ms@PROFILE; repeatable.",
    )  # fmt: skip


lanes_option = click.option(
    "--lanes", type=click.IntRange(1), default=8, help="Make the new widths multiples of this."
)
scratch_option = click.option(
    "--scratch", is_flag=True,
    help="Also train the pruned network from scratch, for as many epochs in total.",
)  # fmt: skip
