"""Generated pages are up to date, and what the manual shows is accepted."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from archscope import load
from archscope.cli import main
from archscope.language import document
from archscope.search.priors.timm import FILE
from archscope.search.samplers import SAMPLERS, about
from archscope.space.search_space import space
from benchmarks.fit_timm_prior import PAGE, with_tables
from tests.test_floors import FLOORS

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


def test_the_errors_of_the_prior_are_those_of_its_file() -> None:
    content = json.loads(FILE.read_text(encoding="utf-8"))
    page = PAGE.read_text(encoding="utf-8")
    assert with_tables(page, content) == page, "run `make timm-prior`"


@pytest.mark.parametrize("page", ["README.md", "docs/language.md", "docs/space.md"])
def test_specs_in_the_manual_load(page: str, tmp_path: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    specs = re.findall(r"```yaml[^\n]*\n(.*?)```", text, re.DOTALL)
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


GUIDES = ("CONTRIBUTING.md", "docs/architecture.md")
ROOMS = re.findall(
    r"^\| `([a-z_]+)(?:/|\.py)` \| .*\. \|$",
    (ROOT / "docs/architecture.md").read_text(),
    re.MULTILINE,
)


def named_in(guide: str) -> list[str]:
    """Return the paths in a guide, with `::` and a name behind some."""
    text = re.sub(r"```.*?```", "", (ROOT / guide).read_text(encoding="utf-8"), flags=re.DOTALL)
    words = re.findall(r"`([^` ]+)`", text)
    return sorted(
        {
            word
            for word in words
            if re.search(r"/|\.(py|md|yaml|csv|toml)\b", word)
            and not word.startswith((".venv", "--"))
        }
    )


@pytest.mark.parametrize("guide", GUIDES)
def test_every_path_in_the_guides_exists(guide: str) -> None:
    named = named_in(guide)
    assert len(named) > 30
    for word in named:
        path, _, name = word.partition("::")
        folder = Path(path).parent if "NAME" in path else Path(path)
        (found, *_) = [*filter(Path.exists, (ROOT / folder, ROOT / "archscope" / folder)), None]
        assert found is not None, f"{guide} names {path}, which does not exist"
        if name:
            assert name in defined_in(found), f"{guide} names {word}, which is not there"


def defined_in(path: Path) -> set[str]:
    """Return the names of a module: of functions, classes and, behind their class, methods."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            names.add(ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target))
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
            names.update(
                f"{node.name}.{inner.name}"
                for inner in (node.body if isinstance(node, ast.ClassDef) else ())
                if isinstance(inner, ast.FunctionDef)
            )
    return names


@pytest.mark.parametrize("guide", GUIDES)
def test_links_of_the_guides_lead_somewhere(guide: str) -> None:
    text = (ROOT / guide).read_text(encoding="utf-8")
    headings = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    for target in re.findall(r"\]\((?!http)([^)]+)\)", text):
        path, _, anchor = target.partition("#")
        assert not path or ((ROOT / guide).parent / path).exists(), target
        assert path or anchor in headings, target


def test_the_room_map_has_every_room_from_top_to_bottom() -> None:
    rooms = {path.stem for path in (ROOT / "archscope").iterdir() if path.suffix in ("", ".py")}
    assert sorted(ROOMS) == sorted(rooms - {"__init__", "__main__", "__pycache__", "specs"})
    floors = [FLOORS[room] for room in ROOMS]
    assert floors == sorted(floors, reverse=True)


def test_the_guide_has_a_section_and_a_suite_for_every_addition() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[.*\]\(#(.*)\) \|.*`(tests/.*\.py)` \|$", text, re.MULTILINE)
    assert len(rows) >= 15
    headings = {
        heading.lower().replace(" ", "-").replace(",", "")
        for heading in re.findall(r"^## (.*)$", text, re.MULTILINE)
    }
    for section, suite in rows:
        assert section in headings
        assert (ROOT / suite).exists()
        folder = Path(suite).parent.as_posix()
        assert re.search(rf"-m pytest .*({suite}|{folder})\b", text), f"no command runs {suite}"
