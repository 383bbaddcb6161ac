"""Parse a darknet configuration into sections of options."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from msgspec import Struct, field

from archscope.errors import SpecError, did_you_mean, quoted
from archscope.ir import Source

ELSEWHERE = frozenset({
    "angle", "assisted_excitation", "bin_output", "burnin_update", "clip", "dont_update",
    "dontload", "dontloadscales", "dot", "exposure", "flip", "grad_centr", "learning_rate",
    "noloss", "onlyforward", "reverse", "saturation", "stopbackward", "stream",
    "train_only_bn", "wait_stream",
})  # fmt: skip
"""Options of layers that do not change what they compute at inference."""

NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


class Section(Struct):
    """One section: `[convolutional]` and the options below it, each with its line."""

    kind: str
    file: str
    line: int
    options: dict[str, tuple[str, int]]
    asked: set[str] = field(default_factory=set)  # the options that importing it looked for

    def __contains__(self, name: str) -> bool:
        self.asked.add(name)
        return name in self.options

    def misspelt(self) -> Iterator[str]:
        """Yield a note for each option that nothing looked for, but for one like it."""
        for name, (_, line) in self.options.items():
            if name in self.asked or name in ELSEWHERE:
                continue
            if hint := did_you_mean(name, self.asked - {*self.options}):
                yield f"line {line}: '{name}' is no option of [{self.kind}]{hint}"

    def integer(self, name: str, default: int) -> int:
        """Return an option that is a whole number. Raises SpecError."""
        return self.integers(name, (default,))[0]

    def integers(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """Return an option that is a list of whole numbers. Raises SpecError."""
        if name not in self:
            return default
        text = self.options[name][0]
        parts = [part for part in text.split(",") if part]
        if not parts or not all(re.fullmatch(r"[-+]?\d{1,18}(\.0*)?", part) for part in parts):
            self._refuse(name, "a whole number")
        return tuple(int(part.partition(".")[0]) for part in parts)

    def number(self, name: str, default: float) -> float:
        """Return an option that is a number. Raises SpecError."""
        if name not in self:
            return default
        text = self.options[name][0]
        if not NUMBER.fullmatch(text):
            self._refuse(name, "a number")
        return float(text)

    def flag(self, name: str) -> bool:
        """Return whether an option is given and not 0. Raises SpecError."""
        return self.number(name, 0) != 0

    def word(self, name: str, default: str) -> str:
        """Return an option that is a word."""
        return self.options[name][0] if name in self else default

    def _refuse(self, name: str, expected: str) -> NoReturn:
        text, line = self.options[name]
        raise SpecError(
            f"'{name}' of [{self.kind}] must be {expected}, got {quoted(text)}",
            Source(self.file, line, 1),
        )


def sections_of(text: str, path: Path) -> list[Section]:
    """Return the sections of a file. Raises SpecError for lines outside of sections."""
    file = path.as_posix()
    sections: list[Section] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = "".join(raw.split())  # darknet drops all white space
        if not line or line[0] in "#;":
            continue
        if line[0] == "[":
            kind = line[1:].partition("]")[0]
            if "]" not in line or not re.fullmatch(r"[A-Za-z0-9_]{1,40}", kind):
                raise SpecError(f"expected [section], got {quoted(line)}", Source(file, number, 1))
            sections.append(Section(kind, file, number, {}))
            continue
        name, equals, value = line.partition("=")
        if not equals or not name or not sections:
            expected = "option=value" if sections else "[net]"
            raise SpecError(f"expected {expected}, got {quoted(line)}", Source(file, number, 1))
        value = re.split("[#;]", value)[0]
        sections[-1].options.setdefault(name, (value, number))  # the first one counts
    if not sections:
        raise SpecError("is not a darknet configuration: it has no [net]", file)
    if sections[0].kind not in ("net", "network"):
        at = Source(file, sections[0].line, 1)
        raise SpecError(f"expected [net] first, got [{sections[0].kind}]", at)
    return sections
