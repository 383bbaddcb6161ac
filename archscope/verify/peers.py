"""Other tools, run on the module that `build` makes: the oracles of `analysis/conventions`.

A tool is a function from a graph to the number that it prints. Each imports its library when it
is called, and gets its own module, as some leave hooks and buffers behind. Tools that need only
shapes get tensors on the meta device; not ptflops, whose patches would see how torch decomposes
a linear layer there.
"""

from __future__ import annotations

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
from archscope.analysis.reconcile import Reconciliation, Run
from archscope.errors import UnavailableError, did_you_mean
from archscope.ir import Graph
from archscope.verify.oracles import fvcore_analysis, network_and_inputs

Peer = Callable[[Graph], float]


def installed(name: str) -> str | None:
    """Return the version of a tool that is installed, None if none is."""
    try:
        version = metadata.version(name.partition("-")[0]).partition("+")[0]
        return version.replace("-", ".post")  # as thop writes it
    except metadata.PackageNotFoundError:
        return None


def measure(name: str, graph: Graph) -> int:
    """Return the number that a tool prints for one image.

    Raises UnavailableError if it is not installed or cannot do its work.
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
                number = PEERS[name](graph.inference())
    except Exception as error:  # whatever a tool stumbles over is its answer
        raise UnavailableError(f"{name} failed: {type(error).__name__}: {error}") from error
    if number != int(number):
        raise UnavailableError(f"{name} counts a fraction: {number}")
    return int(number)


def runs(graph: Graph, result: Reconciliation) -> dict[str, Run]:
    """Run the tools of a reconciliation, as far as they are installed, and return by name."""
    found = {}
    for tool in result.tools:
        if tool.name not in TOOLS:
            continue
        version = installed(tool.name)
        other = version is not None and version != tool.version
        note = f"{version} is installed" if other else ""
        try:
            counted = measure(tool.name, graph)
        except UnavailableError as error:
            found[tool.name] = Run(version, None, None, str(error))
            continue
        equal = None if tool.counted is None else counted == tool.counted
        found[tool.name] = Run(version, counted, equal, note)
    return found


def _fvcore(graph: Graph) -> float:
    return float(fvcore_analysis(*network_and_inputs(graph, "cpu")).total())


def _torchprofile(graph: Graph) -> float:
    return float(import_module("torchprofile").profile_macs(*network_and_inputs(graph, "cpu")))


def _torchinfo(graph: Graph) -> float:
    module, inputs = network_and_inputs(graph, "meta")
    summary: Any = import_module("torchinfo").summary
    return float(summary(module, input_data=inputs, device="meta", verbose=0).total_mult_adds)


def _thop(graph: Graph) -> float:
    macs, _ = import_module("thop").profile(*network_and_inputs(graph, "meta"), verbose=False)
    return float(macs)


def _torch(graph: Graph) -> float:
    module, inputs = network_and_inputs(graph, "meta")
    counter: Any = import_module("torch.utils.flop_counter").FlopCounterMode(display=False)
    with counter:
        module(*inputs)
    return float(counter.get_total_flops())


class _Named(nn.Module):
    """A network that takes its inputs by name, the only way that ptflops gives several."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, **inputs: Tensor) -> Any:
        """Return what the network makes of the inputs."""
        return self.network(*inputs.values())


def _ptflops(backend: str) -> Peer:
    def count(graph: Graph) -> float:
        import_module("torch._dynamo")  # must not be imported first while torch is patched
        with _absent("torchvision", "timm"):  # it can do without, and a broken one would stop it
            ask: Any = import_module("ptflops").get_model_complexity_info
        module: nn.Module
        module, inputs = network_and_inputs(graph, "cpu")
        words: dict[str, Any] = {}
        if len(inputs) > 1:
            module = _Named(module)
            named = {f"x{place}": value for place, value in enumerate(inputs)}
            words["input_constructor"] = lambda shape: named
        macs, _ = ask(
            module, tuple(inputs[0].shape[1:]), as_strings=False, print_per_layer_stat=False,
            backend=backend, **words,
        )  # fmt: skip
        if macs is None:
            raise RuntimeError("it did not finish")
        return float(macs)

    return count


@contextmanager
def _absent(*names: str) -> Iterator[None]:
    """Let imports of packages that are not loaded fail for a while."""
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
