"""Files that are no model of Core ML, and broken ones: each is refused in a line."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest

import archscope
from archscope.cli import main
from archscope.errors import ArchscopeError
from archscope.importers.formats import format_of
from archscope.sources import imported
from tests.importers.coreml.writer import Network, Program, encoded, floats
from tests.importers.running import numbers

pytest.importorskip("onnx", reason="needs archscope[onnx]")


def refusal(path: Path) -> str:
    """Return what is said of a file."""
    with pytest.raises(ArchscopeError) as caught:
        archscope.analyze(imported(str(path)).graph)
    said = str(caught.value)
    assert said.startswith(path.as_posix())
    assert "\n" not in said
    assert len(said) < 500
    return said


def network(folder: Path) -> Path:
    """Write a small neural network."""
    net = Network(3, 16, 16)
    weights, bias = floats(numbers(8, 3, 3, 3)), floats(numbers(8))
    y = net.layer("convolution", "x", outputChannels=8, kernelChannels=3, same={}, stride=[2, 2],
                  weights=weights, hasBias=True, bias=bias)  # fmt: skip
    y = net.layer("activation", y, ReLU={})
    y = net.layer("pooling", y, type=0, kernelSize=[2, 2], stride=[2, 2],
                  includeLastPixel={"paddingAmounts": [0, 0]})  # fmt: skip
    y = net.layer("flatten", y)
    y = net.layer("innerProduct", y, inputChannels=128, outputChannels=10,
                  weights=floats(numbers(10, 128)))  # fmt: skip
    return net.save(folder, net.layer("softmax", y))


def program(folder: Path) -> Path:
    """Write a small program."""
    net = Program(1, 3, 16, 16)
    weight = net.constant(numbers(8, 3, 3, 3), "stem_weight")
    y = net.add("conv", (1, 8, 8, 8), x="x", weight=weight, pad_type=("custom",),
                pad=([1, 1, 1, 1],), strides=([2, 2],))  # fmt: skip
    y = net.add("reshape", (1, 512), x=y, shape=([1, 512],))
    return net.save(
        folder, net.add("linear", (1, 10), x=y, weight=net.constant(numbers(10, 512), "w"))
    )


MODELS = {"network": network, "program": program}


def content_of(path: Path) -> Path:
    """Return the file with the model."""
    return path / "Data/com.apple.CoreML/model.mlmodel" if path.is_dir() else path


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"specificationVersion": 4, "treeEnsembleClassifier": {}}, "is a treeEnsembleClassifier"),
        ({"specificationVersion": 4, "pipeline": {}}, "is a pipeline, which is no single network"),
        ({"specificationVersion": 4}, "neither a program nor a network"),
        ({"neuralNetwork": {}}, "the network has no layers"),
        ({"mlProgram": {"version": 1}}, "its program has no function"),
        ({"mlProgram": {"functions": {"key": "main", "value": {}}}}, "has no operations"),
    ],
)
def test_other_models_are_named(fields: dict[str, Any], words: str, tmp_path: Path) -> None:
    path = tmp_path / "net.mlmodel"
    path.write_bytes(encoded("model", fields))
    assert words in refusal(path)


@pytest.mark.parametrize(
    "content", [b"", b"\x00\x01\x02", b"PK\x03\x04aaaa", b"\xff" * 1000, b"name: net\n",
                b"\x12\x02" * 40_000],
)  # fmt: skip
def test_what_is_no_model_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.mlmodel"
    path.write_bytes(content)
    assert "Core ML" in refusal(path)


def test_messages_may_not_be_nested_without_end(tmp_path: Path) -> None:
    value: dict[str, Any] = {}
    for _ in range(200):
        value = {"operations": {"type": "cond", "blocks": value}}
    function = {"block_specializations": {"key": "CoreML7", "value": value}}
    path = tmp_path / "net.mlmodel"
    path.write_bytes(
        encoded("model", {"mlProgram": {"functions": {"key": "main", "value": function}}})
    )
    assert "nested deeper than the limit" in refusal(path)


@pytest.mark.parametrize("kind", MODELS)
def test_a_file_cut_short_is_refused(kind: str, tmp_path: Path) -> None:
    path = MODELS[kind](tmp_path)
    file = content_of(path)
    content = file.read_bytes()
    refused = 0
    for end in range(0, len(content) - 1, 1 + len(content) // 60):
        file.write_bytes(content[:end])
        try:
            archscope.analyze(imported(str(path)).graph)
        except ArchscopeError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 55


@pytest.mark.parametrize("kind", MODELS)
def test_a_wrong_byte_is_refused_in_a_line_or_does_no_harm(kind: str, tmp_path: Path) -> None:
    path = MODELS[kind](tmp_path)
    file = content_of(path)
    content = file.read_bytes()
    refused = 0
    head = min(len(content), 900)
    for at in [*range(0, head, 7), *range(head, len(content), 1 + len(content) // 40)]:
        for value in (0, 127, 255):
            file.write_bytes(content[:at] + bytes([value]) + content[at + 1 :])
            try:
                archscope.analyze(imported(str(path)).graph)
            except ArchscopeError as error:
                refused += 1
                assert "\n" not in str(error)
                assert str(error).startswith(path.as_posix())
    assert refused > 30


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("com.apple.CoreML/model.mlmodel", "../../secret", "which is outside of the package"),
        ("com.apple.CoreML/model.mlmodel", "/etc/passwd", "which is outside of the package"),
        ("com.apple.CoreML/model.mlmodel", "other", "which is missing"),
        ('"rootModelIdentifier": "a"', '"rootModelIdentifier": "c"', "does not say where"),
        ("{", "[", "is not a list of what is in a package"),
    ],
)
def test_a_manifest_names_a_file_of_the_package(
    old: str, new: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_bytes(b"")
    path = program(tmp_path)
    manifest = path / "Manifest.json"
    text = manifest.read_text()
    assert old in text
    manifest.write_text(text.replace(old, new))
    assert words in refusal(path)


def test_a_folder_without_a_manifest_is_no_package(tmp_path: Path) -> None:
    path = tmp_path / "net.mlpackage"
    path.mkdir()
    assert "is a folder without Manifest.json" in refusal(path)
    assert format_of(f"{path}/") is not None


def test_weights_lie_in_the_package(tmp_path: Path) -> None:
    path = program(tmp_path)
    weights = path / "Data/com.apple.CoreML/weights/weight.bin"
    content = weights.read_bytes()
    weights.write_bytes(content[: len(content) // 2])
    assert "or is truncated" in refusal(path)
    weights.write_bytes(bytes(len(content)))
    assert "has no weights at 64" in refusal(path)
    weights.unlink()
    assert "there is no such file" in refusal(path)
    model = content_of(path)
    name, other = b"@model_path/weights/weight.bin", b"@model_path/../../../../../secret"
    other = other[:30] if len(other) > 30 else other.ljust(30, b"x")
    model.write_bytes(model.read_bytes().replace(name, b"@model_path/../../../../../sec"))
    assert "outside of the model" in refusal(path)


@pytest.mark.parametrize("channels", [1 << 40, 1 << 62, -1])
def test_sizes_beyond_all_limits_are_refused(channels: int, tmp_path: Path) -> None:
    net = Network(8, 4, 4)
    y = net.layer("batchnorm", "x", channels=channels, computeMeanVar=True,
                  instanceNormalization=True)  # fmt: skip
    refusal(net.save(tmp_path, y))
    code = Program(1, channels, 4, 4)
    refusal(code.save(tmp_path, code.add("instance_norm", (1, channels, 4, 4), x="x")))


def test_control_flow_is_refused(tmp_path: Path) -> None:
    net = Network(8, 4, 4)
    y = net.layer("loop", "x", maxLoopIterations=3)
    assert "controls other layers" in refusal(net.save(tmp_path, y))
    code = Program(1, 8, 4, 4)
    y = code.add("while_loop", (1, 8, 4, 4), x="x")
    code.operations[-1]["blocks"] = {"operations": []}
    assert "has operations inside" in refusal(code.save(tmp_path, y))


def test_sequences_of_the_first_generation_are_refused(tmp_path: Path) -> None:
    net = Network(4, 1, 8, 1, 1)
    path = net.save(tmp_path, net.layer("activation", "x", ReLU={}))
    assert "sequences of 4 steps, which is not supported" in refusal(path)
    net = Network(1, 1, 8, 4, 4)
    graph = imported(str(net.save(tmp_path, net.layer("activation", "x", ReLU={})))).graph
    assert graph.inputs[0].out == (8, 4, 4)


def test_a_value_that_nothing_produces(tmp_path: Path) -> None:
    net = Network(8, 4, 4)
    assert "reads 'lost', which nothing produces" in refusal(
        net.save(tmp_path, net.layer("activation", "lost", ReLU={}))
    )
    net = Network(8, 4, 4)
    net.layer("activation", "x", ReLU={})
    assert "nothing produces its output 'lost'" in refusal(net.save(tmp_path, "lost"))


def test_the_command_line_says_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = program(tmp_path)
    assert main(["analyze", str(path)]) == 0
    assert main(["import", f"{path}/", "-o", str(tmp_path / "net.yaml")]) == 0
    assert archscope.analyze(archscope.load(str(tmp_path / "net.yaml"))).totals.params == 5336
    assert main(["lint", str(path)]) in (0, 1)
    assert main(["report", str(path), "-o", str(tmp_path / "net.html")]) == 0
    capsys.readouterr()
    (path / "Manifest.json").write_text(json.dumps([]))
    assert main(["analyze", str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    rmtree(path)
    assert main(["analyze", str(path)]) == 2


def test_a_compiled_model_is_told_what_to_take(tmp_path: Path) -> None:
    (tmp_path / "net.mlmodelc").mkdir()
    with pytest.raises(ArchscopeError, match=r"compiled model of Core ML; take the \.mlpackage"):
        archscope.load(str(tmp_path / "net.mlmodelc"))
