"""Errors are one line; imports never change the model."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from archscope.analysis import analyze
from archscope.errors import ArchscopeError
from archscope.importers.torch import from_module
from tests.cli.conftest import Run, run

__all__ = ["run"]


class Counts(nn.Module):
    """Keeps statistics, a counter and a hook; half of it trains; fails where it is told to."""

    def __init__(self, fail: str = "") -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.5)
        self.register_buffer("seen", torch.zeros(1))
        self.fail, self.runs = fail, 0
        self.norm.eval()
        self.conv.weight.requires_grad_(False)
        self.conv.register_forward_hook(lambda module, args, out: out * 2)
        self.kept: list[Any] = []

    def forward(self, x: Tensor) -> Tensor:
        self.runs += 1
        self.seen += 1
        x = self.drop(self.norm(self.conv(x)))
        self.kept.append(x)
        if self.fail == "raise":
            raise ValueError("no\nsuch luck")
        if self.fail == "data" and x.sum() > 0:
            x = -x
        return x


class Locked(Counts):
    """Holds what cannot be copied."""

    def __init__(self, fail: str = "") -> None:
        super().__init__(fail)
        self.lock = threading.Lock()


def everything(module: nn.Module) -> dict[str, Any]:
    """Return all that an import must leave as it was."""
    parts = dict(module.named_modules())
    return {
        "state": {name: tensor.clone() for name, tensor in module.state_dict().items()},
        "tensors": [id(parameter) for parameter in (*module.parameters(), *module.buffers())],
        "learns": [parameter.requires_grad for parameter in module.parameters()],
        "grads": [parameter.grad for parameter in module.parameters()],
        "modes": {name: part.training for name, part in parts.items()},
        "hooks": {name: list(part._forward_hooks.items()) for name, part in parts.items()},
        "before": {name: list(part._forward_pre_hooks.items()) for name, part in parts.items()},
        "attributes": {name: sorted(vars(part)) for name, part in parts.items()},
        "forward": {name: part.forward for name, part in parts.items()},
    }


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    torch.testing.assert_close(one.pop("state"), other.pop("state"), rtol=0, atol=0)
    assert one == other


@pytest.mark.parametrize("kind", [Counts, Locked])
@pytest.mark.parametrize(
    ("fail", "size", "words"),
    [
        ("", (3, 8, 8), None),
        ("raise", (3, 8, 8), "'K' cannot run on an input 3x8x8: ValueError: no"),
        ("data", (3, 8, 8), "'K' cannot be traced: its control flow depends on values"),
        ("", (4, 8, 8), "'K' cannot run on an input 4x8x8: RuntimeError: Given groups=1"),
    ],
)
def test_model_is_left_as_it_was(
    kind: type[Counts], fail: str, size: tuple[int, ...], words: str | None
) -> None:
    module = kind(fail)
    before = everything(module)
    if words is None:
        from_module(module, size)
    else:
        with pytest.raises(ArchscopeError) as error:
            from_module(module, size)
        assert str(error.value).startswith(words.replace("K", kind.__name__))
        assert "\n" not in str(error.value)
    assert_same(before, everything(module))
    if kind is Counts:
        assert (module.runs, module.kept) == (0, [])  # only its copy ran
    module.fail = ""
    assert module(torch.rand(2, 3, 8, 8)).shape == (2, 4, 6, 6)  # and it still runs
    assert torch.backends.mha.get_fastpath_enabled()


NETS = """
import torch
from torch import nn

number = 3
print("hello")
small = nn.Conv2d(1, 2, 3)

class Raises(nn.Module):
    def forward(self, x):
        raise ValueError("broken")

class Pair(nn.Module):
    def forward(self, left, right, scale=1.0):
        return left + scale * right

