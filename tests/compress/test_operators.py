"""Every randomly narrowed operator computes the same as the original with zero channels."""

from __future__ import annotations

from random import Random

import pytest
import torch
from torch import Tensor, nn

from archscope.build import make
from archscope.compress.channels import Axes, Channels, Flow, Tracker
from archscope.compress.operators import flow, follow, narrowed
from archscope.compress.tensors import narrowed_layer
from archscope.ir import Example, Node, Op
from archscope.ops import OPS
from archscope.ops.recurrent import Recurrent

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
    """One operator, the slices of its inputs along all axes, and which of them are removed."""

    def __init__(self, example: Example, seed: int, *, positions: bool = True) -> None:
        self.op, self.ins, self.positive = example.op, example.ins, example.positive
        names = tuple(f"x{number}" for number in range(len(self.ins)))
        self.node = Node("node", self.op, names, self.ins, self.op.shape(*self.ins))
        self.tracker = Tracker()
        self.given: list[Axes] = [
            tuple(self.tracker.new(size) if positions or not axis else None
                  for axis, size in enumerate(x))
            for x in self.ins
        ]  # fmt: skip
        self.flow: Flow = follow(self.op, self.node, tuple(self.given), self.tracker)
        self.leaves = [*map(self.tracker.leaves, range(len(self.tracker.parents)))]
        fixed = {leaf for atom in self.tracker.fixed for leaf in self.leaves[atom]}
        self.free = sorted({leaf for leaves in self.leaves for leaf in leaves} - fixed)
        random = Random(seed)
        random.shuffle(self.free)
        self.removed: set[int] = set()
        axes = (*self.flow.axes, *(axis for x in self.given for axis in x))
        values = [{self.leaves[atom] for atom in axis} for axis in axes if axis is not None]
        for leaf in self.free[: max(1, len(self.free) // 2)]:
            gone = self.removed | {leaf}
            if all(any(gone.isdisjoint(slot) for slot in slots) for slots in values):
                self.removed = gone  # something is left
        self.keeps = [int(self.removed.isdisjoint(leaves)) for leaves in self.leaves]

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

    def kept_of(self, value: Tensor, axes: Axes) -> Tensor:
        """Return a value without its removed slices."""
        for axis, channels in enumerate(axes, start=1):
            if channels is not None:
                value = value.index_select(axis, self.mask(channels).nonzero().flatten())
        return value

    def zeroed(self, value: Tensor, axes: Axes) -> Tensor:
        """Return a value whose removed slices are zero."""
        for axis, channels in enumerate(axes, start=1):
            if channels is not None:
                shape = [1] * value.ndim
                shape[axis] = -1
                value = value * self.mask(channels).view(shape)
        return value

    def silent(self, module: nn.Module) -> nn.Module:
        """Return a recurrent layer that does not read its removed units."""
        if isinstance(self.op, Recurrent):
            for name, axes in self.flow.weights.items():
                held = getattr(module, name).data
                for axis, channels in enumerate(axes):
                    if channels is not None:
                        held.index_fill_(axis, (~self.mask(channels)).nonzero().flatten(), 0)
        return module

    def narrowed(self, module: nn.Module) -> nn.Module:
        """Return the module of the narrowed operator."""
        op = narrowed(self.op, self.flow, self.kept)
        shapes = [
            tuple(size if c is None else self.kept(c) for size, c in zip(x, axes, strict=True))
            for x, axes in zip(self.ins, self.given, strict=True)
        ]
        out = op.shape(*shapes)
        for size, channels in zip(out, self.flow.axes, strict=False):
            assert channels is None or size == self.kept(channels)
        state = module.state_dict()
        for name, axes in self.flow.weights.items():
            for axis, channels in enumerate(axes):
                if name in state and channels is not None:
                    assert state[name].shape[axis] == len(channels)
        held = {name: state[name] for name in self.flow.weights if name in state}
        state |= narrowed_layer(self.flow, held, self.keeps)
        made = make(op.torch(*shapes)).double().eval()
        made.load_state_dict(state, strict=True)
        return made


def check(case: Case) -> None:
    module = case.module()
    small = case.narrowed(module)
    torch.manual_seed(1)
    whole = [
        case.zeroed(torch.randn(2, *x, dtype=torch.float64), axes)
        for x, axes in zip(case.ins, case.given, strict=True)
    ]
    whole = [value.abs() for value in whole] if case.positive else whole
    given = [case.kept_of(value, axes) for value, axes in zip(whole, case.given, strict=True)]
    with torch.no_grad():
        wanted = case.kept_of(case.silent(module)(*whole), case.flow.axes)
        got = small(*given)
    assert got.shape == wanted.shape
    torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-9, equal_nan=True)


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("positions", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_narrowed_operator(example: Example, seed: int, positions: bool) -> None:
    case = Case(example, seed, positions=positions)
    if case.removed:
        check(case)
    else:
        assert len(case.free) < 2, "something could be removed"


def has_rule(example: Example) -> bool:
    kind = type(example.op)
    return any(rules.dispatch(kind) is not rules.dispatch(Op) for rules in (flow, follow))


@pytest.mark.parametrize("example", EXAMPLES)
def test_operators_without_a_rule_keep_their_channels(example: Example) -> None:
    case = Case(example, 0, positions=False)
    if not has_rule(example):
        assert all_fixed(case) or example.op.valuewise
    elif example.op.name not in MAY_FIX:
        assert not all_fixed(case)
    for atom in case.tracker.fixed:
        assert case.tracker.fixed[atom], "a reason is shown"


def all_fixed(case: Case) -> bool:
    channels = (*(case.given[0][0] or ()), *case.flow.out)
    return not any({*case.leaves[atom]} & {*case.free} for atom in channels)


def test_a_wrong_rule_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    example = next(e for e in OPS["channel_shuffle"].examples() if e.op.groups == 4)
    case = Case(example, 0)
    right = case.flow
    case.flow = Flow(right.ins, right.ins[0])  # as if it did not shuffle
    with pytest.raises(AssertionError):
        check(case)
