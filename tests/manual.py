"""Pages of the manual, run: their fenced blocks in order, in a folder of their own.

A block of `console` has commands behind `$ `, each with the output that it prints; one of `python`
is executed; one of any language with a `title` is a file of that name. What cannot be equal
everywhere is said in the page:

- `...` stands for anything, any number of lines;
- `<!-- measured -->` before a block: its numbers and the name of the machine may be others, and
  warnings that the machine is busy are left out;
- `<!-- trained -->`: so may they, but percentages agree within 10 points;
- `<!-- not run: REASON -->`: the block is not run. `NOT_RUN` of `test_manual.py` counts these;
- `<!-- first: COMMAND -->`: a command that makes what the page takes for granted.

`python -m tests.manual docs/lint.md` shows all differences of a page at once.
"""

from __future__ import annotations

import contextlib
import difflib
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from msgspec import Struct

from archscope.cli import main

ROOT = Path(__file__).parents[1]

FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>[\w-]*)(?P<options>[^\n]*)\n(?P<text>.*?)^(?P=indent)```$"
    r"|<!-- (?P<mark>first|not run|measured|trained)(: (?P<words>.*?))? -->",
    re.MULTILINE | re.DOTALL,
)
BUSY = re.compile(r"^the (machine (is|was) busy|runs differ).*\n?", re.MULTILINE)
NUMBER = r"[-+]?(?:\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?)"
UNIT = r"(?: (?:ns|us|ms|s|min|h|d)\b|(?: [KMGT]?(?:iB|B)?\b))?"
PARTS = re.compile(
    rf"(?P<any>\.\.\.)|(?P<machine>^cpu: [^;\n]*)|(?P<percent>{NUMBER}(?= ?%))"
    rf"|(?P<number>(?<![A-Za-z]){NUMBER}{UNIT})|(?P<rule>─+)|(?P<space>\s+)",
    re.MULTILINE,
)


class Block(Struct, frozen=True):
    """A fenced block of a page, or a command of a comment."""

    line: int
    language: str
    text: str
    title: str = ""
    numbers: str = ""  # measured or trained
    not_run: str = ""  # the reason


class Session(Struct, frozen=True):
    """A command and the output that the page shows, empty if it shows none."""

    command: str
    output: str


def blocks(text: str) -> list[Block]:
    """Return the blocks of a page, in order; a mark counts for the block that follows it."""
    found: list[Block] = []
    marks: dict[str, str] = {}
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        if match["mark"] == "first":
            found.append(Block(line, "console", f"$ {match['words']}\n"))
        elif match["mark"]:
            marks[match["mark"]] = match["words"] or match["mark"]
        else:
            title = re.search(r'title="([^"]+)"', match["options"])
            content = re.sub(rf"^{match['indent']}", "", match["text"], flags=re.MULTILINE)
            numbers = next((mark for mark in ("measured", "trained") if mark in marks), "")
            found.append(
                Block(
                    line, match["language"], content, title[1] if title else "", numbers,
                    marks.get("not run", ""),
                )
            )  # fmt: skip
            marks = {}
    return found


def sessions(text: str) -> list[Session]:
    """Return the commands of a console block with their output."""
    found = re.findall(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n?)*)", text, re.MULTILINE)
    return [Session(command.replace("\\\n", " "), output) for command, output in found]


class Reader:
    """Someone who reads a page and does what it says, in the current folder."""

    def __init__(self, page: str) -> None:
        self.page = page
        self.names: dict[str, Any] = {"__name__": "__main__"}

    def write_files(self, found: list[Block]) -> None:
        """Write the files of a page, which may show them below the commands that read them."""
        for block in reversed(found):
            if block.title:
                Path(block.title).parent.mkdir(parents=True, exist_ok=True)
                Path(block.title).write_text(block.text, encoding="utf-8")

    def do(self, block: Block) -> None:
        """Write, execute or run a block, and compare what it prints."""
        place = f"{self.page}:{block.line}"
        if block.title:
            self.write_files([block])
        elif block.language == "python":
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(block.text, place, "exec"), self.names)
        elif block.language == "console":
            for session in sessions(block.text):
                printed, code = run(session.command)
                if session.output.strip():
                    problem = difference(session.output, printed, block.numbers)
                    assert not problem, f"{place}: $ {session.command}\n{problem}"
                else:
                    assert code in (0, 1), f"{place}: $ {session.command}\n{printed}"


def run(command: str) -> tuple[str, int]:
    """Run a command line; return what it prints on both streams, and its exit code.

    A plain command of archscope runs in this process, everything else in a shell.
    """
    plain, echo, _ = command.partition("; echo $?")
    unquoted = re.sub(r"'[^']*'|\"[^\"]*\"", "", plain)
    own = Path("archscope.toml").exists()  # its plug-ins would stay for the tests that follow
    if own or not plain.startswith("archscope ") or re.search(r"[|;&<>*$`~]", unquoted):
        return _in_shell(command)
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
        code = main(shlex.split(plain, comments=True)[1:])
    printed = stream.buffer.getvalue().decode()  # type: ignore[attr-defined]
    return printed + (f"{code}\n" if echo else ""), code


