"""Weights of other tools: how they are matched, and notes on the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from archscope import load, pretrained
from archscope.build import build
from archscope.errors import OptionError
from archscope.pretrained import PretrainedWeights
from tests.zoo.oracle import torchvision, weighted_in_order

SPEC = "INPUT {c}x8x8 -> CONV 4 -> BN -> RELU -> CONV 4 -> BN -> RELU -> FC {n}"


class Theirs(nn.Module):
    """The network of SPEC, with names of its own."""

    def __init__(self, channels: int = 3, classes: int = 5) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.conv2, self.bn2 = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.fc = nn.Linear(4 * 64, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu())).relu()
        return self.fc(x.flatten(1))  # type: ignore[no-any-return]


def theirs(**changes: int) -> Theirs:
    torch.manual_seed(0)
    made = Theirs(**changes).eval()
    for norm in (made.bn1, made.bn2):
        nn.init.uniform_(norm.running_mean)
    return made


def read(content: Any, folder: Path, channels: int = 3, classes: int = 5) -> PretrainedWeights:
    """Return what is found in a file for the network of SPEC."""
    torch.save(content, folder / "a.pth")
    return pretrained.pretrained(load(SPEC.format(c=channels, n=classes)), folder / "a.pth")


def same_output(found: PretrainedWeights, module: nn.Module) -> bool:
    network = build(load(SPEC.format(c=3, n=5))).eval()
    network.load_state_dict(found.weights, strict=False)
    x = torch.rand(2, 3, 8, 8)
    with torch.no_grad():
        return torch.allclose(network(x), module(x), atol=1e-6)


WRAPPED: dict[str, Callable[[dict[str, Tensor]], Any]] = {
    "bare": lambda state: state,
    "checkpoint": lambda state: {"epoch": 3, "state_dict": state},
    "parallel": lambda state: {"model": {f"module.{name}": t for name, t in state.items()}},
    "without counters": lambda state: {n: t for n, t in state.items() if "batches" not in n},
}


@pytest.mark.parametrize("wrap", WRAPPED)
def test_a_state_dict_by_order(tmp_path: Path, wrap: str) -> None:
    module = theirs()
    found = read(WRAPPED[wrap](module.state_dict()), tmp_path)
    assert same_output(found, module)
    assert (found.record.by, found.record.weights, found.record.new) == ("order", 14, ())
    assert found.notes == (f"14 of 14 weights loaded from '{tmp_path}/a.pth', by order and shape",)


def test_own_weights_by_name(tmp_path: Path) -> None:
    network = build(load(SPEC.format(c=3, n=5)))
    save_file(network.state_dict(), tmp_path / "a.safetensors")
    graph = load(SPEC.format(c=3, n=7))
    found = pretrained.pretrained(graph, tmp_path / "a.safetensors")
    assert (found.record.by, found.record.weights) == ("name", 12)
    assert found.notes[1:] == ("reinitialised: linear (7x256, in the file 5x256)",)
    extra = {**network.state_dict(), "more.weight": torch.zeros(2)}
    torch.save(extra, tmp_path / "b.pth")
    found = pretrained.pretrained(load(SPEC.format(c=3, n=5)), tmp_path / "b.pth")
    assert found.notes[1:] == ("unused in the file: more",)


def test_only_the_ends_may_have_another_shape(tmp_path: Path) -> None:
    found = read(theirs(classes=1000).state_dict(), tmp_path)
    assert [name.split(".")[0] for name in found.weights][-1] != "linear"
    assert found.notes[1].endswith("(5x256, in the file 1000x256)")
    found = read(theirs(channels=1).state_dict(), tmp_path)
    assert found.notes[1].endswith("(4x3x3x3, in the file 4x1x3x3)")
    wide = theirs()
    wide.conv2 = nn.Conv2d(4, 6, 3)
    with pytest.raises(OptionError, match=r"does not fit .*'conv2' of the file"):
        read(wide.state_dict(), tmp_path)


def test_safetensors_of_torchvisions_names(tmp_path: Path) -> None:
    module = theirs()
    words = {"conv1": "features.0", "bn1": "features.1", "conv2": "features.2",
             "bn2": "features.10", "fc": "classifier"}  # fmt: skip
    state = {
        f"{words[layer]}.{leaf}": tensor
        for layer, leaf, tensor in (
            (*name.split("."), tensor) for name, tensor in module.state_dict().items()
        )
    }
    save_file(state, tmp_path / "a.safetensors")
    found = pretrained.pretrained(load(SPEC.format(c=3, n=5)), tmp_path / "a.safetensors")
    assert same_output(found, module)
    other = {name.replace("conv", "zonk"): tensor for name, tensor in module.state_dict().items()}
    save_file(other, tmp_path / "b.safetensors")
    with pytest.raises(OptionError, match=r"safetensors keeps no order: .* use the .pth file"):
        pretrained.pretrained(load(SPEC.format(c=3, n=5)), tmp_path / "b.safetensors")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"a": 1}, "holds no state dict"),
        (3, "holds no state dict"),
        (Theirs(), r"holds more than weights \(tests.*Theirs\); save only the weights with"),
        ({"fc.weight": torch.zeros(2, 2)}, "does not fit .*: it has 1 layers with weights"),
    ],
)
def test_what_is_no_state_dict(tmp_path: Path, content: Any, told: str) -> None:
    with pytest.raises(OptionError, match=told) as caught:
        read(content, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors", "a.png", "none.pth"])
def test_what_is_no_file_of_weights(tmp_path: Path, name: str) -> None:
    if name != "none.pth":
        (tmp_path / name).write_bytes(b"junk")
    with pytest.raises(OptionError, match=name) as caught:
        pretrained.pretrained(load(SPEC.format(c=3, n=5)), tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize(
    "name",
    ["alexnet", "vgg11_bn", "resnet18", "squeezenet1_0", "shufflenet_v2_x0_5", "mobilenet_v3_small",
     "densenet121", "efficientnet_b0"],
)  # fmt: skip
def test_the_zoo_takes_torchvisions_weights(
    name: str, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Layers are those that run at the same time, which gives the same outputs (tests/zoo)."""
    graph = load(name)
    with torch.device("meta"):
        module = getattr(torchvision().models, name)(weights=None).eval()
    state = module.state_dict()
    if suffix == ".safetensors":
        state = dict(sorted(state.items()))
    plain = {name: value for name, value in state.items() if "num_batches" not in name}
    monkeypatch.setattr(pretrained, "_read", lambda file: plain)
    monkeypatch.setattr(pretrained, "_digest", lambda file: "")
    found = pretrained.pretrained(graph, Path("a").with_suffix(suffix))
    assert found.record.new == found.record.unused == ()
    network = build(graph, device="meta").eval()
    x = torch.empty(2, *graph.inputs[0].out, device="meta")
    sources, targets = weighted_in_order(module, x), weighted_in_order(network, x)
    names = {id(part): path for net in (module, network) for path, part in net.named_modules()}
    for source, target in zip(sources, targets, strict=True):
        for leaf in source.state_dict():
            if "batches" not in leaf:
                taken = found.weights[f"{names[id(target)]}.{leaf}"]
                assert taken is state[f"{names[id(source)]}.{leaf}"]
