"""Read files to a document: follow `extends` and `use`, and merge their contents."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from archscope.errors import SpecError, did_you_mean, quoted
from archscope.ir import Source
from archscope.language.document import Block, Document
from archscope.language.limits import Limits, check_limit
from archscope.language.read_layers import Reader
from archscope.language.read_values import value_of
from archscope.language.syntax import (
    FILE_KEYS,
    PATH,
    check_keys,
    key_at,
    listing,
    mapping,
    values_of,
)  # fmt: skip
from archscope.language.value import Value
from archscope.language.yaml_items import Item, parse, read_text

REFERENCE_KEYS = (
    "params", "macs", "receptive_field", "source", "note", "top1", "top1_source", "top1_recipe",
)  # fmt: skip


def zoo_folder() -> Path:
    """Return the folder of the specs that ship with archscope."""
    inside = Path(__file__).parents[1] / "specs"  # in a wheel
    return inside if inside.is_dir() else Path(__file__).parents[2] / "specs"


def zoo() -> dict[str, Path]:
    """Return the networks that ship with archscope, by name."""
    return {path.stem: path for path in sorted(zoo_folder().glob("*.yaml"))}


def spaces() -> dict[str, Path]:
    """Return the search spaces that ship with archscope, by name."""
    return {path.stem: path for path in sorted(zoo_folder().glob("spaces/*.yaml"))}


def shipped(name: str) -> Path | None:
    """Return the network, or else the search space, that ships with archscope under a name."""
    folder = zoo_folder()
    if not name or Path(name).name != name:
        return None
    places = folder / f"{name}.yaml", folder / "spaces" / f"{name}.yaml"
    return next((path for path in places if is_file(path)), None)


class Parts(Struct):
    """The contents of a file, merged with those of the files that it extends and uses."""

    fields: dict[str, Item]
    let: dict[str, Item]
    blocks: dict[str, tuple[Item, Source]]


class Collector:
    """Collects the contents of a file and of the files that it refers to."""

    def __init__(self, limits: Limits, unsaved: Mapping[str, str] = {}) -> None:
        self.limits = limits
        self.unsaved = unsaved  # texts that replace those of files, by resolved path
        self.trail: list[str] = []
        self.files = 0

    def file(self, path: Path, at: Source | None = None) -> Parts:
        """Return the parts of a file. Raises SpecError; for a circular reference, at `at`."""
        key = str(path.resolve())
        text = self.unsaved.get(key)
        if text is None:
            text = read_text(path, self.limits)
        if key in self.trail:
            names = " -> ".join(Path(name).name for name in [*self.trail, key])
            raise SpecError(f"files use each other in a circle: {names}", at)
        self.trail.append(key)
        parts = self.text(text, path.as_posix(), path.parent)
        self.trail.pop()
        return parts

    def text(self, text: str, file: str, folder: Path) -> Parts:
        """Return the parts of a text. Raises SpecError."""
        root = parse(text, file, self.limits)
        fields = mapping(root, "a spec", "")
        _check_spec(root, file)
        check_keys(root, FILE_KEYS)
        parts = Parts({}, {}, {})
        if "extends" in fields:
            item = fields["extends"]
            parts = self.file(self._find(item, folder, "extends"), item.at)
            parts.fields.pop("reference", None)
        if "use" in fields:
            item = fields["use"]
            for part in item.value if isinstance(item.value, list) else [item]:
                used = self.file(self._find(part, folder, "use"), part.at)
                parts.blocks = {**parts.blocks, **used.blocks}
        if "blocks" in fields:
            item = fields["blocks"]
            for name, block in mapping(item, "'blocks'", "blocks").items():
                parts.blocks[name] = block, key_at(item, name)
        if "let" in fields:
            parts.let = {**parts.let, **values_of(fields["let"], "'let'", "let")}
        if {"input", "inputs"} & set(fields):  # either replaces either
            parts.fields.pop("input", None)
            parts.fields.pop("inputs", None)
        parts.fields.update(fields)
        return parts

    def _find(self, item: Item, folder: Path, key: str) -> Path:
        self.files += 1
        check_limit(self.files, self.limits.files, "more files than", item.at)
        if not isinstance(item.value, str) or not item.value:
            raise SpecError(f"'{key}' must name a file, got {item.kind}", item.at)
        name = item.value
        places = [folder, zoo_folder()]
        for place in places:
            if is_file(place / name):
                return place / name
        if found := shipped(name):
            return found
        known = {p.relative_to(place).as_posix() for place in places for p in specs_in(place)}
        hint = did_you_mean(name, known | spaces().keys() | zoo().keys())
        where = f"no file beside this one and no spec of the zoo{hint}"
        raise SpecError(f"'{key}' names {quoted(name)}, which is {where}", item.at)


def _check_spec(root: Item, file: str) -> None:
    """Raise SpecError for a mapping that holds something else, such as settings of a program."""
    keys = list(root.value)
    if "format" in keys and {"totals", "networks"} & {*keys}:
        raise SpecError(
            "expected a spec, got JSON that archscope wrote; `archscope report` reads that of"
            " analyze, compare, bench and compress",
            file,
        )
    if keys and not any(key in FILE_KEYS or did_you_mean(key, FILE_KEYS) for key in keys):
        raise SpecError(
            f"expected a spec, with 'input' and 'layers'; the file has {quoted(keys[0])}"
            f"{' and more' if keys[1:] else ''}; `archscope init` writes a spec to start from",
            file,
        )


def is_file(path: Path) -> bool:
    """Return whether a file exists; False for a name that no file can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def specs_in(folder: Path) -> list[Path]:
    """Return the specs in a folder and in its `blocks/`."""
    return [*folder.glob("*.yaml"), *folder.glob("blocks/*.yaml")]


