"""What a trained network expects of its images, in the exported file or said beside it."""

from __future__ import annotations

from typing import Any

import torch
from msgspec import Struct
from msgspec.json import encode
from msgspec.structs import replace
from torch import Tensor, nn
from torch.nn import functional

from archscope.build import Network
from archscope.errors import OptionError
from archscope.ir import Graph

LAYOUT = "NCHW"


class Preprocessing(Struct, frozen=True):
    """The normalisation of pixels between 0 and 1: each channel minus its mean over its std."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: tuple[str, ...] = ()
    in_file: bool = True  # whether the file does it; else its input is normalised already

    @property
    def range(self) -> str:
        """The values that the file expects, in words."""
        pixels = "pixels from 0 to 1"
        return pixels if self.in_file else f"{pixels}, minus the mean, over the deviation"

    def record(self) -> dict[str, Any]:
        """Return it as plain data."""
        record = {key: list(getattr(self, key)) for key in ("mean", "std", "classes")}
        return {**record, "in_file": self.in_file, "range": self.range, "layout": LAYOUT}

    def metadata(self) -> dict[str, str]:
        """Return what an exported file says of its input: texts, lists as JSON."""
        return {
            f"input_{key}": value if isinstance(value, str) else encode(value).decode()
            for key, value in self.record().items()
        }

    def written(self, graph: Graph, holds_weights: bool) -> Preprocessing:
        """Return it for a file that holds weights or not, and for the channels of a network.

        Means and deviations are repeated for as many channels as the network takes. Raises
        OptionError if these are no multiple.
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


class PreprocessedNetwork(Network):
    """A network that normalises its images itself, unless they are to be normalised before.

    It has the modules of the network. The normalisation is a batch norm that learned nothing, which
    every runtime has.
    """

    def __init__(self, network: Network, preprocessing: Preprocessing) -> None:
        """Take a network, and what it expects, for its number of channels."""
        nn.Module.__init__(self)
        self.__dict__.update(network.__dict__)
        self.preprocessing = preprocessing
        self._buffers = {**network._buffers}  # the network itself gets none
        variance = [(std or 1) ** 2 for std in preprocessing.std]
        self.register_buffer("input_mean", torch.tensor(preprocessing.mean))
        self.register_buffer("input_variance", torch.tensor(variance))

    def forward(self, *inputs: Tensor) -> Any:
        """Return the outputs for images of (N, C, ...), each channel from 0 to 1."""
        if self.preprocessing.in_file:
            inputs = tuple(map(self._normalised, inputs))
        return super().forward(*inputs)

    def _normalised(self, images: Tensor) -> Tensor:
        mean, variance = self._buffers["input_mean"], self._buffers["input_variance"]
        return functional.batch_norm(images, mean, variance, eps=0.0)
