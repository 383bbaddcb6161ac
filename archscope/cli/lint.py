"""`archscope lint`: find where networks break the rules."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
from msgspec import structs

from archscope.cli import FAILED, FINDINGS, FINE
from archscope.cli.shared import completion
from archscope.cli.shared.inapplicable import indifferent
from archscope.cli.shared.latency import Latencies, latency_limit_options
from archscope.cli.shared.options import (
    Output,
    SpecReader,
    batch_option,
    gathered,
    output_option,
    reader_options,
    together,
    write,
)
from archscope.cli.shared.runs_as_networks import stored as stored_graph
from archscope.cli.shared.terminal import say, warn
from archscope.cli.shared.usage import error_line
from archscope.errors import OptionError
from archscope.files import write_text
from archscope.ir import Graph
from archscope.linter.config import Config, codes_of, read
from archscope.linter.fix import EditableFiles, FixResult, fix
from archscope.linter.runner import Linter, merged
from archscope.linter.slow_layers import with_latency
from archscope.linter.targets import Target, expand, is_folder, load
from archscope.plugins.problems import failed
from archscope.project import find
from archscope.records.latency import Latency
from archscope.report import findings as reports
from archscope.report.findings import LintReport
from archscope.report.findings.text import summary
from archscope.report.tables.latency import predicted_line
from archscope.report.tables.rules import statistics
from archscope.rules.rule import SEVERITIES, Finding
from archscope.sources import run_of

GROUP = "Judge"


def _config(
    select: tuple[str, ...], ignore: tuple[str, ...], severity: str | None, config_file: Path | None
) -> Config:
    """Return the configuration from the file, overridden by the options."""
    path = config_file or find(Path.cwd())
    config = read(path) if path else Config()
    changes: dict[str, Any] = {}
    if select:
        changes["select"] = codes_of(_codes(select), "--select")
    if ignore:
        changes["ignore"] = (*config.ignore, *codes_of(_codes(ignore), "--ignore"))
    if severity:
        changes["severity"] = severity
    return structs.replace(config, **changes)


def _codes(options: tuple[str, ...]) -> list[str]:
    return [code.strip() for option in options for code in option.split(",") if code.strip()]


selection_options = gathered("config", _config, together(
    click.option(
        "--select", "-s", multiple=True, metavar="CODES",
        help="Run only these rules: --select G,CHN101; ALL runs every rule.",
    ),
    click.option("--ignore", "-i", multiple=True, metavar="CODES", help="Skip these rules."),
    click.option(
        "--severity", type=click.Choice(SEVERITIES), default=None,
        help="Show findings of at least this severity.  [default: warning; info for rules"
             " selected by their code]",
    ),
    click.option(
        "--config", "config_file", type=click.Path(path_type=Path), metavar="FILE",
        help="Configuration file. Default: the nearest archscope.toml, or pyproject.toml with"
        " [tool.archscope.lint].",
    ),
))  # fmt: skip

fix_options = together(
    click.option(
        "--fix", "safe", is_flag=True,
        help="Apply the fixes after which the network computes the same.",
    ),
    click.option(
        "--unsafe-fixes", "unsafe", is_flag=True,
        help="Apply all fixes, including those that change what the network computes.",
    ),
    click.option("--diff", is_flag=True, help="Show what the fixes would change; write nothing."),
)  # fmt: skip


@click.command("lint")
@click.argument("specs", nargs=-1, metavar="[SPEC]...", shell_complete=completion.specs)
@reader_options
@batch_option
@indifferent(dtype="rules compare elements, whatever their type")
@latency_limit_options
@selection_options
@fix_options
@click.option("--statistics", "counted", is_flag=True, help="Count findings by rule.")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 even if there are findings.")
@click.option(
    "--format", "form", type=click.Choice(reports.FORMATS), default="text", help="Output format."
)
@output_option
def command(
    specs: tuple[str, ...],
    reader: SpecReader,
    batch: int,
    latencies: Latencies,
    config: Config,
    safe: bool,
    unsafe: bool,
    diff: bool,
    counted: bool,
    exit_zero: bool,
    form: str,
    output: Path | None,
) -> int:
    """Find where networks break ShuffleNetV2's guidelines and other rules.

    SPEC is a file, a folder (by default the current one) or a network of the zoo. Every finding
    comes with numbers as evidence; `archscope rule G1` explains a rule. The comment `# noqa: G1`
    silences a rule on its line, `# archscope: noqa: G1` in the whole file. Exit code 0: nothing
    found; 1: findings; 2: a spec could not be read or a rule could not be loaded.

    \b
    Examples:
      archscope lint mobilenet_v2 shufflenet_v2_x1_0
      archscope lint specs/ --select G --statistics
      archscope lint mine.yaml --fix --diff
      archscope lint . --format sarif -o findings.sarif
      archscope lint mobilenet_v2 --latency rtx4090   (findings with their time)
    """
    specs = specs or (".",)
    sources = list(dict.fromkeys(expand(specs)))
    if safe or unsafe or diff:
        if reader != reader.unchanged or batch > 1 or latencies != Latencies():
            raise OptionError(
                "--fix, --unsafe-fixes and --diff edit specs as they are written: they take no"
                " --set, --input, --fused, --batch or --latency"
            )
        fixed = fix(sources, config, filter(is_folder, specs), unsafe)
        if diff:
            changes = _diff(fixed)
            write(changes or "nothing to fix", output)
            return FINDINGS if changes and not exit_zero else FINE
        _write_fixed(fixed)
        results = fixed.left
    else:
        results = _results(sources, config, reader, batch)
    errors = [target.error for target, _ in results if target.error]
    for error in errors:
        warn(error_line(error, click.get_current_context().obj or ()))
    times = [latencies.of(target.graph, batch) if target.graph else None for target, _ in results]
    editable = EditableFiles(sources, filter(is_folder, specs))
    report = _report(results, times, editable, config)
    if errors and not report.networks and form == "text":
        return FAILED
    if counted and form == "text":
        table = [statistics(report.findings)] if report.findings else []
        Output("table", output).show([*table, summary(report)])
    else:
        write(reports.render(report, form), output)
    slow = _tell_latency(results, times, latencies)
    if errors or failed("rules"):
        return FAILED
    return FINDINGS if (report.findings or slow) and not exit_zero else FINE


def _results(
    sources: Iterable[str], config: Config, reader: SpecReader, batch: int
) -> list[tuple[Target, list[Finding]]]:
    """Return the networks with their findings."""
    linter = Linter(config, batch=batch)
    read_target = partial(
        load, limits=reader.limits, changes=reader.changes, fused=reader.fused, stored=_stored
    )
    return [
        (target, linter.findings(target.graph, target.document) if target.graph else [])
        for target in map(read_target, sources)
    ]


def _stored(source: str, graph: Graph) -> Graph:
    """Return the network of a run's spec with the bytes of its best weights, others as they are."""
    own, best = run_of(os.path.dirname(source)) or ("", None)  # noqa: PTH120 - any text
    return stored_graph(graph, None, best if own == source else None)


