"""Every operator is held to every fact that it states, on each of its own examples."""

from __future__ import annotations

import copy
from math import prod

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from archscope.axes import Axis, Window
from archscope.build import build
from archscope.ir import POINTWISE, WHOLE, Example, Storage
from archscope.ops import OPS
from archscope.ops.attributes import attributes
from archscope.verify.oracles import MATRIX_WORK, fvcore_analysis
from tests.nets import Net
from tests.ops.cases import CASES, every_case, every_op, inputs_of, module_of

IN_PLACE = [case for case in CASES if case.values[0].op.storage is Storage.IN_PLACE]


@every_case
def test_shape_is_torch_s_and_numbers_are_finite(case: Example) -> None:
    out = module_of(case)(*inputs_of(case))
    assert out.shape[1:] == case.op.shape(*case.ins)
    assert out.isfinite().all()


@every_case
def test_params_and_buffers_are_the_module_s(case: Example) -> None:
    module = module_of(case)
    statistics = {
        name: buffer.numel()
        for name, buffer in module.named_buffers()
        if name in module.state_dict() and name != "num_batches_tracked"
    }
    assert case.op.params(*case.ins) == sum(p.numel() for p in module.parameters())
    assert case.op.buffers(*case.ins) == sum(statistics.values())


@every_case
def test_macs_are_fvcore_s_and_torch_s(case: Example) -> None:
    module = module_of(case)
    inputs = [tensor.detach() for tensor in inputs_of(case, batch=1)]
    counted = fvcore_analysis(module, tuple(inputs)).by_operator()
    assert case.op.macs(*case.ins) == sum(int(counted[kind]) for kind in MATRIX_WORK)
    module, inputs = module.to("meta"), [tensor.to("meta") for tensor in inputs]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(*inputs)  # without numbers, as it does not know attention of a CPU
    assert 2 * case.op.macs(*case.ins) == counter.get_total_flops()


@every_case
@pytest.mark.parametrize("inputs_too", [True, False])
def test_backward_macs_are_torch_s(case: Example, inputs_too: bool) -> None:
    module = module_of(case).to("meta")
    inputs = [tensor.to("meta").detach() for tensor in inputs_of(case, batch=1)]
    for tensor in inputs:
        tensor.requires_grad_(inputs_too)
    out = module(*[tensor * 1 for tensor in inputs])  # leaves may not be worked on in place
    with FlopCounterMode(display=False) as counter:
        if out.requires_grad:
            out.sum().backward()
    ours = case.op.backward_macs(*case.ins, needed=(inputs_too,) * len(inputs))
    if case.op.params(*case.ins):  # it takes grouped weights for dense ones
        ours += case.op.macs(*case.ins) * (getattr(case.op, "groups", 1) - 1)
    assert 2 * ours == counter.get_total_flops()


def kept_bytes(module: nn.Module, inputs: list[Tensor]) -> int:
    """Return the bytes of all tensors but weights that autograd keeps of a training step."""
    weights = {p.untyped_storage().data_ptr() for p in (*module.parameters(), *module.buffers())}
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    started = [tensor * 1 for tensor in inputs]  # leaves may not be worked on in place
    with saved_tensors_hooks(pack, lambda tensor: tensor):
        module.train()(*started)
    return sum(t.untyped_storage().nbytes() for key, t in kept.items() if key not in weights)


@pytest.mark.parametrize(
    ("case", "more"),
    [
        *(pytest.param(*case.values, {}, id=case.id) for case in CASES),
        *(pytest.param(*case.values, {"inplace": True}, id=f"{case.id}-over") for case in IN_PLACE),
    ],
)
def test_saved_is_what_autograd_keeps(case: Example, more: dict[str, bool]) -> None:
    batch = 3
    saved = case.op.saved(*case.ins)
    numbers = saved.elements
    numbers += sum(map(prod, case.ins)) * saved.input
    numbers += prod(case.op.shape(*case.ins)) * saved.output
    ours = (numbers * 4 + saved.indices * 8) * batch + saved.fixed * 4
    kept = kept_bytes(module_of(case, **more), inputs_of(case, batch))
    assert ours <= kept if saved.least else ours == kept


def seen_along(module: nn.Module, case: Example, index: int, axis: int) -> list[list[int]]:
    """Return for each output along an axis the positions of an input that move it."""
    inputs = [tensor.detach().double().requires_grad_() for tensor in inputs_of(case, batch=8)]
    out = module.double()(*inputs)
    weighed = out * torch.rand_like(out)  # or the derivative of a softmax would cancel
    seen = []
    for row in weighed.movedim(axis + 2, 0):
        (slope,) = torch.autograd.grad(row.sum(), inputs[index], retain_graph=True)
        marks = (slope.abs() > 1e-9).movedim(axis + 2, 0).flatten(1).any(dim=1)
        seen.append(marks.nonzero().flatten().tolist())
    return seen


