"""The normalisation that a trained network expects, inside the exported file or in its metadata."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from msgspec.json import encode
from msgspec.structs import replace

from archscope.errors import OptionError
from archscope.ir import Graph

LAYOUT = "NCHW"


class Preprocessing(Struct, frozen=True):
    """The normalisation of pixels from 0 to `white`: each channel minus its mean over its std."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: tuple[str, ...] = ()
    in_file: bool = True  # whether the file normalises; otherwise its input must be normalised
    white: int = 1  # the largest value of a pixel

    @property
    def variance(self) -> tuple[float, ...]:
        """The variance of each channel; channels with a deviation of 0 are not scaled."""
        return tuple((std or 1) ** 2 for std in self.std)

    @property
    def range(self) -> str:
        """A description of the values that the file expects."""
        pixels = f"pixels from 0 to {self.white}"
        return pixels if self.in_file else f"{pixels}, minus the mean, over the deviation"

    def of_pixels(self, white: int) -> Preprocessing:
        """Return the same normalisation of pixels from 0 to another value."""
        if white == self.white:
            return self
        times = white / self.white
        mean = tuple(value * times for value in self.mean)
        std = tuple((value or 1.0) * times for value in self.std)
        return replace(self, mean=mean, std=std, white=white)

    def record(self) -> dict[str, Any]:
        """Return the preprocessing as plain data."""
        record = {key: list(getattr(self, key)) for key in ("mean", "std", "classes")}
        return {**record, "in_file": self.in_file, "range": self.range, "layout": LAYOUT}

    def metadata(self) -> dict[str, str]:
        """Return the metadata of an exported file about its input: texts, lists as JSON."""
        return {
            f"input_{key}": value if isinstance(value, str) else encode(value).decode()
            for key, value in self.record().items()
        }

    def written(self, graph: Graph, holds_weights: bool) -> Preprocessing:
        """Adapt it to a file with or without weights, and to the channels of a network.

        Means and deviations are repeated for the channels of the network. Raises OptionError if
        these are not a multiple.
        """
        if not (holds_weights and self.in_file):
            return replace(self, in_file=False)
        channels = {node.out[0] for node in graph.inputs}
        times, rest = divmod(min(channels), len(self.mean))
        if len(channels) > 1 or rest:
            raise OptionError(
                f"the run normalises {len(self.mean)} channels, '{graph.name}' takes"
                f" {' and '.join(map(str, sorted(channels)))}; see --no-normalization"
            )
        return replace(self, mean=self.mean * times, std=self.std * times)
