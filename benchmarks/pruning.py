"""Compare pruning with Torch-Pruning: which networks each can prune, and whose macs are right.

Every network loses 30 % of the channels of every group. Ours must compute what the whole network
does with the removed channels at zero, which the tests hold; here it only has to run. Of
Torch-Pruning it is counted whether it prunes at all and whether the result still runs, and how far
its own count of the macs is from ours, of the network before pruning.

    pip install torch-pruning
    python -m benchmarks.pruning resnet18 shufflenet_v2_x1_0
    python -m benchmarks.pruning                                 # the whole zoo
"""

from __future__ import annotations

import argparse
import signal
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from archscope import analyze, load
from archscope.build import build
from archscope.compress import prune
from archscope.ir import Graph
from archscope.language.files import zoo
from archscope.module_names import module_path
from benchmarks.tables import table

SHARE = 0.3  # of channels
SECONDS = 120  # of the processor, for a tool on a network


def main() -> None:
    """Print a row for each network."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("networks", nargs="*", default=sorted(zoo()))
    warnings.simplefilter("ignore")
    rows = []
    for name in parser.parse_args().networks:
        graph = load(name).inference()
        inputs = [torch.randn(1, *node.out) for node in graph.inputs]
        macs = analyze(graph).totals.macs
        ours = _tried(lambda: _ours(graph, inputs))  # noqa: B023 - called at once
        theirs = _tried(lambda: _theirs(graph, inputs))  # noqa: B023
        counted = _tried(lambda: f"{100 * (_counted(graph, inputs) / macs - 1):+.1f} %")  # noqa: B023
        rows.append([name, ours, theirs, counted])
        print(*rows[-1], sep="  ", flush=True)
    titles = ["network", "archscope", "Torch-Pruning", "its macs are off by"]
    print(*table(titles, rows), sep="\n")


def _tried(work: Callable[[], str]) -> str:
    """Return the result of a tool, or its error, or that it takes too long."""
    signal.signal(signal.SIGPROF, _end)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        return work()
    except Exception as error:
        return f"{type(error).__name__}: {str(error).partition(chr(10))[0][:60]}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _end(*_: object) -> None:
    raise TimeoutError(f"more than {SECONDS} s")


def _ours(graph: Graph, inputs: list[Tensor]) -> str:
    macs = analyze(graph).totals.macs
    found = prune(graph, budget=["70%"], importance="random", scope="layer", lanes=1)
    build(found.graph).eval()(*inputs)
    return f"{100 * analyze(found.graph).totals.macs / macs:.0f} % of the macs"


def _theirs(graph: Graph, inputs: list[Tensor]) -> str:
    import torch_pruning

    network = build(graph).eval()
    before = _counted(graph, inputs)
    heads = [network.get_submodule(module_path(name)) for name in _heads(graph)]
    torch_pruning.pruner.MagnitudePruner(
        network, _alone(inputs), torch_pruning.importance.RandomImportance(),
        pruning_ratio=SHARE, ignored_layers=heads,
    ).step()  # fmt: skip
    network(*inputs)
    after = torch_pruning.utils.count_ops_and_params(network, _alone(inputs))[0]
    return f"{100 * after / before:.0f} % of the macs"


def _counted(graph: Graph, inputs: list[Tensor]) -> float:
    import torch_pruning

    network = build(graph).eval()
    return float(torch_pruning.utils.count_ops_and_params(network, _alone(inputs))[0])


def _alone(inputs: list[Tensor]) -> Any:
    """Return the only input itself, as Torch-Pruning expects."""
    return inputs[0] if len(inputs) == 1 else inputs


def _heads(graph: Graph) -> set[str]:
    """Return the layers whose channels are those of the outputs."""
    found, waiting = set(), [output.node for output in graph.outputs]
    while waiting:
        node = graph.by_name[waiting.pop()]
        if node.facts.macs and (node.facts.params or node.shares):
            found.add(node.shares or node.name)
        else:
            waiting.extend(node.inputs)
    return found


if __name__ == "__main__":
    main()
