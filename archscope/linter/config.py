"""The linter's configuration: which rules to run, with which thresholds, on which files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from math import inf
from pathlib import Path
from typing import Any

from msgspec import Struct

from archscope import project
from archscope.decoding import convert
from archscope.errors import OptionError, RecordError, did_you_mean
from archscope.rules.rule import RULES, SEVERITIES, WARNING, Rule

KEYS = ("select", "ignore", "severity", "per-file-ignores", "rules")


class Config(Struct, frozen=True):
    """The linter's configuration. Codes may be prefixes: `CHN` selects a family, '' every rule."""

    select: tuple[str, ...] = ("",)
    ignore: tuple[str, ...] = ()
    severity: str | None = None  # findings below it are counted but not shown
    per_file_ignores: Mapping[str, tuple[str, ...]] = {}
    rules: Mapping[str, Rule] = {}  # rules with configured thresholds

    def chosen(self) -> list[Rule]:
        """Return the rules to run."""
        return [
            self.rules.get(code) or cls()
            for code, cls in sorted(RULES.items())
            if code.startswith(self.select) and not code.startswith(self.ignore)
        ]

    def ignored(self, code: str, file: str) -> bool:
        """Return whether a code is ignored in a file."""
        return any(
            fnmatch(Path(file).as_posix(), pattern) or fnmatch(Path(file).name, pattern)
            for pattern, codes in self.per_file_ignores.items()
            if code.startswith(codes)
        )

    def shows(self, code: str, severity: str) -> bool:
        """Return whether findings of a rule with a severity are shown.

        Unless a severity is asked for, they are warnings, errors, and all of rules that were
        selected by their own code.
        """
        if self.severity is None and code in self.select:
            return True
        return SEVERITIES.index(severity) >= SEVERITIES.index(self.severity or WARNING)


def codes_of(words: Iterable[Any], where: str) -> tuple[str, ...]:
    """Return the codes for a list of codes, families, names of rules, or ALL.

    Raises OptionError for an unknown word.
    """
    found = []
    names = {cls.name: code for code, cls in RULES.items()}
    for word in words:
        code = str(word).upper()
        if code == "ALL":
            found.append("")
        elif code and any(known.startswith(code) for known in RULES):
            found.append(code)
        elif word in names:
            found.append(names[word])
        else:
            hint = did_you_mean(str(word), {*RULES, *names, "ALL"})
            raise OptionError(f"{where}: no rule is called '{word}'{hint}")
    return tuple(found)


def read(path: Path) -> Config:
    """Read the configuration from `[tool.archscope.lint]` of pyproject.toml, or from `[lint]`.

    Raises OptionError.
    """
    table = project.read(path).get("lint", {})
    where = f"{path}: lint"
    if not isinstance(table, dict):
        raise OptionError(f"{where} must be a table, got {table!r}")
    for key in table:
        if key not in KEYS:
            known = did_you_mean(key, KEYS) or f"; it has {', '.join(KEYS)}"
            raise OptionError(f"{where}: unknown key '{key}'{known}")
    severity = table.get("severity")
    if severity is not None and severity not in SEVERITIES:
        raise OptionError(
            f"{where}.severity must be one of {', '.join(SEVERITIES)}, got {severity!r}"
        )
    return Config(
        select=codes_of(_list(table.get("select", ["ALL"]), f"{where}.select"), where),
        ignore=codes_of(_list(table.get("ignore", []), f"{where}.ignore"), where),
        severity=severity,
        per_file_ignores={
            pattern: codes_of(_list(codes, f"{where}.per-file-ignores.'{pattern}'"), where)
            for pattern, codes in _table(table, "per-file-ignores", where).items()
        },
        rules=dict(
            _configured(code, values, f"{where}.rules.{code}")
            for code, values in _table(table, "rules", where).items()
        ),
    )


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise OptionError(f"{where} must be a list of codes, got {value!r}")
    return value


def _table(table: dict[str, Any], key: str, where: str) -> dict[str, Any]:
    value = table.get(key, {})
    if not isinstance(value, dict):
        raise OptionError(f"{where}.{key} must be a table, got {value!r}")
    return value


def _configured(code: str, values: Any, where: str) -> tuple[str, Rule]:
    """Return a rule with configured thresholds. Raises OptionError."""
    if code not in RULES:
        raise OptionError(f"{where}: no rule has the code '{code}'{did_you_mean(code, RULES)}")
    cls = RULES[code]
    if not isinstance(values, dict):
        raise OptionError(f"{where} must be a table of thresholds, got {values!r}")
    for key in values:
        if key not in cls.__struct_fields__:
            known = ", ".join(cls.__struct_fields__) or "none"
            hint = did_you_mean(key, cls.__struct_fields__) or f"; it has {known}"
            raise OptionError(f"{where}: unknown threshold '{key}'{hint}")
    for key, value in values.items():
        if isinstance(value, int | float) and not 0 <= value < inf:
            raise OptionError(f"{where}.{key}: expected a finite number of at least 0, got {value}")
    try:
        return code, convert(values, cls, where)
    except RecordError as error:
        raise OptionError(str(error)) from None
