"""Windows along one axis: which input positions each output position reads."""

from __future__ import annotations

from collections.abc import Callable
from math import gcd
from typing import ClassVar

from msgspec import Struct

MOST_POSITIONS = 1 << 20
"""The most positions along an axis in specs and files, as some analyses visit each of them."""


class Window(Struct, frozen=True, gc=False):
    """The inputs that an output position of a sliding operator reads, along one axis.

    Output sizes and receptive fields are both derived from it, so they cannot disagree.
    """

    kernel: int = 1
    stride: int = 1
    before: int = 0
    after: int = 0
    dilation: int = 1
    ceil: bool = False

    period: ClassVar[int] = 1

    @property
    def extent(self) -> int:
        """The number of input positions from the first tap to the last, inclusive."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def step(self) -> int:
        """The number of input positions between neighbouring outputs."""
        return self.stride

    def slide(self, size: int) -> int:
        """Return the output size for an input of `size`, by torch's rule."""
        room = size + self.before + self.after - self.extent
        if not self.ceil:
            return room // self.stride + 1
        count = -(-room // self.stride) + 1
        # A window that would start in the padding after the input is dropped.
        return count - 1 if (count - 1) * self.stride >= size + self.before else count

    def taps(self, position: int) -> tuple[int, ...]:
        """Return the input positions that output `position` reads."""
        first = position * self.stride - self.before
        return tuple(range(first, first + self.extent, self.dilation))


class Scatter(Struct, frozen=True, gc=False):
    """The inputs that an output position of a transposed convolution reads, along one axis."""

    kernel: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    extra: int = 0

    step: ClassVar[int] = 1

    @property
    def period(self) -> int:
        """The number of outputs after which the pattern of reads repeats, `step` inputs further."""
        return self.stride

    def slide(self, size: int) -> int:
        """Return the output size for an input of `size`, by torch's rule."""
        return (
            (size - 1) * self.stride
            - 2 * self.padding
            + self.dilation * (self.kernel - 1)
            + self.extra
            + 1
        )

    def taps(self, position: int) -> tuple[int, ...]:
        """Return the input positions that output `position` reads; none between the windows."""
        hits = (position + self.padding - self.dilation * tap for tap in range(self.kernel))
        return tuple(sorted(hit // self.stride for hit in hits if hit % self.stride == 0))


class Resample(Struct, frozen=True, gc=False):
    """The inputs that the outputs of a resize or an adaptive pool read, along one axis."""

    step: int
    reads: tuple[range, ...]

    @classmethod
    def between(cls, size: int, out: int, reads: Callable[[int], range]) -> Resample:
        """Return the pattern of `out` outputs on `size` inputs; `reads` tells what each reads."""
        shared = gcd(size, out)
        return cls(size // shared, tuple(reads(position) for position in range(out // shared)))

    @property
    def period(self) -> int:
        """The number of outputs after which the pattern of reads repeats, `step` inputs further."""
        return len(self.reads)

    def taps(self, position: int) -> range:
        """Return the input positions that output `position` reads."""
        turns, phase = divmod(position, self.period)
        seen, moved_on = self.reads[phase], turns * self.step
        return range(seen.start + moved_on, seen.stop + moved_on)


Axis = Window | Scatter | Resample
