"""The table of import formats: every folder is in it, and its patterns take no spec."""

from __future__ import annotations

from pathlib import Path

import pytest

import archscope.importers
from archscope.contracts.check import outcome
from archscope.errors import OptionError
from archscope.importers.formats import FORMATS, format_of
from archscope.sources import imported, is_foreign


def test_every_folder_is_a_format_that_can_be_loaded() -> None:
    root = Path(archscope.importers.__file__).parent
    folders = {path.parent.name for path in root.glob("*/__init__.py")} - {"aten"}  # shared
    assert folders == {entry.folder for entry in FORMATS.values()}
    for entry in FORMATS.values():
        if entry.folder in ("coreml", "onnx", "openvino"):
            pytest.importorskip("onnx", reason="needs archscope[onnx]")
        if entry.folder == "tflite":
            pytest.importorskip("tflite", reason="needs archscope[tflite]")
        assert callable(entry.importer())


@pytest.mark.parametrize(
    ("source", "folder"),
    [
        ("net.onnx", "onnx"), ("a b/net:1.onnx", "onnx"), ("torchvision.models:vgg16", "torch"),
        ("nets:Small.tiny", "torch"), ("resnet50", None), ("specs/net.yaml", None),
        ("C:/net.yaml", None), ("INPUT 3x8x8 -> FC 10", None), ("name: net\n# net.onnx", None),
        ("nets.onnx.py", "torch"), ("a/yolo.cfg", "darknet"),
        ("deploy.prototxt", "caffe"), ("net.param", "ncnn"), ("net.tflite", "tflite"),
        ("no/net.xml", "openvino"), ("net.mlmodel", "coreml"), ("a/net.mlpackage/", "coreml"),
        ("net.cfg.yaml", None), ("model.yaml", None), (":net", None), ("net:", None),
    ],
)  # fmt: skip
def test_sources_are_told_from_specs(source: str, folder: str | None) -> None:
    found = format_of(source)
    assert (found and found.folder) == folder
    assert is_foreign(source) == (folder is not None)


def test_what_is_no_model_is_refused_with_what_models_look_like() -> None:
    with pytest.raises(OptionError) as caught:
        imported("nosuchnet")
    expected = " or ".join(entry.about for entry in FORMATS.values())
    assert str(caught.value) == f"'nosuchnet' is not a model to import: expected {expected}"
    assert "package.module:name" in expected
    with pytest.raises(OptionError, match="'resnet50' is already a spec"):
        imported("resnet50")


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_keeps_its_contract(name: str) -> None:
    assert outcome("importers", name).broken == ()
