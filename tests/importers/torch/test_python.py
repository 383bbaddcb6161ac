"""Analysis of modules from Python, and its display in notebooks."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
import torch
from torch import nn

import archscope
from archscope import language
from archscope.build import build
from archscope.errors import OptionError
from archscope.importers.torch import from_module
from archscope.language.write import to_yaml
from archscope.weights import state_dict_of
from tests.importers.torch.modules import Solved, Two
from tests.zoo.oracle import torchvision


def test_shapes_and_tensors_say_the_same() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    by_shape = from_module(module, (3, 8, 9)).graph
    assert from_module(module, [3, 8, 9]).graph == by_shape
    assert from_module(module, torch.rand(5, 3, 8, 9)).graph == by_shape
    assert by_shape.nodes[-1].out == (4, 6, 7)
    pair = from_module(Two(), (torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8))).graph
    assert [node.name for node in pair.inputs] == ["left", "right"]
    assert [output.name for output in pair.outputs] == ["output0", "output1"]
    assert pair == from_module(Two(), {"left": (3, 8, 8), "right": (3, 8, 8)}).graph


def test_names_are_the_paths_of_modules() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
            self.relu = nn.Sequential(nn.ReLU())
            self.act = nn.ReLU()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.relu(self.act(self.stem(x)))
            return torch.relu(self.act(x))

    names = [node.name for node in from_module(Net(), (3, 8, 8)).graph.nodes]
    assert names == ["x", "stem.0", "stem.1", "act", "relu.0", "act_2", "relu_2"]


class Named(nn.Module):
    """Parts whose names mean something elsewhere, and a dict of results."""

    NAMES = [
        "input", "in", "from", "1x", "true", "null", "no", "on", "graph", "paths", "a-b", "a b",
        "é", "~", "0", "1e3", "=x", "!x", "&x", "running_mean", "state-dict", "w" * 150, "x_",
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        for name in self.NAMES:
            self.add_module(name, nn.Conv2d(1, 1, 1))
        self.parts = nn.ModuleDict({"weight": nn.Conv2d(1, 1, 1), "bias": nn.Conv2d(1, 1, 1)})

    def forward(self, input: torch.Tensor) -> dict[str, torch.Tensor]:
        x = input
        for name in self.NAMES:
            x = getattr(self, name)(x)
        return {"aux": x, "out": self.parts["bias"](self.parts["weight"](x))}


def test_any_name_of_a_module_can_be_written() -> None:
    torch.manual_seed(0)
    module = Named().eval()
    found = from_module(module, (1, 4, 4))
    graph = language.graph(language.document("named", text=to_yaml(found.graph).encode()))
    assert [output.name for output in graph.outputs] == ["aux", "out"]
    network = build(graph).eval()
    network.load_state_dict(state_dict_of(graph, found.weights()))
    image = torch.rand(2, 1, 4, 4)
    torch.testing.assert_close(network(image), module(image))


def test_load_takes_models_of_both_kinds() -> None:
    torchvision()
    graph = archscope.load("torchvision.models:resnet18", input=(3, 64, 64))
    assert graph.inputs[0].out == (3, 64, 64)
    assert archscope.analyze(graph).totals.params == 11_689_512
    assert archscope.load("resnet18", input=(3, 64, 64)).name == "resnet18"


def test_what_is_no_module_is_refused() -> None:
    with pytest.raises(OptionError, match=r"expected a torch.nn.Module, got function"):
        from_module(lambda x: x, (3, 8, 8))  # type: ignore[arg-type]


class Words(HTMLParser):
    """Collects the texts and tags of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)


def test_notebooks_show_a_table() -> None:
    result = archscope.analyze(archscope.load("vgg16"))
    page = Words(result._repr_html_())
    assert page.words[0].startswith("vgg16")
    assert page.words[page.words.index("macs") + 1] == "15,470,264,320 (15.47 G)"
    assert page.words[page.words.index("params") + 1] == "138,357,544"
    assert page.words[page.words.index("receptive field") + 1].startswith("212x212, stride 32x32")
    assert "not recognised" not in page.words
    place = page.words.index("stage0.conv1")
    assert page.words[place : place + 6] == [
        "stage0.conv1", "conv", "64x224x224", "36,928", "1,849,688,064", "5x5",
    ]  # fmt: skip


def test_notebooks_show_what_is_unknown_and_no_markup() -> None:
    found = from_module(Solved(), (7, 6), "<script>alert(1)</script>").graph
    text = archscope.analyze(found)._repr_html_()
    page = Words(text)
    assert page.tags == {"table", "caption", "tr", "th", "td", "details", "summary"}
    assert page.words[0] == "<script>alert(1)</script>"
    assert page.words[page.words.index("macs") + 1] == ">= 0 (0)"
    assert page.words[page.words.index("not recognised") + 1].startswith(
        "1 x aten.linalg_solve.default"
    )
    assert page.words[page.words.index("receptive field") + 1] == "unknown"
