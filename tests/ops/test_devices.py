"""Modules of operators compute where their inputs are."""

from __future__ import annotations

import torch

from archscope.contracts.op_cases import module_of
from archscope.ir import Example
from tests.ops.cases import every_case


@every_case
def test_nothing_is_left_on_the_cpu(case: Example) -> None:
    """Tensors without values stand for those of a GPU: they do not mix with those of a CPU."""
    module = module_of(case).to("meta")
    inputs = [torch.empty(2, *shape, device="meta") for shape in case.ins]
    with torch.no_grad():
        assert module(*inputs).device.type == "meta"
