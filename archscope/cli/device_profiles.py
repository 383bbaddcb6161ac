"""`archscope device calibrate`, `list`, `show`, `export`, `import`: manage latency profiles."""

from __future__ import annotations

import time
from pathlib import Path

import click

from archscope.cli.shared.options import THREADS, Output, output_options
from archscope.cli.shared.terminal import say, tell
from archscope.cli.shared.terminal import show as print_
from archscope.errors import OptionError
from archscope.latency import profile as profiles
from archscope.latency.host import HERE, notes, this_host
from archscope.report.table import Part
from archscope.report.tables.latency import error_line, profile_parts, profile_table
from archscope.units import format_duration


@click.group("device")
def group() -> None:
    """Make and manage latency profiles."""


@group.command("calibrate")
@click.option(
    "--runtime", type=click.Choice(("onnxruntime", "torch")), default="onnxruntime",
    help="What runs the networks; torch runs each layer as a kernel of its own.",
)  # fmt: skip
@click.option("--threads", type=THREADS, default=1, help="Threads of the runtime.")
@click.option("--name", default=HERE, metavar="NAME", help="Name of the profile, for --latency.")
@click.option(
    "-o", "--output", "path", type=click.Path(path_type=Path, dir_okay=False),
    help="Write to this file instead of your profiles folder.",
)  # fmt: skip
def calibrate(runtime: str, threads: int, name: str, path: Path | None) -> None:
    """Measure kernels and networks on this machine and fit a latency profile to them.

    Takes some minutes, and is best run on an idle machine. Some 90 networks with random weights
    are timed, kernel by kernel and as a whole; the error is that for networks whose families were
    left out of the fit. Nothing is written before the end.

    \b
    Examples:
      archscope device calibrate
      archscope device calibrate --threads 4 --name pi5 -o pi5.json
      archscope device calibrate --runtime torch --name here-torch
    """
    from archscope.bench.calibration import jobs, measure_jobs  # imports torch, which is slow
    from archscope.bench.latency_fit import profile_of

    profiles.check_name(name)
    for line in _disturbances(threads):
        say(f"warning: {line}")
    began = time.monotonic()

    def progress(text: str, share: float) -> None:
        spent = time.monotonic() - began
        left = f", {format_duration(spent / share - spent)} left" if share else ""
        tell(f"measuring {text}, {share:.0%}{left}")

    try:
        samples = measure_jobs(list(jobs()), runtime, threads, progress=progress)
        tell("fitting")
        profile, _ = profile_of(samples, runtime, threads, name=name)
    finally:
        tell("")
    say(f"wrote {profiles.keep(profile, path)}")
    print_(f"{profile.name}: {profiles.words(profile)}\n{error_line(profile)}")


def _disturbances(threads: int) -> list[str]:
    """Return a line for everything on this machine that will disturb measurements."""
    import psutil

    found = []
    cores, load = this_host().cores or 1, psutil.getloadavg()[0]
    if load > cores / 2:
        found.append(
            f"the load of the last minute was {load:.1f} on {cores} cores: the profile will be"
            " that of a busy machine"
        )
    if cores == 1:
        found.append("the only core is shared with the system: times will vary more")
    if threads > cores:
        found.append(f"{threads} threads share {cores} cores")
    return found


@group.command("list")
@output_options
def list_(output: Output) -> None:
    """List the profiles that --latency accepts."""
    known = [profiles.read(path) for path in profiles.files().values()]
    output.show([profile_table(known)], lambda: {"format": 1, "profiles": known})


@group.command("show")
@click.argument("name")
@output_options
def show(name: str, output: Output) -> None:
    """Show a profile: its conditions, error and coefficients."""
    profile = profiles.load(name)
    parts: list[Part] = [*profile_parts(profile), *(f"note: {note}" for note in notes(profile))]
    output.show(parts, lambda: profile)


@group.command("export")
@click.argument("name")
@click.option(
    "-o", "--output", "path", required=True, metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False), help="File to write.",
)  # fmt: skip
def export(name: str, path: Path) -> None:
    """Write a profile to a file, to take it to another machine."""
    say(f"wrote {profiles.keep(profiles.load(name), path)}")


@group.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--name", metavar="NAME", help="Name of the profile, for --latency.  [default: its own name]"
)
def import_(file: Path, name: str | None) -> None:
    """Add the profile in a file to your own.

    The file was written by `archscope device calibrate -o` or `archscope device export`, here or on
    another machine.

    \b
    Examples:
      archscope device import pi5.json
      archscope device import pi.json --name kitchen-pi
    """
    profile = profiles.read(file)
    profile = profiles.renamed(profile, name or profile.name)
    if profile.name == HERE and profile.machine.name != this_host().name:
        raise OptionError(
            f"'{HERE}' is reserved for the profile of this machine, and '{file}' is for"
            f" {profile.machine.name}; choose another name, such as --name board"
        )
    path = profiles.keep(profile)
    say(f"wrote {path}: --latency {profile.name}; {error_line(profile)}")
