"""Ways of writing a forward that tracing may get wrong: changes in place, batches, inputs.

True values are torch's own counter on the module itself, and the sizes of its parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.ao import quantization
from torch.nn import functional
from torch.nn.utils import parametrizations

from archscope.analysis import Analysis, analyze
from archscope.errors import GraphError, OptionError
from archscope.importers.torch import from_module
from tests.importers.torch.in_place_forms import MAP, WRITES, Made, same
from tests.importers.torch.test_modules import flops
from tests.zoo.oracle import torchvision


def gram(x: Tensor, conv: nn.Module) -> Tensor:
    n, c, h, w = x.shape
    y = conv(x).view(n * c, h * w)
    return y @ y.t() / (n * c * h * w)


def one_by_one(x: Tensor, conv: nn.Module) -> Tensor:
    return torch.stack([conv(image) for image in x])


def by_number(x: Tensor, conv: nn.Module) -> Tensor:
    return torch.cat([conv(x[i : i + 1]) for i in range(x.shape[0])])


def as_often(x: Tensor, conv: nn.Module) -> Tensor:
    for _ in range(x.shape[0]):
        x = conv(x)
    return x


def mapped(x: Tensor, conv: nn.Module) -> Tensor:
    return torch.vmap(lambda image: conv(image[None])[0])(x)


def with_another(x: Tensor, linear: nn.Module) -> Tensor:
    return linear(torch.cat([x.new_zeros(1, *x.shape[1:]), x]))[1:]


def for_one(x: Tensor, conv: nn.Module) -> Tensor:
    assert x.shape[0] == 1
    return conv(x.squeeze(0))


def cells(x: Tensor, cell: nn.Module) -> Tensor:
    state = torch.zeros(x.shape[0], 6), torch.zeros(x.shape[0], 6)
    outs = torch.zeros(x.shape[0], 4, 6)
    for step in range(4):
        state = cell(x[:, step], state)
        outs[:, step] = state[0]
    return outs


def contrast(x: Tensor, linear: nn.Module) -> Tensor:
    z = functional.normalize(linear(x.flatten(1)))
    return z @ z.T


def mean_of_batch(x: Tensor, linear: nn.Module) -> Tensor:
    return linear(x.flatten(1).mean(0))


BATCHES: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "gram": (Made(gram, same()), MAP),
    "contrast": (Made(contrast, nn.Linear(256, 6)), MAP),
    "bmm over batch": (Made(lambda x: torch.einsum("nchw,mchw->nm", x, x)), MAP),
    "weights of images": (Made(lambda x: torch.einsum("nc,nd->cd", x, x)), (5,)),
    "first axis is time": (nn.TransformerEncoderLayer(32, 4, 64), (10, 32)),
    "attention over batch": (Made(lambda x, a: a(x, x, x)[0], nn.MultiheadAttention(8, 2)), (5, 8)),
    "images one by one": (Made(one_by_one, same()), MAP),
    "images by number": (Made(by_number, same()), MAP),
    "as often as images": (Made(as_often, same()), MAP),
    "mapped over images": (Made(mapped, same()), MAP),
    "cells": (Made(cells, nn.LSTMCell(8, 6)), (4, 8)),
    "another image": (Made(with_another, nn.Linear(8, 8)), MAP),
    "for one image": (Made(for_one, same()), MAP),
    "mean of batch": (Made(mean_of_batch, nn.Linear(256, 3)), MAP),
    "first of batch": (Made(lambda x, c: c(x)[0], same()), MAP),
    "tokens that are a prime": (
        Made(lambda x, c: c(torch.cat([x, x[:, :1]], 1))[:, 0], nn.Linear(8, 8)), (1008, 8)),
    "width that is a prime": (
        nn.Sequential(nn.Linear(5, 1009), nn.ReLU(), nn.Linear(1009, 3)), (5,)),
    "product of a prime": (Made(lambda x: torch.bmm(x, x.transpose(1, 2))), (1009, 3)),
}  # fmt: skip
"""Modules whose images may be not alike, with the shape of an image."""
PROPORTIONAL = {
    "weights of images", "mapped over images", "cells", "tokens that are a prime",
    "width that is a prime", "product of a prime",
}  # fmt: skip
"""Those whose cost is proportional to the batch all the same."""


def true_params(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def imported(module: nn.Module, input: Any, **words: Any) -> Analysis:
    return analyze(from_module(module.eval(), input, **words).graph)


@pytest.mark.parametrize("name", WRITES)
def test_work_in_place_is_followed(name: str) -> None:
    module = WRITES[name].eval()
    result = imported(module, MAP)
    assert 2 * result.totals.macs == flops(module, (torch.rand(1, *MAP),))
    assert result.totals.params == true_params(module)
    assert (result.unknown, result.about) == ((), "")
    assert result.outputs[0].shape == module(torch.rand(1, *MAP)).shape[1:]


@pytest.mark.parametrize("name", BATCHES)
def test_batch_is_counted_as_it_is(name: str) -> None:
    module, shape = BATCHES[name]
    for batch in (1, 4) if name not in ("as often as images", "for one image") else (1,):
        result = imported(module, shape, batch=batch)
        assert 2 * batch * result.totals.macs == flops(module, (torch.rand(batch, *shape),))
        assert result.totals.params == true_params(module)
        assert ("counted at batch" in result.about) == (name not in PROPORTIONAL)
        assert "1009" not in result.about and "1013" not in result.about


def test_sizes_that_numbers_decide_are_one_line() -> None:
    def chosen(x: Tensor) -> Tensor:
        y = x * 1
        y[y > 0] *= 2
        return y

    with pytest.raises(GraphError, match=r"the output sizes of 'aten\.in"):
        from_module(Made(chosen), MAP)


def test_a_number_of_the_batch_is_no_constant() -> None:
    result = from_module(Made(lambda x: x / x.shape[0]), MAP)
    assert not any("1009" in str(node.op) for node in result.graph.nodes)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.Sequential(nn.Flatten(0), nn.Linear(8, 2)), r"[^\d]8x8"),
        (Made(lambda x, c: c(x.view(1, -1)), nn.Linear(8, 2)), "1x256"),
    ],
)
def test_messages_know_only_the_batch_of_the_user(module: nn.Module, words: str) -> None:
    with pytest.raises(Exception) as error:
        from_module(module, MAP)
    assert "1009" not in str(error.value) and "1013" not in str(error.value)
    assert "\n" not in str(error.value)


class Keyed(nn.Module):
    """A dict and a list of images, a state, a number and a flag."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.linear = nn.Conv2d(3, 4, 3), nn.Linear(5, 4)

    def forward(
        self, images: Any, state: Tensor | None = None, scale: float = 1.0, *, twice: bool = False
    ) -> Tensor:
        listed = list(images.values()) if isinstance(images, dict) else images
        y = sum(self.conv(image) for image in listed) * scale
        if state is not None:
            y = y + self.linear(state[-1])[:, :, None, None]
        return y + self.conv(listed[0]) if twice else y


