"""Any text can be written to any console."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from archscope.printable import ASCII, printable

ROOT = Path(__file__).parents[1]


def test_control_characters_become_escapes() -> None:
    assert printable("a\x1b[2J\tb\n\x85\u200b") == r"a\x1b[2J\tb\n\x85\u200b"
    assert printable("a\nb\x1b", lines=True) == "a\nb\\x1b"
    assert printable("層 é ─ 1") == "層 é ─ 1"


def test_replacements_are_as_wide_as_what_they_stand_for() -> None:
    assert all(len(str(letter)) == 1 for letter in ASCII.values())


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
@pytest.mark.parametrize(
    "words, code",
    [
        (["compare", "lenet5", "alexnet", "--plot"], 0),
        (["analyze", "é層.yaml"], 2),
        (["analyze", "a\udcff.yaml"], 2),
        (["--help"], 0),
        (["no_such_command_層"], 2),
    ],
)
def test_every_console_takes_every_text(encoding: str, words: list[str], code: int) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(
        [sys.executable, "-m", "archscope", *words], capture_output=True, env=environment, cwd=ROOT,
        check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert b"Traceback" not in done.stderr
    (done.stdout + done.stderr).decode(encoding)
