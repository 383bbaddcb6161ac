"""Networks that compute with Fourier transforms are imported, with complex numbers as pairs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, fft, nn

from archscope.analysis import analyze
from archscope.build import build
from archscope.importers.torch import from_module
from archscope.weights import state_dict_of

ORTHO: dict[str, Any] = {"norm": "ortho"}


class GlobalFilter(nn.Module):
    """The layer of GFNet, Rao et al. 2021: a learned filter for each channel."""

    def __init__(self) -> None:
        super().__init__()
        self.filter = nn.Parameter(torch.randn(8, 5, 6, 2))

    def forward(self, x: Tensor) -> Tensor:
        x = x.movedim(1, -1)
        frequencies = fft.rfft2(x, dim=(1, 2), **ORTHO) * torch.view_as_complex(self.filter)
        return fft.irfft2(frequencies, s=(8, 8), dim=(1, 2), **ORTHO).movedim(-1, 1)


class FastFourierConvolution(nn.Module):
    """The spectral transform of Chi et al. 2020, as in LaMa: a convolution of frequencies."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(12, 12, 1, bias=False)
        self.norm = nn.BatchNorm2d(12)

    def forward(self, x: Tensor) -> Tensor:
        made = fft.rfftn(x, dim=(-2, -1), **ORTHO)
        made = torch.stack((made.real, made.imag), dim=-1).permute(0, 1, 4, 2, 3).contiguous()
        made = self.norm(self.conv(made.view(len(x), -1, *made.shape[3:]))).relu()
        made = made.view(len(x), -1, 2, *made.shape[2:]).permute(0, 1, 3, 4, 2).contiguous()
        made = torch.complex(made[..., 0], made[..., 1])
        return fft.irfftn(made, s=x.shape[-2:], dim=(-2, -1), **ORTHO)


class FourierLayer(nn.Module):
    """The layer of a Fourier neural operator, Li et al. 2021: a product for each low frequency."""

    def __init__(self) -> None:
        super().__init__()
        shape = (6, 4, 3, 2)
        self.first = nn.Parameter(torch.randn(*shape, dtype=torch.cfloat))
        self.second = nn.Parameter(torch.randn(*shape, dtype=torch.cfloat))

    def forward(self, x: Tensor) -> Tensor:
        found = fft.rfft2(x)
        made = torch.zeros(len(x), 4, x.shape[2], x.shape[3] // 2 + 1, dtype=torch.cfloat)
        equation = "bixy,ioxy->boxy"
        made[:, :, :3, :2] = torch.einsum(equation, found[:, :, :3, :2], self.first)
        made[:, :, -3:, :2] = torch.einsum(equation, found[:, :, -3:, :2], self.second)
        return fft.irfft2(made, s=x.shape[-2:])


class Mixing(nn.Module):
    """The layer of FNet, Lee-Thorp et al. 2022: the real part of a transform of two axes."""

    def forward(self, x: Tensor) -> Tensor:
        return fft.fft(fft.fft(x, dim=-1), dim=-2).real


class Louder(nn.Module):
    """Amplitudes are changed, phases are kept."""

    def forward(self, x: Tensor) -> Tensor:
        found = fft.fft2(x)
        return fft.ifft2(torch.polar(found.abs().sqrt(), found.angle()), norm="forward").real


@pytest.mark.parametrize(
    "made", [GlobalFilter, FastFourierConvolution, FourierLayer, Mixing, Louder]
)
def test_network_is_imported(made: type[nn.Module]) -> None:
    torch.manual_seed(0)
    module = made().eval()
    found = from_module(module, (6, 8, 8))
    assert "opaque" not in [node.op.name for node in found.graph.nodes]
    totals = analyze(found.graph).totals
    assert totals.params == sum(part.numel() for part in module.parameters())
    network = build(found.graph).eval()
    network.load_state_dict(state_dict_of(found.graph, found.weights()))
    x = torch.randn(2, 6, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(network(x), module(x), rtol=1e-4, atol=1e-5)


def test_bytes_are_those_of_complex_parameters() -> None:
    """A complex param counts once, as in torch, and takes the bytes of two numbers."""
    module = FourierLayer()
    layers = analyze(from_module(module, (6, 8, 8)).graph).layers
    held = sum(layer.weight_bytes - 4 * layer.buffers for layer in layers)
    assert held == sum(part.nbytes for part in module.parameters())


def test_products_of_frequencies_are_counted() -> None:
    """A product of complex numbers is four of real ones."""
    totals = analyze(from_module(FourierLayer(), (6, 8, 8)).graph).totals
    assert totals.macs == 2 * 4 * 6 * 4 * 3 * 2


class Padded(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return fft.rfft2(x, s=(12, 12)).abs()


class OverImages(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return fft.fft(x, dim=0).real


@pytest.mark.parametrize("made", [Padded, OverImages])
def test_other_transforms_stay_opaque(made: type[nn.Module]) -> None:
    names = [node.op.name for node in from_module(made(), (6, 8, 8)).graph.nodes]
    assert "opaque" in names
