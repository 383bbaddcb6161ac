"""Counts computed by hand for cases in which counting tools disagree."""

from __future__ import annotations

from typing import Any

import pytest

from archscope.ir import Op, Shape
from archscope.ops import OPS

MAP = (8, 16, 16)  # 2048 elements


def op_of(name: str, **attributes: Any) -> Op:
    return OPS[name](**attributes)


@pytest.mark.parametrize(
    ("op", "ins", "macs"),
    [
        pytest.param(op_of("conv", out=16, kernel=3, padding=1), MAP, 294_912, id="bias-is-no-mac"),
        pytest.param(op_of("conv", out=8, kernel=3, padding=1, groups=8), MAP, 18_432, id="depth"),
        pytest.param(op_of("conv", out=16, kernel=3, padding=1, groups=4), MAP, 73_728, id="group"),
        pytest.param(
            op_of("conv", out=16, kernel=3, padding=2, dilation=2), MAP, 294_912, id="dilated"
        ),
        pytest.param(op_of("conv", out=16, kernel=4, padding="same"), MAP, 524_288, id="same-even"),
        pytest.param(
            op_of("conv_transpose", out=16, kernel=4, stride=2, padding=1),
            MAP,
            524_288,
            id="transposed",
        ),
        pytest.param(
            op_of("conv_transpose", out=16, kernel=4, stride=2, padding=1, groups=4),
            MAP,
            131_072,
            id="transposed-grouped",
        ),
        pytest.param(
            op_of("conv_transpose", out=8, kernel=4, stride=2, padding=1, groups=8),
            MAP,
            32_768,
            id="transposed-depthwise",
        ),
        pytest.param(op_of("conv", out=16, kernel=3, padding=1), (8, 256), 98_304, id="conv1d"),
        pytest.param(
            op_of("conv", out=16, kernel=3, padding=1), (2, 4, 8, 8), 221_184, id="conv3d"
        ),
        pytest.param(op_of("linear", out=10), (8,), 80, id="linear"),
    ],
)
def test_macs(op: Op, ins: Shape, macs: int) -> None:
    assert op.macs(ins) == macs


@pytest.mark.parametrize(
    ("op", "ins", "elementwise"),
    [
        pytest.param(op_of("conv", out=16, kernel=3, padding=1), [MAP], 16 * 256, id="conv-bias"),
        pytest.param(op_of("conv", out=16, kernel=3, bias=False), [MAP], 0, id="conv-no-bias"),
        pytest.param(op_of("conv_transpose", out=4, kernel=2), [MAP], 4 * 32 * 32, id="painted"),
        pytest.param(op_of("linear", out=10), [(8,)], 10, id="linear-bias"),
        pytest.param(op_of("batchnorm"), [MAP], 2 * 2048, id="scale-and-shift"),
        pytest.param(op_of("relu"), [MAP], 2048, id="relu"),
        pytest.param(op_of("relu6"), [MAP], 2 * 2048, id="relu6"),
        pytest.param(op_of("sigmoid"), [MAP], 4 * 2048, id="sigmoid"),
        pytest.param(op_of("maxpool", kernel=2), [MAP], 8 * 64 * 3, id="comparisons"),
        pytest.param(op_of("avgpool", kernel=2), [MAP], 8 * 64 * 4, id="3-adds-1-division"),
        pytest.param(op_of("global_avgpool"), [MAP], 8 * (255 + 1), id="global"),
        pytest.param(op_of("adaptive_avgpool", size=1), [MAP], 8 * (255 + 1), id="adaptive-1"),
        pytest.param(op_of("adaptive_avgpool", size=5), [MAP], 8 * 400, id="true-windows"),
        pytest.param(op_of("adaptive_avgpool", size=16), [MAP], 2048, id="adaptive-same"),
        pytest.param(op_of("add"), [MAP, MAP], 2048, id="residual"),
        pytest.param(op_of("add"), [MAP, MAP, MAP], 2 * 2048, id="three-way"),
        pytest.param(op_of("mul"), [MAP, (8, 1, 1)], 2048, id="squeeze-and-excitation"),
        pytest.param(op_of("concat"), [MAP, MAP], 0, id="concat"),
        pytest.param(op_of("slice", start=0, stop=4), [MAP], 0, id="split"),
        pytest.param(op_of("channel_shuffle", groups=2), [MAP], 0, id="shuffle"),
        pytest.param(op_of("flatten"), [MAP], 0, id="flatten"),
        pytest.param(op_of("identity"), [MAP], 0, id="identity"),
        pytest.param(op_of("dropout"), [MAP], 0, id="dropout"),
        pytest.param(op_of("upsample", scale=2), [MAP], 0, id="nearest"),
        pytest.param(op_of("upsample", scale=2, mode="linear"), [MAP], 7 * 8192, id="bilinear"),
        pytest.param(op_of("distance"), [(8,), (8,)], 3 * 8, id="distance"),
    ],
)
def test_other_arithmetic_is_counted_apart(op: Op, ins: list[Shape], elementwise: int) -> None:
    assert op.elementwise(*ins) == elementwise
    if op.name not in ("conv", "conv_transpose", "linear"):
        assert op.macs(*ins) == 0


