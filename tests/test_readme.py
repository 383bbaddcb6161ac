"""What the README shows is what the commands print."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from archscope.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SPEC = next(iter(re.findall(r"```yaml\n(name: mini\n.*?)```", README, re.DOTALL)))
SESSIONS = re.findall(r"^\$ (archscope .*)\n((?:(?!\$ |```).*\n)*)", README, re.MULTILINE)


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip("\n").splitlines() if line.strip()]


@pytest.mark.parametrize("command, shown", SESSIONS, ids=[command for command, _ in SESSIONS])
def test_session(
    command: str,
    shown: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "mini.yaml").write_text(SPEC, encoding="utf-8")
    typo = SPEC.replace("- batchnorm\n", "- batchnrom\n")
    (tmp_path / "typo.yaml").write_text(typo, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    words = shlex.split(command.partition(";")[0])[1:]
    code = main(words)
    captured = capsys.readouterr()
    printed = captured.out + captured.err
    if "; echo $?" in command:
        printed += f"{code}\n"
    expected = lines(shown)
    if "..." in expected:  # only the ends are shown
        cut = expected.index("...")
        got = lines(printed)
        assert got[:cut] == expected[:cut]
        tail = expected[cut + 1 :]
        assert got[len(got) - len(tail) :] == tail
    else:
        assert lines(printed) == expected


def test_sessions_are_found() -> None:
    assert len(SESSIONS) >= 6


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_python_examples_run(code: str) -> None:
    exec(compile(code, "README.md", "exec"), {})
