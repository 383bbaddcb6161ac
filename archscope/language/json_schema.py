"""The JSON Schema of specs, made from the operators, for editors and other readers."""

from __future__ import annotations

from typing import Any

from archscope.ir import Op
from archscope.language.syntax import MODIFIERS
from archscope.ops import OPS
from archscope.ops.attributes import attributes

DIALECT = "https://json-schema.org/draft/2020-12/schema"
EXPRESSION = {"type": "string", "pattern": "^="}
NAME = {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*(\\.[A-Za-z0-9_]+)*$"}
CHAIN = {"$ref": "#/$defs/chain"}


def schema() -> dict[str, Any]:
    """Return the schema, in which expressions may stand for values."""
    return {
        "$schema": DIALECT,
        "title": "archscope spec",
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "about": {"type": "string"},
            "paper": {"type": "string"},
            "reference": _closed(
                {
                    "params": {"type": "integer"},
                    "macs": {"type": "integer"},
                    "receptive_field": {"type": "array", "items": {"type": "integer"}},
                    "source": {"type": "string"},
                    "note": {"type": "string"},
                }
            ),
            "input": {"$ref": "#/$defs/shape"},
            "inputs": {"type": "object", "additionalProperties": {"$ref": "#/$defs/shape"}},
            "use": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
            "extends": {"type": "string"},
            "let": {"type": "object", "propertyNames": NAME},
            "blocks": {"type": "object", "additionalProperties": {"$ref": "#/$defs/block"}},
            "layers": CHAIN,
        },
        "additionalProperties": False,
        "$defs": {
            "shape": {
                "type": "array",
                "items": _open({"type": "integer", "minimum": 1}),
                "minItems": 1,
                "maxItems": 4,
            },
            "block": _closed(
                {"about": {"type": "string"}, "with": {"type": ["object", "null"]}, "layers": CHAIN}
            ),
            "chain": {
                "anyOf": [
                    {"$ref": "#/$defs/layer"},
                    {"type": "array", "items": {"$ref": "#/$defs/layer"}},
                ]
            },
            "branches": {"type": "array", "items": CHAIN, "minItems": 2},
            "layer": {
                "anyOf": [
                    {"type": "string", "description": "an operator or block by its name"},
                    {
                        "type": "object",
                        "properties": {**_operators(), **_modifiers()},
                        # Any other key is a block with its arguments.
                        "minProperties": 1,
                    },
                ]
            },
        },
    }


def _operators() -> dict[str, Any]:
    return {name: _operator(op) for name, op in sorted(OPS.items()) if name != "input"}


def _operator(op: type[Op]) -> dict[str, Any]:
    table = attributes(op)
    properties = {
        name: {**_open(attribute.kind.schema), "description": attribute.about}
        for name, attribute in table.items()
    }
    required = [name for name, attribute in table.items() if attribute.required]
    forms: list[dict[str, Any]] = [
        {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        }
    ]
    if op.principal is not None:
        forms.append(_open(table[op.principal].kind.schema))
    if op.branching:
        forms.append({"$ref": "#/$defs/branches"})
    if not required:
        forms.append({"type": "null"})
    about = (op.__doc__ or "").strip().split("\n")[0]
    return {"description": about, "anyOf": forms}


def _modifiers() -> dict[str, Any]:
    output = {
        **_closed(
            {
                "name": NAME,
                "weight": _open({"type": "number"}),
                "train_only": _open({"type": "boolean"}),
            }
        ),
        "required": ["name"],
    }
    shapes: dict[str, Any] = {
        "then": CHAIN,
        "else": CHAIN,
        "repeat": _open({"type": "integer", "minimum": 0}),
        "each": {"type": "object"},
        "when": _open({"type": "boolean"}),
        "name": NAME,
        "from": {"anyOf": [NAME, {"type": "array", "items": NAME, "minItems": 1}]},
        "share": NAME,
        "output": {"anyOf": [NAME, output]},
        "split": _open({"anyOf": [{"type": "integer"}, {"type": "array"}]}),
    }
    return {key: shapes[key] for key in MODIFIERS}


def _open(shape: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that allows an expression in place of a value."""
    return {"anyOf": [shape, EXPRESSION]}


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}
