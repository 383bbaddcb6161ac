"""Windows of darknet and its options for them, and weights in unusual forms."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

import archscope
from archscope.build import build
from archscope.sources import imported
from archscope.weights import state_dict_of
from tests.importers.darknet.configs import conv, load, net


def weighted(where: Path, text: str, *parts: np.ndarray[Any, Any]) -> Any:
    """Return the network of a configuration with weights from its file."""
    (where / "net.cfg").write_text(text)
    content = b"".join(part.astype("<f4").tobytes() for part in parts)
    (where / "net.weights").write_bytes(struct.pack("<3iq", 0, 2, 0, 0) + content)
    found = imported(str(where / "net.cfg"))
    network = build(found.graph).eval()
    network.load_state_dict(state_dict_of(found.graph, found.weights()))
    return network


def drawn(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype("f4")


@pytest.mark.parametrize("side", [5, 6])
@pytest.mark.parametrize(("size", "stride"), [(2, 2), (3, 2), (3, 1), (2, 1)])
def test_local_avgpool_leaves_padding_out(
    side: int, size: int, stride: int, tmp_path: Path
) -> None:
    graph = load(tmp_path, net(side, 1) + f"[local_avgpool]\nsize={size}\nstride={stride}\n")
    pad, out = size - 1, (side - 1) // stride + 1
    x, wanted = torch.randn(1, 1, side, side), torch.zeros(1, 1, out, out)
    for row in range(out):
        for column in range(out):
            top, left = (at * stride - pad // 2 for at in (row, column))
            window = x[0, 0, max(top, 0) : top + size, max(left, 0) : left + size]
            wanted[0, 0, row, column] = window.mean()
    assert torch.allclose(build(graph).eval()(x), wanted, atol=1e-6)


def test_maxpool_over_channels(tmp_path: Path) -> None:
    graph = load(tmp_path, net(4, 6) + "[maxpool]\nmaxpool_depth=1\nout_channels=2\nstride=2\n")
    x = torch.randn(2, 6, 4, 4)
    wanted = torch.stack([x[:, 0::2].amax(1), x[:, 1::2].amax(1)], 1)
    assert torch.equal(build(graph).eval()(x), wanted)


@pytest.mark.parametrize(("kind", "row"), [(1, [1, 2, 1]), (2, [1, 1])])
def test_antialiasing_blurs_instead_of_striding(kind: int, row: list[int], tmp_path: Path) -> None:
    weights, bias = drawn(4, 3, 3, 3), drawn(4)
    text = net(8) + conv(4, 3, 2, normed=0) + f"antialiasing={kind}\n"
    network = weighted(tmp_path, text, bias, weights)
    x = torch.randn(2, 3, 8, 8)
    y = functional.conv2d(x, torch.from_numpy(weights), torch.from_numpy(bias), padding=1)
    blur = torch.tensor(row, dtype=torch.float32)
    kernel = (blur.outer(blur) / blur.sum() ** 2).expand(4, 1, -1, -1)
    y = functional.conv2d(
        functional.leaky_relu(y, 0.1), kernel, stride=2, padding=2 - kind, groups=4
    )
    assert torch.allclose(network(x), y, atol=1e-5)
    totals = archscope.analyze(load(tmp_path, text)).totals
    assert (totals.params, totals.buffers) == (4 * 27 + 4, 4 * len(row) ** 2)
    pool = load(tmp_path, net(8) + f"[maxpool]\nsize=2\nstride=2\nantialiasing={kind}\n")
    assert pool.nodes[-1].out == (3, 4, 4)


def test_xnor_reads_signs_and_has_binary_weights(tmp_path: Path) -> None:
    weights, bias = drawn(4, 6, 3, 3), drawn(4)
    text = net(5, 6) + conv(4, 3, act="linear", normed=0) + "xnor=1\ngroups=2\nbin_output=1\n"
    network = weighted(tmp_path, text, bias, weights)
    x = torch.randn(2, 6, 5, 5)
    x[:, 0] = 0
    held = torch.from_numpy(weights)
    binary = held.abs().mean((1, 2, 3), keepdim=True) * torch.where(held > 0, 1.0, -1.0)
    signs = torch.where(x > 0, 1.0, -1.0)
    wanted = functional.conv2d(signs, binary, torch.from_numpy(bias), padding=1)
    assert torch.allclose(network(x), wanted, atol=1e-5)


def test_flipped_filters(tmp_path: Path) -> None:
    weights, bias = drawn(4, 3, 3, 3), drawn(4)
    text = net(5) + conv(4, 3, act="linear", normed=0) + "flipped=1\n"
    network = weighted(tmp_path, text, bias, weights.reshape(4, 27).T)
    assert torch.equal(network.get_parameter("layer0.conv.weight"), torch.from_numpy(weights))


@pytest.mark.parametrize("shifted", [False, True])
def test_separate_norms_have_shifts_in_one_darknet(shifted: bool, tmp_path: Path) -> None:
    values = [np.array(part) for part in ([7, 8, 9], [1, 2, 3], [4, 5, 6], [1, 1, 1])]
    network = weighted(tmp_path, net(4) + "[batchnorm]\n", *values[0 if shifted else 1 :])
    wanted = [7, 8, 9] if shifted else [0, 0, 0]
    assert network.get_parameter("layer0.batchnorm.bias").tolist() == wanted


def test_shared_weights_count_once(tmp_path: Path) -> None:
    again = "[convolutional]\nshare_index={}\nbatch_normalize=1\nfilters=4\nsize=3\npad=1\n"
    text = net(6, 4) + conv(4, 3) + again.format(-1) + again.format(0)
    graph = load(tmp_path, text)
    totals = archscope.analyze(graph).totals
    assert (totals.params, totals.macs) == (4 * 4 * 9 + 8, 3 * 4 * 4 * 9 * 36)
    parts = [drawn(4), abs(drawn(4)), drawn(4), abs(drawn(4)), drawn(4, 4, 3, 3)]
    network = weighted(tmp_path, text, *parts)
    assert network(torch.randn(1, 4, 6, 6)).shape == (1, 4, 6, 6)


def test_crops_and_reversed_upsampling(tmp_path: Path) -> None:
    text = net(8) + "[maxpool]\nsize=1\n[crop]\ncrop_height=4\ncrop_width=6\n"
    x = torch.randn(1, 3, 8, 8)
    made = build(load(tmp_path, text)).eval()(x)
    assert torch.allclose(made, x[:, :, 2:6, 1:7] * 2 - 1)
    made = build(load(tmp_path, text + "noadjust=1\n[upsample]\nstride=-2\nscale=0.5\n")).eval()(x)
    sums = functional.avg_pool2d(x[:, :, 2:6, 1:7], 2) * 4
    assert torch.allclose(made, sums / 2, atol=1e-6)


def test_softmax_of_groups_and_temperature(tmp_path: Path) -> None:
    graph = load(tmp_path, "[net]\ninputs=6\n[softmax]\ngroups=2\ntemperature=4\n")
    x = torch.randn(2, 6)
    wanted = (x.reshape(2, 2, 3) / 4).softmax(2).flatten(1)
    assert torch.allclose(build(graph).eval()(x), wanted)


def test_conditional_norms_count(tmp_path: Path) -> None:
    text = net(4) + "[convolutional]\ncbn=1\nfilters=2\nassisted_excitation=1\nrotate=1\n"
    graph = load(tmp_path, text)
    assert archscope.analyze(graph).totals.params == 2 * 3 + 4
    assert graph.about == "line 9: 'rotate' only acts on GPUs and is left out"
