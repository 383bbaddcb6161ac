"""Fourier transforms. A complex number is a pair along the last axis: its real, imaginary part."""

from __future__ import annotations

from math import prod
from typing import Annotated, Any

from archscope.errors import ShapeError
from archscope.ir import Call, Example, Saved, Shape, call, text_of
from archscope.onnx_form import Constant, Value, X, ints, node, scalar
from archscope.ops.attributes import Axes, Positive, choice
from archscope.ops.facts import Weightless, whole
from archscope.ops.foreign import Foreign, Recognised, recognises
from archscope.ops.registry import op

KINDS = ("fft", "ifft", "rfft", "irfft")
NORMS = ("backward", "ortho", "forward")
PAIR = 2
"""The size of the axis of a complex number."""


@op("fourier")
class Fourier(Weightless, frozen=True, kw_only=True):
    """A discrete Fourier transform along axes, of complex numbers or between real and complex ones.

    Complex numbers have their real and imaginary part along a new last axis: `fourier: {kind: rfft,
    axes: [1, 2]}` turns CxHxW into C x H x (W // 2 + 1) x 2, where the last of the axes keeps only
    the frequencies from zero on, and `irfft` is its inverse.
    """

    keeps_zero = may_see_less = True

    kind: Annotated[str, choice(*KINDS), "the transform, by its name in torch"]
    axes: Annotated[Axes, "the axes; 0 is the channel axis"]
    norm: Annotated[
        str, choice(*NORMS), "the direction that divides by the size: ortho, both by its root"
    ] = "backward"
    size: Annotated[
        Positive | None, "size of the last of the axes after irfft; by default an even one"
    ] = None

    window = whole

    def shape(self, *ins: Shape) -> Shape:
        numbers = self.numbers(*ins)
        if self.kind == "irfft":
            return numbers
        last = self.axes[-1]
        if self.kind == "rfft":
            numbers = (*numbers[:last], numbers[last] // 2 + 1, *numbers[last + 1 :])
        return *numbers, PAIR

    def numbers(self, *ins: Shape) -> Shape:
        """Return the sizes of what is transformed, or of what `irfft` gives. Raises ShapeError."""
        (x,) = ins
        if self.kind != "rfft":
            if len(x) < 2 or x[-1] != PAIR:
                raise ShapeError(
                    f"'fourier' of kind '{self.kind}' needs pairs along the last axis,"
                    f" got {text_of(x)}"
                )
            x = x[:-1]
        axes, last = self.axes, self.axes[-1] if self.axes else 0
        if not axes or len({*axes}) < len(axes) or max(axes) >= len(x):
            raise ShapeError(
                f"'fourier' needs different axes from 0 to {len(x) - 1}, got {[*axes]}"
            )
        if self.kind != "irfft":
            return x
        size = self.size or 2 * (x[last] - 1)
        if size < 1 or size // 2 + 1 != x[last]:
            raise ShapeError(
                f"'fourier' of kind 'irfft' makes {size} of {size // 2 + 1} frequencies,"
                f" got {text_of(x)}"
            )
        return *x[:last], size, *x[last + 1 :]

    def elementwise(self, *ins: Shape) -> int:
        """Count 5 n log2(n) for n complex numbers, the logarithm rounded up, as FFTW's authors do.

        Half as many for real numbers. What a fast transform really needs depends on how it is done.
        """
        numbers, real = [*self.numbers(*ins)], self.kind in ("rfft", "irfft")
        total = 0
        for place, axis in enumerate(reversed(self.axes)):
            work = 5 * prod(numbers) * (numbers[axis] - 1).bit_length()
            total += -(-work // 2) if real and place == 0 else work
            if real and place == 0:
                numbers[axis] = numbers[axis] // 2 + 1
        return total

    def saved(self, *ins: Shape) -> Saved:
        """State the input of real numbers, of which torch needs only the size."""
        return Saved(input=self.kind == "rfft")

    def torch(self, *ins: Shape) -> Call:
        words: dict[str, Any] = {} if self.norm == "backward" else {"norm": self.norm}
        if self.kind == "irfft":
            words["size"] = self.numbers(*ins)[self.axes[-1]]
        axes = tuple(axis + 1 for axis in self.axes)
        return call("archscope.nn.Fourier", self.kind, axes, **words)

    def onnx(self, *ins: Shape) -> Value:
        numbers, back = self.numbers(*ins), self.kind in ("ifft", "irfft")
        axes, last = [axis + 1 for axis in self.axes], self.axes[-1]
        x: Value = X
        if self.kind == "rfft":
            x = node("DFT", node("Unsqueeze", x, ints(-1)), None, _scalar(axes.pop()), onesided=1)
        if self.kind == "irfft":
            axes.pop()
        for axis in axes[::-1]:
            x = node("DFT", x, None, _scalar(axis), inverse=1 if back else None)
        if self.kind == "irfft":  # all frequencies, the negative ones as conjugates
            mirrored = range(1, (numbers[last] + 1) // 2)[::-1]
            if mirrored:
                part = node("Gather", x, ints(*mirrored), axis=last + 1)
                real, imaginary = (
                    node("Gather", part, ints(place), axis=len(numbers) + 1) for place in (0, 1)
                )
                turned = node("Concat", real, node("Neg", imaginary), axis=len(numbers) + 1)
                x = node("Concat", x, turned, axis=last + 1)
            x = node("DFT", x, None, _scalar(last + 1), inverse=1)
            x = node("Gather", x, ints(0), axis=len(numbers) + 1)
            x = node("Reshape", x, ints(0, *numbers))
        factor = self._factor(prod(numbers[axis] for axis in self.axes), back)
        return x if factor == 1 else node("Mul", x, scalar(factor))

    def _factor(self, size: int, back: bool) -> float:
        """Return what a transform of ONNX, which divides backward, is multiplied by."""
        if self.norm == "ortho":
            return float(size**0.5 if back else size**-0.5)
        if self.norm == "forward":
            return float(size) if back else 1 / size
        return 1.0

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(kind="rfft", axes=(1, 2)), ((3, 6, 8),)),
            Example(cls(kind="rfft", axes=(1,), norm="ortho"), ((4, 7),)),
            Example(cls(kind="rfft", axes=(0, 1), norm="forward"), ((6, 5, 3),)),
            Example(cls(kind="irfft", axes=(1, 2), norm="ortho"), ((3, 6, 5, 2),)),
            Example(cls(kind="irfft", axes=(1,), size=7, norm="forward"), ((4, 4, 2),)),
            Example(cls(kind="fft", axes=(1, 2)), ((3, 5, 6, 2),)),
            Example(cls(kind="ifft", axes=(0,)), ((4, 3, 2),)),
        )


def _scalar(number: int) -> Value:
    return Constant(number, "int64")


@recognises("archscope.fourier.default")
def fourier_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise a transform of pairs, as importers write those of complex numbers."""
    axes = tuple(foreign.args["dims"])
    if 0 in axes:
        return None
    kind, size = foreign.args["kind"], foreign.get("size", 0)
    found = Fourier(
        kind=kind,
        axes=tuple(axis - 1 for axis in axes),
        norm=foreign.args["norm"],
        size=size if kind == "irfft" and size % 2 else None,
    )
    return Recognised(found, foreign.ins)
