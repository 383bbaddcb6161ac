"""A network that normalises its own images, for formats exported from a torch module."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from archscope.build import Network
from archscope.exporters.preprocessing import Preprocessing


class PreprocessedNetwork(Network):
    """A network that normalises its images itself, unless the caller does.

    It has the modules of the network. The normalisation is a fixed batch norm, which every runtime
    supports.
    """

    def __init__(self, network: Network, preprocessing: Preprocessing) -> None:
        """Wrap a network, with the preprocessing repeated for its number of channels."""
        nn.Module.__init__(self)
        self.__dict__.update(network.__dict__)
        self.preprocessing = preprocessing
        self._buffers = {**network._buffers}  # the wrapped network has none
        self.register_buffer("input_mean", torch.tensor(preprocessing.mean))
        self.register_buffer("input_variance", torch.tensor(preprocessing.variance))

    def forward(self, *inputs: Tensor) -> Any:
        """Return the outputs for images of (N, C, ...), each channel from 0 to 1."""
        if self.preprocessing.in_file:
            inputs = tuple(map(self._normalised, inputs))
        return super().forward(*inputs)

    def _normalised(self, images: Tensor) -> Tensor:
        mean, variance = self._buffers["input_mean"], self._buffers["input_variance"]
        return functional.batch_norm(images, mean, variance, eps=0.0)