class Depends(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x

class Number(nn.Module):
    def forward(self, x):
        return x * x.max().item()

class Constant(nn.Module):
    def forward(self, x):
        return torch.zeros(3)

class Needs(nn.Module):
    def __init__(self, width, depth):
        super().__init__()

def wrong():
    return "net"

def explodes():
    raise KeyError("weights")

def leaves():
    raise SystemExit(3)
"""
CASES = {
    "Raises": "'Raises' cannot run on an input 3x224x224: ValueError: broken (at somenets.py:11:"
    ' raise ValueError("broken")); give its input shape',
    "Pair": "missing a required argument: 'right'; give the shape of each input, such as --input"
    " left=3x32x32 --input right=3x32x32",
    "Depends": "'Depends' cannot be traced: its control flow depends on values of its input (at"
    " somenets.py:19: return x if x.sum() > 0 else -x)",
    "Number": "'Number' cannot be traced: it reads a value of its input, by 'aten.item.default'",
    "Constant": "'Constant' returns nothing that depends on its input",
    "Needs": "needs 'width', 'depth'; type: archscope analyze 'somenets:Needs(width=..., ",
    "wrong": "returned a str, not an nn.Module",
    "explodes": "raised KeyError: 'weights'",
    "leaves": "raised SystemExit: 3",
    "number": "is a int; expected an nn.Module",
    "smal": "has no 'smal'; type: archscope analyze somenets:small",
    "small.nothing": "has no 'small.nothing'",
    "small": "does not run on 3x224x224, but on 1x224x224; type: archscope analyze somenets:",
}


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a module of networks, which is the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "somenets.py").write_text(NETS)
    (tmp_path / "brokennets.py").write_text("import somewhere_else\n")
    (tmp_path / "spoiltnets.py").write_text("def net(:\n")
    yield tmp_path
    for name in ("somenets", "brokennets", "spoiltnets"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("name", CASES)
def test_mistake_is_one_line(name: str, nets: Path, run: Run) -> None:
    assert_one_line(run("analyze", f"somenets:{name}"), CASES[name])


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["nosuchnets:small"], "there is no module 'nosuchnets' to import"),
        (["brokennets:small"], "importing 'brokennets' raised ModuleNotFoundError: No module"),
        (["spoiltnets:net"], "importing 'spoiltnets' raised SyntaxError"),
        (["somenets:small", "--input", "y=1x8x8"], "cannot run on an input 1x8x8"),
        (["somenets:small", "--input", "8"], "cannot run on an input 8"),
        (["somenets:small", "--input", "1xtwo"], "--input needs a shape such as 3x224x224"),
    ],
)
def test_other_mistakes(args: list[str], words: str, nets: Path, run: Run) -> None:
    assert_one_line(run("analyze", *args), words)


def test_right_ones_run(nets: Path, run: Run) -> None:
    result = run("analyze", "somenets:small", "--input", "1x8x8", "--format", "json")
    assert (result.code, result.err) == (0, "hello\n")  # what a module prints is not our result
    assert json.loads(result.out)["totals"]["macs"] == 648
    assert str(nets) not in sys.path


def test_a_failed_import_writes_nothing(nets: Path, run: Run) -> None:
    files = sorted(nets.iterdir())
    result = run(
        "import", "somenets:small", "--input", "1x8x8", "-o", "net.yaml",
        "--weights", "net.bin",
    )  # fmt: skip
    assert_one_line(result, "weights are written as .safetensors, got 'net.bin'")
    assert_one_line(run("import", "somenets:Raises", "-o", "net.yaml"), "cannot run")
    assert_one_line(run("import", "resnet50", "-o", "net.yaml"), "not a model to import")
    assert [path for path in sorted(nets.iterdir()) if path.name != "__pycache__"] == files


def assert_one_line(result: Any, words: str) -> None:
    assert (result.code, result.out) == (2, "")
    error = result.err.removeprefix("hello\n")
    assert error.startswith("error: ") and error.count("\n") == 1
    assert words in error


def test_lazy_layers_take_their_sizes_from_the_input() -> None:
    model = nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(5))
    found = from_module(model, (3, 6, 6))
    params = 4 * (3 * 9 + 1) + 2 * 4 + (4 * 4 * 4 + 1) * 5
    assert analyze(found.graph).totals.params == params
    assert all(map(is_lazy, model.parameters()))


def test_lazy_layers_that_do_not_run_are_one_line() -> None:
    with pytest.raises(ArchscopeError, match="'Sequential' cannot run on an input 3x2x2: Runtime"):
        from_module(nn.Sequential(nn.LazyConv2d(4, 3)), (3, 2, 2))


def test_torchscript_is_named() -> None:
    part = torch.jit.script(nn.Conv2d(3, 4, 3))  # type: ignore[no-untyped-call]
    with pytest.raises(ArchscopeError, match="'Sequential' has parts in TorchScript"):
        from_module(nn.Sequential(part), (3, 6, 6))


@pytest.mark.filterwarnings("ignore")
def test_quantized_layers_are_named() -> None:
    plain = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    model = torch.ao.quantization.quantize_dynamic(plain, {nn.Linear})
    with pytest.raises(ArchscopeError, match="'Sequential' has quantized layers of torch"):
        from_module(model, (3, 2, 2))
