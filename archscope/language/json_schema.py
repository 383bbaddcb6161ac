"""Generate the JSON Schema of specs from the operators, for editors and other tools."""

from __future__ import annotations

from typing import Any

from archscope.ir import Op
from archscope.language.syntax import MODIFIERS
from archscope.ops import OPS
from archscope.ops.attributes import attributes

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TEXT, NUMBER, INTEGER, BOOLEAN, ANY_LIST, ANY_MAPPING = (
    {"type": name} for name in ("string", "number", "integer", "boolean", "array", "object")
)
EXPRESSION = {**TEXT, "pattern": "^="}
NAME = {**TEXT, "pattern": "^[A-Za-z_][A-Za-z0-9_]*(\\.[A-Za-z0-9_]+)*$"}


def schema() -> dict[str, Any]:
    """Return the schema, which allows expressions in place of values."""
    chain, layer, shape = _defined("chain"), _defined("layer"), _defined("shape")
    reference = {"params": INTEGER, "macs": INTEGER, "receptive_field": _list_of(INTEGER),
                 "top1": {"type": "number", "minimum": 0, "maximum": 100}}  # fmt: skip
    texts = ("source", "note", "top1_source", "top1_recipe")
    word = {**TEXT, "description": "an operator or block by its name"}
    # Any other key of a layer is a block.
    rows = {**ANY_MAPPING, "properties": {**_operators(), **_modifiers()}, "minProperties": 1}
    size = _open({**INTEGER, "minimum": 1})
    return {
        "$schema": DIALECT,
        "title": "archscope spec",
        "type": "object",
        "properties": {
            "name": TEXT,
            "about": TEXT,
            "paper": TEXT,
            "reference": _closed({**reference, **dict.fromkeys(texts, TEXT)}),
            "input": shape,
            "inputs": {**ANY_MAPPING, "additionalProperties": shape},
            "use": _either(TEXT, _list_of(TEXT)),
            "extends": TEXT,
            "let": {**ANY_MAPPING, "propertyNames": NAME},
            "blocks": {**ANY_MAPPING, "additionalProperties": _defined("block")},
            "layers": chain,
        },
        "additionalProperties": False,
        "$defs": {
            "shape": {**_list_of(size), "minItems": 1, "maxItems": 4},
            "block": _closed(
                {
                    "about": TEXT,
                    "inputs": _list_of(NAME),
                    "with": {"type": ["object", "null"]},
                    "layers": chain,
                }
            ),
            "chain": _either(layer, _list_of(layer)),
            "branches": {**_list_of(chain), "minItems": 2},
            "layer": _either(word, rows),
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
    forms = [_closed(properties, required=required)]
    if op.principal is not None:
        forms.append(_open(table[op.principal].kind.schema))
    if op.branching:
        forms.append(_defined("branches"))
    if not required:
        forms.append({"type": "null"})
    about = (op.__doc__ or "").strip().split("\n")[0]
    return {"description": about, "anyOf": forms}


def _modifiers() -> dict[str, Any]:
    head = {"name": NAME, "weight": _open(NUMBER), "train_only": _open(BOOLEAN)}
    shapes: dict[str, Any] = {
        "then": _defined("chain"),
        "else": _defined("chain"),
        "repeat": _open({**INTEGER, "minimum": 0}),
        "each": ANY_MAPPING,
        "when": _open(BOOLEAN),
        "name": NAME,
        "from": _either(NAME, {**_list_of(NAME), "minItems": 1}),
        "share": NAME,
        "params": _open({**INTEGER, "minimum": 0}),
        "weight_macs": _open({**INTEGER, "minimum": 0}),
        "output": _either(NAME, {**_closed(head), "required": ["name"]}),
        "split": _open(_either(INTEGER, ANY_LIST)),
    }
    return {key: shapes[key] for key in MODIFIERS}


def _defined(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


def _either(*shapes: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [*shapes]}


def _list_of(shape: dict[str, Any]) -> dict[str, Any]:
    return {**ANY_LIST, "items": shape}


def _open(shape: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that also allows expressions for a value and for the items of its lists."""
    return _either(_with_open_items(shape), EXPRESSION)


def _with_open_items(shape: dict[str, Any]) -> dict[str, Any]:
    if "items" in shape:
        return {**shape, "items": _open(shape["items"])}
    if "anyOf" in shape:
        return _either(*map(_with_open_items, shape["anyOf"]))
    return shape


def _closed(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**ANY_MAPPING, "properties": properties, **more, "additionalProperties": False}
