"""Examples of operators as torch modules with inputs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from archscope.build import make
from archscope.ir import Example, Shape


def module_of(case: Example, **more: bool) -> nn.Module:
    """Return the module of an example in evaluation mode."""
    torch.manual_seed(0)
    return make(case.op.torch(*case.ins).with_(**more)).eval()


def trained_module(case: Example) -> nn.Module:
    """Return the module with random weights and statistics, as after training."""
    module = module_of(case)
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.is_floating_point():
                tensor.uniform_(0.5, 1.5)
    return module


def tensors(ins: tuple[Shape, ...], batch: int = 2) -> list[Tensor]:
    """Return random inputs that require gradients."""
    torch.manual_seed(1)
    return [torch.randn(batch, *shape, requires_grad=True) for shape in ins]


def inputs_of(case: Example, batch: int = 2) -> list[Tensor]:
    """Return random inputs of an example that require gradients."""
    made = tensors(case.ins, batch)
    if case.positive:
        made = [(tensor.detach().abs() + 0.1).requires_grad_() for tensor in made]
    if case.places is not None:
        shape = case.op.shape(*case.ins)
        places = make(case.places.torch(shape))(torch.randn(batch, *shape))
        made[-1] = places.to(made[-1].dtype).requires_grad_()
    return made
