"""`archscope lint`: where a network breaks the rules, with numbers."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import click

from archscope import __version__
from archscope.cli import FAILED, FINDINGS, FINE
from archscope.cli.shared.options import show, together, write
from archscope.linter.config import Config, codes_of, find, read
from archscope.linter.fix import Mended, fix
from archscope.linter.runner import Linter, merged
from archscope.linter.targets import Target, expand, is_folder, load
from archscope.report.formats import findings as lines
from archscope.report.formats.sarif import log
from archscope.rules.rule import SEVERITIES, Finding

GROUP = "Analyze"
_selection = together(
    click.option(
        "--select", "-s", multiple=True, metavar="CODES",
        help="Run only these rules: --select G,CHN101; ALL for every one.",
    ),
    click.option(
        "--ignore", "-i", multiple=True, metavar="CODES", help="Leave these rules out."
    ),
    click.option(
        "--severity", type=click.Choice(SEVERITIES), default=None,
        help="Show findings that matter at least so much.  [default: warning]",
    ),
    click.option(
        "--config", "config_file", type=click.Path(path_type=Path), metavar="FILE",
        help="Configuration; by default the nearest archscope.toml, or pyproject.toml"
        " with [tool.archscope.lint].",
    ),
)  # fmt: skip

_fixing = together(
    click.option("--fix", "mend", is_flag=True, help="Make the fixes that change no result."),
    click.option(
        "--unsafe-fixes", "unsafe", is_flag=True,
        help="Make all fixes, also those that change the network.",
    ),
    click.option("--diff", is_flag=True, help="Show what fixing would change, and change nothing."),
)  # fmt: skip


@click.command("lint")
@click.argument("specs", nargs=-1, metavar="[SPEC]...")
@_selection
@_fixing
@click.option("--statistics", is_flag=True, help="Count findings by rule.")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 even if something is found.")
@click.option(
    "--format", "form", type=click.Choice(("text", "json", "github", "sarif")), default="text",
    show_default=True, help="How to write the findings.",
)  # fmt: skip
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), metavar="FILE",
    help="Write to a file instead of the terminal.",
)  # fmt: skip
def command(
    specs: tuple[str, ...],
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    severity: str | None,
    config_file: Path | None,
    mend: bool,
    unsafe: bool,
    diff: bool,
    statistics: bool,
    exit_zero: bool,
    form: str,
    output: Path | None,
) -> int:
    """Find where networks break ShuffleNetV2's guidelines and other rules.

    SPEC is a file, a folder (by default this one) or a name of the zoo. Every finding has its
    evidence; `archscope rule G1` explains. A comment `# noqa: G1` silences a line, `# archscope:
    noqa: G1` a file. Exit code 0: nothing found; 1: findings; 2: a spec could not be read.

    \b
    Examples:
      archscope lint mobilenet_v2 shufflenet_v2_x1_0
      archscope lint specs/ --select G --statistics
      archscope lint mine.yaml --fix --diff
      archscope lint . --format sarif -o findings.sarif
    """
    config = _config(select, ignore, severity, config_file)
    specs = specs or (".",)
    sources = list(dict.fromkeys(expand(specs)))
    folders = [Path(word) for word in specs if is_folder(word)]
    if mend or unsafe or diff:
        mended = fix(sources, config, folders, unsafe)
        if diff:
            return _show_diff(mended, output, exit_zero)
        for path, (_, after) in mended.texts.items():
            write(after, path)
        results = mended.left
        if mended.counts:
            fixed = ", ".join(f"{code} {count}" for code, count in sorted(mended.counts.items()))
            click.echo(f"fixed {mended.counts.total()}: {fixed}", err=True)
    else:
        linter = Linter(config)
        results = [
            (target, linter.findings(target.graph, target.document) if target.graph else [])
            for target in map(load, sources)
        ]
    errors = [target.error for target, _ in results if target.error]
    for error in errors:
        click.echo(f"error: {error}", err=True)
    found = [finding for _, findings in results for finding in merged(findings)]
    shown = [finding for finding in found if config.shows(finding.severity)]
    _show(shown, len(found) - len(shown), results, statistics, form, output)
    if errors:
        return FAILED
    return FINDINGS if shown and not exit_zero else FINE


def _config(
    select: tuple[str, ...], ignore: tuple[str, ...], severity: str | None, file: Path | None
) -> Config:
    import msgspec

    path = file or find(Path.cwd())
    config = read(path) if path else Config()
    chosen: dict[str, Any] = {}
    if select:
        chosen["select"] = codes_of(_words(select), "--select")
    if ignore:
        chosen["ignore"] = (*config.ignore, *codes_of(_words(ignore), "--ignore"))
    if severity:
        chosen["severity"] = severity
    return msgspec.structs.replace(config, **chosen)


def _words(options: tuple[str, ...]) -> list[str]:
    return [word.strip() for option in options for word in option.split(",") if word.strip()]


def _show(
    shown: list[Finding],
    hidden: int,
    results: list[tuple[Target, list[Finding]]],
    statistics: bool,
    form: str,
    output: Path | None,
) -> None:
    networks = sum(target.graph is not None for target, _ in results)
    if form == "sarif":
        show([], "json", output, lambda: log(shown, __version__))
    elif form == "json":
        data = {"format": 1, "networks": networks, "findings": list(map(lines.record, shown))}
        show([], "json", output, lambda: data)
    elif form == "github":
        write("\n".join(map(lines.annotation, shown)), output)
    elif statistics:
        show(
            [lines.statistics(shown), lines.summary(shown, hidden, networks)], "table", output, dict
        )
    else:
        told = [*map(lines.line, shown), lines.summary(shown, hidden, networks)]
        write("\n".join(told), output)


def _show_diff(mended: Mended, output: Path | None, exit_zero: bool) -> int:
    text = ""
    for path, (before, after) in sorted(mended.texts.items()):
        name = lines.near(path.as_posix())
        text += "".join(
            difflib.unified_diff(
                before.splitlines(keepends=True), after.splitlines(keepends=True), name, name
            )
        )
    write(text or "nothing to fix", output)
    return FINDINGS if text and not exit_zero else FINE
