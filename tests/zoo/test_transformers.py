"""Transformers against torchvision and timm: counts, and outputs with the same weights."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from archscope import load
from archscope.build import build
from tests.zoo.oracle import randomise, torchvision


def timm_model(name: str) -> nn.Module:
    torchvision()
    timm = pytest.importorskip("timm", reason="needs timm, which make installs without its needs")
    module: nn.Module = timm.create_model(name)
    return module


THEIRS: dict[str, tuple[Callable[[], nn.Module], dict[str, int]]] = {
    "vit_b_16": (
        lambda: torchvision().models.VisionTransformer(64, 16, 2, 12, 768, 3072),
        {"depth": 2},
    ),
    "deit_tiny": (lambda: timm_model("deit_tiny_patch16_224"), {}),
}
"""The network of the library for settings of ours, and an input that suits it."""

FIRST = ("class_token", "cls_token", "pos_embed")
"""What a model registers before the patch embedding and uses after it."""


def weights_in_order(theirs: nn.Module) -> list[torch.Tensor]:
    """Return the weights of a model in the order in which it uses them."""
    state = theirs.state_dict()
    early = [key for key in state if key in FIRST]
    rest = [key for key in state if key not in FIRST and "position_index" not in key]
    return [state[key] for key in (*rest[:2], *early, *rest[2:])]


@pytest.mark.parametrize("name", THEIRS)
def test_output_is_the_library_s(name: str) -> None:
    torch.manual_seed(0)
    make, settings = THEIRS[name]
    theirs = make().eval()
    randomise(theirs)
    for parameter in theirs.parameters():
        if parameter.abs().max() == 0:
            nn.init.normal_(parameter, std=0.1)
    size = 64 if settings else 224
    ours = build(load(name, set=settings, input=(3, size, size))).eval()
    mine = ours.state_dict()
    given = weights_in_order(theirs)
    assert len(mine) == len(given)
    ours.load_state_dict(
        {key: value.view(mine[key].shape) for key, value in zip(mine, given, strict=True)}
    )
    batch = torch.rand(2, 3, size, size)
    with torch.no_grad():
        torch.testing.assert_close(ours(batch), theirs(batch), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", THEIRS)
def test_counts_are_the_library_s(name: str) -> None:
    library = {"vit_b_16": lambda: torchvision().models.vit_b_16()}
    with torch.device("meta"):
        theirs = library.get(name, THEIRS[name][0])().eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        theirs(torch.rand(1, 3, 224, 224, device="meta"))
    graph = load(name)
    assert sum(node.own_params for node in graph.nodes) == sum(
        parameter.numel() for parameter in theirs.parameters()
    )
    assert 2 * sum(node.facts.macs for node in graph.nodes) == counter.get_total_flops()
