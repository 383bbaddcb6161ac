"""Transformers and other networks against torchvision and timm: counts, and the same outputs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from archscope import load
from archscope.build import build
from tests.zoo.oracle import randomise, torchvision


def timm_model(name: str, **settings: Any) -> nn.Module:
    torchvision()
    timm = pytest.importorskip("timm", reason="needs timm, which make installs without its needs")
    module: nn.Module = timm.create_model(name, **settings)
    return module


def tv_model(name: str, **settings: Any) -> nn.Module:
    module: nn.Module = getattr(torchvision().models, name)(**settings)
    return module


LIBRARY: dict[str, Callable[[], nn.Module]] = {
    "vit_b_16": lambda: tv_model("vit_b_16"),
    "deit_tiny": lambda: timm_model("deit_tiny_patch16_224"),
    "swin_t": lambda: tv_model("swin_t"),
    "mobilevit_s": lambda: timm_model("mobilevit_s"),
    "repvgg_a0": lambda: timm_model("repvgg_a0"),
}

SMALL: dict[str, tuple[Callable[[], nn.Module], dict[str, Any], int]] = {
    "vit_b_16": (
        lambda: torchvision().models.VisionTransformer(64, 16, 2, 12, 768, 3072),
        {"depth": 2},
        64,
    ),
    "deit_tiny": (LIBRARY["deit_tiny"], {}, 224),
    "swin_t": (
        lambda: torchvision().models.SwinTransformer([4, 4], 24, [2, 2], [3, 6], [4, 4]),
        {"depths": [2, 2], "head_counts": [3, 6], "starts": [0, 2], "width": 24, "window": 4},
        32,
    ),
    "mobilevit_s": (LIBRARY["mobilevit_s"], {}, 64),
    "repvgg_a0": (LIBRARY["repvgg_a0"], {}, 64),
}
"""A smaller model of the library where there is one, our settings for it, and a size of images."""

EARLY = ("class_token", "cls_token", "pos_embed")
"""What a model registers before the patch embedding and uses after it."""


def take_weights(ours: nn.Module, theirs: nn.Module) -> None:
    """Copy weights of one shape in the order in which both models register them."""
    state = {k: v for k, v in theirs.state_dict().items() if not k.endswith("position_index")}
    rest = [key for key in state if key not in EARLY]
    early = [key for key in state if key in EARLY]
    queues = defaultdict(list)
    for key in (*rest[:2], *early, *rest[2:]):
        queues[state[key].squeeze().shape].append(state[key])
    mine = ours.state_dict()
    taken = {key: queues[value.squeeze().shape].pop(0) for key, value in mine.items()}
    assert not any(queues.values())
    ours.load_state_dict({key: value.view(mine[key].shape) for key, value in taken.items()})


@pytest.mark.parametrize("name", SMALL)
def test_output_is_the_library_s(name: str) -> None:
    torch.manual_seed(0)
    make, settings, size = SMALL[name]
    theirs = make().eval()
    randomise(theirs)
    for parameter in theirs.parameters():
        if parameter.abs().max() == 0:
            nn.init.normal_(parameter, std=0.1)
    ours = build(load(name, set=settings, input=(3, size, size))).eval()
    take_weights(ours, theirs)
    batch = torch.rand(2, 3, size, size).double()
    with torch.no_grad():
        expected, got = theirs.double()(batch), ours.double()(batch)
    torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-6)


def flops(model: nn.Module, *shape: int) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.rand(1, *shape, device="meta"))
    return int(counter.get_total_flops())


@pytest.mark.parametrize("name", LIBRARY)
def test_counts_are_the_library_s(name: str) -> None:
    with torch.device("meta"):
        theirs = LIBRARY[name]().eval()
    graph = load(name)
    params = sum(parameter.numel() for parameter in theirs.parameters())
    assert sum(node.own_params for node in graph.nodes) == params
    (shape,) = (node.out for node in graph.inputs)
    assert 2 * sum(node.facts.macs for node in graph.nodes) == flops(theirs, *shape)


def test_pyramid_and_heads_have_the_counts_of_torchvision() -> None:
    detection = torchvision().models.detection
    with torch.device("meta"):
        theirs = detection.retinanet_resnet50_fpn(weights=None, weights_backbone=None).eval()
    graph = load("retinanet_resnet50_fpn")
    params = sum(parameter.numel() for parameter in theirs.parameters())
    assert sum(node.own_params for node in graph.nodes) == params
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        maps = theirs.backbone(torch.rand(1, 3, 512, 512, device="meta"))
        theirs.head([*maps.values()])
    assert 2 * sum(node.facts.macs for node in graph.nodes) == counter.get_total_flops()


def test_nasnet_has_the_size_of_the_paper() -> None:
    """5.3 M params and 564 M macs, Zoph et al. 2018, table 3."""
    graph = load("nasnet_a_mobile")
    assert round(sum(node.own_params for node in graph.nodes) / 1e6, 1) == 5.3
    assert round(sum(node.facts.macs for node in graph.nodes) / 1e6) == 564
