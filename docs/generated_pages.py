"""Pages of the site that no file of docs/ has, for mkdocs: it calls the functions named `on_...`.

README, CONTRIBUTING and CHANGELOG become pages; the reference of commands, metrics, JSON keys and
Python is made from the code. Links to files that are no pages lose their target.
"""

from __future__ import annotations

import ast
import html
import inspect
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from msgspec import Struct
from msgspec.structs import fields

from archscope.analysis import Analysis
from archscope.bench.measure_networks import Bench
from archscope.cli import bench_search, device_profiles
from archscope.cli.shared.app import GROUPS, archscope
from archscope.metrics import METRICS
from archscope.records.study import Trial
from archscope.records.training import RunSummary

ROOT = Path(__file__).parents[1]
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}

DOCUMENTS = (
    ("archscope analyze --format json", Analysis),
    ("run.json in the folder of a run, and archscope runs --format json", RunSummary),
    ("archscope bench --format json", Bench),
    ("a line of trials.jsonl in the folder of a study", Trial),
)
"""What the page of JSON keys explains: where a document is found, and the record that it is."""

SUBCOMMANDS: dict[str, dict[str, click.Command]] = {
    "bench": {"search": bench_search.command},
    "device": device_profiles.group.commands,
}
"""The commands under others that are no groups, as they also run without one."""

