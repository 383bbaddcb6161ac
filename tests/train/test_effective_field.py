"""The effective receptive field against Jacobians that are known or computed in full."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from archscope import datasets, load
from archscope.build import Network, build
from archscope.train import train
from archscope.train.effective_field import SHARE, effective_field, pictured
from archscope.train.inspection import inspect_run
from tests.train.nets import quick


def stack(layers: int, side: int) -> Network:
    """Return layers of one 3 x 3 window of ones each."""
    network = build(load(f"INPUT 1x{side}x{side} -> [CONV 1]*{layers}"))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(float(parameter.ndim == 4))
    return network


@pytest.mark.parametrize("layers", [1, 3, 6])
def test_of_a_linear_stack_it_is_the_square_of_repeated_sums(layers: int) -> None:
    side = 2 * layers + 5
    field = effective_field(stack(layers, side), torch.rand(4, 1, side, side))
    assert field is not None
    profile = torch.ones(1).double()
    for _ in range(layers):
        profile = functional.conv1d(profile[None, None], torch.ones(1, 1, 3).double(), padding=2)
        profile = profile[0, 0]
    profile = profile.square() / profile.square().sum()
    start, end = side // 2 - layers, side // 2 + layers
    assert field.theoretical == ((start, end), (start, end))
    torch.testing.assert_close(
        field.energy[start : end + 1, start : end + 1], profile.outer(profile)
    )
    assert field.energy.sum().item() == pytest.approx(1)
    reach = next(
        reach
        for reach in range(layers + 1)
        if profile[layers - reach : layers + reach + 1].sum() >= SHARE
    )
    centre = side // 2
    assert field.effective == ((centre - reach, centre + reach),) * 2


def jacobian_energy(network: Network, images: Tensor) -> Tensor:
    """Return the energy from the whole Jacobian of the centre of the last layer."""

    def centre(image: Tensor) -> Tensor:
        out = network(image[None])
        assert isinstance(out, Tensor)
        return out[0, :, out.shape[2] // 2, out.shape[3] // 2]

    rows = [torch.autograd.functional.jacobian(centre, image) for image in images]
    energy = torch.stack(rows).square().sum((0, 1, 2))
    return energy / energy.sum()


def test_random_signs_give_the_energy_of_all_channels() -> None:
    torch.manual_seed(0)
    network = build(load("INPUT 2x13x13 -> CONV 4 -> RELU -> CONV 6 -> RELU")).eval()
    images = torch.rand(1, 2, 13, 13)
    field = effective_field(network, images.repeat(4096, 1, 1, 1))
    assert field is not None and field.theoretical == ((4, 8), (4, 8))
    wanted = jacobian_energy(network, images)
    torch.testing.assert_close(field.energy.float(), wanted, rtol=0.1, atol=0.004)
    assert field.energy[:4].sum() == field.energy[:, 9:].sum() == 0


def test_networks_without_positions_or_gradient_have_none() -> None:
    assert effective_field(build(load("INPUT 10 -> FC 5")), torch.rand(2, 10)) is None
    assert effective_field(build(load("INPUT 1x4x4 -> FC 5")), torch.rand(2, 1, 4, 4)) is None
    network = stack(2, 9)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    assert effective_field(network, torch.rand(2, 1, 9, 9)) is None


def test_mode_and_weights_stay_as_they_are() -> None:
    network = stack(2, 9).train()
    effective_field(network, torch.rand(2, 1, 9, 9))
    assert network.training
    assert all(parameter.grad is None for parameter in network.parameters())


def test_boxes_are_drawn_where_they_are_inside() -> None:
    field = effective_field(stack(6, 17), torch.rand(2, 1, 17, 17))
    assert field is not None
    picture = pictured(field)
    (top, _), (left, _) = field.effective
    assert picture.shape == (3, 17, 17)
    assert picture[:, top, left].tolist() == [255, 140, 0]
    assert picture[:, 2, 8].tolist() == [86, 156, 255]


def test_a_run_keeps_it(tmp_path: Path) -> None:
    dataset = datasets.load("synthetic:images=80,test=20,shape=1x8x8")
    net = "INPUT 1x8x8 -> CONV 4 -> RELU -> POOL -> CONV 4 -> RELU -> FC 4"
    train(load(net), dataset, quick(epochs=1), run_dir=tmp_path / "run")
    assert dataset.test is not None
    field = inspect_run(tmp_path / "run", dataset, dataset.test, "cpu").field
    assert field is not None
    assert (field.layer, field.input, field.theoretical) == ("relu1", (8, 8), (8, 8))
    assert all(side <= 8 for side in field.effective)
    assert Image.open(BytesIO(base64.b64decode(field.png))).size == (8, 8)
