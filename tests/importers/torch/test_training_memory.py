"""Training memory of users' modules: autograd never keeps less than the import states."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional

from archscope.analysis.memory import memory
from archscope.importers.torch import from_module
from tests.importers.torch.in_place_forms import Made
from tests.importers.torch.test_modules import batch
from tests.importers.torch.test_torch_forms import FORMS
from tests.zoo.oracle import torchvision

IMAGES = 2


def kept(module: nn.Module, *inputs: Tensor) -> int:
    """Return the bytes of the tensors that autograd keeps of a training step."""
    weights = {t.untyped_storage().data_ptr() for t in (*module.parameters(), *module.buffers())}
    storages: dict[int, int] = {}
    alive: list[Any] = []  # so that no storage is freed and its address used again

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            alive.append(tensor.detach())
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        alive.append(module.train()(*inputs))
    return sum(storages.values())


def said(module: nn.Module, shape: tuple[int, ...]) -> int:
    return memory(from_module(module.eval(), shape).graph).saved_bytes(IMAGES, 4)


def two_readers(x: Tensor, a: nn.Module, b: nn.Module, pad: tuple[int, ...]) -> Tensor:
    y = functional.pad(a(x), pad)
    return a(y)[..., :8, :8] + b(y)[..., :8, :8]


def pool_and_conv(x: Tensor, a: nn.Module, b: nn.Module) -> Tensor:
    y = functional.pad(a(x), (0, 1, 0, 1))
    return b(y) + functional.max_pool2d(y, 2, 1)


class DropPath(nn.Module):
    """As timm and many others have it."""

    def __init__(self, drop_prob: float) -> None:
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        keep = 1 - self.drop_prob
        return x * x.new_empty((len(x), *(1 for _ in x.shape[1:]))).bernoulli_(keep).div_(keep)


def residual(x: Tensor, a: nn.Module, b: nn.Module, drop: nn.Module) -> Tensor:
    return x + drop(b(torch.relu(a(x))))


EXACT = {
    "odd pad, two readers": Made(
        lambda x, a, b: two_readers(x, a, b, (0, 1, 0, 1)), nn.Conv2d(4, 4, 2), nn.Conv2d(4, 4, 2)),
    "even pad, two readers": Made(
        lambda x, a, b: two_readers(x, a, b, (1, 1, 1, 1)), nn.Conv2d(4, 4, 2), nn.Conv2d(4, 4, 2)),
    "pad for a conv and a pool": Made(pool_and_conv, nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 2)),
    "drop path": Made(residual, nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1), DropPath(0.2)),
    "channels dropped": Made(residual, nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1), nn.Dropout2d(0.2)),
}  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_training_memory_is_that_of_the_module(name: str) -> None:
    module = EXACT[name]
    assert said(module, (4, 9, 9)) == kept(module, *batch((4, 9, 9), IMAGES))


class Behind(nn.Module):
    """A module behind a convolution, so that it has a gradient to pass on."""

    def __init__(self, last: nn.Module) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(4, 4, 1), last

    def forward(self, x: Tensor) -> Any:
        return self.last(self.first(x))


@pytest.mark.parametrize("name", [
    "reflect", "zeropad", "negpad", "avgceil2", "maxidx", "maxdil", "adapt", "adaptmax1",
    "bilinear", "bnbatch", "bnaff", "inst", "lnw", "gnna", "lrn", "drop2d", "alpha", "crop",
    "mean23", "catself", "xx", "bcastmul", "relu6", "elu", "softplus2", "softmaxc", "prelu1",
    "norm", "ia", "reluin",
    "matmul", "frac", "spec", "encoder",
])  # fmt: skip
def test_training_memory_is_a_lower_bound(name: str) -> None:
    module = Behind(FORMS[name])
    assert said(module, (4, 6, 8)) <= kept(module, *batch((4, 6, 8), IMAGES))


def test_stochastic_depth_of_torchvision_is_kept() -> None:
    network = torchvision().models.efficientnet_b0()
    found = from_module(network, (3, 32, 32))
    assert sum(node.op.name == "stochastic_depth" for node in found.graph.nodes) == 9
    assert said(network, (3, 32, 32)) == kept(network, *batch((3, 32, 32), IMAGES))
