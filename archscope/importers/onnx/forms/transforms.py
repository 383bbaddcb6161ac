"""Fourier transforms along one axis, of complex numbers as pairs along the last axis."""

from __future__ import annotations

from archscope.importers.onnx.forms.applied import Applied, Chain, Steps, form
from archscope.ops.foreign import Foreign


@form("DFT")
def _transform(applied: Applied) -> Steps:
    x, out = applied.x, applied.out
    rank = len(x.shape)
    new = applied.operator.version >= 20  # the axis is an input
    (axis,) = applied.integers(2) or (-2 if new else applied.attribute("axis", 1),)
    axis %= rank
    (length,) = applied.integers(1) or (x.shape[axis],)
    back, half = bool(applied.attribute("inverse")), bool(applied.attribute("onesided"))
    if length != x.shape[axis] or (half and (back or x.shape[-1] != 1)):
        return ()
    chain = Chain()
    if half:
        x = chain.add("reshape.default", x.shape[:-1], self=x)
    elif x.shape[-1] == 1:  # an imaginary part of zeros
        pads = (0, 1, *(0 for _ in range(2 * rank - 2)))
        x = chain.add("pad.default", (*x.shape[:-1], 2), self=x, pad=pads, mode="constant",
                      value=0.0)  # fmt: skip
    kind = "rfft" if half else "ifft" if back else "fft"
    args = {"x": x, "kind": kind, "dims": (axis,), "norm": "backward", "size": 0}
    made = chain.add("fourier", out, **args)
    *steps, last = chain.steps
    return [*steps, Foreign("archscope.fourier.default", last.args, made.shape)]
