"""Bytes of every form, by hand and as published."""

from __future__ import annotations

import pytest
import torch

from archscope import load
from archscope.build import build
from archscope.compress.layout import Layout
from archscope.compress.storage import FORMS, UNWEIGHTED, sizes
from archscope.errors import OptionError
from archscope.report.tables.sizes import exactness_line
from tests.nets import Net, chain


def test_by_hand() -> None:
    graph = chain(("linear", {"out": 4}), x=(10,))
    weights = {"linear1.weight": torch.zeros(4, 10), "linear1.bias": torch.ones(4)}
    weights["linear1.weight"].view(-1)[[0, 4, 5, 30]] = torch.tensor([1.0, 2.0, 2.0, 2.0])
    found = sizes(graph, weights, layout=Layout((8, 2), (8, 3)))
    # Distances less one: 0, 3, 0, then 8 + 8 + 8 + 1 places, so 3 fillers and 0.
    assert found.totals == {
        "float32": 4 * 44,
        "float16": 2 * 44,
        "int8": 40 + 4 * 4,
        "codebook": 16 + 4 * 4 + 40 * 2 // 8,
        # 36, 1 and 3 times: 1, 2 and 2 bits
        "codebook_huffman": 16 + 4 * 4 + 4 + (36 + 2 + 6 + 7) // 8,
        "levels": 16 + 4 * 4 + 40 * 2 // 8,  # 0, 1 or 2 times each scale
        "csr": 16 + 8 * 4 + 4 * 5,
        "relative_index": 16 + 4 + 7 * 4 + (7 * 3 + 7) // 8,
        "deep_compression": 16 + 4 + 4 * 4 + (7 * 2 + 7) // 8 + (7 * 3 + 7) // 8,
        # codes 1 2 2 0 0 0 2 in 1 + 3 * 1 + 6 ... : 3, 3 and 1 times; distances 0 3 0 7 7 7 0
        "deep_compression_huffman": 16 + 4 + 4 * 4 + 4 + 8 + (3 + 2 * 4 + 7) // 8 + (11 + 7) // 8,
    }
    (layer,) = found.layers
    assert (layer.weights, layer.left, layer.values, layer.error) == (40, 4, 3, 0.0)


@pytest.mark.parametrize(("width", "kibibytes"), [(0.25, 467.33), (0.5, 1314.00), (1.0, 4157.09)])
def test_int8_flash_of_the_st_model_zoo(width: float, kibibytes: float) -> None:
    """github.com/STMicroelectronics/stm32ai-modelzoo, mobilenet_v1 at 224 x 224."""
    graph = load("mobilenet_v1", set={"width": width})
    assert sizes(graph).totals["int8"] / 1024 == pytest.approx(kibibytes, abs=0.005)


def test_without_weights_what_depends_on_them_is_unknown() -> None:
    graph = load("lenet5")
    before = sizes(graph).totals
    after = sizes(graph, build(graph).state_dict()).totals
    assert tuple(before) == UNWEIGHTED
    assert tuple(after) == tuple(FORMS)
    assert before == {form: after[form] for form in UNWEIGHTED}


def test_rounded_weights_are_said() -> None:
    graph = chain(
        ("conv", {"out": 20, "kernel": 3}), ("conv", {"out": 2, "kernel": 1}), x=(8, 8, 8)
    )
    torch.manual_seed(0)
    found = sizes(graph, build(graph).state_dict(), layout=Layout((6, 6)))
    first, second = found.layers
    assert first.values == 20 * 8 * 9
    assert first.error is not None and 0 < first.error < 0.1
    assert second.error == 0.0


def test_shared_weights_count_once_and_parts_for_training_do_not() -> None:
    net = Net(x=(8,))
    first = net("linear", "x", out=8, name="first")
    net("linear", first, out=8, name="second", shares="first")
    assert [layer.name for layer in sizes(net.graph()).layers] == ["first"]
    graph = load("googlenet")
    assert sizes(graph).totals["float32"] < 4 * sum(
        t.numel() for t in build(graph, device="meta").state_dict().values()
    )


def test_refusals() -> None:
    with pytest.raises(OptionError, match="'net' has no weights"):
        sizes(chain(("relu", {}), x=(3, 8, 8)))
    graph = chain(("linear", {"out": 2}), x=(3,))
    broken = {"linear1.weight": torch.full((2, 3), torch.nan), "linear1.bias": torch.zeros(2)}
    with pytest.raises(OptionError, match=r"'linear1.weight' holds values that are not finite"):
        sizes(graph, broken)


def test_layers_without_weights_are_not_called_exact() -> None:
    graph = chain(
        ("conv", {"out": 16, "kernel": 5}), ("batchnorm", {}), ("flatten", {}),
        ("linear", {"out": 1}), x=(1, 5, 5),
    )  # fmt: skip
    line = exactness_line(sizes(graph, build(graph).state_dict(), layout=Layout((8, 5))))
    assert "exact in 1 of 2 layers" in line and "most in conv1" in line
