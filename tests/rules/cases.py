"""The YAML files of this folder: specs with the findings that are expected in them."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct

import archscope.rules
from archscope.ir import Graph
from archscope.language import document, graph
from archscope.language.document import Document
from archscope.linter.config import Config
from archscope.rules.rule import RULES

FOLDER = Path(__file__).parent
_EXPECT = re.compile(r"#\s*expect:\s*(\w+)")


class Case(Struct, frozen=True):
    """One spec, and the lines where the rule of its file must find something."""

    code: str
    number: int
    text: str
    expected: tuple[int, ...]

    @property
    def id(self) -> str:
        """What the test is called."""
        return f"{self.code}-{self.number}"

    @property
    def config(self) -> Config:
        """A configuration with this rule alone."""
        return Config(select=(self.code,))

    def load(self) -> tuple[Graph, Document]:
        """Return the network and its document, as if read from `case.yaml`."""
        read = document("case.yaml", text=self.text.encode())
        return graph(read), read


def file_of(code: str) -> Path:
    """Return the file that has the cases of a rule."""
    return FOLDER / f"{RULES[code].__module__.rpartition('.')[2]}.yaml"


def cases(code: str) -> list[Case]:
    """Return the cases of a rule."""
    found = []
    texts = file_of(code).read_text(encoding="utf-8").split("---\n")
    for number, text in enumerate(texts):
        lines = [
            (line, match[1])
            for line, content in enumerate(text.splitlines(), 1)
            if (match := _EXPECT.search(content))
        ]
        assert all(expected == code for _, expected in lines), f"{code}: a case expects another"
        found.append(Case(code, number, text, tuple(line for line, _ in lines)))
    return found


CASES = [case for code in sorted(RULES) for case in cases(code)]

__all__ = ["CASES", "Case", "archscope", "cases", "file_of"]
