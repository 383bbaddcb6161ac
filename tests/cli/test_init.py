"""Files to start from."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from archscope import load
from archscope.language import LIMITS, document
from archscope.language.yaml_items import parse
from archscope.space.search_space import space
from tests.cli.conftest import Run

KINDS = {"net.yaml": [], "space.yaml": ["--space"]}


@pytest.mark.parametrize("name", KINDS)
def test_what_is_written_loads_and_is_commented(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("init", *KINDS[name])
    assert (result.code, result.err) == (0, "")
    first, command = result.out.splitlines()
    assert first == name
    assert run(*command.removeprefix("next: archscope ").split()).code == 0
    text = Path(name).read_text(encoding="utf-8")
    head, *lines = text.splitlines()
    assert head == "# yaml-language-server: $schema=archscope.schema.json"
    assert sum("#" in line for line in lines) > 5
    assert "NAME" not in text and "TITLE" not in text
    schema = json.loads(Path("archscope.schema.json").read_text(encoding="utf-8"))
    if not KINDS[name]:
        plain = parse(text, name, LIMITS).plain()
        assert not list(jsonschema.Draft202012Validator(schema).iter_errors(plain))
        assert load(name).name == "net"
        assert run("lint", ".", "--severity", "info").code == 0
    else:
        assert len(space(document(Path(name))).decisions) > 5


def test_a_name_of_ones_own_and_no_overwriting(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sub").mkdir()
    assert run("init", "sub/12: odd.yaml").out.startswith("sub/12: odd.yaml\n")
    assert load("sub/12: odd.yaml").name == "12: odd"
    assert Path("sub/archscope.schema.json").is_file()
    Path("net.yaml").write_text("mine", encoding="utf-8")
    assert run("init").err == "error: FILE: 'net.yaml' already exists; --force overwrites it\n"
    assert Path("net.yaml").read_text(encoding="utf-8") == "mine"
    assert run("init", "--force").code == 0 and load("net.yaml")
    assert run("init", "net.txt").err == "error: FILE: expected a .yaml file, got 'net.txt'\n"
