"""`archscope schema`: write the JSON Schema of specs."""

from __future__ import annotations

from pathlib import Path

import click

from archscope.cli.shared.options import output_option, write
from archscope.language.json_schema import schema

GROUP = "Reference"


@click.command("schema")
@output_option
def command(output: Path | None) -> None:
    """Write the JSON Schema of specs, for editors to complete and check them.

    For the YAML extension of VS Code, for example, begin a spec with the line
    `# yaml-language-server: $schema=archscope.schema.json`.

    \b
    Examples:
      archscope schema -o archscope.schema.json
    """
    import json  # keeps the order of keys, unlike sorting, and needs no types

    write(json.dumps(schema(), indent=2), output)