def spatial_axes(case: Example) -> list[tuple[int, int, Axis]]:
    """Return input number, axis number and window of all that an operator states."""
    window = case.op.window(*case.ins)
    out = case.op.shape(*case.ins)
    if window is WHOLE:
        return []
    if window == POINTWISE:
        return [
            (index, axis, Window())
            for index, shape in enumerate(case.ins)
            for axis in range(len(shape) - 1)
            if shape[axis + 1] == out[axis + 1]  # a gate of one position stands for all
        ]
    return [(0, axis, one) for axis, one in enumerate(window)]


@every_case
def test_window_is_what_derivatives_see(case: Example) -> None:
    module = module_of(case)
    for index, axis, window in spatial_axes(case):
        if index in case.op.without_slope:
            continue
        size = case.ins[index][axis + 1]
        seen = seen_along(module, case, index, axis)
        inside = set()
        for position, found in enumerate(seen):
            taps = window.taps(position)
            if all(0 <= tap < size for tap in taps):
                inside.add(position % window.period)
                assert found == sorted(taps), f"output {position} along axis {axis}"
            elif getattr(case.op, "mode", "") in ("reflect", "circular"):
                continue  # what stands beyond the border are values from elsewhere
            else:  # beyond the border stands padding, or the last value once more
                assert set(found) <= {min(max(tap, 0), size - 1) for tap in taps}
        assert inside == set(range(window.period)), "every phase was looked at"


@every_case
@pytest.mark.parametrize("training", [False, True])
def test_storage_is_where_the_result_lies(case: Example, training: bool) -> None:
    op = case.op
    storage = (training and op.training_storage) or op.storage
    inputs = [tensor.detach() for tensor in inputs_of(case)]
    places = {tensor.untyped_storage().data_ptr() for tensor in inputs}

    def shares(module: nn.Module) -> bool:
        return module.train(training)(*inputs).untyped_storage().data_ptr() in places

    assert shares(module_of(case)) is (storage is Storage.VIEW)
    if op.storage is Storage.IN_PLACE:
        assert shares(module_of(case, inplace=True))


@every_case
def test_activation_behind_it_works_in_place_where_it_may(case: Example) -> None:
    """What `in_place` allows behind an operator must not spoil its gradient."""
    if len(case.op.without_slope) == len(case.ins):
        return
    net = Net(**{f"x{number}": shape for number, shape in enumerate(case.ins)})
    made = net.builder.add("made", case.op, list(net.builder.nodes))
    usual = build(net.graph(net("relu", made, name="last")))
    careful = copy.deepcopy(usual)
    last = careful.part("last")
    assert isinstance(last, nn.ReLU)
    last.inplace = False
    slopes = []
    for network in (usual, careful):
        inputs = inputs_of(case)
        torch.manual_seed(2)  # for operators that draw
        network.train()(*(tensor * 1 for tensor in inputs)).square().sum().backward()
        places = [i for i in range(len(inputs)) if i not in case.op.without_slope]
        slopes.append([inputs[place].grad for place in places])
    for one, other in zip(*slopes, strict=True):
        assert (one is None) is (other is None)  # indices have no gradient
        assert one is None or torch.allclose(one, other, rtol=1e-4, atol=1e-6)


@every_case
def test_views_and_nothing_else_move_nothing(case: Example) -> None:
    op, ins = case.op, case.ins
    moved = sum(map(prod, ins)) + op.params(*ins) + op.buffers(*ins) + prod(op.shape(*ins))
    expected = 0 if op.storage is Storage.VIEW else moved
    if op.name == "embedding":  # reads the vectors that it gives, not the others
        expected = sum(map(prod, ins)) + 2 * prod(op.shape(*ins))
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
    op = OPS[name]
    assert op.name == name
    assert op.__doc__ and op.__doc__.strip().split("\n")[0].endswith(".")
    assert op.principal is None or op.principal in attributes(op)
    for key, attribute in attributes(op).items():
        assert attribute.name == key
        assert attribute.about.strip()
        assert attribute.kind.text and attribute.kind.schema


@every_op
def test_attributes_survive_their_kind(name: str) -> None:
    op = OPS[name]
    for key, attribute in attributes(op).items():
        if not attribute.required and attribute.default is not None:
            assert attribute.kind.read(attribute.default) == attribute.default
        for example in op.examples():
            value = getattr(example.op, key)
            if value is None:
                assert attribute.default is None
                continue
            assert attribute.kind.read(value) == value
            if isinstance(value, tuple):  # YAML knows lists only
                assert attribute.kind.read(list(value)) == value
