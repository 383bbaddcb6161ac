"""ONNX files of our own writer: held to torch, to torch's exporter and to our importer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archscope import analyze, load
from archscope.build import build
from archscope.cli import main
from archscope.errors import GraphError, OptionError
from archscope.exporters.export import export_network
from archscope.exporters.onnx_export import export_onnx
from archscope.exporters.onnx_model import onnx_difference
from archscope.exporters.onnx_writer import _varint, write_onnx
from archscope.exporters.preprocessing import Preprocessing
from archscope.exporters.weight_arrays import fitted, random_arrays, stated_weights
from archscope.importers.onnx import from_file
from archscope.ir import Output
from archscope.transforms.fuse import fuse
from archscope.weights import COUNTER
from tests.nets import Net, chain

onnx = pytest.importorskip("onnx", reason="needs archscope[onnx]")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs archscope[onnx]")

SMALL = {
    "lenet5": (1, 32, 32), "mobilenet_v3_small": (3, 64, 64), "shufflenet_v2_x0_5": (3, 64, 64),
    "densenet_40_12_cifar10": (3, 32, 32), "googlenet": (3, 64, 64), "ghostnet": (3, 64, 64),
    "cbam_resnet50": (3, 64, 64), "convnext_tiny": (3, 64, 64),
}  # fmt: skip
"""Networks of the zoo with all their kinds of operators, and small inputs."""


@pytest.mark.parametrize("name", SMALL)
def test_a_file_of_the_zoo_computes_what_torch_does(name: str) -> None:
    exported = export_onnx(load(name, input=SMALL[name]))
    assert 0 < onnx_difference(exported) < 1e-5
    assert not {node.op_type for node in exported.model.nodes} & {
        "Shape", "Expand", "CastLike", "Cast", "Identity", "ConstantOfShape", "Constant"
    }  # fmt: skip


@pytest.mark.parametrize("name", SMALL)
def test_a_file_of_the_zoo_is_analysed_as_its_spec(name: str, tmp_path: Path) -> None:
    exported = export_onnx(load(name, input=SMALL[name]))
    path = tmp_path / f"{name}.onnx"
    path.write_bytes(exported.model.content())
    ours, read = analyze(exported.graph).totals, analyze(from_file(path).graph).totals
    for total in ("params", "macs", "elementwise", "memory_access", "activations"):
        assert getattr(read, total) == getattr(ours, total), total


def test_weights_over_the_limit_have_a_file_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported = export_onnx(load("lenet5"))
    whole = onnxruntime.InferenceSession(exported.model.content())
    monkeypatch.setattr("archscope.exporters.onnx_writer.MAX_BYTES", 1000)
    assert 0 < onnx_difference(exported) < 1e-5
    path = tmp_path / "net.onnx"
    assert main(["export", "lenet5", "-o", str(path)]) == 0
    assert path.stat().st_size < path.with_name("net.onnx.data").stat().st_size
    onnx.checker.check_model(str(path), full_check=True)
    images = {"input": np.ones((2, 1, 32, 32), np.float32)}
    parted = onnxruntime.InferenceSession(str(path)).run(None, images)
    np.testing.assert_array_equal(parted[0], whole.run(None, images)[0])
    assert analyze(from_file(path).graph).totals.params == analyze(load("lenet5")).totals.params


@pytest.mark.parametrize(("name", "most"), [("mobilenet_v2", 105), ("shufflenet_v2_x1_0", 180)])
def test_files_have_few_operators(name: str, most: int) -> None:
    assert len(export_onnx(load(name)).model.nodes) <= most


def test_writing_loads_no_torch() -> None:
    code = (
        "import sys; from archscope import load; from archscope.exporters.onnx_export import *;"
        "export_onnx(load('mobilenet_v2')).model.content();"
        "assert 'torch' not in sys.modules and 'onnxruntime' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_content_is_what_protobuf_writes() -> None:
    exported = export_onnx(load("lenet5"))
    model = onnx.load_from_string(exported.model.content())
    onnx.checker.check_model(model, full_check=True)
    assert onnx.load_from_string(model.SerializeToString()) == model
    held = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for name, array in exported.arrays.items():
        assert np.array_equal(held[name], array)


@given(st.integers(0, 2**31))
def test_whole_numbers_in_protobuf_s_code(number: int) -> None:
    from google.protobuf.internal.decoder import _DecodeVarint

    code = _varint(number)
    assert _DecodeVarint(code, 0) == (number, len(code))


def test_metadata_have_the_spec_and_the_version(tmp_path: Path) -> None:
    from archscope import __version__, language

    graph = load("lenet5")
    model = onnx.load_from_string(export_onnx(graph).model.content())
    properties = {entry.key: entry.value for entry in model.metadata_props}
    assert properties["archscope_version"] == model.producer_version == __version__
    read = language.graph(language.document("x", text=properties["archscope_spec"].encode()))
    assert [node.op for node in read.nodes] == [node.op for node in graph.nodes]


def test_images_are_normalised_in_the_file() -> None:
    graph = chain(("conv", {"out": 4, "kernel": 3, "padding": 1}), ("relu", {}), x=(3, 8, 8))
    plain = export_onnx(graph)
    given = Preprocessing((0.5, 0.25, 0.0), (0.5, 2.0, 0.0))
    normalising = export_onnx(graph, plain.arrays, preprocessing=given)
    images = np.random.default_rng(0).random((2, 3, 8, 8), np.float32)
    mean, std = (np.array(values, np.float32).reshape(3, 1, 1)
                 for values in (given.mean, (0.5, 2.0, 1.0)))  # fmt: skip
    expected = run(plain.model, (images - mean) / std)
    assert np.allclose(run(normalising.model, images), expected, atol=1e-5)
    outside = export_onnx(
        graph, plain.arrays, preprocessing=Preprocessing((0.5,), (0.5,), (), False)
    )
    assert np.array_equal(run(outside.model, images), run(plain.model, images))
    said = {entry.key: entry.value for entry in outside.model.head.metadata_props}
    assert json.loads(said["input_mean"]) == [0.5] and json.loads(said["input_in_file"]) is False


def run(model: Any, *inputs: Any) -> Any:
    session = onnxruntime.InferenceSession(model.content(), providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]
    return session.run(None, dict(zip(names, inputs, strict=True)))[0]


def test_ranges_of_all_channels_are_one_split() -> None:
    net = Net(x=(6, 4, 4))
    relu = net("relu", "x")
    parts = [net("slice", relu, start=start, stop=start + 2) for start in (4, 0, 2)]
    out = net("concat", *parts)
    model = export_onnx(net.graph(out)).model
    assert [node.op_type for node in model.nodes] == ["Relu", "Split", "Concat"]
    image = np.random.default_rng(0).standard_normal((2, 6, 4, 4), np.float32)
    assert np.array_equal(run(model, image), np.maximum(image, 0)[:, [4, 5, 0, 1, 2, 3]])


@pytest.mark.parametrize("ranges", [[(0, 2), (3, 6)], [(0, 4), (2, 6)], [(0, 2), (2, 4)], [(0, 6)]])
def test_other_ranges_stay_slices(ranges: list[tuple[int, int]]) -> None:
    net = Net(x=(6, 4, 4))
    parts = [net("slice", "x", start=start, stop=stop) for start, stop in ranges]
    graph = net.graph(*(Output(f"y{n}", part) for n, part in enumerate(parts)))
    kinds = [node.op_type for node in export_onnx(graph).model.nodes]
    assert kinds == ["Slice"] * len(ranges)


@pytest.mark.parametrize("form", ["QDQ", "QOperator"])
def test_onnxruntime_quantizes_a_file(form: str, tmp_path: Path) -> None:
    """With the pre-processing that it recommends, whose shape inference is one of its own."""
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    net = Net(x=(3, 16, 16))
    conv = net("relu6", net("conv", "x", out=8, kernel=3, padding=1, bias=False))
    parts = [net("slice", conv, start=start, stop=start + 4) for start in (0, 4)]
    mixed = net("channel_shuffle", net("concat", *parts), groups=2)
    seen = net("concat", net("channel_mean", mixed), net("channel_max", mixed))
    gate = net("sigmoid", net("conv", seen, out=1, kernel=3, padding=1))
    gated = net("maxout", net("normalize", net("hardswish", net("mul", mixed, gate))), pieces=2)
    pooled = net("layernorm", net("upsample", net("maxpool", gated, kernel=2), scale=2))
    graph = net.graph(net("linear", net("flatten", net("global_avgpool", pooled)), out=5))
    source, prepared, made = (str(tmp_path / name) for name in ("a.onnx", "b.onnx", "c.onnx"))
    Path(source).write_bytes(export_onnx(graph).model.content())
    quant_pre_process(source, prepared)
    image = np.random.default_rng(0).standard_normal((1, 3, 16, 16), np.float32)

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        feeds = iter([{"x": image}])

        def get_next(self) -> Any:
            return next(self.feeds, None)

    words = {"quant_format": quantization.QuantFormat[form], "per_channel": form == "QDQ"}
    quantization.quantize_static(prepared, made, Reader(), **words)
    session = onnxruntime.InferenceSession(made, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": image})
    expected = run(export_onnx(graph).model, image)
    assert found.shape == expected.shape and np.isfinite(found).all()
    assert np.abs(found - expected).max() < np.abs(expected).max()  # of random weights


@pytest.mark.parametrize(
    ("shape", "op", "words"),
    [
        ((3, 13, 9), "adaptive_avgpool", {"size": (5, 4)}),
        ((3, 13, 9), "adaptive_avgpool", {"size": (13, 2)}),
        ((2, 10), "adaptive_avgpool", {"size": 3}),
        ((2, 5, 7, 8), "adaptive_avgpool", {"size": (2, 3, 3)}),
        ((5, 6, 7), "normalize", {}),
        ((5, 6), "normalize", {"axis": 1}),
    ],
)
def test_operators_written_as_arithmetic_come_back(
    shape: tuple[int, ...], op: str, words: dict[str, Any], tmp_path: Path
) -> None:
    net = Net(x=shape)
    graph = net.graph(net(op, net("relu", "x"), **words))
    path = tmp_path / "net.onnx"
    path.write_bytes(export_onnx(graph).model.content())
    assert [node.op for node in load(path).nodes] == [node.op for node in graph.nodes]


def test_names_are_those_of_the_spec() -> None:
    net = Net(x=(4, 6, 6))
    shuffled = net("channel_shuffle", net("relu6", "x", name="a.act"), name="a.mix", groups=2)
    out = net("prelu", shuffled, name="train", slopes=4)
    model = export_onnx(net.graph(out)).model
    names = [node.name for node in model.nodes]
    assert names == ["a.act", "a.mix/Reshape", "a.mix/Transpose", "a.mix", "train"]
    assert "train_.weight" in {tensor.name for tensor in model.graph.initializer}


def test_an_input_may_be_an_output_and_a_value_two_outputs() -> None:
    net = Net(x=(3, 4, 4))
    same = net("dropout", "x")
    relu = net("relu", same)
    graph = net.graph(Output("a", same), Output("b", relu), Output("c", relu))
    model = export_onnx(graph).model
    image = np.random.default_rng(0).standard_normal((2, 3, 4, 4), np.float32)
    session = onnxruntime.InferenceSession(model.content())
    first, second, third = session.run(["a", "b", "c"], {"x": image})
    assert np.array_equal(first, image)
    assert np.array_equal(second, third) and np.array_equal(second, np.maximum(image, 0))


def test_shared_weights_are_held_once() -> None:
    exported = export_onnx(load("siamese"))
    names = [*exported.model.arrays, *(tensor.name for tensor in exported.model.graph.initializer)]
    assert sorted(name for name in names if name.endswith(("weight", "bias"))) == sorted(
        stated_weights(exported.plain)
    )
    assert onnx_difference(exported) < 1e-5


def test_weights_that_do_not_fit_are_one_line() -> None:
    graph = load("lenet5")
    arrays = random_arrays(graph)
    name = next(iter(arrays))
    with pytest.raises(OptionError, match=rf"w lacks 1 of .* first '{name}'"):
        export_onnx(graph, {k: v for k, v in arrays.items() if k != name}, source="w")
    with pytest.raises(OptionError, match="has weights that the network lacks"):
        export_onnx(graph, {**arrays, "more": arrays[name]})
    with pytest.raises(OptionError, match=f"'{name}' has shape 1, the network expects"):
        export_onnx(graph, {**arrays, name: np.zeros(1, np.float32)})
    assert fitted(graph, {**arrays, f"a.{COUNTER}": np.array(0)}, "w").keys() == arrays.keys()
    half = {key: value.astype(np.float16) for key, value in arrays.items()}
    assert {a.dtype for a in fitted(graph, half, "w").values()} == {np.dtype(np.float32)}


def test_what_has_no_form_is_one_line() -> None:
    net = Net(x=(3, 4, 4))
    with pytest.raises(
        GraphError, match=r"'opaque.*': the operator 'onnx.Foo' has no form in ONNX"
    ):
        export_onnx(net.graph(net("opaque", "x", kind="onnx.Foo", size=(3, 4, 4))))


def test_an_opset_without_an_operator_is_one_line() -> None:
    graph = chain(("gelu", {}), x=(3, 4, 4))
    with pytest.raises(OptionError, match=r"opset 18 .* has no Gelu, .*; opset 20 has it"):
        write_onnx(graph, opset=18)
    for opset, version in ((None, 20), (20, 20), (21, 21)):
        content = write_onnx(graph, opset=opset).content()
        assert onnx.load_from_string(content).opset_import[0].version == version
    assert write_onnx(load("lenet5")).opset == 18


def test_random_weights_are_those_of_the_seed() -> None:
    graph = load("lenet5")
    assert set(random_arrays(graph)) == set(build(graph).state_dict())
    one, same, other = (random_arrays(graph, seed)["conv1.weight"] for seed in (3, 3, 4))
    assert np.array_equal(one, same) and not np.array_equal(one, other)


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_pools_compute_what_torch_does(data: st.DataObject) -> None:
    """Windows that hang over, uneven padding, and what counts of it."""
    op = data.draw(st.sampled_from(["maxpool", "avgpool"]))
    kernel, stride = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    size = data.draw(st.integers(max(kernel, 4), 11))
    padding = data.draw(st.integers(0, kernel // 2))
    words: dict[str, Any] = {"kernel": kernel, "stride": stride, "padding": padding}
    words["ceil"] = data.draw(st.booleans())
    if op == "avgpool":
        words["count_padding"] = data.draw(st.booleans())
    graph = chain((op, words), x=(2, size, size))
    torch.manual_seed(0)
    x = torch.randn(2, 2, size, size)
    expected = build(graph).eval()(x).numpy()
    assert np.allclose(run(export_onnx(graph).model, x.numpy()), expected, atol=1e-6), words


def test_folded_norms_compute_what_torch_s_file_does() -> None:
    """Torch's own exporter is another way to the same function."""
    pytest.importorskip("onnxscript")
    graph = load("mobilenet_v2_035", input=(3, 64, 64))
    arrays = random_arrays(graph)
    rng = np.random.default_rng(0)
    for name in arrays:
        if name.endswith(("running_mean", "running_var")):
            arrays[name] = rng.uniform(0.5, 1.5, arrays[name].shape).astype(np.float32)
    ours = export_onnx(graph, arrays)
    assert ours.norms_folded == 52 and len(stated_weights(fuse(graph))) < len(arrays)
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    theirs = export_network(graph, "onnx-torch", weights=tensors).content
    image = rng.standard_normal((2, 3, 64, 64)).astype(np.float32)
    session = onnxruntime.InferenceSession(theirs, providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"input": image})
    assert np.abs(run(ours.model, image) - expected).max() < 1e-5 * np.abs(expected).max()
