"""A network that normalises its images, for formats that are made of a torch module."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from archscope.build import Network
from archscope.exporters.preprocessing import Preprocessing


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
