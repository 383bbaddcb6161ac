"""`archscope import`: the spec and the weights of a module compute what the module computes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import archscope
from archscope.build import build
from archscope.folding.fold import readable
from archscope.importers.torch import from_module
from archscope.importers.torch.import_string import load_module
from archscope.weights import state_dict_of
from tests.cli.conftest import Run, run
from tests.importers.torch.ordinary_forms import SHAPE, Ordinary
from tests.zoo.oracle import randomise, torchvision

__all__ = ["run"]

NETWORKS = {
    "resnet50": 64, "densenet121": 64, "mobilenet_v3_large": 64, "shufflenet_v2_x1_0": 64,
    "inception_v3": 107, "efficientnet_b0": 64, "convnext_tiny": 64,
}  # fmt: skip
"""Networks that the zoo has, too, and an image that is small enough to be quick."""


@pytest.mark.parametrize("name", NETWORKS)
def test_import_is_its_source_and_the_network_of_the_zoo(
    name: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torchvision()
    torch.manual_seed(0)
    source = load_module(f"torchvision.models:{name}").eval()
    randomise(source)
    monkeypatch.setattr(torchvision().models, name, source)  # a module stands there, not a function
    ours = archscope.analyze(archscope.load(name))
    spec, weights = tmp_path / "net.yaml", tmp_path / "net.safetensors"
    result = run(
        "import", f"torchvision.models:{name}", "--input", "x".join(map(str, ours.input)),
        "-o", str(spec), "--weights", str(weights), "--strict",
    )  # fmt: skip
    assert (result.code, result.out) == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.safetensors", "net.yaml"]

    theirs = archscope.analyze(archscope.load(spec))
    assert theirs.receptive_field is not None and ours.receptive_field is not None
    for fact in ("size", "stride", "padding", "smallest", "sees_all"):
        assert getattr(theirs.receptive_field, fact) == getattr(ours.receptive_field, fact), fact
    for fact in ("params", "buffers", "macs", "activations", "depth"):
        assert getattr(theirs.totals, fact) == getattr(ours.totals, fact), fact

    shape = (3, NETWORKS[name], NETWORKS[name])
    network = build(archscope.load(spec, input=shape)).eval()
    network.load_state_dict(load_file(weights))  # refuses other names and shapes
    batch = torch.rand(2, *shape)
    with torch.no_grad():
        torch.testing.assert_close(network(batch), source(batch), rtol=1e-5, atol=1e-5)


def twice(x: torch.Tensor, first: nn.Module, second: nn.Module) -> torch.Tensor:
    """Run layers on two resolutions, and read the end of the second run only, as ICNet does."""
    middle = first(x)
    second(middle)
    end: torch.Tensor = second(first(x[..., ::2, ::2]))
    return end + middle[..., ::2, ::2]


def test_weights_of_layers_whose_first_result_is_not_read() -> None:
    layers = [nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(True)) for _ in range(2)]
    module = Ordinary(twice, *layers, last=8).eval()
    read = readable((found := from_module(module, SHAPE)).graph)
    network = build(read.graph).eval()
    network.load_state_dict(state_dict_of(read.graph, found.weights(), read.names))
    images = torch.rand(2, *SHAPE)
    with torch.no_grad():
        torch.testing.assert_close(network(images), module(images), rtol=1e-5, atol=1e-5)
    params = sum(parameter.numel() for parameter in module.parameters())
    assert archscope.analyze(read.graph).totals.params == params


def test_bytes_of_half_precision() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()).half()
    result = archscope.analyze(from_module(model, (3, 8, 8)).graph)
    assert result.dtype == "float16"
    assert result.totals.weight_bytes == 2 * 224
