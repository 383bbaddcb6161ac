"""The layout of deep compression: the bits of a weight's code and of its distance."""

from __future__ import annotations

from msgspec import Struct


class Layout(Struct, frozen=True):
    """Bits of codes and of distances between weights, for convolutions and linear layers."""

    codes: tuple[int, int] = (8, 5)
    distances: tuple[int, int] = (8, 5)

    def of(self, axes: int) -> tuple[int, int]:
        """Return the bits of codes and of distances for weights with this many axes."""
        linear = axes == 2
        return self.codes[linear], self.distances[linear]


PAPER = Layout()
"""The layout of Han et al. 2016."""

PUBLISHED = Layout((8, 4), (4, 4))
"""The layout of the published file of SqueezeNet; see `compressed_file`."""