MODULES = (
    "archscope", "archscope.train", "archscope.datasets", "archscope.compress", "archscope.bench",
    "archscope.errors",
)  # fmt: skip
"""The modules whose public names the reference of Python lists."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made, and the pictures of README."""
    made = {page: (ROOT / name).read_text(encoding="utf-8") for name, page in PAGES.items()}
    made |= {f"reference/{slug(group)}.md": commands_page(group) for group in GROUPS}
    made["reference/metrics.md"] = metrics_page()
    made["reference/json.md"] = json_page()
    made["reference/python.md"] = python_page()
    for path, content in made.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Let links lead to pages of the site."""
    if page.file.src_uri.startswith("reference/"):
        return markdown
    home = ROOT if page.file.src_uri in PAGES.values() else ROOT / "docs"
    return re.sub(
        r"(?<!!)\[([^\]]*)\]\((?![a-z]+:|#)([^)#]*)(#[^)]*)?\)",
        lambda match: link(match[1], home / match[2], match[3] or ""),
        re.sub(r"\]\(docs/pictures/", "](pictures/", markdown),
    )


def link(text: str, path: Path, anchor: str) -> str:
    """Return a link to a page as the site has it, or its text where the file is no page."""
    name = path.resolve().relative_to(ROOT).as_posix()
    target = PAGES.get(name) or (name.removeprefix("docs/") if name.startswith("docs/") else "")
    return f"[{text}]({target}{anchor})" if target else text


def slug(group: str) -> str:
    """Return the name of the page of a group of commands."""
    return group.lower().replace(" ", "-")


def commands_page(group: str) -> str:
    """Return the page of the commands of a group, from their help."""
    context = click.Context(archscope, info_name="archscope")
    page = [f"# {group}", ""]
    for name in archscope.list_commands(context):
        command = archscope.get_command(context, name)
        if command is not None and getattr(command, "panel", "") == group:
            page += command_lines(command, click.Context(command, context, info_name=name))
            inside = click.Context(click.Group(name), context, info_name=name)
            for word, under in SUBCOMMANDS.get(name, {}).items():
                page += command_lines(under, click.Context(under, inside, info_name=word))
    return "\n".join(page)


def command_lines(command: click.Command, context: click.Context) -> list[str]:
    """Return the usage, the help and the options of a command, and of those below it."""
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    page = [f"## {context.command_path}", "", f"`{usage}`", ""]
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        text = paragraph.removeprefix("\b\n")
        examples = text.partition("Examples:\n")[2]
        block = ["```text", inspect.cleandoc(examples), "```"]
        page += block if examples else [html.escape(text, quote=False)]
        page.append("")
    rows = [option_row(each, context) for each in command.params if isinstance(each, click.Option)]
    page += ["| option | |", "| --- | --- |", *rows, ""]
    if isinstance(command, click.Group):
        for name, inner in sorted(command.commands.items()):
            page += command_lines(inner, click.Context(inner, context, info_name=name))
    return page


def option_row(option: click.Option, context: click.Context) -> str:
    """Return an option with its values, help and default as a row of a table."""
    record = option.get_help_record(context) or (", ".join(option.opts), "hidden")
    names, about = record
    about = html.escape(about, quote=False).replace("[", "\\[").replace("|", "\\|")
    return f"| `{names}` | {' '.join(about.split())} |"


def metrics_page() -> str:
    """Return the page of metrics: a row for each record of `METRICS`."""
    rows = [
        f"| `{metric.name}` | {metric.about} | {', '.join(f'`{word}`' for word in metric.words)} "
        f"| {'yes' if metric.is_cost else ''} "
        f"| {f'`--max-{metric.name} {metric.limit}`' if metric.limit else ''} |"
        for metric in METRICS.values()
    ]
    about = (
        "What networks are compared and limited by. A [budget](../space.md#budgets) takes the name"
        " or one of the other words: `--budget 300MFLOPs`, `'access 50MiB'`."
    )
    head = ["| metric | is | other words | budget | option |", "| --- | --- | --- | --- | --- |"]
    return "\n".join(["# Metrics", "", about, "", *head, *rows, ""])


def json_page() -> str:
    """Return the page of JSON keys, from the fields of records and the comments beside them."""
    about = (
        "Keys are only ever added, and keep their meaning; `format` is the version."
        " [What the numbers mean](../numbers.md) defines them."
    )
    page = ["# JSON keys", "", about, ""]
    seen: set[type] = set()
    for where, record in DOCUMENTS:
        page += [f"## {record.__name__}", "", f"Found as: {where}", ""]
        for each in records(record, seen):
            page += [] if each is record else [f"### {each.__name__}", ""]
            page += record_lines(each)
    return "\n".join(page)


def records(record: type, seen: set[type]) -> Iterator[type]:
    """Yield a record and those that its fields hold, each once."""
    if get_origin(record) is not None or not isinstance(record, type):
        for part in get_args(record):
            yield from records(part, seen)
    elif issubclass(record, Struct) and record not in seen:
        seen.add(record)
        yield record
        for hint in get_type_hints(record).values():
            yield from records(hint, seen)


def record_lines(record: type) -> list[str]:
    """Return what the page says of a record."""
    notes = comments(record)
    for key, meaning in meanings().items():
        if key in notes and not notes[key][1] and notes[key][0].startswith(("`int", "`float")):
            notes[key] = (notes[key][0], meaning)
    rows = [f"| `{each.encode_name}` | {' | '.join(notes[each.name])} |" for each in fields(record)]
    about = (inspect.getdoc(record) or "").partition("\n\n")[0].replace("\n", " ")
    return [about, "", "| key | type | |", "| --- | --- | --- |", *rows, ""]


@cache
def meanings() -> dict[str, str]:
    """Return what docs/numbers.md says of keys, the first sentence of each."""
    text = (ROOT / "docs" / "numbers.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.*?)(?:[.:] .*)? \|$", text, re.MULTILINE)
    return {key: re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", meaning) for key, meaning in rows}


def comments(record: type) -> dict[str, tuple[str, str]]:
    """Return the annotation of each field of a record, and the comment beside it."""
    source = inspect.getsource(record)
    told = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(iter(source.splitlines(keepends=True)).__next__)
        if token.type == tokenize.COMMENT
    }
    (tree,) = ast.parse(source).body
    assert isinstance(tree, ast.ClassDef)
    found = {
        line.target.id: (
            f"`{ast.unparse(line.annotation).replace(' | ', ' or ')}`",
            told.get(line.end_lineno or 0, ""),
        )
        for line in tree.body
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
    }
    return {**(comments(record.__base__) if record.__base__ is not Struct else {}), **found}


def python_page() -> str:
    """Return the page of public names, which mkdocstrings fills in."""
    options = "    options:\n      show_root_heading: false\n      show_root_toc_entry: false\n"
    modules = [f"## {module}\n\n::: {module}\n{options}" for module in MODULES]
    return "\n".join(["# Python, all names", "", *modules])
