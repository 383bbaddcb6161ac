"""Files of other formats compute the same as the network when loaded by their own tools."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from archscope import load
from archscope.build import Network, build
from archscope.errors import GraphError, OptionError, UnavailableError
from archscope.exporters import comparison
from archscope.exporters.export import ExportedNetwork, export_network
from archscope.exporters.formats import FORMATS
from archscope.ir import Graph, Output
from tests.nets import Net, chain


def small() -> Graph:
    """A network of two inputs, two outputs, a norm that can be folded, and a shape in `forward`."""
    net = Net(left=(3, 8, 8), right=(3, 8, 8))
    one = net("batchnorm", net("conv", "left", out=4, kernel=3, padding=1, bias=False))
    both = net("concat", net("relu", one), "right")
    flat = net("flatten", net("reshape", both, size=(7, 4, 16)))
    return net.graph(Output("map", both), Output("scores", net("linear", flat, name="last", out=5)))


def results(run: Any, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    with torch.no_grad():
        out = run(*inputs)
    return list(out.values()) if isinstance(out, dict) else [out]


def close(made: ExportedNetwork, run: Any) -> None:
    """Hold a loaded file to its network at a batch that nobody saw."""
    inputs = comparison.random_inputs(made.network, 5)
    for mine, theirs in zip(results(made.network, inputs), results(run, inputs), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-5)


@pytest.mark.parametrize("fused", [False, True])
def test_torchscript_loads(fused: bool) -> None:
    made = export_network(small(), "torchscript", fused=fused)
    assert made.norms_folded == fused
    close(made, torch.jit.load(io.BytesIO(made.content)))


@pytest.mark.parametrize("fused", [False, True])
def test_exported_program_loads(fused: bool) -> None:
    made = export_network(small(), "exported-program", fused=fused)
    program = torch.export.load(io.BytesIO(made.content))
    close(made, program.module())
    assert set(program.state_dict) == set(made.network.state_dict())


@pytest.mark.parametrize("fused", [False, True])
def test_onnx_loads(fused: bool) -> None:
    onnx, onnxruntime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    made = export_network(small(), "onnx", fused=fused, opset=18)
    model = onnx.load_from_string(made.content)
    assert [(one.domain, one.version) for one in model.opset_import] == [("", 18)]
    assert [one.name for one in model.graph.input] == ["left", "right"]
    assert [one.name for one in model.graph.output] == ["map", "scores"]
    sizes = [one.type.tensor_type.shape.dim for one in model.graph.input]
    assert [(size[0].dim_param, size[1].dim_value) for size in sizes] == [("batch", 3)] * 2
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("Conv") == 1 and ("BatchNormalization" in kinds) != fused
    session = onnxruntime.InferenceSession(made.content, providers=["CPUExecutionProvider"])

    def run(left: Tensor, right: Tensor) -> dict[str, Tensor]:
        values = session.run(None, {"left": left.numpy(), "right": right.numpy()})
        return {str(number): torch.from_numpy(value) for number, value in enumerate(values)}

    close(made, run)


@pytest.mark.parametrize("to", ["torch", "torchscript", "onnx"])
def test_inputs_of_vocabularies_are_checked_with_indices(to: str) -> None:
    """Every index is known to all layers that look it up, also behind operators that move it."""
    net = Net(words=(6,), image=(3, 4, 4))
    vectors = net("embedding", net("slice", "words", start=0, stop=5), size=7, out=4)
    classes = net("one_hot", "words", classes=3)
    outputs = [Output("a", vectors), Output("b", classes), Output("c", net("relu", "image"))]
    made = export_network(net.graph(*outputs), to)
    words, image = comparison.random_inputs(made.network, 50)
    assert set(words.unique().tolist()) == {0, 1, 2}
    assert image.min() < 0 < image.max()


def test_source_of_a_fused_network_takes_its_weights() -> None:
    made = export_network(small(), "torch", fused=True)
    space: dict[str, Any] = {"__name__": "exported"}
    exec(made.content.decode(), space)
    module: nn.Module = space["NetFused"]().eval()
    assert not [one for one in module.modules() if isinstance(one, nn.BatchNorm2d)]
    module.load_state_dict(made.network.state_dict(), strict=True)
    close(made, module)


def test_heads_for_training_are_not_in_files() -> None:
    made = export_network(load("googlenet", input=(3, 96, 96)), "torchscript")
    out = torch.jit.load(io.BytesIO(made.content))(torch.rand(1, 3, 96, 96))
    assert isinstance(out, Tensor) and out.shape == (1, 1000)


def test_seed_decides_weights_and_nothing_else() -> None:
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    states = [
        export_network(small(), "torch", seed=seed).network.state_dict() for seed in (1, 1, 2)
    ]
    assert torch.equal(torch.random.get_rng_state(), before)
    one, again, other = (state["last.weight"] for state in states)
    assert torch.equal(one, again) and not torch.equal(one, other)


def test_weights_are_those_given() -> None:
    weights = build(small()).state_dict()
    made = export_network(small(), "torch", weights=weights)
    assert all(
        torch.equal(value, weights[name]) for name, value in made.network.state_dict().items()
    )


def test_weights_of_another_network_are_refused() -> None:
    weights = build(small()).state_dict()
    with pytest.raises(OptionError, match=r"3x.* lacks 1 of the network's 8 weights.*'last.bias"):
        export_network(small(), "torch", weights=without(weights, "last.bias"), source="3x")
    more = {**weights, "last.biass": weights["last.bias"]}
    with pytest.raises(
        OptionError, match=r"has weights that the network lacks \(1 in all\).*'last.biass'"
    ):
        export_network(small(), "torch", weights=more)
    wrong = {**weights, "last.bias": torch.zeros(4)}
    with pytest.raises(OptionError, match=r"'last.bias' has shape 4, the network expects 5"):
        export_network(small(), "torch", weights=wrong)


def test_the_step_counter_may_be_missing() -> None:
    weights = build(small()).state_dict()
    counter = next(name for name in weights if name.endswith("num_batches_tracked"))
    export_network(small(), "torch", weights=without(weights, counter))


def without(weights: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key: value for key, value in weights.items() if key != name}


def test_a_file_that_computes_something_else_is_not_written() -> None:
    network = build(chain(("conv", {"out": 3}), x=(3, 4, 4))).eval()
    with pytest.raises(GraphError, match="onnx file computes different outputs"):
        comparison.largest_difference(network, lambda x: network(x) * 1.0001, "onnx file")
    with pytest.raises(GraphError, match=r"with shape .* at batch 3, expected"):
        comparison.largest_difference(network, lambda x: network(x)[:1], "onnx file")
    with pytest.raises(GraphError, match="computes different outputs"):
        comparison.largest_difference(network, lambda x: network(x) * torch.nan, "onnx file")
    nn.init.constant_(network.part("conv1").bias, torch.inf)
    with pytest.raises(GraphError, match="outputs are not finite"):
        comparison.largest_difference(network, network, "onnx file")


@pytest.mark.parametrize("levels", [256, 4])
def test_what_rounds_to_another_level_may_differ_by_a_level(
    levels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runtimes divide by the step, or multiply with its inverse."""
    rounding = ("fake_quantize", {"scale": 1.0, "zero": 1, "levels": levels})
    network = build(chain(rounding, ("conv", {"out": 3}), x=(3, 4, 4))).eval()
    plain = build(chain(("conv", {"out": 3}), x=(3, 4, 4))).eval()
    values = torch.randint(0, 3, (3, 3, 4, 4), generator=torch.Generator().manual_seed(0))

    def compared(of: Network, place: float, by: Callable[[Tensor], Tensor]) -> float:
        monkeypatch.setattr(comparison, "random_inputs", lambda _, batch: (values[:batch] + place,))
        return comparison.largest_difference(of, lambda x: of(by(x)), "onnx file")

    def nudged(x: Tensor) -> Tensor:
        return x + 1e-6

    assert compared(network, 0.5, nudged) > comparison.IN_BYTES
    assert compared(network, 0.25, nudged) == 0
    with pytest.raises(
        GraphError, match="more than 6e-02, which values between two levels explain"
    ):
        compared(network, 0.25, lambda x: x + 1)
    with pytest.raises(GraphError, match=r"more than 1e-05; nothing was written"):
        compared(plain, 0.5, lambda x: x + 1e-3)


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UnavailableError, match=r"package onnx: pip install 'archscope\[onnx\]'"):
        export_network(small(), "onnx")


