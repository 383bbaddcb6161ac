"""Check the facts of operators against torch, fvcore, derivatives and saved-tensor hooks."""

from __future__ import annotations

import copy
from math import prod

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from archscope.axes import Axis, Window
from archscope.build import build
from archscope.contracts.check import expect
from archscope.contracts.op_cases import inputs_of, module_of
from archscope.graph_builder import GraphBuilder
from archscope.ir import POINTWISE, Example, Graph, Output, Storage
from archscope.ops import OPS
from archscope.verify.oracles import MATRIX_WORK, fvcore_analysis
from archscope.weights import COUNTER


def equal(what: str, stated: object, found: object) -> None:
    """Raise BrokenContractError unless the stated value equals the one found."""
    expect(stated == found, f"{what}: it states {stated}, torch has {found}")


def graph_of(case: Example, *, activation: bool = False) -> Graph:
    """Return the graph of an operator, optionally followed by a relu."""
    builder = GraphBuilder()
    names = [
        builder.add(f"x{place}", OPS["input"](size=shape)) for place, shape in enumerate(case.ins)
    ]
    last = builder.add("op", case.op, names)
    if activation:
        last = builder.add("last", OPS["relu"](), [last])
    return Graph("alone", tuple(builder.nodes.values()), (Output("y", last),))


def shape(case: Example) -> None:
    """Check the output shape, and that the output is finite."""
    out = module_of(case)(*inputs_of(case))
    equal("shape", case.op.shape(*case.ins), tuple(out.shape[1:]))
    expect(out.isfinite().all(), "the output of its module is not finite")


def params(case: Example) -> None:
    """Check params and running statistics."""
    module = module_of(case)
    statistics = {
        name: buffer.numel()
        for name, buffer in module.named_buffers()
        if name in module.state_dict() and name != COUNTER
    }
    equal("params", case.op.params(*case.ins), sum(p.numel() for p in module.parameters()))
    equal("buffers", case.op.buffers(*case.ins), sum(statistics.values()))


def macs(case: Example) -> None:
    """Check multiply-accumulates against fvcore and torch's counter."""
    module = module_of(case)
    inputs = [tensor.detach() for tensor in inputs_of(case, batch=1)]
    counted = fvcore_analysis(module, tuple(inputs)).by_operator()
    equal("macs", case.op.macs(*case.ins), sum(int(counted[kind]) for kind in MATRIX_WORK))
    module, inputs = module.to("meta"), [tensor.to("meta") for tensor in inputs]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(*inputs)  # on meta tensors, as the counter does not know attention on a CPU
    equal("flops (2 for a mac)", 2 * case.op.macs(*case.ins), counter.get_total_flops())


def backward_macs(case: Example) -> None:
    """Check multiply-accumulates of the backward pass, with gradients of inputs and without."""
    for inputs_too in (True, False):
        module = module_of(case).to("meta")
        inputs = [tensor.to("meta").detach() for tensor in inputs_of(case, batch=1)]
        for tensor in inputs:
            tensor.requires_grad_(inputs_too)
        out = module(*[tensor * 1 for tensor in inputs])  # leaves cannot be modified in place
        with FlopCounterMode(display=False) as counter:
            if out.requires_grad:
                out.sum().backward()
        ours = case.op.backward_macs(*case.ins, needed=(inputs_too,) * len(inputs))
        if case.op.params(*case.ins):  # the counter takes grouped weights for dense ones
            ours += case.op.macs(*case.ins) * (getattr(case.op, "groups", 1) - 1)
        equal("flops of the backward pass", 2 * ours, counter.get_total_flops())


def saved(case: Example) -> None:
    """Check what autograd keeps, including in place where that is allowed."""
    _saved(case, {})
    if case.op.storage is Storage.IN_PLACE:
        _saved(case, {"inplace": True})


def _saved(case: Example, more: dict[str, bool]) -> None:
    batch = 3
    stated = case.op.saved(*case.ins)
    numbers = stated.elements
    numbers += sum(map(prod, case.ins)) * stated.input
    numbers += prod(case.op.shape(*case.ins)) * stated.output
    ours = (numbers * 4 + stated.indices * 8) * batch + stated.fixed * 4
    kept = kept_bytes(module_of(case, **more), inputs_of(case, batch))
    expect(ours <= kept, f"autograd keeps {kept} bytes of a batch of 3, it states {ours}")
    if not stated.least:
        equal("saved bytes of a batch of 3", ours, kept)


