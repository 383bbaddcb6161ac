"""The option `--overlay`: the user's own values on a drawing."""

from __future__ import annotations

from pathlib import Path

import click

overlay_option = click.option(
    "--overlay", type=click.Path(path_type=Path), metavar="FILE.json",
    help="JSON file of values to colour the boxes by: {node: number} or {network: {node:"
    " number}}, alone or as `values` with a `title` and a `unit`.",
)  # fmt: skip
