"""`archscope init`: write a commented spec or search space to start from."""

from __future__ import annotations

import json
from pathlib import Path

import click

from archscope.cli.shared.options import write
from archscope.cli.shared.terminal import show
from archscope.errors import OptionError
from archscope.language.json_schema import schema

GROUP = "Make"
TEMPLATES = Path(__file__).parents[1] / "language" / "templates"
SCHEMA = "archscope.schema.json"


@click.command("init")
@click.argument("file", required=False, type=click.Path(path_type=Path), metavar="[FILE]")
@click.option("--space", is_flag=True, help="Write a search space instead of a network.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def command(file: Path | None, space: bool, force: bool) -> None:
    """Write a commented spec to start from: net.yaml, or FILE.

    The schema of specs, archscope.schema.json, is written next to it, and the first line of the
    spec refers to it: editors with the YAML language server then complete and check operators and
    attributes.

    \b
    Examples:
      archscope init
      archscope init mine.yaml
      archscope init --space my_space.yaml
    """
    kind = "space" if space else "spec"
    file = file or Path("space.yaml" if space else "net.yaml")
    if file.suffix not in (".yaml", ".yml"):
        raise OptionError(f"FILE: expected a .yaml file, got '{file}'")
    if file.exists() and not force:
        raise OptionError(f"FILE: '{file}' already exists; --force overwrites it")
    text = (TEMPLATES / f"{kind}.yaml").read_text(encoding="utf-8")
    text = text.replace("TITLE", json.dumps(file.stem)).replace("NAME", file.as_posix())
    beside = file.with_name(SCHEMA)
    write(f"# yaml-language-server: $schema={SCHEMA}\n{text}", file)
    if force or not beside.exists():
        write(json.dumps(schema(), indent=2), beside)
    show(f"{file.as_posix()}\nnext: archscope {'space' if space else 'analyze'} {file.as_posix()}")
