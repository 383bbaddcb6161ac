"""Lp pools and norms, and normalisation with the statistics of the input."""

from __future__ import annotations

from archscope.importers.onnx.forms.applied import Applied, Chain, Steps, form, single
from archscope.ops.conv import onnx_pads, onnx_steps
from archscope.ops.foreign import Foreign, Tensor
from archscope.ops.geometry import per_axis

SMALLEST = 2.0**-126
"""The smallest normal number of float32."""


@form("LpPool")
def _lp_pool(applied: Applied) -> Steps:
    """The norm of each window of absolute values, with zeros around the input."""
    x, kernel = applied.x, applied.attribute("kernel_shape")
    given = Foreign("", {"X": x, **applied.operator.attributes}, applied.out)
    steps, rank = onnx_steps(given, len(kernel)), len(kernel)
    if steps["dilation"] != 1:
        return ()
    strides = per_axis(steps["stride"], rank, "stride")
    pads = _explicit_pads(given, kernel, strides)
    chain = Chain()
    if any(map(any, pads)):
        sizes = zip(x.shape[2:], pads, strict=True)
        shape = (*x.shape[:2], *(size + before + after for size, (before, after) in sizes))
        flat = tuple(n for pair in pads[::-1] for n in pair)
        x = chain.add("pad.default", shape, self=x, pad=flat, mode="constant", value=0.0)
    norm = applied.attribute("p", 2)
    if norm % 2:
        x = chain.add("abs.default", x.shape, self=x)
    chain.add("lp_pool.windows", applied.out, self=x, norm=norm, kernel=tuple(kernel),
              stride=strides)  # fmt: skip
    return chain.steps


def _explicit_pads(
    given: Foreign, kernel: list[int], strides: tuple[int, ...]
) -> list[tuple[int, int]]:
    """Return the padding before and after each axis with which all windows fit exactly or less."""
    padding = onnx_pads(given, kernel)
    if padding is None:
        raise LookupError("auto_pad")
    (x,) = given.ins
    pairs = []
    for axis, (size, out) in enumerate(zip(x.shape[2:], given.out[2:], strict=True)):
        whole = (out - 1) * strides[axis] + kernel[axis]
        if padding == "same":
            before = max(whole - size, 0) // 2
            pairs.append((before, max(whole - size, 0) - before))
            continue
        pair = per_axis(padding, len(kernel), "padding")[axis]
        before, after = pair if isinstance(pair, tuple) else (pair, pair)
        pairs.append((before, max(after, whole - size - before)))
    return pairs


@form("GlobalLpPool")
def _global_lp_pool(applied: Applied) -> Steps:
    axes = tuple(range(2, len(applied.x.shape)))
    return _norm(applied, applied.attribute("p", 2), axes).steps


def _norm(applied: Applied, order: int, axes: tuple[int, ...]) -> Chain:
    """Return the norm along axes, which are kept."""
    chain, x = Chain(), applied.x
    shape = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))
    words = {"dim": axes, "keepdim": True}
    if order in (1, 2):
        chain.add("linalg_vector_norm.default", shape, self=x, ord=order, **words)
        return chain
    positive = chain.add("abs.default", x.shape, self=x)
    powers = chain.add("pow.Tensor_Scalar", x.shape, self=positive, exponent=order)
    total = chain.add("sum.dim_IntList", shape, self=powers, **words)
    chain.add("pow.Tensor_Scalar", shape, self=total, exponent=1 / order)
    return chain


@form("LpNormalization")
def _lp_normalization(applied: Applied) -> Steps:
    x = applied.x
    chain = _norm(
        applied, applied.attribute("p", 2), (applied.attribute("axis", -1) % len(x.shape),)
    )
    size = chain.steps[-1].out
    length = chain.add("clamp.default", size, self=chain.result, min=SMALLEST, max=None)
    chain.add("div.Tensor", applied.out, self=x, other=length)
    return chain.steps


@form("MeanVarianceNormalization")
def _normalised(applied: Applied) -> Steps:
    """Subtract the mean and divide by the deviation, to which ONNX adds 1e-9."""
    x = applied.x
    rank = len(x.shape)
    axes = tuple(sorted(axis % rank for axis in applied.attribute("axes", [0, 2, 3])))
    squared = 1e-18  # added to the variance instead, the same where there is none
    if axes == tuple(range(2, rank)):
        return single(applied, "instance_norm.default", input=x, weight=None, bias=None,
                      use_input_stats=True, eps=squared)  # fmt: skip
    if axes == tuple(range(1, rank)):
        return single(applied, "group_norm.default", input=x, num_groups=1, weight=None, bias=None,
                      eps=squared)  # fmt: skip
    if axes == (rank - 1,):
        return single(applied, "layer_norm.default", input=x, normalized_shape=x.shape[-1:],
                      weight=None, bias=None, eps=squared)  # fmt: skip
    chain, words = Chain(), {"dim": axes, "keepdim": True}
    one = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))

    def mean(value: Tensor) -> Tensor:
        return chain.add("mean.dim", one, self=value, **words)

    centred = chain.add("sub.Tensor", x.shape, self=x, other=mean(x))
    square = chain.add("pow.Tensor_Scalar", x.shape, self=centred, exponent=2)
    deviation = chain.add("sqrt.default", one, self=mean(square))
    divisor = chain.add("add.Scalar", one, self=deviation, other=1e-9)
    chain.add("div.Tensor", x.shape, self=centred, other=divisor)
    return chain.steps
