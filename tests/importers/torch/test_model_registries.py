"""Models of torchvision and timm by the names of their registries."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from archscope import sources
from archscope.errors import OptionError, WordError
from archscope.importers.torch.import_string import load_module
from tests.zoo.oracle import torchvision

torchvision()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("timm", reason="needs timm, which the Makefile installs without its needs")


@pytest.mark.parametrize(
    ("word", "same", "name"),
    [
        ("timm:lcnet_035", "timm.models:lcnet_035", "lcnet_035"),
        ("timm:lcnet_050.ra2_in1k", "timm.models:lcnet_050", "lcnet_050"),
        ("timm:lcnet_035(num_classes=7)", "timm.models:lcnet_035(num_classes=7)", "lcnet_035"),
        ("torchvision:squeezenet1_1", "torchvision.models:squeezenet1_1", "squeezenet1_1"),
        ("torchvision:models.squeezenet1_1", "torchvision.models:squeezenet1_1", "squeezenet1_1"),
    ],
)
def test_registered_names_are_models(word: str, same: str, name: str) -> None:
    found, expected = sources.load(word), sources.load(same)
    assert found.name == name
    assert [(n.op, n.out) for n in found.nodes] == [(n.op, n.out) for n in expected.nodes]


def test_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("downloads")

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", never)
    assert load_module("torchvision:lraspp_mobilenet_v3_large") is not None


@pytest.mark.parametrize(
    ("word", "right"),
    [
        ("timm:lcnet_036(num_classes=7)", "timm:lcnet_035(num_classes=7)"),
        ("torchvision:squeezenet1_2", "torchvision:squeezenet1_1"),
        ("timm/lcnet_035", "timm:lcnet_035"),
        ("timm.lcnet_035", "timm:lcnet_035"),
    ],
)
def test_the_right_word_is_named(word: str, right: str) -> None:
    with pytest.raises(WordError) as raised:
        sources.load(word)
    assert raised.value.instead == right


def test_unknown_names_are_refused() -> None:
    with pytest.raises(OptionError, match=r"timm has no model 'qqqqqqq'; timm.list_models\(\)"):
        sources.load("timm:qqqqqqq")


def test_a_file_of_that_name_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("timm.py").write_text("from torch import nn\nNet = nn.Linear(3, 3)\n")
    assert load_module("timm:Net") is not None
    with pytest.raises(OptionError, match="'timm' has no 'lcnet_035'"):
        sources.load("timm:lcnet_035")
