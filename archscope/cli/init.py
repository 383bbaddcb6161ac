"""`archscope init`: a commented spec or search space to start from."""

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
@click.option("--force", is_flag=True, help="Overwrite a file that exists.")
def command(file: Path | None, space: bool, force: bool) -> None:
    """Write a commented spec to start from, net.yaml or FILE.

    Beside it goes archscope.schema.json, which the spec names in a first line that editors with
    the YAML language server follow: they complete operators and attributes, and check them.

    \b
    Examples:
      archscope init
      archscope init mine.yaml
      archscope init --space my_space.yaml
    """
    kind = "space" if space else "spec"
    file = file or Path("space.yaml" if space else "net.yaml")
    if file.suffix not in (".yaml", ".yml"):
        raise OptionError(f"FILE: a spec is a .yaml file, got '{file}'")
    if file.exists() and not force:
        raise OptionError(f"FILE: '{file}' exists; --force overwrites it")
    text = (TEMPLATES / f"{kind}.yaml").read_text(encoding="utf-8")
    text = text.replace("TITLE", json.dumps(file.stem)).replace("NAME", file.as_posix())
    beside = file.with_name(SCHEMA)
    write(f"# yaml-language-server: $schema={SCHEMA}\n{text}", file)
    if force or not beside.exists():
        write(json.dumps(schema(), indent=2), beside)
    show(f"{file.as_posix()}\nnext: archscope {'space' if space else 'analyze'} {file.as_posix()}")
