"""The other work of every operator is the arithmetic of its form, which gives what torch gives."""

from __future__ import annotations

import pytest
import torch

from archscope.contracts.op_work import Work
from archscope.ir import Example
from archscope.ops import OPS
from tests.ops.cases import every_case, inputs_of, trained_module
from tests.ops.forms import FORMS, NON_NEGATIVE, UNCOUNTED


@every_case
def test_other_work_is_that_of_its_form(case: Example) -> None:
    module, name = trained_module(case), case.op.name
    inputs = [tensor.detach() for tensor in inputs_of(case, batch=1)]
    if name in NON_NEGATIVE:
        inputs = [tensor.abs() for tensor in inputs]
    with torch.no_grad():
        expected = module(*inputs)
        form = FORMS.get(name)
        with Work() as work:
            out = module(*inputs) if form is None else form(module, expected, *inputs)
    torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-5)
    _, difference = UNCOUNTED.get(name, ("", lambda case: 0))
    assert case.op.elementwise(*case.ins) == work.operations + difference(case)


def test_forms_are_of_operators() -> None:
    assert FORMS.keys() <= OPS.keys() and UNCOUNTED.keys() <= OPS.keys()


def test_a_kernel_without_an_entry_is_an_error() -> None:
    x = torch.ones(3)
    with pytest.raises(AssertionError, match=r"no elementary arithmetic: aten\.silu"), Work():
        torch.nn.SiLU()(x)


def test_an_invented_number_is_noticed() -> None:
    relu = OPS["relu"]

    class Invented(relu, frozen=True):  # type: ignore[misc, valid-type]
        def elementwise(self, *ins: tuple[int, ...]) -> int:
            return 3

    with pytest.raises(AssertionError):
        test_other_work_is_that_of_its_form(Example(Invented(), ((4, 3),)))