def document_of(parts: Parts, file: str, stem: str) -> Document:
    """Return the document of merged parts; `stem` is its name if it has none.

    Raises SpecError.
    """
    fields = parts.fields
    start = Source(file, 1, 1)
    if "layers" not in fields:
        hint = ""
        if parts.blocks and "extends" not in fields:
            hint = "; a file of blocks is for 'use'"
        raise SpecError(f"a spec needs 'layers'{hint}", start)
    reader = Reader(parts.blocks)
    let = {key: value_of(item, key) for key, item in parts.let.items()}
    blocks = {name: reader.block(name, item, at) for name, (item, at) in parts.blocks.items()}
    layers = reader.chain(fields["layers"], "layers")
    return Document(
        name=_text(fields, "name", stem),
        inputs=_inputs(fields, start),
        let=let,
        blocks=blocks,
        body=Block("", fields["layers"].at, {}, layers),
        about=_text(fields, "about", ""),
        reference=_reference(fields),
        paper=_text(fields, "paper", ""),
        file=file,
    )


def _text(fields: dict[str, Item], key: str, default: str) -> str:
    item = fields.get(key)
    if item is None or item.value is None:
        return default
    item.refuse_hole()
    if isinstance(item.value, dict | list):
        raise SpecError(f"'{key}' must be text, got {item.kind}", item.at)
    return str(item.value)


def _inputs(fields: dict[str, Item], start: Source) -> dict[str, Value]:
    if "input" in fields and "inputs" in fields:
        raise SpecError("a spec has 'input' or 'inputs', not both", fields["inputs"].at)
    if "input" in fields:
        return {"input": value_of(fields["input"], "input")}
    if "inputs" not in fields:
        raise SpecError("a spec needs 'input: [channels, height, width]'", start)
    item = fields["inputs"]
    shapes = mapping(item, "'inputs'", "inputs")
    if not shapes:
        raise SpecError("'inputs' names no input", item.at)
    for name in shapes:
        if not PATH.match(name) or name == "in":
            raise SpecError(f"'{name}' cannot name an input", key_at(item, name), "inputs")
    return {name: value_of(shape, name) for name, shape in shapes.items()}


def _reference(fields: dict[str, Item]) -> dict[str, Any]:
    item = fields.get("reference")
    if item is None:
        return {}
    rows = mapping(item, "'reference'", "reference")
    check_keys(item, REFERENCE_KEYS, path="reference")
    for key, value in rows.items():
        numbers = [value] if key in ("params", "macs") else []
        if key == "receptive_field":
            numbers = listing(value, "'receptive_field'", "reference")
        for number in numbers:
            if isinstance(number.value, bool) or not isinstance(number.value, int):
                wanted = f"'{key}' must be a whole number, got {number.kind}"
                raise SpecError(wanted, number.at, "reference")
        if key == "top1" and not _is_percentage(value.value):
            wanted = f"'top1' must be a percentage such as 76.13, got {value.plain()!r}"
            raise SpecError(wanted, value.at, "reference")
    return {key: value.plain() for key, value in rows.items()}


def _is_percentage(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100
