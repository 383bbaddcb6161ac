"""How many bits a weight's code and its distance take: the layout of deep compression."""

from __future__ import annotations

from msgspec import Struct


class Layout(Struct, frozen=True):
    """Bits of codes and of distances between weights, for convolutions and linear layers."""

    codes: tuple[int, int] = (8, 5)
    distances: tuple[int, int] = (8, 5)

    def of(self, axes: int) -> tuple[int, int]:
        """Return the bits of codes and of distances for weights of so many axes."""
        linear = axes == 2
        return self.codes[linear], self.distances[linear]


PAPER = Layout()
"""That of Han et al. 2016."""

PUBLISHED = Layout((8, 4), (4, 4))
"""That of the published file of SqueezeNet; see `compressed_file`."""
