"""`archscope runs`: the trainings that were made here."""

from __future__ import annotations

from pathlib import Path

import click
from msgspec import structs

from archscope.cli import FINE
from archscope.cli.shared.options import output_options, show
from archscope.report.tables.trainings import runs_table

GROUP = "Train"


@click.command("runs")
@click.option("--runs-dir", type=click.Path(path_type=Path), default=Path("runs"), metavar="DIR",
              show_default=True, help="Where runs are kept.")  # fmt: skip
@output_options
def command(runs_dir: Path, form: str, output: Path | None) -> int:
    """List the runs of a folder with their state and scores.

    A run that says running, but that no process is at work on, was killed; `archscope train
    --resume RUN` goes on with it.

    \b
    Examples:
      archscope runs
      archscope runs --runs-dir experiments --format csv
    """
    from archscope.train.run_folder import Folder, all_runs, read_summary

    summaries = []
    for path in all_runs(runs_dir):
        summary = read_summary(path)
        if summary.state == "running" and not Folder(path).held:
            summary = structs.replace(summary, state="killed")
        summaries.append(summary)
    if not summaries and form == "table":
        click.echo(f"no runs in '{runs_dir}'; `archscope train` makes one")
        return FINE
    show([runs_table(summaries)], form, output, lambda: {"format": 1, "runs": summaries})
    return FINE
