"""The contract of lint rules: their page and cases, and that they never raise."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from inspect import cleandoc
from pathlib import Path

import msgspec
from msgspec import Struct

from archscope.contracts.check import Check, expect
from archscope.decoding import convert
from archscope.errors import RecordError
from archscope.ir import Graph
from archscope.language import document, graph, load
from archscope.language.document import Document
from archscope.linter import lint
from archscope.linter.config import Config
from archscope.rules.network import Network
from archscope.rules.rule import RULES, SEVERITIES, Finding, Guideline

NETWORKS = ("lenet5", "resnet18", "mobilenet_v2", "googlenet", "siamese", "vit_b_16")
"""Networks on which no rule may raise."""
THRESHOLD_NETWORKS = ("lenet5", "googlenet")
"""Networks on which no rule may raise with any thresholds."""
_EXPECT = re.compile(r"#\s*expect:\s*(\w+)")
_THRESHOLD = re.compile(r"^(\w+): \S", re.MULTILINE)


class Case(Struct, frozen=True):
    """A spec, and the lines where a rule must report a finding."""

    code: str
    number: int
    text: str
    expected: tuple[int, ...]

    @property
    def id(self) -> str:
        """A name for messages and tests."""
        return f"{self.code}-{self.number}"

    @property
    def config(self) -> Config:
        """A configuration with only this rule."""
        return Config(select=(self.code,))

    def load(self) -> tuple[Graph, Document]:
        """Return the network and its document, as if read from `case.yaml`."""
        read = document("case.yaml", text=self.text.encode())
        return graph(read), read


def cases_of(code: str, path: Path) -> list[Case]:
    """Read the cases of a rule from a file. Raises BrokenContractError for cases of another."""
    found = []
    for number, text in enumerate(path.read_text(encoding="utf-8").split("---\n")):
        lines = [
            (line, match[1])
            for line, content in enumerate(text.splitlines(), 1)
            if (match := _EXPECT.search(content))
        ]
        expect(all(other == code for _, other in lines), f"case {number} expects another rule")
        found.append(Case(code, number, text, tuple(line for line, _ in lines)))
    return found


def checks(name: str, file: Path | None = None) -> Iterator[Check]:
    """Yield the checks of a rule; its cases are in a YAML file next to its Python file."""
    yield Check("page", partial(page, name))
    cases = [] if file is None else [file.with_suffix(".yaml")]
    for path in filter(Path.is_file, cases):
        yield Check("order of the cases", partial(order, name, path))
        for case in cases_of(name, path):
            yield Check(f"case {case.number} of {path.name}", partial(findings, case))
    for network in NETWORKS:
        yield Check(f"on {network}", partial(runs, name, network))
    for field in RULES[name].__struct_fields__:
        yield Check(f"with other values of {field}", partial(takes, name, field))


def page(code: str) -> None:
    """Check the manual page: a first sentence, and a line for each threshold."""
    cls = RULES[code]
    text = cleandoc(cls.__doc__ or "")
    expect(text.split("\n")[0].endswith((".", ",")), "its docstring must begin with a sentence")
    expect(cls.severity in SEVERITIES, f"severity must be one of {', '.join(SEVERITIES)}")
    expect(cls.fixes in ("", "safe", "unsafe"), "fixes must be 'safe', 'unsafe' or ''")
    missing = set(cls.__struct_fields__) - {*_THRESHOLD.findall(text)}
    expect(not missing, f"its docstring must have a line '{min(missing, default='')}: ...'")


def order(code: str, path: Path) -> None:
    """Check that there are clean cases, which come first, and other cases."""
    expected = [bool(case.expected) for case in cases_of(code, path)]
    tidy = not expected[0] and expected[-1] and expected == sorted(expected)
    expect(tidy, "clean cases must come first, followed by those with '# expect:'")


def findings(case: Case) -> None:
    """Check that a rule reports the findings that a case expects, and where."""
    found = lint(*case.load(), case.config)
    lines = sorted({finding.at.line for finding in found if finding.at})
    expect(lines == list(case.expected), f"expected lines {list(case.expected)}, got {lines}")
    for finding in found:
        well_formed(finding)


def well_formed(finding: Finding) -> None:
    """Check the message of a finding, and that its evidence can be written to reports."""
    text = finding.message
    expect(text and text[0] != " " and not text.endswith("."), f"the message is '{text}'")
    msgspec.json.encode(finding)


def runs(code: str, network: str) -> None:
    """Check that a rule does not raise on a network, and that a guideline scores it."""
    read, found = load(network), RULES[code]()
    for finding in lint(read, config=Config(select=(code,))):
        well_formed(finding)
    if isinstance(found, Guideline):
        expect(found.score(Network(read)).code == code, "its score is another's")


def takes(code: str, field: str) -> None:
    """Check that a rule does not raise for any value of a threshold that may be configured.

    A threshold of which 0 makes no sense says so: `Annotated[int, Meta(ge=1)]`.
    """
    for value in (0, 1, 10**18):
        try:
            configured = convert({field: value}, RULES[code])
        except RecordError:
            continue  # refused in a configuration, too
        for network in THRESHOLD_NETWORKS:
            lint(load(network), config=Config(select=(code,), rules={code: configured}))