def test_bilinear_ledger_is_three_mixes_of_two_values() -> None:
    # Two mixes along the rows and one down the column: 4 + 2 + 1 operations for each output.
    ranks = {rank: op_of("upsample", scale=2, mode="linear") for rank in (1, 2, 3)}
    each = {rank: op.elementwise((1, *(4,) * rank)) / 8**rank for rank, op in ranks.items()}
    assert each == {1: 3, 2: 7, 3: 15}


@pytest.mark.parametrize(
    ("op", "ins", "params", "buffers"),
    [
        (op_of("conv", out=16, kernel=3), MAP, 16 * 8 * 9 + 16, 0),
        (op_of("conv", out=16, kernel=(1, 7), groups=4, bias=False), MAP, 16 * 2 * 7, 0),
        (op_of("conv_transpose", out=16, kernel=4, groups=4), MAP, 8 * 4 * 16 + 16, 0),
        (op_of("linear", out=10, bias=False), (8,), 80, 0),
        (op_of("batchnorm"), MAP, 16, 16),
        (op_of("batchnorm", affine=False), MAP, 0, 16),
        (op_of("prelu"), MAP, 1, 0),
        (op_of("prelu", slopes=8), MAP, 8, 0),
    ],
)
def test_params_and_buffers(op: Op, ins: Shape, params: int, buffers: int) -> None:
    assert (op.params(ins), op.buffers(ins)) == (params, buffers)


@pytest.mark.parametrize(
    ("op", "ins", "access"),
    [
        pytest.param(
            op_of("conv", out=32, bias=False), [MAP], 256 * (8 + 32) + 8 * 32, id="pointwise"
        ),
        pytest.param(
            op_of("conv", out=8, kernel=3, padding=1, groups=8, bias=False),
            [MAP],
            256 * 16 + 72,
            id="depthwise",
        ),
        pytest.param(op_of("linear", out=10), [(8,)], 8 + 10 + 90, id="linear"),
        pytest.param(op_of("add"), [MAP, MAP], 3 * 2048, id="add"),
        pytest.param(op_of("concat"), [MAP, MAP], 4 * 2048, id="concat"),
        pytest.param(op_of("channel_shuffle", groups=2), [MAP], 2 * 2048, id="shuffle"),
        pytest.param(op_of("slice", start=0, stop=4), [MAP], 2 * 1024, id="split"),
        pytest.param(op_of("relu"), [MAP], 2 * 2048, id="relu"),
        pytest.param(op_of("batchnorm"), [MAP], 2 * 2048 + 32, id="batchnorm"),
        pytest.param(op_of("flatten"), [MAP], 0, id="flatten"),
    ],
)
def test_memory_access_is_inputs_weights_and_output(op: Op, ins: list[Shape], access: int) -> None:
    assert op.access(*ins) == access
