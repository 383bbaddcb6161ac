"""Weights are read from all common kinds of files, and matched with a network by name."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from archscope import language
from archscope.build import build
from archscope.cli.shared.given_weights import given_weights
from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.weights import load_weights, read_weights

SPEC = "input: [3, 8, 8]\nlayers: [conv: 4, batchnorm, flatten, linear: 2]"


@pytest.fixture
def graph() -> Graph:
    return language.graph(language.document("net", text=SPEC.encode()))


@pytest.fixture
def state(graph: Graph) -> dict[str, Tensor]:
    torch.manual_seed(0)
    return {key: torch.rand_like(value.float()) for key, value in build(graph).state_dict().items()}


def fits(graph: Graph, weights: dict[str, Tensor], state: dict[str, Tensor]) -> bool:
    network = build(graph)
    load_weights(network, weights, "the file")
    held = network.state_dict()
    return all(torch.equal(held[key], state[key]) for key in state if "batches" not in key)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".ckpt", ".bin"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.module.", "model."])
@pytest.mark.parametrize("key", [None, "state_dict", "model"])
def test_state_dicts(
    tmp_path: Path, graph: Graph, state: dict[str, Tensor], suffix: str, prefix: str, key: str
) -> None:
    content: Any = {prefix + name: value for name, value in state.items()}
    if key is not None:
        content = {"epoch": 3, key: content, "optimizer": {"lr": 0.1}}
    path = tmp_path / f"weights{suffix}"
    torch.save(content, path)
    assert fits(graph, given_weights(path, graph), state)


def test_prefixes_in_safetensors(tmp_path: Path, graph: Graph, state: dict[str, Tensor]) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({f"module.{name}": value for name, value in state.items()}, path)
    assert fits(graph, given_weights(path, graph), state)


def test_other_names_by_order(tmp_path: Path, graph: Graph) -> None:
    """As torchvision names layers; all must fit, for there is no training that would."""
    module = nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 64, 2)
    )  # fmt: skip
    path = tmp_path / "theirs.pth"
    torch.save(module.state_dict(), path)
    network = build(graph).eval()
    load_weights(network, given_weights(path, graph), "theirs")
    x = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(network(x), module.eval()(x))
    torch.save(nn.Sequential(*module[:3], nn.Linear(4 * 64, 3)).state_dict(), path)
    with pytest.raises(OptionError, match=r"weights that the network lacks \(.*\), first '0"):
        load_weights(network, given_weights(path, graph), "theirs")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.pth", nn.Linear(2, 2), r"holds more than weights \(torch.*Linear\); save only"),
        ("a.pth", [1, 2], "holds no state dict"),
        ("a.pt", torch.jit.script(nn.Linear(2, 2)), "TorchScript program; save only its"),
        ("a.h5", b"junk", r"expected a weights file \(.safetensors, .pth, .*\), got '.*a.h5'"),
        ("a.safetensors", b"junk", "cannot read"),
        ("a.ckpt", b"junk", "cannot read"),
        ("none.pth", None, "no such file"),
        ("none.safetensors", None, "no such file"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_what_holds_no_weights(tmp_path: Path, name: str, content: Any, told: str) -> None:
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, torch.jit.ScriptModule):
        content.save(path)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(OptionError, match=told) as caught:
        read_weights(path)
    assert "\n" not in str(caught.value)


def test_torch_does_not_warn_of_how_a_file_was_pickled(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(pickle.dumps({"a": Path}, protocol=4))
    with warnings.catch_warnings(), pytest.raises(OptionError, match="holds more than weights"):
        warnings.simplefilter("error")
        read_weights(path)
