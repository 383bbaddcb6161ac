"""Even levels: within half a step, as few as the bits allow, and never worse than the largest."""

from __future__ import annotations

import pytest
import torch

from archscope.compress.levels import uniform


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_levels(bits: int) -> None:
    torch.manual_seed(0)
    weights = torch.randn(6, 5, 3, 3) * torch.logspace(-3, 3, 6).view(-1, 1, 1, 1)
    weights[:, 0] = 0.0
    weights[5] = 0.0
    levels = uniform(weights, bits)
    most = 2 ** (bits - 1) - 1
    rounded = levels.weights
    assert int(levels.numbers.abs().max()) <= most
    assert not rounded[:, 0].any() and not rounded[5].any()
    for channel in range(5):
        assert len(rounded[channel].unique()) <= 2**bits - 1
        step = weights[channel].abs().max() / most
        plain = (weights[channel] / step).round() * step
        ours = (rounded[channel] - weights[channel]).square().sum()
        assert ours <= (plain - weights[channel]).square().sum() * (1 + 1e-6)
    codes = levels.codes(bits).int()
    signed = torch.where(codes > most, codes - 2**bits, codes)
    assert torch.equal(signed, levels.numbers.int())
