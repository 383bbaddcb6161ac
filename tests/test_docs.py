"""Generated pages are up to date, and what the manual shows is accepted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archscope import load
from archscope.cli import main
from archscope.language import document
from archscope.search.samplers import SAMPLERS, about
from archscope.space.search_space import space

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "name, args", [("ops", ["ops", "--all"]), ("zoo", ["zoo"]), ("rules", ["rule", "--all"])]
)
def test_made_pages_are_up_to_date(
    name: str, args: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    main([*args, "--format", "markdown"])
    page = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    assert page.endswith(f"Made by `make docs`.\n\n{capsys.readouterr().out}"), "run `make docs`"


@pytest.mark.parametrize("page", ["README.md", "docs/language.md", "docs/space.md"])
def test_specs_in_the_manual_load(page: str, tmp_path: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    specs = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert specs
    for spec in specs:
        path = tmp_path / "shown.yaml"
        path.write_text(spec, encoding="utf-8")
        found = document(path)
        assert space(found).decisions if found.open else load(path).nodes


def test_the_manual_lists_every_sampler() -> None:
    page = (ROOT / "docs" / "search.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", page, re.MULTILINE)
    assert rows == [(name, about(name)) for name in SAMPLERS]