def _report(
    results: Sequence[tuple[Target, list[Finding]]],
    times: Sequence[Latency | None],
    editable: EditableFiles,
    config: Config,
) -> LintReport:
    """Return the findings to show, with latencies, and only with fixes that may be applied."""
    found: list[Finding] = []
    for (_, findings), time in zip(results, times, strict=True):
        offered = [editable.offered(finding) for finding in merged(findings)]
        found += with_latency(offered, time) if time else offered
    shown = tuple(finding for finding in found if config.shows(finding.code, finding.severity))
    networks = sum(target.graph is not None for target, _ in results)
    return LintReport(shown, len(found) - len(shown), networks)


def _tell_latency(
    results: Sequence[tuple[Target, list[Finding]]],
    times: Sequence[Latency | None],
    latencies: Latencies,
) -> int:
    """Print predicted latencies on standard error; return 1 if one exceeds the limit."""
    named = [
        (target.graph.name, time)
        for (target, _), time in zip(results, times, strict=True)
        if target.graph is not None and time is not None
    ]
    for name, time in named:
        say(f"{name}: {predicted_line(time)}")
    return latencies.exit_code(named)


def _write_fixed(result: FixResult) -> None:
    """Write the fixed files, and count the fixes on standard error. Raises OptionError."""
    for path, (_, after) in result.texts.items():
        write_text(path, after)
    if result.counts:
        counts = ", ".join(f"{code} {count}" for code, count in sorted(result.counts.items()))
        say(f"fixed {result.counts.total()}: {counts}")


def _diff(result: FixResult) -> str:
    """Return the changes of the fixes as a unified diff."""
    lines: list[str] = []
    for path, (before, after) in sorted(result.texts.items()):
        name = reports.relative(path.as_posix())
        lines += difflib.unified_diff(before.splitlines(True), after.splitlines(True), name, name)
    return "".join(lines)