IMAGE = (3, 8, 8)
CONV, LINEAR = 4 * 6 * 6 * 27, 20
STATE = torch.zeros(2, 7, 5)
INPUTS: dict[str, tuple[Any, int]] = {
    "dict": ({"left": IMAGE, "right": IMAGE}, 2 * CONV),
    "dict in a tuple": (({"left": IMAGE, "right": IMAGE},), 2 * CONV),
    "dict by name": ({"images": {"left": IMAGE, "right": IMAGE}}, 2 * CONV),
    "list by name": ({"images": [IMAGE, IMAGE, IMAGE]}, 3 * CONV),
    "list in a tuple": (([IMAGE, IMAGE],), 2 * CONV),
    "tensors": (([torch.zeros(7, *IMAGE)], STATE), CONV + LINEAR),
    "number": ({"images": [IMAGE], "scale": 0.5}, CONV),
    "flag": ({"images": [IMAGE], "twice": True}, 2 * CONV),
    "scalar tensor": ({"images": [IMAGE], "scale": torch.tensor(2.0)}, CONV),
    "none": (([IMAGE], None, 3), CONV),
}


@pytest.mark.parametrize("name", INPUTS)
def test_inputs_of_all_kinds(name: str) -> None:
    given, macs = INPUTS[name]
    result = imported(Keyed(), given)
    assert result.totals.macs == macs
    shapes = result.input.values() if isinstance(result.input, dict) else [result.input]
    assert IMAGE in shapes and ((2, 5) in shapes) == (name == "tensors")


