"""Recognise a YOLO model file. Every command that reads a spec imports this module."""

from __future__ import annotations

import re
from pathlib import Path

SCALE = re.compile(r"(yolo(?:e-|v)?\d+)([nstmblx])(?![a-z])")
"""A name such as `yolov8n-seg`: the letter is the scale; the file may be called `yolov8-seg`."""

KEYS = re.compile(r"^(?P<key>backbone|head)\s*:", re.MULTILINE)
SEEN = 1 << 16  # the keys must be within this many characters


def path_of(source: str | Path) -> tuple[Path, str]:
    """Return the file that a name means, and the letter of the scale in the name."""
    path = Path(source)
    found = SCALE.search(path.stem)
    if found is None:
        return path, ""
    if path.exists():
        return path, found[2]
    return path.with_name(path.name.replace(found[0], found[1], 1)), found[2]


def is_model(source: str) -> bool:
    """Return whether a file is a model file: it has the keys `backbone` and `head`."""
    path, _ = path_of(source)
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return {found["key"] for found in KEYS.finditer(file.read(SEEN))} == {
                "backbone", "head"
            }  # fmt: skip
    except (OSError, ValueError):
        return False