def _in_shell(command: str) -> tuple[str, int]:
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": programs, "PYTHONPATH": str(ROOT)}
    environment.pop("ARCHSCOPE_NO_PLUGINS", None)  # a page may be about some
    done = subprocess.run(
        ["bash", "-c", command], env=environment, encoding="utf-8",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    return done.stdout, done.returncode


def difference(shown: str, printed: str, numbers: str = "") -> str:
    """Return how the output shown differs from the one printed, empty if it does not."""
    want, got = _lines(shown), _lines(BUSY.sub("", printed) if numbers else printed)
    pattern, percents = _pattern(want, loose=bool(numbers))
    match = re.fullmatch(pattern, got, re.DOTALL)
    if match is None:
        return "\n".join(
            difflib.unified_diff(want.splitlines(), got.splitlines(), "shown", "printed", n=1)
        )
    if numbers == "trained":
        for value, now in zip(percents, match.groups(), strict=True):
            if abs(_value(value) - _value(now)) > 10:
                return f"{value} % is {now} %"
    return ""


def _lines(text: str) -> str:
    """Return what of a text is compared: no blank lines, and rules of tables of any length."""
    text = re.sub("─+", "─", text)
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip())


def _value(text: str) -> float:
    return float(text.replace(",", ""))


def _pattern(want: str, *, loose: bool) -> tuple[str, list[str]]:
    """Return a pattern for outputs that are as wanted, and the percentages that are its groups."""
    if not loose:
        return ".*?".join(map(re.escape, want.split("..."))), []
    pattern, end, percents = "", 0, []
    for part in PARTS.finditer(want):
        pattern += re.escape(want[end : part.start()])
        end = part.end()
        if part["percent"]:
            percents.append(part["percent"])
        pattern += {
            "any": ".*?",
            "machine": r"cpu: [^;\n]*",
            "percent": f"({NUMBER})",
            "number": NUMBER + UNIT,
            "rule": "─+",
            "space": r"\s+",
        }[str(part.lastgroup)]
    return pattern + re.escape(want[end:]), percents


def check(page: str) -> None:
    """Print how a page differs from what its commands print, and what takes long."""
    reader = Reader(page)
    found = blocks((ROOT / page).read_text(encoding="utf-8"))
    reader.write_files(found)
    for block in found:
        began = time.perf_counter()
        try:
            if not block.not_run:
                reader.do(block)
        except Exception as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        if (taken := time.perf_counter() - began) > 2:
            print(f"{page}:{block.line}: {taken:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    for page in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            os.environ["ARCHSCOPE_CACHE"] = f"{folder}/.cache"
            sys.path.insert(0, "")
            check(page)
