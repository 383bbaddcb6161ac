"""The batch of a trace: the axes of its tensors that are images, and the cost of one image."""

from __future__ import annotations

from msgspec import Struct

from archscope.ir import Shape

PRIMES = (1009, 1013)
"""Batch sizes that are rare sizes of layers, so that they identify the axis of the batch.

Tensors are traced as shapes only, so that a large batch costs nothing. A network that has the
first number as a size is traced with the second.
"""


class Batch(Struct, frozen=True):
    """The number of images that a program was traced with.

    Images are `alike` if the number is prime, so that each tensor and each cost can be checked to
    be proportional to it. Otherwise the number is the user's and nothing is assumed.
    """

    size: int
    alike: bool = True

    def leads(self, shape: tuple[int, ...]) -> bool:
        """Return whether the first axis of a shape is the batch."""
        return shape[:1] == (self.size,)

    def without(self, shape: tuple[int, ...]) -> Shape:
        """Return a shape without the batch, whichever axis it is in or merged into.

        If images are not alike, only a first axis is known to be the batch.
        """
        if not self.alike:
            return shape[1:] if self.leads(shape) else shape
        for axis, size in enumerate(shape):
            if size == self.size:
                return shape[:axis] + shape[axis + 1 :]
            if size and size % self.size == 0:
                return (*shape[:axis], size // self.size, *shape[axis + 1 :])
        return shape

    def suits(self, shape: tuple[int, ...]) -> bool:
        """Return whether a shape contains the batch exactly once."""
        return not self.alike or sum(size % self.size == 0 for size in shape) == 1

    def divides(self, number: float | None) -> bool:
        """Return whether a number is 0, unknown or proportional to the batch."""
        if not self.alike or not number:
            return True
        return number % self.size == 0 and number // self.size % self.size != 0

    def has(self, number: object) -> bool:
        """Return whether a factor of the arithmetic, not a size, was computed from the batch."""
        if not self.alike or not isinstance(number, int | float) or not number:
            return False
        whole = number if abs(number) >= 1 else 1 / number
        return abs(whole) >= self.size and round(whole, 6) % self.size == 0
