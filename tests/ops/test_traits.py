"""The traits that operators state, on each of their own examples."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from archscope.analysis.count import COUNTS, convention
from archscope.build import build
from archscope.fused import fused_network
from archscope.ir import Example, Op, Shape
from archscope.ops import OPS
from tests.nets import Net
from tests.ops.cases import (
    CASES,
    every_case,
    every_op,
    inputs_of,
    module_of,
    tensors,
    trained_module,
)

MAP = (8, 6, 6)
MERGES = [
    name
    for name, op in sorted(OPS.items())
    if op.arity[1] is None and op.examples() and name != "stack"  # whose results have an axis more
]
ROUNDS = {"fake_quantize"}
"""Operators that are not linear, but only because they round."""


def cases_of(name: str) -> list[Example]:
    return [example for example in OPS[name].examples() if example.ins]


def values(*shapes: Shape) -> list[Tensor]:
    return [tensor.detach() for tensor in tensors(shapes)]


def inputs_for(case: Example) -> list[Tensor]:
    return [tensor.detach() for tensor in inputs_of(case)]


@every_case
def test_operators_that_select_return_values_of_their_inputs_or_zero(case: Example) -> None:
    if not case.op.selects:
        return
    inputs = inputs_for(case)
    known = torch.cat([torch.zeros(1), *(tensor.flatten() for tensor in inputs)])
    result = module_of(case).eval()(*inputs)
    assert torch.isin(result, known).all()


@pytest.mark.parametrize("name", MERGES)
def test_commutative_operators_take_inputs_in_any_order_and_nested(name: str) -> None:
    module: nn.Module = module_of(Example(OPS[name](), (MAP, MAP)))
    a, b, c = values(MAP, MAP, MAP)
    swapped = torch.equal(module(a, b), module(b, a))
    nested = module(module(a, b), c)
    flat = module(a, b, c)
    holds = swapped and flat.shape == nested.shape and torch.allclose(flat, nested)
    assert OPS[name].commutative is holds


@pytest.mark.parametrize("name", MERGES)
def test_neutral_zeros_may_be_left_out(name: str) -> None:
    module: nn.Module = module_of(Example(OPS[name](), (MAP, MAP)))
    (a,) = values(MAP)
    assert OPS[name].zero_is_neutral is torch.equal(module(a, torch.zeros_like(a)), a)


@every_op
def test_random_operators_draw_while_training(name: str) -> None:
    drawn = False
    for case in cases_of(name):
        module = module_of(case).train()
        inputs = inputs_for(case)
        first, second = (module(*inputs) for _ in range(2))
        drawn |= not torch.equal(first, second)
    assert OPS[name].random is drawn


def is_valuewise(case: Example) -> bool:
    """Return whether a change of one value changes the result at that place and nowhere else."""
    if len(case.ins) != 1 or case.op.shape(*case.ins) != case.ins[0]:
        return False
    module = trained_module(case)
    (x,) = inputs_for(case)
    changed = x.clone()
    place = (0, *(size // 2 for size in case.ins[0]))
    changed[place] += 3
    moved = (module(x) != module(changed)).nonzero().tolist()
    return bool(moved == [list(place)])


PLACED = {"fill"}
"""Operators that look at each value alone, but at its place, too: values must not move there."""


@every_op
def test_valuewise_operators_look_at_each_value_alone(name: str) -> None:
    cases = cases_of(name)
    alone = bool(cases) and all(map(is_valuewise, cases))
    assert OPS[name].valuewise is (alone and name not in PLACED)


@every_case
def test_what_is_valuewise_and_not_nonlinear_scales_and_shifts(case: Example) -> None:
    if not case.op.valuewise and not case.op.nonlinear:
        return
    module = trained_module(case)
    drawn = [8 * x for x in values(*case.ins, *case.ins)]
    a, b = drawn[: len(case.ins)], drawn[len(case.ins) :]
    middle = (module(*a) + module(*b)) / 2
    between = [(x + y) / 2 for x, y in zip(a, b, strict=True)]
    straight = torch.allclose(module(*between).to(middle.dtype), middle, atol=1e-4)
    assert straight is not case.op.nonlinear or case.op.name in ROUNDS


CHOOSE = {"top_k", "global_maxpool", "adaptive_maxpool"}
"""Operators that look at values only to choose among them, which has no derivative."""


@every_case
def test_what_sees_less_than_the_whole_input_says_so(case: Example) -> None:
    """By derivatives: every position of the input moves every one of the output, or it may not."""
    op = case.op
    if op.window(*case.ins) is not None or len(op.shape(*case.ins)) < 2 or len(case.ins) != 1:
        return
    if op.may_see_less or op.random or op.pools or op.name in CHOOSE:
        return
    inputs = [tensor.detach().double().requires_grad_() for tensor in inputs_of(case, batch=64)]
    out = module_of(case).double()(*inputs)
    for place in (out * torch.rand_like(out)).flatten(2).unbind(2):
        slopes = torch.autograd.grad(place.sum(), inputs[:1], retain_graph=True)
        assert (slopes[0].flatten(2).abs().amax((0, 1)) > 0).all()


@every_case
def test_normalising_operators_undo_a_scale(case: Example) -> None:
    if not case.op.normalises:
        return
    module = module_of(case).train()
    (x,) = inputs_for(case)
    assert module(1e6 * x).abs().max() < 100 * module(x).abs().max()


@every_case
def test_zeros_are_kept(case: Example) -> None:
    out = trained_module(case)(*(torch.zeros(2, *shape) for shape in case.ins))
    assert case.op.keeps_zero is bool((out == 0).all())
    assert case.op.is_zero(*(True for _ in case.ins)) is case.op.keeps_zero


@every_case
def test_zero_results_are_zero(case: Example) -> None:
    for zero in range(len(case.ins)):
        among = [place == zero for place in range(len(case.ins))]
        if case.op.is_zero(*among):
            inputs = inputs_for(case)
            inputs[zero] = torch.zeros_like(inputs[zero])
            assert not trained_module(case)(*inputs).any()


def test_times_0_is_zero_and_mul_by_zero_is() -> None:
    assert OPS["mul_scalar"](factor=0).is_zero(False)
    assert OPS["mul"]().is_zero(False, True)
    assert not OPS["add"]().is_zero(False, True)


IDENTITIES: list[tuple[str, dict[str, Any], Shape]] = [
    ("identity", {}, MAP),
    ("dropout", {"p": 0.0}, MAP),
    ("stochastic_depth", {"p": 0.0}, MAP),
    ("mul_scalar", {"factor": 1}, MAP),
    ("channel_shuffle", {"groups": 1}, MAP),
    ("channel_shuffle", {"groups": 8}, MAP),
    ("flatten", {}, (8,)),
    ("reshape", {"size": MAP}, MAP),
    ("slice", {"start": 0, "stop": 8}, MAP),
    ("maxpool", {"kernel": 1}, MAP),
    ("avgpool", {"kernel": 1, "stride": 1}, MAP),
    ("upsample", {"scale": 1}, MAP),
    ("upsample", {"size": 6, "mode": "linear"}, MAP),
]


@pytest.mark.parametrize(("name", "attributes", "shape"), IDENTITIES)
def test_identities_are_known(name: str, attributes: dict[str, Any], shape: Shape) -> None:
    assert OPS[name](**attributes).is_identity(shape)


@pytest.mark.parametrize(
    "case",
    [
        *CASES,
        *(
            pytest.param(Example(OPS[name](**attributes), (shape,)), id=f"same-{name}-{number}")
            for number, (name, attributes, shape) in enumerate(IDENTITIES)
        ),
    ],
)
@pytest.mark.parametrize("training", [False, True])
def test_identities_change_nothing(case: Example, training: bool) -> None:
    if case.op.is_identity(*case.ins):
        (x,) = inputs_for(case)
        assert torch.equal(module_of(case).train(training)(x), x)


@every_case
def test_convolutions_hold_weights_as_torch_does(case: Example) -> None:
    if case.op.convolution:
        weight = module_of(case).get_parameter("weight")
        groups: int = case.op.groups  # type: ignore[attr-defined]
        kernel = [axis.kernel for axis in case.op.window(*case.ins) or ()]  # type: ignore[union-attr]
        assert list(weight.shape) == [
            case.op.shape(*case.ins)[0],
            case.ins[0][0] // groups,
            *kernel,
        ]


@every_case
def test_what_absorbs_a_scale_takes_in_a_batch_norm(case: Example) -> None:
    net = Net(x=case.ins[0])
    if len(case.ins) == 1 and case.op.absorbs_scale:
        net.builder.add("layer", case.op, ["x"])
        network = build(net.graph(net("batchnorm", "layer", name="norm"))).eval()
        with torch.no_grad():
            for tensor in (*network.parameters(), *network.buffers()):
                if tensor.is_floating_point():
                    tensor.uniform_(0.5, 1.5)
        fused = fused_network(network)
        assert [node.name for node in fused.graph.nodes] == ["x", "layer"]
        inputs = inputs_for(case)
        torch.testing.assert_close(fused(*inputs), network(*inputs), rtol=1e-4, atol=1e-4)


@every_case
def test_modules_known_to_tools_are_those_it_is_built_as(case: Example) -> None:
    op: Op = case.op
    assert not op.modules or op.torch(*case.ins).target in op.modules


@pytest.mark.parametrize("count", COUNTS)
def test_conventions_name_modules_of_operators(count: str) -> None:
    known = {module for op in OPS.values() for module in op.modules}
    named = set(convention(count).modules or ())
    assert named <= known
