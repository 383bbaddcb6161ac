"""Read a YOLO model file: rows `[from, repeats, module, args]`, and the factors of its scale."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

from archscope.errors import SpecError, did_you_mean, quoted
from archscope.importers.file_graph import read_text
from archscope.importers.ultralytics.recognition import path_of
from archscope.ir import Source

MOST_ROWS = 10_000
MOST_REPEATS = 1_000


class Row(Struct):
    """A module of a file."""

    at: Source
    sources: list[int]  # the layers that it reads: -1 is the previous one, -2 the one before that
    several: bool  # it reads a list of values
    repeats: int
    module: str
    args: list[Any]


class ModelFile(Struct):
    """The content of a file."""

    path: Path
    rows: list[Row]
    scale: str  # the letter of the scale, "" if there is none
    width: float
    depth: float
    most: float  # channels, before multiplication by the width
    classes: int
    channels: int
    anchors: Any
    activation: str
    early: bool  # YOLOv5 or v7, in which some modules of the same name differ
    options: dict[str, Any]
    notes: list[str]


def read(source: str | Path) -> ModelFile:
    """Return the content of a file. Raises ArchscopeError."""
    path, scale = path_of(source)
    where = path.as_posix()
    data, lines = _content(read_text(path), where)
    scales = data.get("scales")
    early = not scales and "depth_multiple" in data
    notes: list[str] = []
    factors: list[Any] = [data.get("depth_multiple", 1.0), data.get("width_multiple", 1.0)]
    if scales:
        if not isinstance(scales, dict):
            raise SpecError(f"'scales' must be a mapping, got {quoted(scales)}", where)
        if not scale:
            scale = str(next(iter(scales)))
            notes.append(f"scale {scale}, the first of the file")
        factors = scales.get(scale, [])
        if not isinstance(factors, list) or scale not in scales:
            known = ", ".join(map(str, scales))
            raise SpecError(f"has no scale '{scale}', it has {known}"[:300], where)
    numbers = [value for value in factors if type(value) in (int, float) and 0 < value < 1e6]
    if len(numbers) != len(factors) or not 2 <= len(numbers) <= 3:
        raise SpecError("a scale must be 2 or 3 numbers above 0: depth, width, channels", where)
    options = {key: data.get(key) for key in ("end2end", "reg_max", "kpt_shape")}
    return ModelFile(
        path=path,
        rows=_rows(data, lines, where),
        scale=scale if scales else "",
        depth=numbers[0],
        width=numbers[1],
        most=numbers[2] if len(numbers) > 2 else float("inf"),
        classes=_whole(data, "nc", 80, where),
        channels=_whole(data, "ch", 3, where),
        anchors=data.get("anchors"),
        activation=str(data.get("activation") or "nn.SiLU()"),
        early=early,
        options=options,
        notes=notes,
    )


def _content(text: str, where: str) -> tuple[dict[str, Any], dict[str, list[int]]]:
    """Return the mapping of a file, and the lines of the rows of each part."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        node = loader.get_single_node()
        data = loader.construct_document(node) if node is not None else None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = Source(where, mark.line + 1, mark.column + 1) if mark else where
        raise SpecError(
            f"not YAML: {getattr(error, 'problem', None) or 'cannot be read'}", at
        ) from None
    except (RecursionError, ValueError, TypeError, OverflowError) as error:
        raise SpecError(f"cannot be read: {type(error).__name__}", where) from None
    finally:
        loader.dispose()
    if node is None or not isinstance(data, dict):
        raise SpecError("is not a YOLO model file: expected a mapping", where)
    lines = {
        key.value: [row.start_mark.line + 1 for row in value.value]
        for key, value in node.value
        if isinstance(value, yaml.SequenceNode)
    }
    return data, lines


def _whole(data: dict[str, Any], name: str, default: int, where: str) -> int:
    value = data.get(name, default)
    if type(value) is not int or not 0 < value < 2**31:
        raise SpecError(
            f"'{name}' must be a whole number of at least 1, got {quoted(value)}", where
        )
    return value


def _rows(data: dict[str, Any], lines: dict[str, list[int]], where: str) -> list[Row]:
    names = {"nc": data.get("nc", 80), "anchors": data.get("anchors"), "None": None,
             "True": True, "False": False, "kpt_shape": data.get("kpt_shape")}  # fmt: skip
    rows: list[Row] = []
    for part in ("backbone", "head"):
        given = data.get(part)
        if not isinstance(given, list):
            raise SpecError(
                f"'{part}' must be a list of modules, got {quoted(given)}"
                f"{did_you_mean(part, map(str, data)) if given is None else ''}",
                where,
            )
        for row, line in zip(given, lines.get(part, [1] * len(given)), strict=False):
            at = Source(where, line, 1)
            if not isinstance(row, list) or len(row) != 4 or not isinstance(row[2], str):
                raise SpecError(f"expected [from, repeats, module, args], got {quoted(row)}", at)
            sources, repeats, module, args = row
            several = isinstance(sources, list)
            listed = sources if several else [sources]
            if not listed or not all(type(source) is int for source in listed):
                raise SpecError(f"'from' must be a layer or a list, got {quoted(sources)}", at)
            if type(repeats) is not int or not 0 < repeats <= MOST_REPEATS:
                raise SpecError(
                    f"repeats must be a whole number from 1 to {MOST_REPEATS},"
                    f" got {quoted(repeats)}", at
                )  # fmt: skip
            if not isinstance(args, list):
                raise SpecError(f"the arguments of {module[:60]} must be a list", at)
            args = [names.get(arg, arg) if isinstance(arg, str) else arg for arg in args]
            rows.append(Row(at, listed, several, repeats, module[:60], args))
    if len(rows) > MOST_ROWS:
        raise SpecError(f"has more rows than the limit of {MOST_ROWS}", where)
    return rows
