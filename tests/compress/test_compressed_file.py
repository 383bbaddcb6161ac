"""The format of SqueezeNet-Deep-Compression: a small file made by hand, and refusals."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import torch

from archscope.build import build
from archscope.compress.codebooks import codebook
from archscope.compress.compressed_file import read_compressed, write_compressed
from archscope.compress.layout import PUBLISHED
from archscope.compress.quantization import quantize_weights
from archscope.compress.storage import sizes
from archscope.errors import OptionError
from archscope.ir import Graph
from tests.nets import chain


def net() -> Graph:
    return chain(
        ("conv", {"out": 2, "kernel": 3}),
        ("relu", {}),
        ("flatten", {}),
        ("linear", {"out": 3}),
        x=(1, 4, 4),
    )


def by_hand() -> bytes:
    """Write the format down: weights at places 1, 2 and 17, and 0 and 20 (with a filler)."""
    first = struct.pack("<256f", 0.0, 0.5, -0.25, *[0.0] * 253) + struct.pack("<2f", 1.0, 2.0)
    first += bytes([1, 2, 1]) + bytes([1 | 0 << 4, 14])
    second = struct.pack("<16f", 0.0, 4.0, *[0.0] * 14) + struct.pack("<3f", 0.0, 0.0, -1.0)
    second += bytes([1 | 0 << 4, 1]) + bytes([0 | 15 << 4, 3])
    return struct.pack("<2I", 3, 3) + first + second


def test_a_file_made_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "small.net"
    path.write_bytes(by_hand())
    weights = read_compressed(path, net())
    kernel, matrix = weights["conv1.weight"], weights["linear4.weight"]
    assert (kernel.shape, matrix.shape) == ((2, 1, 3, 3), (3, 8))
    assert {i: v for i, v in enumerate(kernel.flatten().tolist()) if v} == {
        1: 0.5,
        2: -0.25,
        17: 0.5,
    }
    assert {i: v for i, v in enumerate(matrix.flatten().tolist()) if v} == {0: 4.0, 20: 4.0}
    assert weights["conv1.bias"].tolist() == [1.0, 2.0]
    assert weights["linear4.bias"].tolist() == [0.0, 0.0, -1.0]
    found = sizes(net(), weights, layout=PUBLISHED)
    assert found.totals["deep_compression"] == len(by_hand())
    again = tmp_path / "again.net"
    write_compressed(weights, net(), again)
    assert len(again.read_bytes()) == len(by_hand())
    for name, tensor in read_compressed(again, net()).items():
        assert torch.equal(tensor, weights[name])


def test_any_end_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "small.net"
    for end in range(len(by_hand())):
        path.write_bytes(by_hand()[:end])
        with pytest.raises(OptionError, match="is truncated"):
            read_compressed(path, net())
    path.write_bytes(by_hand() + b"\0")
    with pytest.raises(OptionError, match="ends 1 bytes earlier"):
        read_compressed(path, net())
    content = bytearray(by_hand())
    content[-1] = 9  # another distance
    path.write_bytes(content)
    with pytest.raises(OptionError, match="'linear4' has 24 weights, but the file has one at"):
        read_compressed(path, net())
    with pytest.raises(OptionError, match="cannot read"):
        read_compressed(tmp_path / "none.net", net())


@pytest.mark.parametrize("left", [0.02, 0.5, 1.0])
def test_written_and_read(left: float, tmp_path: Path) -> None:
    torch.manual_seed(0)
    graph = chain(
        ("conv", {"out": 6, "kernel": 3, "bias": False}),
        ("conv", {"out": 8, "kernel": 3, "groups": 2}),
        ("flatten", {}),
        ("linear", {"out": 10}),
        x=(4, 9, 9),
    )
    weights = build(graph).state_dict()
    for name, bits in (("conv1", 8), ("conv2", 8), ("linear4", 4)):
        tensor = weights[f"{name}.weight"] * (torch.rand(weights[f"{name}.weight"].shape) < left)
        tensor.view(-1)[0] = 0.0  # the codebook of a file always has it
        weights[f"{name}.weight"] = codebook(tensor, bits).weights
    path = tmp_path / "x.bin"
    write_compressed(weights, graph, path)
    for name, tensor in read_compressed(path, graph).items():
        assert torch.equal(tensor, weights[name])
    assert path.stat().st_size == sizes(graph, weights, layout=PUBLISHED).totals["deep_compression"]


def test_refusals(tmp_path: Path) -> None:
    path = tmp_path / "x.net"
    with pytest.raises(
        OptionError,
        match=r"'linear4' has more than 15 distinct non-zero weights.* --bits 3 if none is",
    ):
        write_compressed(build(net()).state_dict(), net(), path)
    normed = chain(("conv", {"out": 4, "kernel": 1}), ("batchnorm", {}), x=(3, 8, 8))
    with pytest.raises(OptionError, match=r"'net' has the weight 'batchnorm2\.weight'"):
        write_compressed(build(normed).state_dict(), normed, path)
    with pytest.raises(OptionError, match="has no weights"):
        write_compressed({}, chain(("relu", {}), x=(3, 8, 8)), path)
    assert not path.exists()


def test_the_bits_of_the_hint_are_few_enough(tmp_path: Path) -> None:
    """Dense weights have no zero, for which every codebook of the format has an entry."""
    graph = chain(("flatten", {}), ("linear", {"out": 40}), x=(3, 4, 4))
    rounded = quantize_weights(graph, build(graph).state_dict(), bits=3).weights
    path = tmp_path / "x.net"
    write_compressed(rounded, graph, path)
    read = read_compressed(path, graph)
    assert all(torch.equal(read[name], rounded[name]) for name in rounded)
