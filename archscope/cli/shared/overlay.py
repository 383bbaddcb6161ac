"""The option for values of one's own on a drawing."""

from __future__ import annotations

from pathlib import Path

import click

overlay_option = click.option(
    "--overlay", type=click.Path(path_type=Path), metavar="FILE.json",
    help="Values to paint on the boxes of the drawing: {node: number} or {network: {node:"
    " number}}, alone or as `values` beside a `title` and a `unit`.",
)  # fmt: skip
