"""Common mistakes, at least two for each command: one line, exit code 2, and advice."""

from __future__ import annotations

import shlex
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from archscope.cli.shared.app import FILES
from tests.cli.conftest import Run

WRONG: dict[str, str] = yaml.safe_load(
    Path(__file__).with_name("wrong_inputs.yaml").read_text(encoding="utf-8")
)
"""Command lines, and how what is said of each begins."""

NET = "input: [3, 8, 8]\nlayers: [{conv: 4}]\n"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in pairwise("abcdefgh")
)
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 1\n"
CONTENTS: dict[str, str | bytes] = {
    "study/study.json": "{}",
    "tabs.yaml": "input: [3, 8, 8]\nlayers:\n\t- conv: 4\n",
    "twice.yaml": "input: [3, 8, 8]\n" + NET,
    "bomb.yaml": BOMB + NET,
    "utf16.yaml": NET.encode("utf-16"),
    "binary.yaml": bytes(range(256)),
    "nan.yaml": NET.replace("4", ".nan"),
    "huge.yaml": NET.replace("4", "9" * 23),
    "blank.yaml": "# nothing yet\n",
    "nét.yaml": NET.replace("conv", "cönv"),
    "text.onnx": "hello",
    "paper.pdf": b"%PDF-1.7\n%\xe2\xe3",
    "picture.yaml": b"\x89PNG\r\n\x1a\n\0\0",
    "archive.yaml": b"PK\x03\x04\x14\0",
    "page.yaml": "<!DOCTYPE html>\n<html></html>\n",
    "pointer.yaml": POINTER,
    "pointer.onnx": POINTER,
    "pointer.safetensors": POINTER,
    "model.yaml": b"\x08\x0a\x12\x07pytorch",
    "settings.yaml": "services: {web: {image: nginx}}\nversion: 3\n",
    "several/a.yaml": NET,
    "several/b.yaml": NET,
    "single/net.yaml": NET,
    "own.py": "from torch import nn\n\n\nclass Net(nn.Module): pass\n",
    "text.json": "hello",
    "cut.json": '{"a": [1, ',
    "single.json": "{'a': 1}",
    "fields.json": '{"format": 1, "networks": [{"nmae": "x"}]}',
    "steps.json": '{"name": "x", "steps": 5}',
    "none.json": '{"name": "x", "steps": []}',
    "text.safetensors": "hello",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "runs", "myrun", "study", "several", "single"):
        Path(name).mkdir()
    for name in ("x.pt", "myrun/spec.yaml"):
        Path(name).touch()
    Path("typo.yaml").write_text("input: [3, 8, 8]\nlayers: [{cnov: 4}]\n", encoding="utf-8")
    Path("net.yaml").write_text("input: [3, 8, 8]\nlayers: [{conv: 4}]\n", encoding="utf-8")
    Path("dangling.yaml").symlink_to("nowhere.yaml")
    for name, content in CONTENTS.items():
        Path(name).write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("words", "said"), WRONG.items())
def test_a_wrong_input_is_one_line(run: Run, words: str, said: str) -> None:
    before = sorted(Path().rglob("*"))
    result = run(*(word.replace("LONG", "x" * 300) for word in shlex.split(words)))
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"error: {said}")
    assert result.err.count("\n") == 1
    assert sorted(Path().rglob("*")) == before, "something was written"


def test_every_command_is_among_them() -> None:
    times = Counter(shlex.split(words)[0] for words in WRONG)
    assert all(times[name] >= 2 for name in FILES)
