"""The configuration of a project: `archscope.toml`, or `[tool.archscope]` of `pyproject.toml`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from archscope.errors import OptionError, did_you_mean, reason_of

_SECTION = re.compile(rb"^\s*\[\s*tool\s*\.\s*archscope(?![\w-])", re.MULTILINE)
_AT = re.compile(r"(?P<reason>.*) \(at line (?P<line>\d+), column (?P<column>\d+)\)", re.DOTALL)
KEYS = ("lint", "plugins")
"""What may be configured."""


def find(folder: Path) -> Path | None:
    """Return the nearest configuration file, in a folder or its parents."""
    for place in (folder, *folder.parents):
        own = place / "archscope.toml"
        if own.is_file():
            return own
        project = place / "pyproject.toml"
        if project.is_file() and _SECTION.search(project.read_bytes()):
            return project
    return None


def read(path: Path) -> dict[str, Any]:
    """Read archscope's section of a configuration file. Raises OptionError."""
    import tomllib  # only needed if there is a file

    try:
        content = path.read_bytes()
    except OSError as error:
        what = f"cannot read the configuration: {reason_of(error)}"
        raise OptionError(f"{path}: {what}") from None
    try:
        tables = tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        what = f"expected UTF-8 text, got the byte 0x{content[error.start]:02x}"
        raise OptionError(f"{path}:{line}: {what}") from None
    except tomllib.TOMLDecodeError as error:
        raise OptionError(_not_toml(path, str(error))) from None
    if path.name == "pyproject.toml":
        tables = tables.get("tool", {}).get("archscope", {})
    for key in tables:
        if key not in KEYS:
            hint = did_you_mean(key, KEYS) or f"; it has {' and '.join(KEYS)}"
            raise OptionError(f"{path}: unknown key '{key}'{hint}")
    return tables


def _not_toml(path: Path, text: str) -> str:
    """Return the error for what tomllib says, which ends with the place."""
    found = _AT.fullmatch(text)
    reason = found["reason"] if found else text
    place = f":{found['line']}:{found['column']}" if found else ""
    return f"{path}{place}: not TOML: {reason[:1].lower()}{reason[1:]}"
