"""Rearranged maps of darknet, against the loops of its source."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from archscope.build import build
from tests.importers.darknet.configs import load


@pytest.mark.parametrize("reverse", [0, 1])
def test_reorg_is_that_of_darknet(reverse: int, tmp_path: Path) -> None:
    c, h, w, s = 8, 4, 6, 2
    text = f"[net]\nheight={h}\nwidth={w}\nchannels={c}\n[reorg]\nstride={s}\nreverse={reverse}\n"
    graph = load(tmp_path, text)
    x = np.arange(c * h * w, dtype="f4")
    wanted = np.zeros_like(x)
    thin = c // s**2
    for k in range(c):  # reorg_cpu of darknet's blas.c
        for j in range(h):
            for i in range(w):
                inner = i + w * (j + h * k)
                c2, offset = k % thin, k // thin
                outer = i * s + offset % s + w * s * (j * s + offset // s + h * s * c2)
                if reverse:
                    wanted[outer] = x[inner]
                else:
                    wanted[inner] = x[outer]
    made = build(graph).eval()(torch.from_numpy(x).reshape(1, c, h, w))
    assert made.flatten().tolist() == wanted.tolist()


def test_reorg3d_puts_positions_before_channels(tmp_path: Path) -> None:
    c, h, w, s = 3, 4, 6, 2
    graph = load(tmp_path, f"[net]\nheight={h}\nwidth={w}\nchannels={c}\n[reorg3d]\nstride={s}\n")
    x = torch.randn(1, c, h, w)
    wanted = torch.cat([x[:, :, i // s :: s, i % s :: s] for i in range(s * s)], 1)
    assert torch.equal(build(graph).eval()(x), wanted)


def test_values_are_extended_and_turned(tmp_path: Path) -> None:
    text = "[net]\nheight=2\nwidth=3\nchannels=4\n[reorg]\n"
    x = torch.randn(2, 4, 2, 3)
    made = build(load(tmp_path, text + "extra=2\n")).eval()(x)
    assert torch.equal(made, torch.cat([x.flatten(1), torch.zeros(2, 2)], 1))
    made = build(load(tmp_path, text + "flatten=1\n")).eval()(x)
    assert torch.equal(made.flatten(1), x.permute(0, 2, 3, 1).flatten(1))
    back = build(load(tmp_path, text + "flatten=1\nreverse=1\n")).eval()(made)
    assert torch.equal(back, x)
