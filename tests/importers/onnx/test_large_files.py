"""Large files, read by the headers of their tensors, give the same result as a full read."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import pytest

pytest.importorskip("onnx", reason="needs archscope[onnx]")

import onnx
from onnx import TensorProto, helper, numpy_helper

from archscope import analyze
from archscope.errors import ArchscopeError, LimitError
from archscope.importers import file_content, wire_format
from archscope.importers.onnx import from_file, headers, inference, resolve
from tests.importers.onnx.models import model, numbers, outputs, saved

SHAPE = (1, 8, 8, 8)
W = numbers(8, 8, 3, 3)


def conv(x: str, w: str, y: str) -> Any:
    return helper.make_node("Conv", [x, w], [y], pads=[1, 1, 1, 1])


def constant(value: Any, name: str) -> Any:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value))


def branches() -> Any:
    """Weights in a branch that constants take, which has a graph of its own."""
    graphs = {}
    for branch, factor in (("then_branch", 1), ("else_branch", 2)):
        weights = [numpy_helper.from_array(factor * W, "w")]
        out = helper.make_tensor_value_info("z", TensorProto.FLOAT, None)
        graphs[branch] = helper.make_graph([conv("x", "w", "z")], branch, [], [out], weights)
    nodes = [helper.make_node("If", ["yes"], ["y"], **graphs)]
    return model(nodes, SHAPE, {"yes": numpy.array(True)})


def function() -> Any:
    """Weights in a function."""
    made = model([helper.make_node("F", ["x"], ["y"], domain="me")], SHAPE, domains=("me",))
    opsets = [helper.make_opsetid("", 17)]
    body = [constant(W, "w"), conv("a", "w", "b")]
    made.functions.append(helper.make_function("me", "F", ["a"], ["b"], body, opsets))
    return made


def listed() -> Any:
    """Weights in the list of floats rather than in bytes."""
    made = model([conv("x", "w", "y")], SHAPE)
    made.graph.initializer.append(helper.make_tensor("w", TensorProto.FLOAT, W.shape, W.ravel()))
    return made


def located() -> Any:
    """Weights whose place is stated, as it is once external data were loaded."""
    made = model([conv("x", "w", "y")], SHAPE, {"w": W})
    made.graph.initializer[0].data_location = TensorProto.DEFAULT
    return made


MODELS = {
    "bytes": lambda: model([conv("x", "w", "y")], SHAPE, {"w": W}),
    "constant": lambda: model([constant(W, "w"), conv("x", "w", "y")], SHAPE),
    "half": lambda: model(
        [helper.make_node("Cast", ["w"], ["v"], to=1), conv("x", "v", "y")],
        SHAPE,
        {"w": W.astype("float16")},
    ),
    "int8": lambda: model(
        [
            helper.make_node("DequantizeLinear", ["w", "s"], ["v"], axis=0),
            conv("x", "v", "y"),
        ],
        SHAPE,
        {"w": (40 * W).astype("int8"), "s": numpy.abs(numbers(8)) / 40},
    ),
    "old opset": lambda: model([conv("x", "w", "y")], SHAPE, {"w": W}, opset=9),
    "branches": branches,
    "function": function,
    "floats": listed,
    "located": located,
}


@pytest.fixture
def as_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take small files for large ones."""
    monkeypatch.setattr(file_content, "MAPPED", 1)
    monkeypatch.setattr(headers, "LARGE", 64)
    monkeypatch.setattr(resolve, "DEFERRED_BYTES", 1)


@pytest.mark.usefixtures("as_large")
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("external", [False, True])
def test_a_large_file_gives_what_onnxruntime_computes(
    name: str, external: bool, tmp_path: Path
) -> None:
    path, made = tmp_path / "net.onnx", MODELS[name]()
    words = {"location": "net.data", "size_threshold": 64, "convert_attribute": True}
    onnx.save(made, str(path), save_as_external_data=external, **(words if external else {}))
    found = from_file(path)
    assert [node.op.name for node in found.graph.nodes] == ["input", "conv"]
    assert analyze(found.graph).totals.params == W.size
    ours, theirs = outputs(found, path)
    numpy.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("as_large")
