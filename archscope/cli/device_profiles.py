"""`archscope device calibrate`, `list`, `show`, `export`, `import`: manage latency profiles."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from archscope.bench.conditions import DEVICES, DTYPES
from archscope.cli.shared.options import THREADS, Output, output_options
from archscope.cli.shared.output_files import OutputPath
from archscope.cli.shared.terminal import say, tell
from archscope.cli.shared.terminal import show as print_
from archscope.errors import OptionError
from archscope.latency import profile as profiles
from archscope.latency.host import HERE, HERE_GPU, is_here, notes, this_host
from archscope.latency.profile import Profile
from archscope.report.table import Part
from archscope.report.tables.latency import error_line, profile_parts, profile_table
from archscope.units import format_duration


@click.group("device")
def group() -> None:
    """Make and manage latency profiles."""


@group.command("calibrate")
@click.option(
    "--device", type=click.Choice(DEVICES), default="cpu",
    help="Device to measure; auto takes a GPU if there is one.",
)  # fmt: skip
@click.option(
    "--runtime", type=click.Choice(("onnxruntime", "torch")),
    help="What runs the networks; torch runs each layer as a kernel of its own.  [default:"
    " onnxruntime; torch on a GPU]",
)  # fmt: skip
@click.option("--threads", type=THREADS, default=1, help="Threads of the runtime.")
@click.option(
    "--dtype", type=click.Choice(DTYPES), help="Element type on a GPU.  [default: float32]"
)
@click.option("--channels-last", is_flag=True, help="Use the channels-last format on a GPU.")
@click.option(
    "--batch", "batches", type=click.IntRange(1), multiple=True,
    help="Images at once on a GPU; repeatable.  [default: 1 and 64]",
)  # fmt: skip
@click.option(
    "--name", metavar="NAME",
    help=f"Name of the profile, for --latency.  [default: {HERE}; {HERE_GPU} on a GPU]",
)  # fmt: skip
@click.option(
    "-o", "--output", "path", type=OutputPath(),
    help="Write to this file instead of your profiles folder.",
)  # fmt: skip
def calibrate(device: str, name: str | None, path: Path | None, **options: Any) -> None:
    """Measure kernels and networks on this machine and fit a latency profile to them.

    Takes some minutes, and is best run on an idle machine. Some 110 networks with random weights
    are timed, kernel by kernel and as a whole; the error is that for networks whose families were
    left out of the fit. Nothing is written before the end.

    On a GPU the time of eager torch is predicted, for batches up to the largest measured: what the
    kernels take on the GPU, or what the host takes to launch them, whichever is longer.

    \b
    Examples:
      archscope device calibrate
      archscope device calibrate --threads 4 --name pi5 -o pi5.json
      archscope device calibrate --runtime torch --name here-torch
      archscope device calibrate --device cuda --dtype float16 --name fp16
    """
    if name is not None:
        profiles.check_name(name)
    on_gpu = device != "cpu" and _is_gpu(device)
    name = name or (HERE_GPU if on_gpu else HERE)
    path = path or profiles.own_file(name)  # refused before minutes of work
    try:
        profile = _on_gpu(name, options) if on_gpu else _on_cpu(name, options)
    finally:
        tell("")
    say(f"wrote {profiles.keep(profile, path)}")
    print_(f"{profile.name}: {profiles.words(profile)}\n{error_line(profile)}")


def _is_gpu(device: str) -> bool:
    from archscope.bench.machine import this_machine  # imports torch, which is slow

    return this_machine(device).device == "cuda"


def _on_cpu(name: str, options: dict[str, Any]) -> Profile:
    for key, word in (("dtype", "dtype"), ("channels_last", "channels-last"), ("batches", "batch")):
        if options[key]:
            raise OptionError(
                f"--{word} needs --device cuda: profiles of a CPU are for single images of float32"
            )
    from archscope.bench.calibration import jobs, measure_jobs  # imports torch, which is slow
    from archscope.bench.latency_fit import profile_of

    runtime, threads = options["runtime"] or "onnxruntime", options["threads"]
    for line in _disturbances(threads):
        say(f"warning: {line}")
    samples = measure_jobs(list(jobs()), runtime, threads, progress=_progress())
    tell("fitting")
    if unsteady := sum(sample.unsteady for sample in samples):
        say(
            f"warning: {unsteady} of {len(samples)} networks took different times whenever they"
            " were measured: other work disturbed them, and the error below is partly noise"
        )
    return profile_of(samples, runtime, threads, name=name)[0]


def _on_gpu(name: str, options: dict[str, Any]) -> Profile:
    if options["runtime"] == "onnxruntime":
        raise OptionError("onnxruntime runs on the CPU here; on a GPU, --runtime torch is measured")
    from archscope.bench.calibration import jobs  # imports torch, which is slow
    from archscope.bench.conditions import Conditions
    from archscope.bench.gpu_calibration import BATCHES, measure_on_gpu
    from archscope.bench.gpu_fit import gpu_profile_of

    conditions = Conditions(
        "cuda", options["dtype"] or "float32", channels_last=options["channels_last"]
    )
    samples, missing = measure_on_gpu(
        list(jobs()), conditions, options["batches"] or BATCHES, progress=_progress()
    )
    tell("fitting")
    for line in missing:
        say(f"warning: {line}")
    return gpu_profile_of(samples, conditions, name=name)[0]


def _progress() -> Callable[[str, float], None]:
    began = time.monotonic()

    def progress(text: str, share: float) -> None:
        spent = time.monotonic() - began
        left = f", {format_duration(spent / share - spent)} left" if share else ""
        tell(f"measuring {text}, {share:.0%}{left}")

    return progress


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
    type=OutputPath(), help="File to write.",
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
    if profile.name in (HERE, HERE_GPU) and not is_here(profile):
        raise OptionError(
            f"'{profile.name}' is reserved for the profile of this machine, and '{file}' is for"
            f" {profile.machine.name}; choose another name, such as --name board"
        )
    path = profiles.keep(profile)
    say(f"wrote {path}: --latency {profile.name}; {error_line(profile)}")
