"""Activation functions with parameters, in the arithmetic of torch."""

from __future__ import annotations

from archscope.importers.onnx.forms.applied import Applied, Chain, Steps, form, last, single
from archscope.importers.onnx.forms.arithmetic import times
from archscope.ir import Shape
from archscope.ops.foreign import Foreign, Tensor


@form("Gelu")
def _gelu(applied: Applied) -> Steps:
    return single(applied, "gelu.default", self=applied.x,
                approximate=applied.attribute("approximate", "none"))  # fmt: skip


@form("LeakyRelu")
def _leaky_relu(applied: Applied) -> Steps:
    slope = applied.attribute("alpha", 0.01)
    return single(applied, "leaky_relu.default", self=applied.x, negative_slope=slope)


def _elu_of(x: Tensor, alpha: float, shape: Shape) -> Foreign:
    words = {"alpha": alpha, "scale": 1, "input_scale": 1}
    return Foreign("aten.elu.default", {"self": x, **words}, shape)


@form("Elu")
def _elu(applied: Applied) -> Steps:
    return (_elu_of(applied.x, applied.attribute("alpha", 1.0), applied.out),)


@form("Celu")
def _celu(applied: Applied) -> Steps:
    alpha, out = applied.attribute("alpha", 1.0), applied.out
    return (
        times(applied.x, 1 / alpha, out),
        _elu_of(last(out), 1.0, out),
        times(last(out), alpha, out),
    )


@form("Selu")
def _selu(applied: Applied) -> Steps:
    alpha = applied.attribute("alpha", 1.6732632)
    return (
        _elu_of(applied.x, alpha, applied.out),
        times(last(applied.out), applied.attribute("gamma", 1.050701), applied.out),
    )


@form("ThresholdedRelu")
def _thresholded(applied: Applied) -> Steps:
    x, out = applied.x, applied.out
    mask = Foreign("aten.gt.Scalar", {"self": x, "other": applied.attribute("alpha", 1.0)}, out)
    return mask, Foreign("aten.mul.Tensor", {"self": x, "other": last(out)}, out)


@form("HardSigmoid")
def _hard_sigmoid(applied: Applied) -> Steps:
    x, out = applied.x, applied.out
    shift = {"self": last(out), "other": applied.attribute("beta", 0.5)}
    return (
        times(x, applied.attribute("alpha", 0.2), out),
        Foreign("aten.add.Scalar", shift, out),
        Foreign("aten.clamp.default", {"self": last(out), "min": 0, "max": 1}, out),
    )


@form("Swish")
def _swish(applied: Applied) -> Steps:
    x, out, alpha = applied.x, applied.out, applied.attribute("alpha", 1.0)
    if alpha == 1:
        return single(applied, "silu.default", self=x)
    return (
        times(x, alpha, out),
        Foreign("aten.sigmoid.default", {"self": last(out)}, out),
        Foreign("aten.mul.Tensor", {"self": x, "other": last(out)}, out),
    )


@form("PRelu")
def _prelu(applied: Applied) -> Steps:
    """The positive part, and the negative part times slopes, which may differ between positions."""
    x, out = applied.x, applied.out
    return (
        Foreign("aten.relu.default", {"self": x}, out),
        Foreign("aten.clamp.default", {"self": x, "min": None, "max": 0}, out),
        Foreign("aten.mul.Tensor", {"self": last(out), "other": applied.input(1)}, out),
        Foreign("aten.add.Tensor", {"self": last(out, 3), "other": last(out)}, out),
    )


@form("Shrink")
def _shrink(applied: Applied) -> Steps:
    """Values up to a limit become 0, and others come closer to 0 by a bias."""
    x, out = applied.x, applied.out
    limit, bias = applied.attribute("lambd", 0.5), applied.attribute("bias", 0.0)
    if limit < 0:  # values of the wrong sign would come closer to 0 too
        return ()
    if limit == bias:
        return (
            Foreign("aten.clamp.default", {"self": x, "min": -limit, "max": limit}, out),
            Foreign("aten.sub.Tensor", {"self": x, "other": last(out)}, out),
        )
    chain = Chain()
    beyond = chain.add("gt.Scalar", out, self=chain.add("abs.default", out, self=x), other=limit)
    if bias:
        sign = chain.add("sign.default", out, self=x)
        step = chain.add("mul.Scalar", out, self=sign, other=-bias)
        x = chain.add("add.Tensor", out, self=x, other=step)
    chain.add("mul.Tensor", out, self=beyond, other=x)
    return chain.steps
