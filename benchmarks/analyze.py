"""Compare our analysis with other counting tools, in one run.

warm       in one process: a graph or YAML text to our analysis, a ready module to a peer's count
cold       whole processes, from the command line to the printed count
linearity  chains of growing length, time for each layer
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Iterable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import product

import msgspec
import torch
from torch import Tensor, nn

from archscope import ArchscopeError, analyze, load
from benchmarks.peers import DEVICES, PEERS, Peer, subject
from benchmarks.race import Row, Trial, process, race, timed
from benchmarks.tables import Report, markdown

NETWORKS = ("vgg16", "resnet50", "mobilenet_v2", "densenet121")
LENGTHS = (2_000, 5_000, 10_000, 20_000)
THREADS = torch.get_num_threads()
PARTS = ("warm", "cold", "linearity")
PACKAGES = ("torch", "fvcore", "ptflops", "torchinfo", "torchprofile", "thop")
EXAMPLES = """\
examples, from the root of the repository:
  python -m benchmarks.analyze                                  everything, about ten minutes
  python -m benchmarks.analyze --networks resnet50 --repeats 3
  python -m benchmarks.analyze --parts cold linearity
  python -m benchmarks.analyze --format json > analyze.json

Compare ratios within one run: seconds depend on the machine and on what else it does.
"""


def main(arguments: list[str] | None = None) -> None:
    """Run the measurements that the command line selects, and print them."""
    parser = command_line()
    options = parser.parse_args(arguments)
    networks, parts, repeats = options.networks, options.parts, options.repeats
    try:
        for name in networks:
            load(name)
    except ArchscopeError as error:
        parser.error(str(error))
    report = Report(
        format=1,
        machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        versions=versions(PACKAGES),
        repeats=repeats,
        warm={name: warm(name, repeats) for name in networks if "warm" in parts},
        cold={name: cold(name, repeats) for name in networks[:1] if "cold" in parts},
        linearity=linearity(repeats) if "linearity" in parts else {},
    )
    if options.format == "json":
        print(msgspec.json.format(msgspec.json.encode(report)).decode())
    else:
        print("\n".join(markdown(report)))


def command_line() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.analyze",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--networks", nargs="+", default=NETWORKS, help="the first also runs cold")
    parser.add_argument("--repeats", type=positive, default=5, help="turns of each tool (5)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="all unless named")
    parser.add_argument("--format", choices=("markdown", "json"), default="markdown")
    return parser


def positive(text: str) -> int:
    """Return a whole number of at least 1; argparse turns the ValueError into its own."""
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of Python and of those packages that are installed."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def warm(network: str, repeats: int) -> list[Row]:
    """Return the times of a network for us and each peer, after imports and builds."""
    graph, text = partial(analyze_graph, network), partial(analyze_text, network)
    trials: dict[str, Trial] = {
        "A: analyze(graph)": graph,
        "B: analyze(graph), caches emptied": partial(forgetful, graph),
        "C: analyze(load(name))": text,
        "D: analyze(load(name)), caches emptied": partial(forgetful, text),
    }
    subjects = {device: subject(network, device) for device in DEVICES}
    for (name, peer), device in product(PEERS.items(), DEVICES):
        trials[f"{name} ({device})"] = partial(count, peer, *subjects[device])
    with torch.no_grad():
        return race(trials, repeats)


def analyze_graph(network: str) -> tuple[float, float]:
    """Time the analysis of a graph that has just been loaded, so it is always a new one."""
    graph = load(network)
    return timed(lambda: analyze(graph).totals.macs)


def analyze_text(source: str) -> tuple[float, float]:
    """Time everything from the YAML text, or from a pattern, to the analysis."""
    return timed(lambda: analyze(load(source)).totals.macs)


def forgetful(trial: Trial) -> tuple[float, float]:
    """Run a trial after emptying all caches of archscope."""
    ours = [module for name, module in sys.modules.items() if name.startswith("archscope")]
    for value in [value for module in ours for value in vars(module).values()]:
        if hasattr(value, "cache_clear"):
            value.cache_clear()
    return trial()


def count(peer: Peer, module: nn.Module, image: Tensor) -> tuple[float, float]:
    """Time the count of a peer with one thread and with all, and return the better.

    All are faster on an idle machine. Where a core is busy they wait for each other, up to
    thirty times as long, which would flatter us.
    """
    runs = []
    for threads in (1, THREADS):
        torch.set_num_threads(threads)
        runs.append(timed(lambda: peer(module, image)))
    return min(runs)


def cold(network: str, repeats: int) -> list[Row]:
    """Return the times of whole processes for a network, including imports."""
    python = sys.executable
    ours = [python, "-m", "archscope", "analyze", network, "--format", "json"]
    peers = [python, "-m", "benchmarks.peers"]
    trials = {
        "archscope analyze --format json": process(ours, macs_of),
        "fvcore (cpu)": process([*peers, "fvcore", "cpu", network], float),
        "FlopCounterMode (meta)": process([*peers, "FlopCounterMode", "meta", network], float),
        "import torch, nothing else": process([python, "-c", "import torch; print(0)"], float),
    }
    return race(trials, repeats)


def macs_of(text: str) -> float:
    """Return the MACs in what `archscope analyze --format json` prints."""
    return float(msgspec.json.decode(text)["totals"]["macs"])


def linearity(repeats: int) -> dict[int, Row]:
    """Return our times for chains of growing length, from their pattern to the analysis."""
    trials: dict[str, Trial] = {
        f"{layers:,} layers": partial(
            analyze_text, f"INPUT 8x8x8 -> [CONV 8 -> RELU]*{layers // 2}"
        )
        for layers in LENGTHS
    }
    return dict(zip(LENGTHS, race(trials, repeats), strict=True))


if __name__ == "__main__":
    main()