class Tokens(nn.Module):
    """Whole numbers as input, and a list as the only argument."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(10, 4), nn.Linear(4, 3)

    def forward(self, parts: list[Tensor]) -> Tensor:
        return self.head(sum(self.table(part) for part in parts))


def test_lists_of_whole_numbers() -> None:
    tokens = torch.zeros(2, 6, dtype=torch.long)
    result = imported(Tokens(), (tokens, tokens))
    assert (result.totals.params, result.totals.macs) == (55, 6 * 12)


@pytest.mark.parametrize("given", ["3x8x8", 5, None, {}, {"x": 3.0}, ([], None), ()])
def test_what_is_no_input_is_refused(given: Any) -> None:
    with pytest.raises(OptionError, match="expected a shape such as"):
        from_module(nn.Conv2d(3, 4, 3), given)


class Reads(nn.Module):
    """Numbers of Python that are read from buffers."""

    def __init__(self, what: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        self.what, self.conv = what, nn.Conv2d(4, 4, 3, padding=1)
        self.register_buffer("scale", torch.tensor(0.5))
        self.register_buffer("kept", torch.tensor([1, 3]))

    def forward(self, x: Tensor) -> Tensor:
        return self.what(self, self.conv(x))


@pytest.mark.parametrize(("what", "out"), [
    (lambda m, x: x * m.scale.item(), MAP),
    (lambda m, x: x * float(m.scale), MAP),
    (lambda m, x: x[:, : int(m.kept[1])], (3, 8, 8)),
    (lambda m, x: x[:, m.kept.tolist()], (2, 8, 8)),
    (lambda m, x: x if m.scale > 0.2 else x.mean(1), MAP),
    (lambda m, x: x[:, : (m.kept + 1).max().item() // 2], (2, 8, 8)),
    (lambda m, x: x.view(x.shape[0], 4 * m.kept[0].item(), -1), (4, 64)),
])  # fmt: skip
def test_numbers_of_buffers_are_known(
    what: Callable[[Any, Tensor], Tensor], out: tuple[int, ...]
) -> None:
    result = imported(Reads(what), MAP)
    assert result.outputs[0].shape == out
    assert result.totals.macs == 9216 and result.about == ""
    if "scale.item" in str(what.__code__.co_names):
        assert any(layer.op == "mul_scalar" for layer in result.layers)


LIBRARY: Any = torch.library.Library("archscope_tests", "DEF")
LIBRARY.define("rounded(Tensor x) -> Tensor")
LIBRARY.impl("rounded", lambda x: x.clone(), "CompositeExplicitAutograd")


class Rounded(nn.Conv2d):
    """A convolution whose weights come through an operator that nobody else knows."""

    def forward(self, x: Tensor) -> Tensor:
        weight = torch.ops.archscope_tests.rounded(self.weight)
        return self._conv_forward(x, weight, self.bias)


def quantized() -> nn.Module:
    """Return a network that is prepared for training with fake quantization."""
    net = nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
    net.append(nn.Linear(144, 3))
    fused = quantization.fuse_modules_qat(net.train(), [["0", "1", "2"]])
    fused.qconfig = quantization.get_default_qat_qconfig("fbgemm")
    prepared: nn.Module = quantization.prepare_qat(fused)
    return prepared


WEIGHTS: dict[str, Callable[[], nn.Module]] = {
    "spectral norm": lambda: parametrizations.spectral_norm(nn.Conv2d(4, 4, 3)),
    "old spectral norm": lambda: nn.utils.spectral_norm(nn.Conv2d(4, 4, 3)),
    "spectral norm, transposed": lambda: parametrizations.spectral_norm(
        nn.ConvTranspose2d(4, 6, 3)),
    "spectral norm, linear": lambda: nn.Sequential(
        nn.Flatten(), parametrizations.spectral_norm(nn.Linear(256, 3))),
    "weight norm": lambda: parametrizations.weight_norm(nn.Conv2d(4, 4, 3)),
    "fake quantization": quantized,
    "unknown operator": lambda: Rounded(4, 4, 3),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")  # torch is about to move its quantization elsewhere
@pytest.mark.parametrize("name", WEIGHTS)
def test_computed_weights_keep_their_macs(name: str) -> None:
    module = WEIGHTS[name]().eval()
    result = imported(module, MAP)
    assert 2 * result.totals.macs == flops(module, (torch.rand(1, *MAP),))
    assert result.totals.params == true_params(module)
    unknown = [kind for kind in result.unknown if "macs" in kind.facts]
    assert bool(unknown) == (name == "unknown operator")


def test_deformable_convolution() -> None:
    torchvision()
    from torchvision.ops import DeformConv2d

    offsets, conv = nn.Conv2d(4, 18, 3, padding=1), DeformConv2d(4, 6, 3, padding=1, groups=2)
    module = Made(lambda x, *parts: parts[1](x, parts[0](x)), offsets, conv)
    result = imported(module, MAP)
    assert result.totals.macs == 64 * 9 * (4 * 18 + 2 * 6)
    assert result.totals.params == true_params(module)
    assert not any("macs" in kind.facts for kind in result.unknown)


def test_outputs_that_are_constants_are_left_out() -> None:
    module = Made(lambda x, c: (torch.arange(4.0), c(x), torch.ones(2) / x.shape[2]), same())
    graph = from_module(module.eval(), MAP).graph
    assert [graph.by_name[output.node].op.name for output in graph.outputs] == ["conv"]
    assert graph.about == "outputs that do not depend on the input are left out: 2"