@pytest.mark.parametrize("name", ["half", "int8"])
def test_weights_of_another_type_are_computed_when_they_are_used(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[Any] = []
    compute = resolve.compute
    monkeypatch.setattr(inference, "MAX_VALUES", 8)
    monkeypatch.setattr(
        resolve, "compute", lambda *given: computed.append(given) or compute(*given)
    )
    found = from_file(saved(MODELS[name](), tmp_path))
    assert analyze(found.graph).totals.params == W.size and not computed
    assert found.weights()["conv.weight"].shape == W.shape and len(computed) == 1


@pytest.mark.parametrize("name", MODELS)
def test_what_is_parsed_has_no_numbers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headers, "LARGE", 64)
    content = MODELS[name]().SerializeToString()
    short = headers.without_numbers(content, "net.onnx")
    assert len(short) < len(content) - W.size + 250
    whole = onnx.load_model_from_string(content)
    kept = onnx.load_model_from_string(short)
    for tensors in (kept.graph.initializer, whole.graph.initializer):
        for tensor in tensors:
            for field in ("raw_data", "float_data", "external_data", "data_location"):
                tensor.ClearField(field)
    assert list(kept.graph.initializer) == list(whole.graph.initializer)


@pytest.mark.usefixtures("as_large")
def test_a_damaged_large_file_is_refused_in_a_line(tmp_path: Path) -> None:
    content = model([conv("x", "w", "y")], SHAPE, {"w": W}).SerializeToString()
    path = tmp_path / "net.onnx"
    rng = random.Random(1)
    for end in range(1, len(content), 41):
        path.write_bytes(content[:end])
        with pytest.raises(ArchscopeError, match=r"net\.onnx: (the|is)"):
            from_file(path)
    refused = 0
    for _ in range(150):
        changed = bytearray(content)
        head = rng.choice((range(60), range(len(content) - 120, len(content))))
        changed[rng.choice(head)] = rng.randrange(256)
        path.write_bytes(changed)
        try:
            from_file(path)
        except ArchscopeError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > 50
    path.write_bytes(b"\x12" * (1 << 16))
    with pytest.raises(ArchscopeError, match="is not an ONNX file"):
        from_file(path)


def test_places_outside_of_a_file_are_refused(tmp_path: Path) -> None:
    for offset, length in (("9999999", "2304"), ("-1", "2304"), ("x", "2304"), ("0", "99999999")):
        made = model([conv("x", "w", "y")], SHAPE, {"w": W})
        (tensor,) = made.graph.initializer
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", "net.data"), ("offset", offset), ("length", length)):
            tensor.external_data.add(key=key, value=value)
        (tmp_path / "net.data").write_bytes(W.tobytes())
        with pytest.raises(ArchscopeError, match=r"net\.data") as caught:
            from_file(saved(made, tmp_path))
        assert "\n" not in str(caught.value)


def test_fields_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_format, "FIELDS", 100)
    with pytest.raises(LimitError, match="more fields than the limit of 100"):
        headers.without_numbers(b"\x08\x07" * 101, "net.onnx")
    for broken in (b"\x0b", b"\xff" * 20, b"\x3a\x7f"):
        with pytest.raises(ValueError, match=r"a (field|number)"):
            headers.without_numbers(broken, "net.onnx")


PEAK = """\
import resource, sys
import archscope
peaks = []
for path in sys.argv[1:]:
    archscope.analyze(archscope.load(path))
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print(*peaks)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss counts in KiB on Linux alone")
@pytest.mark.parametrize("external", [False, True])
def test_memory_does_not_grow_with_the_weights(external: bool, tmp_path: Path) -> None:
    paths = []
    for name, width in (("small", 8), ("large", 1024)):
        weights = {"w": numpy.zeros((width, width, 3, 3), numpy.float32)}
        made = model([conv("x", "w", "y")], (1, width, 8, 8), weights)
        path = tmp_path / f"{name}.onnx"
        words = {"location": f"{name}.data"} if external else {}
        onnx.save(made, str(path), save_as_external_data=external, **words)
        paths.append(str(path))
    run = [sys.executable, "-c", PEAK, *paths]
    small, large = map(int, subprocess.check_output(run, text=True).split())
    assert 1024 * (large - small) < 0.3 * 4 * 9 * 1024**2
