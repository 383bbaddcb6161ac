"""Run other tools on modules, as the oracles of `analysis/conventions`.

A tool is a function that returns the number the tool prints. Its argument is a function that
returns the module that `build` makes, or a user's own, and its inputs, for a device. Each tool
imports its library when called, and gets a module of its own, as some leave hooks and buffers
behind. Tools that need only shapes get tensors on the meta device; except ptflops, whose patches
would see how torch decomposes a linear layer there.
"""

from __future__ import annotations

import copy
import io
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib import import_module, metadata
from typing import Any

import torch
from torch import Tensor, nn

from archscope.analysis.count import TOOLS
from archscope.analysis.reconcile import Reconciliation, Run, ToolCount
from archscope.errors import UnavailableError, did_you_mean
from archscope.ir import Graph
from archscope.verify.oracles import fvcore_analysis, network_and_inputs

Subject = Callable[[str], tuple[nn.Module, tuple[Any, ...]]]
"""A new module in evaluation mode, and one image for it, on a device."""
Peer = Callable[[Subject], float]


def installed(name: str) -> str | None:
    """Return the installed version of a tool, or None."""
    try:
        version = metadata.version(name.partition("-")[0]).partition("+")[0]
        return version.replace("-", ".post")  # as thop writes it
    except metadata.PackageNotFoundError:
        return None


def measure(name: str, graph: Graph) -> int:
    """Return the number that a tool prints for the module of a graph, for one image.

    Raises UnavailableError if the tool is not installed or fails.
    """
    network = graph.inference()
    return measure_module(name, lambda device: network_and_inputs(network, device))


def measure_module(name: str, subject: Subject) -> int:
    """Return the number that a tool prints for a module, for one image.

    Raises UnavailableError if the tool is not installed or fails.
    """
    if name not in PEERS:
        hint = did_you_mean(name, PEERS) or f"; there are {', '.join(PEERS)}"
        raise UnavailableError(f"no tool '{name}'{hint}")
    if installed(name) is None:
        raise UnavailableError(f"{name} is not installed: pip install 'archscope[bench]'")
    try:
        with warnings.catch_warnings(), torch.random.fork_rng(devices=()), torch.no_grad():
            warnings.simplefilter("ignore")
            with redirect_stdout(io.StringIO()) as said, redirect_stderr(said):
                number = PEERS[name](subject)
    except Exception as error:  # whatever a tool stumbles over is its answer
        raise UnavailableError(f"{name} failed: {type(error).__name__}: {error}") from error
    if number != int(number):
        raise UnavailableError(f"{name} counts a fraction: {number}")
    return int(number)


def runs(graph: Graph, result: Reconciliation) -> dict[str, Run]:
    """Run the installed tools of a reconciliation, and return the runs by name."""

    def run(tool: ToolCount, version: str | None) -> Run:
        try:
            counted = measure(tool.name, graph)
        except UnavailableError as error:
            return Run(version, None, None, str(error))
        equal = None if tool.counted is None else counted == tool.counted
        return Run(version, counted, equal, _other_version(tool, version))

    return _by_name(result, run)


def own_runs(module: nn.Module, inputs: tuple[Any, ...], result: Reconciliation) -> dict[str, Run]:
    """Run the tools of a reconciliation on a user's own module, and return the runs by name.

    If a tool cannot be run, its row has the reproduced number, with a note.
    """

    def subject(device: str) -> tuple[nn.Module, tuple[Any, ...]]:
        return copy.deepcopy(module), inputs  # tools leave hooks; meta tensors stop some modules

    def run(tool: ToolCount, version: str | None) -> Run:
        try:
            counted = measure_module(tool.name, subject)
        except UnavailableError as error:
            note = f"of its table, for the module that build makes, as {error}"
            return Run(version, None, None, note)
        note = "; ".join(filter(None, ("of your module", _other_version(tool, version))))
        return Run(version, counted, None, note, own=True)

    return _by_name(result, run)


def _by_name(result: Reconciliation, run: Callable[[ToolCount, str | None], Run]) -> dict[str, Run]:
    """Return the runs of the tools that can be run, given the version that is installed."""
    return {
        tool.name: run(tool, installed(tool.name)) for tool in result.tools if tool.name in TOOLS
    }


def table_notes(result: Reconciliation) -> dict[str, Run]:
    """Return a note per tool that its number is reproduced, for a network without a module."""
    note = "of its table, for the module that build makes"
    return {t.name: Run(None, None, None, note) for t in result.tools if t.name in TOOLS}


def _other_version(tool: ToolCount, version: str | None) -> str:
    return f"{version} is installed" if version not in (None, tool.version) else ""


def _fvcore(subject: Subject) -> float:
    return float(fvcore_analysis(*subject("cpu")).total())


def _torchprofile(subject: Subject) -> float:
    return float(import_module("torchprofile").profile_macs(*subject("cpu")))


def _torchinfo(subject: Subject) -> float:
    module, inputs = subject("meta")
    device = next((part.device for part in inputs if isinstance(part, Tensor)), "cpu")
    summary: Any = import_module("torchinfo").summary
    return float(summary(module, input_data=inputs, device=device, verbose=0).total_mult_adds)


def _thop(subject: Subject) -> float:
    macs, _ = import_module("thop").profile(*subject("meta"), verbose=False)
    return float(macs)


def _torch(subject: Subject) -> float:
    module, inputs = subject("meta")
    counter: Any = import_module("torch.utils.flop_counter").FlopCounterMode(display=False)
    with counter:
        module(*inputs)
    return float(counter.get_total_flops())


class _Named(nn.Module):
    """A network that takes its inputs by name, as ptflops can only pass several in this way."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, **inputs: Tensor) -> Any:
        """Return the outputs of the network."""
        return self.network(*inputs.values())


def _ptflops(backend: str) -> Peer:
    def count(subject: Subject) -> float:
        import_module("torch._dynamo")  # must be imported before torch is patched
        with _absent("torchvision", "timm"):  # optional, and broken installations would stop it
            ask: Any = import_module("ptflops").get_model_complexity_info
        module: nn.Module
        module, inputs = subject("cpu")
        words: dict[str, Any] = {}
        first = inputs[0]
        if len(inputs) > 1 or not isinstance(first, Tensor) or not first.is_floating_point():
            module = _Named(module)
            named = {f"x{place}": value for place, value in enumerate(inputs)}
            words["input_constructor"] = lambda shape: named
        macs, _ = ask(
            module, tuple(getattr(first, "shape", (1, 1))[1:]), as_strings=False,
            print_per_layer_stat=False, backend=backend, **words,
        )  # fmt: skip
        if macs is None:
            raise RuntimeError("it did not finish")
        return float(macs)

    return count


@contextmanager
def _absent(*names: str) -> Iterator[None]:
    """Make imports of packages that are not loaded fail temporarily."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


PEERS: dict[str, Peer] = {
    "fvcore": _fvcore,
    "ptflops": _ptflops("pytorch"),
    "ptflops-aten": _ptflops("aten"),
    "torchinfo": _torchinfo,
    "thop": _thop,
    "torchprofile": _torchprofile,
    "torch": _torch,
}
"""Every tool by the name of its convention."""
