"""VGG16 row by row as the notes of CS231n count it, with the sum that its rows have."""

from __future__ import annotations

from math import prod

from archscope import analyze, load

# Output elements and weights without bias of the input, convolutions, pools and linear layers.
ROWS = [
    ("3x224x224", 150528, 0),
    ("conv3-64", 3211264, 1728), ("conv3-64", 3211264, 36864), ("pool", 802816, 0),
    ("conv3-128", 1605632, 73728), ("conv3-128", 1605632, 147456), ("pool", 401408, 0),
    ("conv3-256", 802816, 294912), ("conv3-256", 802816, 589824), ("conv3-256", 802816, 589824),
    ("pool", 200704, 0),
    ("conv3-512", 401408, 1179648), ("conv3-512", 401408, 2359296), ("conv3-512", 401408, 2359296),
    ("pool", 100352, 0),
    ("conv3-512", 100352, 2359296), ("conv3-512", 100352, 2359296), ("conv3-512", 100352, 2359296),
    ("pool", 25088, 0),
    ("fc", 4096, 102760448), ("fc", 4096, 16777216), ("fc", 1000, 4096000),
]  # fmt: skip


def test_rows() -> None:
    layers = analyze(load("vgg16")).layers
    counted = [layer for layer in layers if layer.op in ("input", "conv", "maxpool", "linear")]
    got = [(prod(one.out), one.params - (one.out[0] if one.params else 0)) for one in counted]
    assert got == [(elements, weights) for _, elements, weights in ROWS]


def test_the_true_sum_is_all_feature_maps() -> None:
    total = sum(elements for _, elements, _ in ROWS)
    assert total == 15_237_608, "the notes print 24M"
    assert analyze(load("vgg16")).totals.activation_bytes == 4 * total  # 58 MiB, not 93 MB


def test_three_small_windows_see_as_much_as_a_large_one() -> None:
    three = analyze(load("INPUT 32x16x16 -> [CONV 32]*3"))
    one = analyze(load("INPUT 32x16x16 -> CONV 32 7x7"))
    assert three.receptive_field and one.receptive_field
    assert three.receptive_field.size == one.receptive_field.size == (7, 7)
    assert three.totals.params - 3 * 32 == 27 * 32**2
    assert one.totals.params - 32 == 49 * 32**2


def test_depthwise_separable_ratio() -> None:
    """The pair costs 1/Cout + 1/k^2 of a full convolution, Howard et al. 2017."""
    block = load("mobilenet_v1")
    depthwise, pointwise = (
        next(n for n in block.nodes if n.op.name == "conv" and n.ins[0][0] == 512 and groups(n))
        for groups in (
            lambda n: getattr(n.op, "groups", 1) == 512 and n.out[1:] == n.ins[0][1:],
            lambda n: getattr(n.op, "groups", 1) == 1 and n.out == n.ins[0],
        )
    )
    positions = prod(pointwise.out[1:])
    full = 9 * 512 * 512 * positions
    pair = depthwise.facts.macs + pointwise.facts.macs
    assert pair * 512 * 9 == full * (512 + 9)


def test_grouped_weights() -> None:
    """A 3x3 convolution of 256 channels in 8 groups has 8 x 32 x 3 x 3 x 32 weights."""
    from archscope.ops import OPS

    op = OPS["conv"](out=256, kernel=3, padding=1, groups=8, bias=False)
    assert op.params((256, 14, 14)) == 8 * 32 * 3 * 3 * 32
