"""Operators as tables: the list, and a page for each."""

from __future__ import annotations

from typing import Any

from archscope.ir import Op, text_of
from archscope.language.write import layer_text
from archscope.ops import OPS
from archscope.ops.attributes import attributes
from archscope.report.table import COUNT, NAME, SHAPE, Column, Heading, Part, Table

EXAMPLES = (
    Column("example"),
    Column("in"),
    Column("out", SHAPE),
    Column("params", COUNT),
    Column("macs", COUNT),
    Column("other", COUNT, "elementwise"),
    Column("torch"),
)
ATTRIBUTES = (Column("attribute", NAME), Column("default"), Column("takes"), Column("meaning"))


def op_list() -> Table:
    """Return one row for each operator."""
    rows = tuple(
        (name, _signature(op), about(op)) for name, op in sorted(OPS.items()) if name != "input"
    )
    return Table("", (Column("operator", NAME), Column("attributes"), Column("about")), rows)


def op_page(op: type[Op]) -> list[Part]:
    """Return the attributes and examples of an operator."""
    parts: list[Part] = [Heading(op.name), about(op)]
    counted = (op.elementwise.__doc__ or "").split("\n")[0]
    if counted:
        parts.append(f"Other work: {counted.removeprefix('Count ')}")
    rows = tuple(
        (
            f"{name} (alone)" if name == op.principal else name,
            "must be given" if attribute.required else _default(attribute.default),
            attribute.kind.text,
            attribute.about,
        )
        for name, attribute in attributes(op).items()
    )
    if rows:
        parts.append(Table("", ATTRIBUTES, rows))
    examples = (
        (record["spec"], " + ".join(map(text_of, record["in"])), *list(record.values())[2:])
        for record in _examples(op)
    )
    parts.append(Table("", EXAMPLES, tuple(examples)))
    return parts


def op_record(op: type[Op]) -> dict[str, Any]:
    """Return an operator as a record of the JSON contract."""
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
        "examples": _examples(op),
    }


def about(op: type[Op]) -> str:
    """Return the first sentence of an operator's documentation."""
    return (op.__doc__ or "").strip().split("\n")[0]


def _signature(op: type[Op]) -> str:
    return ", ".join(
        name if attribute.required else f"{name}: {_default(attribute.default)}"
        for name, attribute in attributes(op).items()
    )


def _default(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else "-" if value is None else str(value)


def _examples(op: type[Op]) -> list[dict[str, Any]]:
    return [
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
    ]