def kept_bytes(module: nn.Module, inputs: list[Tensor]) -> int:
    """Return the bytes of all tensors except weights that autograd keeps in a training step."""
    weights = {p.untyped_storage().data_ptr() for p in (*module.parameters(), *module.buffers())}
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    started = [tensor * 1 for tensor in inputs]  # leaves cannot be modified in place
    with saved_tensors_hooks(pack, lambda tensor: tensor):
        module.train()(*started)
    return sum(t.untyped_storage().nbytes() for key, t in kept.items() if key not in weights)


def window(case: Example) -> None:
    """Check which inputs each output position sees, by derivatives."""
    module = module_of(case)
    for index, axis, stated in _spatial_axes(case):
        if index in case.op.without_slope:
            continue
        size = case.ins[index][axis + 1]
        inside = set()
        for position, found in enumerate(_seen_along(module, case, index, axis)):
            taps = stated.taps(position)
            where = f"output {position} along axis {axis}"
            if all(0 <= tap < size for tap in taps):
                inside.add(position % stated.period)
                expect(found == sorted(taps), f"{where} sees {found}, it states {sorted(taps)}")
            elif getattr(case.op, "mode", "") in ("reflect", "circular"):
                continue  # values beyond the border come from elsewhere
            else:  # beyond the border there is padding, or the last value repeated
                allowed = {min(max(tap, 0), size - 1) for tap in taps}
                expect(set(found) <= allowed, f"{where} sees {found}, it states {sorted(allowed)}")
        expect(inside == set(range(stated.period)), "an example is too small to see each phase")


def _spatial_axes(case: Example) -> list[tuple[int, int, Axis]]:
    """Return the input number, axis number and window of all windows of an operator."""
    stated = case.op.window(*case.ins)
    out = case.op.shape(*case.ins)
    if stated is None:  # it sees the whole input
        return []
    if stated == POINTWISE:
        return [
            (index, axis, Window())
            for index, taken in enumerate(case.ins)
            for axis in range(len(taken) - 1)
            if taken[axis + 1] == out[axis + 1]  # not for a gate, whose single position is repeated
        ]
    return [(0, axis, along) for axis, along in enumerate(stated)]


def _seen_along(module: nn.Module, case: Example, index: int, axis: int) -> list[list[int]]:
    """Return, for each output along an axis, the input positions that affect it."""
    inputs = [tensor.detach().double().requires_grad_() for tensor in inputs_of(case, batch=8)]
    out = module.double()(*inputs)
    weighed = out * torch.rand_like(out)  # otherwise the derivative of a softmax would cancel
    seen = []
    for row in weighed.movedim(axis + 2, 0):
        (slope,) = torch.autograd.grad(row.sum(), inputs[index], retain_graph=True)
        marks = (slope.abs() > 1e-9).movedim(axis + 2, 0).flatten(1).any(dim=1)
        seen.append(marks.nonzero().flatten().tolist())
    return seen


def storage(case: Example) -> None:
    """Check whether the result shares the memory of an input, at inference and in training."""
    op = case.op
    inputs = [tensor.detach() for tensor in inputs_of(case)]
    places = {tensor.untyped_storage().data_ptr() for tensor in inputs}
    for training in (False, True):
        stated = (training and op.training_storage) or op.storage

        def shares(module: nn.Module, training: bool = training) -> bool:
            return module.train(training)(*inputs).untyped_storage().data_ptr() in places

        expect(
            shares(module_of(case)) is (stated is Storage.VIEW),
            f"states the storage {stated.value}, torch has another",
        )
        if op.storage is Storage.IN_PLACE:
            expect(shares(module_of(case, inplace=True)), "its module does not work in place")


def followed(case: Example) -> None:
    """Check that an in-place activation after an operator does not corrupt its gradient."""
    if len(case.op.without_slope) == len(case.ins):
        return
    usual = build(graph_of(case, activation=True))
    careful = copy.deepcopy(usual)
    last = careful.part("last")
    assert isinstance(last, nn.ReLU)
    last.inplace = False
    slopes = []
    for network in (usual, careful):
        inputs = inputs_of(case)
        torch.manual_seed(2)  # for random operators
        out = network.train()(*(tensor * 1 for tensor in inputs))
        assert isinstance(out, Tensor)
        out.square().sum().backward()  # type: ignore[no-untyped-call]  # torch is untyped there
        places = [i for i in range(len(inputs)) if i not in case.op.without_slope]
        slopes.append([inputs[place].grad for place in places])
    for ours, other in zip(*slopes, strict=True):
        same = ours is other  # indices have no gradient
        if ours is not None and other is not None:
            same = torch.allclose(ours, other, rtol=1e-4, atol=1e-6)
        expect(same, "an in-place activation after it corrupts its gradient; see `saved`")


FACTS = (shape, params, macs, backward_macs, saved, window, storage, followed)
"""Every check of a fact on an example."""
