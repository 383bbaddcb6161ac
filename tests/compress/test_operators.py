"""Every randomly narrowed operator computes the same as the original with zero channels."""

from __future__ import annotations

from random import Random

import pytest
import torch
from torch import Tensor, nn

from archscope.build import make
from archscope.compress.channels import Channels, Flow, Tracker
from archscope.compress.operators import flow, narrowed
from archscope.compress.tensors import narrowed_layer
from archscope.ir import Example, Node, Op
from archscope.ops import OPS

EXAMPLES = [
    pytest.param(example, id=f"{name}{number}")
    for name, cls in OPS.items()
    for number, example in enumerate(cls.examples())
    if example.ins
]
MAY_FIX = {
    "argmax", "argsort", "cosine_similarity", "cumprod", "cumsum", "distance", "expand", "fill",
    "gather_elements", "layernorm", "learned", "log_softmax", "mul", "normalize", "permute",
    "reduce", "rmsnorm", "roll", "select", "slice_scatter", "softmax", "sort", "stack", "top_k",
}  # fmt: skip
"""Operators whose rule is that some channels stay."""


class Case:
    """One operator, its channels, and which of them are removed."""

    def __init__(self, example: Example, seed: int) -> None:
        self.op, self.ins, self.positive = example.op, example.ins, example.positive
        names = tuple(f"x{number}" for number in range(len(self.ins)))
        self.node = Node("node", self.op, names, self.ins, self.op.shape(*self.ins))
        self.tracker = Tracker()
        given = tuple(self.tracker.new(x[0]) for x in self.ins)
        self.flow: Flow = flow(self.op, self.node, given, self.tracker)
        roots = [*map(self.tracker.root, range(len(self.tracker.parents)))]
        fixed = {roots[atom] for atom in self.tracker.fixed}
        free = sorted({*roots} - fixed)
        random = Random(seed)
        random.shuffle(free)
        removed: set[int] = set()
        values = [{roots[atom] for atom in c} for c in (*self.flow.ins, self.flow.out)]
        for root in free[: max(1, len(free) // 2)]:
            if all(channels - removed - {root} for channels in values):  # something is left
                removed.add(root)
        self.keeps = [int(root not in removed) for root in roots]
        self.removed = removed

    def kept(self, channels: Channels) -> int:
        return sum(self.keeps[atom] for atom in channels)

    def mask(self, channels: Channels) -> Tensor:
        return torch.tensor([self.keeps[atom] for atom in channels], dtype=torch.bool)

    def module(self) -> nn.Module:
        torch.manual_seed(0)
        module = make(self.op.torch(*self.ins)).double().eval()
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                tensor.uniform_(0.5, 1.5) if "var" in name else tensor.normal_()
        return module

    def narrowed(self, module: nn.Module) -> tuple[nn.Module, list[tuple[int, ...]]]:
        """Return the module of the narrowed operator, and its input shapes."""
        op = narrowed(self.op, self.flow, self.kept)
        shapes = [
            (self.kept(channels), *x[1:])
            for channels, x in zip(self.flow.ins, self.ins, strict=True)
        ]
        state = module.state_dict()
        for name, axes in self.flow.weights.items():
            for axis, channels in enumerate(axes):
                if name in state and channels is not None:
                    assert state[name].shape[axis] == len(channels)
        held = {name: state[name] for name in self.flow.weights if name in state}
        state |= narrowed_layer(self.flow, held, self.keeps)
        made = make(op.torch(*shapes)).double().eval()
        made.load_state_dict(state, strict=True)
        return made, shapes


def check(case: Case) -> None:
    module = case.module()
    small, shapes = case.narrowed(module)
    masks = [case.mask(channels) for channels in case.flow.ins]
    torch.manual_seed(1)
    whole = [
        torch.randn(2, *x, dtype=torch.float64) * mask.view(-1, *(1 for _ in x[1:]))
        for x, mask in zip(case.ins, masks, strict=True)
    ]
    whole = [value.abs() for value in whole] if case.positive else whole
    given = [value[:, mask] for value, mask in zip(whole, masks, strict=True)]
    assert [tuple(x.shape[1:]) for x in given] == shapes
    with torch.no_grad():
        wanted = module(*whole)[:, case.mask(case.flow.out)]
        got = small(*given)
    assert got.shape == wanted.shape
    torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-9, equal_nan=True)


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("seed", range(3))
def test_narrowed_operator(example: Example, seed: int) -> None:
    case = Case(example, seed)
    if case.removed:
        check(case)
    else:
        channels = {case.tracker.root(a) for c in (*case.flow.ins, case.flow.out) for a in c}
        free = channels - {case.tracker.root(atom) for atom in case.tracker.fixed}
        assert len(free) < 2, "something could be removed"


def has_rule(example: Example) -> bool:
    return flow.dispatch(type(example.op)) is not flow.dispatch(Op)


@pytest.mark.parametrize("example", EXAMPLES)
def test_operators_without_a_rule_keep_their_channels(example: Example) -> None:
    case = Case(example, 0)
    if not has_rule(example):
        assert all_fixed(case) or example.op.valuewise
    elif example.op.name not in MAY_FIX:
        assert not all_fixed(case)
    for atom in case.tracker.fixed:
        assert case.tracker.fixed[atom], "a reason is shown"


def all_fixed(case: Case) -> bool:
    fixed = {case.tracker.root(atom) for atom in case.tracker.fixed}
    return all(case.tracker.root(atom) in fixed for atom in (*case.flow.ins[0], *case.flow.out))


def test_a_wrong_rule_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    example = next(e for e in OPS["channel_shuffle"].examples() if e.op.groups == 4)
    case = Case(example, 0)
    right = case.flow
    case.flow = Flow(right.ins, right.ins[0])  # as if it did not shuffle
    with pytest.raises(AssertionError):
        check(case)
