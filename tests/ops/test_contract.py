"""Every operator is checked for every fact that it states, on each of its examples."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import pytest

from archscope.axes import Window
from archscope.contracts.check import BrokenContractError
from archscope.contracts.op_facts import FACTS
from archscope.contracts.ops import attribute_values, documentation
from archscope.ir import POINTWISE, Example, Saved, Shape, Storage, facts
from archscope.ops import OPS
from tests.ops.cases import every_case, every_op


@pytest.mark.parametrize("check", FACTS, ids=[check.__name__ for check in FACTS])
@every_case
def test_a_fact_is_torch_s(case: Example, check: Callable[[Example], None]) -> None:
    check(case)


@every_case
def test_views_and_nothing_else_move_nothing(case: Example) -> None:
    op, ins = case.op, case.ins
    moved = sum(map(prod, ins)) + op.params(*ins) + op.buffers(*ins) + prod(op.shape(*ins))
    expected = 0 if op.storage is Storage.VIEW else moved
    if op.name == "embedding":  # reads the vectors that it gives, not the others
        expected = sum(map(prod, ins)) + 2 * prod(op.shape(*ins))
    if op.name == "parameter":  # does not read its input
        expected = moved - sum(map(prod, ins))
    if op.name == "slice":  # all but eager views copy the range
        expected = 2 * prod(op.shape(*ins))
    assert op.access(*ins) == expected


def test_input_reads_nothing_and_costs_nothing() -> None:
    (example,) = OPS["input"].examples()
    op = example.op
    assert (example.ins, op.arity, op.shape()) == ((), (0, 0), (3, 224, 224))
    assert op.window() == POINTWISE
    assert not any([op.params(), op.buffers(), op.macs(), op.elementwise(), op.access()])


@every_op
def test_operator_is_documented(name: str) -> None:
    documentation(name)


@every_op
def test_attributes_survive_their_kind(name: str) -> None:
    attribute_values(name)


class Lying(type(OPS["tanh"]()), frozen=True):  # type: ignore[misc]
    """One fact of it is changed in each test."""


def wrong_shape(op: Lying, *ins: Shape) -> Shape:
    return (*ins[0][:-1], 1)


def a_third(op: Lying, *ins: Shape, **more: object) -> int:
    return 3


@pytest.mark.parametrize(
    ("fact", "lie", "check"),
    [
        ("shape", wrong_shape, "shape"),
        ("params", a_third, "params"),
        ("buffers", a_third, "params"),
        ("macs", a_third, "macs"),
        ("backward_macs", a_third, "backward_macs"),
        ("saved", lambda op, *ins: Saved(input=True, output=True), "saved"),
        ("saved", lambda op, *ins: Saved(), "followed"),
        ("window", lambda op, *ins: (Window(kernel=3, before=1, after=1),), "window"),
        ("storage", Storage.VIEW, "storage"),
    ],
)
def test_a_lie_is_found(fact: str, lie: Any, check: str, monkeypatch: pytest.MonkeyPatch) -> None:
    facts.cache_clear()
    monkeypatch.setattr(Lying, fact, lie)
    (run,) = [function for function in FACTS if function.__name__ == check]
    with pytest.raises((BrokenContractError, RuntimeError)):
        run(Example(Lying(), ((4, 6),)))
