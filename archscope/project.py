"""The configuration of a project: `archscope.toml`, or `[tool.archscope]` of `pyproject.toml`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from archscope.errors import OptionError

_SECTION = re.compile(rb"^\s*\[\s*tool\s*\.\s*archscope\s*[.\]]", re.MULTILINE)


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
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise OptionError(f"{path}: cannot read the configuration: {error}") from None
    if path.name == "pyproject.toml":
        tables = tables.get("tool", {}).get("archscope", {})
    return tables
