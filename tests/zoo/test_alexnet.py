"""LeNet, AlexNet and ZFNet: counts as published, outputs as torch makes them from the papers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from archscope import analyze, load
from tests.zoo.oracle import assert_same_output, torchvision

SMALL = {"width": 1 / 16, "classes": 10}


class ResponseNorm(nn.Module):
    """Section 3.3 of the paper, written out: k = 2, n = 5, alpha = 1e-4, beta = 0.75."""

    def forward(self, x: Tensor) -> Tensor:
        channels = x.shape[1]
        squares = [
            x[:, max(0, i - 2) : min(channels, i + 3)].square().sum(dim=1) for i in range(channels)
        ]
        return x / (2 + 1e-4 * torch.stack(squares, dim=1)) ** 0.75


def conv(inside: int, out: int, kernel: int, **words: int) -> nn.Sequential:
    made = nn.Conv2d(inside, out, kernel, **words)
    nn.init.kaiming_normal_(made.weight)
    return nn.Sequential(made, nn.ReLU())


def hidden(inside: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(inside, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(),
        nn.Linear(256, 10),
    )  # fmt: skip


def test_alexnet_is_torchvision_s() -> None:
    assert_same_output("alexnet", torchvision().models.alexnet(), (3, 224, 224))


def test_alexnet_of_2012_is_the_paper_s_with_groups() -> None:
    theirs = nn.Sequential(
        conv(3, 6, 11, stride=4), ResponseNorm(), nn.MaxPool2d(3, 2),
        conv(6, 16, 5, padding=2, groups=2), ResponseNorm(), nn.MaxPool2d(3, 2),
        conv(16, 24, 3, padding=1), conv(24, 24, 3, padding=1, groups=2),
        conv(24, 16, 3, padding=1, groups=2), nn.MaxPool2d(3, 2), hidden(576),
    )  # fmt: skip
    assert_same_output("alexnet_2012", theirs, (3, 227, 227), SMALL)


def test_zfnet_is_figure_3() -> None:
    pool = nn.MaxPool2d(3, 2, ceil_mode=True)
    theirs = nn.Sequential(
        conv(3, 6, 7, stride=2, padding=1), ResponseNorm(), pool,
        conv(6, 16, 5, stride=2), ResponseNorm(), pool,
        conv(16, 24, 3, padding=1), conv(24, 24, 3, padding=1), conv(24, 16, 3, padding=1), pool,
        hidden(576),
    )  # fmt: skip
    assert_same_output("zfnet", theirs, (3, 224, 224), SMALL)


def test_lenet5_is_the_paper_s() -> None:
    theirs = nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(),
        nn.AvgPool2d(2), nn.Conv2d(16, 120, 5), nn.Tanh(), nn.Flatten(), nn.Linear(120, 84),
        nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip
    assert_same_output("lenet5", theirs, (1, 32, 32))


@pytest.mark.parametrize(
    ("name", "params", "macs"),
    [
        ("lenet5", 61_706, 416_520),
        ("alexnet", 61_100_840, 714_188_480),
        ("alexnet_2012", 60_965_224, 724_406_816),
        ("zfnet", 62_357_608, 1_168_032_896),
    ],
)
def test_totals(name: str, params: int, macs: int) -> None:
    totals = analyze(load(name)).totals
    assert (totals.params, totals.macs) == (params, macs)


def test_without_its_groups_alexnet_grows() -> None:
    totals = analyze(load("alexnet_2012", set={"groups": 1})).totals
    assert (totals.params, totals.macs) == (62_378_344, 1_135_256_096)


def test_zfnet_takes_the_wider_layers_of_its_paper() -> None:
    totals = analyze(load("zfnet", set={"widths": [512, 1024, 512]})).totals
    assert (totals.params, totals.macs) == (107_627_624, 2_476_704_896)


def test_lenet5_maps_are_those_of_the_paper() -> None:
    shapes = [node.out for node in load("lenet5").nodes if node.op.name in ("conv", "avgpool")]
    assert shapes == [(6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5), (120, 1, 1)]


def test_first_window_tiles_227_and_not_224() -> None:
    first = load("alexnet_2012").nodes[1]
    assert first.out == (96, 55, 55)
    assert (227 - 11) % 4 == 0
    assert load("alexnet_2012", input=(3, 224, 224)).nodes[1].out == (96, 54, 54)
