"""`archscope recipes`: show the knobs of training and their values in each recipe."""

from __future__ import annotations

import click
import msgspec

from archscope.cli.shared import completion
from archscope.cli.shared.options import Output, output_options
from archscope.report.table import NAME, Column, Table

GROUP = "Train and search"


@click.command("recipes")
@click.argument("names", nargs=-1, metavar="[RECIPE]...", shell_complete=completion.recipes)
@output_options
def command(names: tuple[str, ...], output: Output) -> None:
    """Show every knob of a recipe: its value in each recipe, what it does and why.

    A recipe is one that ships with archscope or a YAML file; `archscope train --recipe-set` changes
    single knobs.

    \b
    Examples:
      archscope recipes
      archscope recipes standard mine.yaml
    """
    from archscope.train import recipe_files
    from archscope.train.recipe import KNOBS, meaning

    chosen = {name: recipe_files.read(name) for name in names or recipe_files.recipes()}
    columns = (Column("knob", NAME), *(Column(name, NAME) for name in chosen), Column("meaning"))
    rows = tuple(
        (knob, *(_text(getattr(value, knob)) for value in chosen.values()), meaning(knob))
        for knob in KNOBS
    )
    data = {
        "format": 1,
        "recipes": chosen,
        "knobs": {knob: meaning(knob) for knob in KNOBS},
    }
    output.show([Table("", columns, rows)], lambda: data)


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
