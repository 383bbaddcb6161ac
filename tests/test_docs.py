"""Generated pages are up to date, and what the manual shows is accepted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archscope import load
from archscope.cli import main

ROOT = Path(__file__).parents[1]


def test_operator_pages_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    main(["ops", "--all", "--format", "markdown"])
    made = capsys.readouterr().out
    page = (ROOT / "docs" / "ops.md").read_text(encoding="utf-8")
    assert page.partition("\n\n### ")[2] == made.partition("### ")[2], "run `make docs`"


@pytest.mark.parametrize("page", ["README.md", "docs/language.md"])
def test_specs_in_the_manual_load(page: str, tmp_path: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    specs = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert specs
    for spec in specs:
        path = tmp_path / "shown.yaml"
        path.write_text(spec, encoding="utf-8")
        assert load(path).nodes
