"""The contract of exporters: their files compute the same as the network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from archscope.build import Network, build
from archscope.contracts.check import Check, expect
from archscope.errors import UnavailableError
from archscope.exporters.export import export_network
from archscope.exporters.formats import FORMATS
from archscope.ir import Graph
from archscope.language import document, graph

BATCH = 4
"""A batch size that the export itself does not check."""
SPECS = {
    "a chain": """
input: [3, 8, 8]
layers:
  - conv: {out: 4, kernel: 3, bias: false}
  - batchnorm
  - relu
  - maxpool: 2
  - flatten
  - linear: 5
""",
    "branches": """
input: [4, 6, 6]
layers:
  - add:
      - [conv: {out: 4, kernel: 3, padding: 1}]
      - [conv: 4, relu]
  - mul:
      - [identity]
      - [global_avgpool, sigmoid]
""",
}
"""Networks that every format must be able to express."""


def checks(name: str, file: Path | None = None) -> Iterator[Check]:
    """Yield the checks of an exporter."""
    yield Check("description", partial(says_how_files_are_run, name))
    if FORMATS[name].unchecked:
        return
    for about, text in SPECS.items():
        network = graph(document("net.yaml", text=text.encode()))
        yield Check(about, partial(computes_the_same, name, network))


def says_how_files_are_run(name: str) -> None:
    """Check that there is a function that runs files, or a reason why there is none."""
    kind = FORMATS[name]
    expect(callable(kind.exporter()), "it needs a function `export`")
    expect(kind.suffix.startswith(".") and kind.about, "it needs a suffix and a description")
    try:
        runs = callable(kind.loader())
    except AttributeError:
        runs = False
    expect(runs != bool(kind.unchecked), "it needs a function `load`, or a reason in `unchecked`")


def computes_the_same(name: str, network: Graph) -> None:
    """Check that a file computes the same as the network, which is built here."""
    kind, built = FORMATS[name], network_of(network)
    content = export_network(network, name, weights=built.state_dict()).content
    expect(content, "it writes nothing")
    if kind.unchecked:
        raise UnavailableError(kind.unchecked)
    run = kind.loader()(content, {} if kind.holds_weights else built.state_dict())
    inputs = [torch.randn(BATCH, *node.out) for node in network.inputs]
    with torch.no_grad():
        expected, found = _by_name(built(*inputs)), _by_name(run(*inputs))
        other = _by_name(run(*(2 * tensor for tensor in inputs)))
    expect(list(found) == list(expected), f"its outputs are {list(found)}, not {list(expected)}")
    for output, value in expected.items():
        torch.testing.assert_close(found[output], value, rtol=1e-4, atol=1e-5)
        decided = not torch.allclose(other[output], value)
        expect(decided, f"no input decides its output {output}")


def network_of(network: Graph) -> Network:
    """Return a network whose weights and statistics all matter."""
    torch.manual_seed(5)
    built = build(network).eval()
    for module in built.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                assert tensor is not None
                nn.init.uniform_(tensor, 0.5, 1.5)
    return built


def _by_name(outputs: Tensor | Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    return {"": outputs} if isinstance(outputs, Tensor) else outputs
