"""Networks of other libraries as judges of ours: the same weights must give the same output."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from archscope import load
from archscope.build import build


def torchvision() -> Any:
    """Return torchvision, which beside a CPU torch wants the schemas of two operators first."""
    if not hasattr(torch.ops, "torchvision") or not hasattr(torch.ops.torchvision, "nms"):
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _KEPT.append(library)
    import torchvision

    return torchvision


_KEPT: list[Any] = []  # a library's definitions go with it


def weighted_in_order(module: nn.Module, *inputs: Tensor) -> list[nn.Module]:
    """Return the modules with weights of their own in the order in which they run, each once."""
    ran: list[nn.Module] = []
    hooks = [
        part.register_forward_hook(lambda part, args, out: ran.append(part))
        for part in module.modules()
        if list(part.parameters(recurse=False)) or list(part.buffers(recurse=False))
    ]
    with torch.no_grad():
        module(*inputs)
    for hook in hooks:
        hook.remove()
    return list(dict.fromkeys(ran))


def randomise(module: nn.Module) -> None:
    """Give weights and statistics random values that keep signals alive in deep networks."""
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            for tensor in (part.running_var, part.weight):
                if tensor is not None:
                    nn.init.uniform_(tensor, 0.8, 1.2)
            for tensor in (part.running_mean, part.bias):
                if tensor is not None:
                    nn.init.uniform_(tensor, -0.1, 0.1)


def assert_same_output(
    name: str, theirs: nn.Module, shape: tuple[int, ...], settings: dict[str, Any] | None = None
) -> None:
    """Copy the weights of `theirs` into the network `name` and compare outputs on a batch."""
    torch.manual_seed(0)
    theirs = theirs.eval()
    randomise(theirs)
    ours = build(load(name, set=settings, input=shape).inference()).eval()
    batch = torch.rand(2, *shape)
    sources, targets = weighted_in_order(theirs, batch), weighted_in_order(ours, batch)
    assert len(sources) == len(targets)
    for source, target in zip(sources, targets, strict=True):
        target.load_state_dict(source.state_dict())  # refuses other names and shapes
    with torch.no_grad():
        expected, got = theirs(batch), ours(batch)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)
