"""The examples of every operator, and their torch modules."""

from __future__ import annotations

import pytest

from archscope.contracts.op_cases import inputs_of, module_of, tensors, trained_module
from archscope.ops import OPS

CASES = [
    pytest.param(example, id=f"{name}-{number}")
    for name, op in sorted(OPS.items())
    if name != "input"
    for number, example in enumerate(op.examples())
]
every_case = pytest.mark.parametrize("case", CASES)
every_op = pytest.mark.parametrize("name", sorted(OPS))

__all__ = [
    "CASES", "every_case", "every_op", "inputs_of", "module_of", "tensors", "trained_module",
]  # fmt: skip
