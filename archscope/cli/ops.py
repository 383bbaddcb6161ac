"""`archscope ops`: the operators that specs are made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from archscope.cli import FINE
from archscope.cli.shared.options import output_options, show
from archscope.errors import OptionError, did_you_mean
from archscope.ir import Op, text_of
from archscope.language.write import layer_text
from archscope.ops import OPS
from archscope.ops.attributes import attributes
from archscope.report.table import COUNT, NAME, SHAPE, Column, Table

GROUP = "Reference"


@click.command("ops")
@click.argument("names", nargs=-1, metavar="[OP]...")
@click.option("--all", "everything", is_flag=True, help="Show the page of every operator.")
@output_options
def command(names: tuple[str, ...], everything: bool, form: str, output: Path | None) -> int:
    """Show the operators that specs are made of; with names, each with attributes and examples.

    \b
    Examples:
      archscope ops
      archscope ops conv maxpool
      archscope ops --all --format markdown -o ops.md
    """
    for name in names:
        if name not in OPS:
            raise OptionError(f"no operator '{name}'{did_you_mean(name, OPS)}")
    chosen = {name: OPS[name] for name in names or sorted(OPS) if name != "input"}
    paged = names or everything
    parts = (
        [part for op in chosen.values() for part in _page(op, form == "markdown")]
        if paged
        else [_overview()]
    )
    show(parts, form, output, lambda: {"format": 1, "ops": [_data(op) for op in chosen.values()]})
    return FINE


def about(op: type[Op]) -> str:
    """Return the first sentence of an operator's documentation."""
    return (op.__doc__ or "").strip().split("\n")[0]


def _overview() -> Table:
    rows = tuple(
        (name, _signature(OPS[name]), about(OPS[name])) for name in sorted(OPS) if name != "input"
    )
    return Table("", (Column("operator", NAME), Column("attributes"), Column("about")), rows)


def _signature(op: type[Op]) -> str:
    return ", ".join(
        name if attribute.required else f"{name}: {_written(attribute.default)}"
        for name, attribute in attributes(op).items()
    )


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else "-" if value is None else str(value)


def _page(op: type[Op], heading: bool) -> list[Any]:
    parts: list[Any] = [f"### {op.name}" if heading else op.name, about(op)]
    counted = (op.elementwise.__doc__ or "").strip().split("\n")[0]
    if op.elementwise.__doc__ != Op.elementwise.__doc__ and counted:
        parts.append(f"Other work: {counted[0].lower()}{counted[1:]}")
    table = attributes(op)
    if table:
        rows = tuple(
            (
                f"{name} (alone)" if name == op.principal else name,
                "must be given" if attribute.required else _written(attribute.default),
                attribute.kind.text,
                attribute.about,
            )
            for name, attribute in table.items()
        )
        heads = (Column("attribute"), Column("default"), Column("takes"), Column("meaning"))
        parts.append(Table("", heads, rows))
    columns = (
        Column("example"),
        Column("in"),
        Column("out", SHAPE),
        Column("params", COUNT),
        Column("macs", COUNT),
        Column("other", COUNT, "elementwise"),
        Column("torch"),
    )
    parts.append(Table("", columns, tuple(_example_rows(op))))
    return parts


def _example_rows(op: type[Op]) -> list[tuple[Any, ...]]:
    return [
        (
            layer_text(example.op),
            " + ".join(map(text_of, example.ins)),
            example.op.shape(*example.ins),
            example.op.params(*example.ins),
            example.op.macs(*example.ins),
            example.op.elementwise(*example.ins),
            str(example.op.torch(*example.ins)),
        )
        for example in op.examples()
    ]


def _data(op: type[Op]) -> dict[str, Any]:
    return {
        "name": op.name,
        "about": about(op),
        "attributes": [
            {
                "name": name,
                "required": attribute.required,
                "default": attribute.default,
                "takes": attribute.kind.text,
                "about": attribute.about,
            }
            for name, attribute in attributes(op).items()
        ],
        "examples": [
            {
                "spec": layer_text(example.op),
                "in": example.ins,
                "out": example.op.shape(*example.ins),
                "params": example.op.params(*example.ins),
                "macs": example.op.macs(*example.ins),
                "elementwise": example.op.elementwise(*example.ins),
                "torch": str(example.op.torch(*example.ins)),
            }
            for example in op.examples()
        ],
    }
