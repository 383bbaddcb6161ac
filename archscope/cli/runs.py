"""`archscope runs`: list the runs of a folder."""

from __future__ import annotations

from pathlib import Path

import click
from msgspec import structs

from archscope.cli.shared.options import Output, output_options
from archscope.cli.shared.terminal import show, warn
from archscope.cli.shared.training_options import runs_dir_option
from archscope.errors import OptionError
from archscope.records.run_folder import HOME, all_runs, is_training, read_summary
from archscope.records.seeds import seed_groups
from archscope.report.tables.trainings import runs_table

GROUP = "Train and search"


@click.command("runs")
@runs_dir_option
@output_options
def command(runs_dir: Path, output: Output) -> None:
    """List the runs of a folder with their states and scores.

    Runs that differ only in their seed share a row, with the mean and the standard deviation of
    their scores; JSON lists each run.

    A run that is `running` without a process was killed; `archscope train --resume RUN` continues
    it. Runs that cannot be read are named after the others, and the exit code is 2.

    \b
    Examples:
      archscope runs
      archscope runs --runs-dir experiments --format csv
    """
    if runs_dir != HOME and not runs_dir.is_dir():
        raise OptionError(f"--runs-dir: there is no folder '{runs_dir}'")
    found = []
    unread: list[OptionError] = []
    for path in all_runs(runs_dir):
        try:
            summary = read_summary(path)
        except OptionError as error:
            unread.append(error)
            continue
        if summary.state == "running" and not is_training(path):
            summary = structs.replace(summary, state="killed")
        found.append((path, summary))
    if not found and not unread and output.form == "table":
        show(f"no runs in '{runs_dir}'; `archscope train` makes them")
        return
    groups = seed_groups(found)
    if found or not unread:
        output.show(
            [runs_table(groups)], lambda: {"format": 1, "runs": [summary for _, summary in found]}
        )
    for problem in unread[:-1]:
        warn(f"error: {problem}")
    if unread:
        raise unread[-1]
