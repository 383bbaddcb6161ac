"""Every format in the registry writes files that compute what the network computes.

Files are loaded by the format's own runtime and compared with a network that is built here, not
by the comparison that exporting makes itself. A format that is added is tested without a change.
"""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from archscope.build import Network, build
from archscope.contracts.exporters import computes_the_same, says_how_files_are_run
from archscope.errors import GraphError, UnavailableError
from archscope.exporters.export import export_network
from archscope.exporters.formats import FORMATS, Format
from archscope.ir import Graph, Output
from tests.nets import Net, chain


def plain() -> Graph:
    """Return a chain whose norm can be folded."""
    return chain(
        ("conv", {"out": 4, "kernel": 3, "bias": False}), ("batchnorm", {}), ("relu", {}),
        ("maxpool", {"kernel": 2}), ("flatten", {}), ("linear", {"out": 5}),
        x=(3, 8, 8),
    )  # fmt: skip


def branches() -> Graph:
    """Return a network that adds, concatenates and gates."""
    net = Net(x=(4, 6, 6))
    left = net("conv", "x", out=4, kernel=3, padding=1)
    right = net("relu", net("conv", "x", out=4))
    both = net("concat", net("add", left, "x"), right)
    return net.graph(net("mul", both, net("sigmoid", net("global_avgpool", both))))


def shared() -> Graph:
    """Return a network that applies one convolution twice."""
    net = Net(x=(4, 6, 6))
    once = net("conv", "x", name="conv", out=4, kernel=3, padding=1)
    twice = net("conv", net("tanh", once), out=4, kernel=3, padding=1, shares="conv")
    return net.graph(net("add", once, twice))


def several_inputs_and_outputs() -> Graph:
    """Return a network of two inputs of different sizes and two outputs."""
    net = Net(left=(3, 8, 8), right=(2, 4, 4))
    pooled = net("avgpool", net("conv", "left", out=4, kernel=3, padding=1), kernel=2)
    both = net("concat", pooled, "right")
    scores = net("linear", net("flatten", both), out=5)
    return net.graph(Output("map", both), Output("scores", scores))


GRAPHS = (plain, branches, shared, several_inputs_and_outputs)
NETWORKS = {function.__name__: function for function in GRAPHS}


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", FORMATS)
def test_a_file_computes_what_the_network_does(name: str, network: str) -> None:
    try:
        computes_the_same(name, NETWORKS[network]())
    except UnavailableError as error:
        pytest.skip(str(error))
    except GraphError as error:
        if FORMATS[name].partial:
            pytest.skip(str(error))
        raise


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_says_how_its_files_are_run_or_why_they_cannot_be(name: str) -> None:
    says_how_files_are_run(name)


def add_format(monkeypatch: pytest.MonkeyPatch, change: float, unchecked: str = "") -> None:
    """Add a format whose files are TorchScript of a network with changed weights."""
    torchscript = FORMATS["torchscript"]
    module = ModuleType("archscope.exporters.added")

    def export(network: Network, opset: int) -> bytes:
        weights = {name: value + change for name, value in network.state_dict().items()}
        changed = build(network.graph).eval()
        changed.load_state_dict(weights)
        return torchscript.exporter()(changed, opset)

    module.export = export  # type: ignore[attr-defined]
    if not unchecked:
        module.load = torchscript.loader()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    added = Format("added", "added", ".added", "a format of a test", unchecked=unchecked)
    monkeypatch.setitem(FORMATS, "added", added)


def test_an_exporter_that_writes_another_network_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add_format(monkeypatch, 0.0)
    test_a_file_computes_what_the_network_does("added", "plain")
    add_format(monkeypatch, 0.01)
    with pytest.raises(GraphError, match="the added file computes different outputs"):
        export_network(plain(), "added")
    monkeypatch.setattr("archscope.exporters.export.largest_difference", lambda *_: 0.0)
    with pytest.raises(AssertionError, match="not close"):
        test_a_file_computes_what_the_network_does("added", "plain")


def test_a_format_without_a_runtime_has_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    add_format(monkeypatch, 0.0, "nothing runs such files any more")
    assert export_network(plain(), "added").difference is None
    test_a_format_says_how_its_files_are_run_or_why_they_cannot_be("added")