def test_onnx_says_when_it_cannot_hold_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    monkeypatch.setattr("archscope.exporters.onnx_writer.MAX_BYTES", 1000)
    monkeypatch.setattr("archscope.exporters.onnx_writer.LARGE", 1)
    with pytest.raises(OptionError, match=r"at most 2 GiB, but 'net' has [0-9,]+ bytes"):
        export_network(small(), "onnx")
    monkeypatch.undo()
    with pytest.raises(OptionError, match=r"ONNX is written in opset 18 to .*, got 3"):
        export_network(small(), "onnx", opset=3)
    with pytest.raises(OptionError, match="cannot write this network in opset 3 of ONNX; try"):
        export_network(small(), "onnx-torch", opset=3)


def test_formats_say_what_they_are() -> None:
    assert {".py", ".onnx", ".pt", ".pt2"} <= {kind.suffix for kind in FORMATS.values()}
    assert isinstance(build(small()), Network)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("name", ["onnx", "onnx-torch"])
def test_convolutions_without_bias_stay_so_in_onnx(rank: int, name: str) -> None:
    """Torch computes zeros for those of three axes, of a shape that no runtime takes."""
    onnx = pytest.importorskip("onnx", reason="needs archscope[onnx]")
    net = Net(x=(3, *(6,) * rank))
    down = net("conv", "x", out=4, kernel=3, bias=False)
    up = net("conv_transpose", net("relu", down), out=2, kernel=3, bias=False)
    made = export_network(net.graph(up), name)
    graph = onnx.load_model_from_string(made.content).graph
    assert [len(node.input) for node in graph.node if "Conv" in node.op_type] == [2, 2]
    assert len(graph.initializer) == 2


@pytest.mark.parametrize(
    "names", [("relu", "conv2d"), ("conv2d", "relu"), ("mean", "val_0"), ("view", "output")]
)
@pytest.mark.parametrize("name", ["onnx", "onnx-torch"])
def test_outputs_of_onnx_may_be_called_like_values_inside(
    names: tuple[str, str], name: str
) -> None:
    onnx = pytest.importorskip("onnx", reason="needs archscope[onnx]")
    net = Net(conv2d_1=(3, 8, 8))
    first = net("relu", net("conv", "conv2d_1", out=4, kernel=3))
    last = net("global_avgpool", net("conv", first, out=4))
    made = export_network(net.graph(Output(names[0], first), Output(names[1], last)), name)
    graph = onnx.load_model_from_string(made.content).graph
    assert [entry.name for entry in graph.output] == [*names]
    assert [entry.name for entry in graph.input] == ["conv2d_1"]


def test_an_output_called_like_the_input_is_refused_in_one_line() -> None:
    pytest.importorskip("onnx", reason="needs archscope[onnx]")
    net = Net(x=(3, 8, 8))
    with pytest.raises(GraphError, match="cannot be written as ONNX") as caught:
        export_network(net.graph(Output("x", net("relu", net("conv", "x", out=4)))), "onnx")
    assert "\n" not in str(caught.value)
