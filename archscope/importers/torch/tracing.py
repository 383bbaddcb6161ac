"""Trace a torch module to its aten graph, without changing the module."""

from __future__ import annotations

import copy
import logging
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from itertools import chain
from typing import Any

import torch
from msgspec import Struct
from torch import fx, nn
from torch.nn.parameter import is_lazy

from archscope.errors import GraphError
from archscope.importers.aten.batch import PRIMES, Batch
from archscope.importers.torch.arguments import Arguments, listed
from archscope.importers.torch.aten import module_path
from archscope.importers.torch.attention import WEIGHTS, show_attention
from archscope.importers.torch.complex_numbers import in_real_numbers
from archscope.importers.torch.functional import functional
from archscope.importers.torch.joined_batches import SomeImagesError
from archscope.importers.torch.sizes_of_others import without_others
from archscope.importers.torch.torchvision_operators import deformable
from archscope.importers.torch.trace_mode import TraceMode
from archscope.importers.torch.user_code import place_in_code
from archscope.nn.fourier import fourier_transform


class Trace(Struct, frozen=True):
    """The program of a module at inference for one batch size."""

    program: torch.export.ExportedProgram
    batch: Batch
    reason: str = ""  # why it was not traced at other sizes


def traces(model: nn.Module, arguments: Arguments, batch: int) -> Iterator[Trace]:
    """Yield traces at batch sizes that identify the batch axis, then at the user's batch size.

    The first one whose costs are proportional to its batch is used; the last is valid for no other
    batch size. Raises ArchscopeError. A copy that shares the module's weights runs on tensors
    without values, so that the modes, buffers and counters of the module do not change.
    """
    reason = ""
    for size in PRIMES:
        try:
            program = _exported(model, arguments, Batch(size))
        except SomeImagesError:
            reason = "it takes parts of a batch"
            continue
        except GraphError:
            raise
        except Exception:  # errors are reported for the user's batch size
            reason = "it does not run at others"
            break
        reason = "it goes through the images of a batch" if _repeats(program.graph, size) else ""
        if reason:
            break
        yield Trace(program, Batch(size))
    try:
        program = _exported(model, arguments, Batch(batch, alike=False))
    except GraphError:
        raise
    except Exception as error:
        raise GraphError(_error_text(model, error, listed(arguments))) from None
    yield Trace(program, Batch(batch, alike=False), reason)


def with_known_sizes(model: nn.Module, arguments: Arguments) -> nn.Module:
    """Return a module; if it has lazy layers, a copy whose layers took their sizes from an input.

    Raises GraphError if it does not run.
    """
    if not any(map(is_lazy, chain(model.parameters(), model.buffers()))):
        return model
    held: dict[int, Any] = {}
    for tensor in (*model.parameters(), *model.buffers()):
        kind: Any = type(tensor)  # a lazy one cannot be copied
        place = {"device": tensor.device, "dtype": tensor.dtype}
        held[id(tensor)] = kind(**place) if is_lazy(tensor) else tensor
    known = copy.deepcopy(model, held).eval()
    args, kwargs = arguments.tensors(2)
    try:
        with quiet(), torch.no_grad():
            known(*args, **kwargs)
    except Exception as error:
        raise GraphError(_error_text(model, error, listed(arguments))) from None
    return known


def _exported(
    model: nn.Module, arguments: Arguments, batch: Batch, with_weights: bool = False
) -> torch.export.ExportedProgram:
    """Return the program of a module; `with_weights` if it reads the weights of its attention."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    with quiet(), _copy_of(model, batch.size, with_weights) as still:
        with FakeTensorMode(allow_non_fake_inputs=True):
            args, kwargs = arguments.tensors(batch.size, **device_and_dtype(model))
        mode = TraceMode(still, batch)
        with torch.no_grad(), mode, deformable(), still.register_forward_hook(mode.check_outputs):
            program = torch.export.export(still, args, kwargs)
        if _reads_weights(program.graph):
            return _exported(model, arguments, batch, with_weights=True)
        try:
            return in_real_numbers(functional(without_others(program)))
        except Exception:
            name = type(model).__name__
            raise GraphError(
                f"'{name}' changes parts of tensors, which cannot be followed"
            ) from None


def _reads_weights(graph: fx.Graph) -> bool:
    """Return whether an output depends on the weights that an attention module returns."""
    if not any(str(node.target) == WEIGHTS for node in graph.nodes):
        return False
    needed = {graph.output_node()}
    for node in reversed(graph.nodes):
        if node in needed:
            needed.update(node.all_input_nodes)
    return any(str(node.target) == WEIGHTS for node in needed)


def _repeats(graph: fx.Graph, size: int) -> bool:
    """Return whether a module calls an operator once per image."""
    if len(graph.nodes) < size:
        return False
    calls = Counter((module_path(n), str(n.target)) for n in graph.nodes if n.op == "call_function")
    return calls.most_common(1)[0][1] >= size


def device_and_dtype(model: nn.Module) -> dict[str, Any]:
    """Return the device and dtype of a module's numbers."""
    for tensor in chain(model.parameters(), model.buffers()):
        if tensor.is_floating_point():
            return {"device": tensor.device, "dtype": tensor.dtype}
    return {}


@contextmanager
def _copy_of(model: nn.Module, images: int, with_weights: bool) -> Iterator[nn.Module]:
    """Yield a copy in eval mode that shares the weights, or the module itself if it has none."""
    kept = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    try:
        still = copy.deepcopy(model, dict(kept))
    except Exception:  # modules with files or locks cannot be copied
        modes = [(part, part.training) for part in model.modules()]
        try:
            yield model.eval()
        finally:
            for part, mode in modes:
                part.training = mode
        return
    for part in still.modules():
        _show_stochastic_depth(part)
        _show_frozen_batch_norm(part)
        show_attention(part, images, with_weights)
    yield still.eval()


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the output of tracing, and disable torch's fast path of attention."""
    fast = torch.backends.mha.get_fastpath_enabled()
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            redirect_stdout(StringIO()),
            redirect_stderr(StringIO()),
        ):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        logging.disable(before)


_OPERATORS: Any = torch.library.Library("archscope", "DEF")  # type: ignore[no-untyped-call]
_OPERATORS.define("stochastic_depth(Tensor x, float p) -> Tensor")
_OPERATORS.impl("stochastic_depth", lambda x, p: x.clone(), "CompositeExplicitAutograd")
_OPERATORS.define("normalize(Tensor x, int dim, float eps) -> Tensor")
_OPERATORS.impl("normalize", lambda x, dim, eps: x.clone(), "CompositeExplicitAutograd")
_OPERATORS.define("lrn(Tensor x, int size, float alpha, float beta, float k) -> Tensor")
_OPERATORS.impl("lrn", lambda x, *words: x.clone(), "CompositeExplicitAutograd")
_OPERATORS.define("fourier(Tensor x, str kind, int[] dims, str norm, int size) -> Tensor")
_OPERATORS.impl(
    "fourier",
    lambda x, kind, dims, norm, size: fourier_transform(x, kind, tuple(dims), norm, size or None),
    "CompositeExplicitAutograd",
)
_OPERATORS.define(
    "frozen_batch_norm(Tensor x, Tensor weight, Tensor bias, Tensor running_mean,"
    " Tensor running_var, float eps) -> Tensor"
)
_OPERATORS.impl("frozen_batch_norm", lambda x, *rest: x.clone(), "CompositeExplicitAutograd")


def _show_stochastic_depth(part: nn.Module) -> None:
    """Make modules that drop whole images in training visible in traces at inference.

    These are torchvision's StochasticDepth and the DropPath of timm and others.
    """
    if type(part).__name__ not in ("StochasticDepth", "DropPath"):
        return
    p = getattr(part, "p", getattr(part, "drop_prob", 0.0))
    if isinstance(p, float) and 0 < p < 1 and getattr(part, "mode", "row") == "row":
        part.forward = lambda x: torch.ops.archscope.stochastic_depth(x, p)


def _show_frozen_batch_norm(part: nn.Module) -> None:
    """Trace a frozen batch norm as a single operator, not as arithmetic."""
    names = ("weight", "bias", "running_mean", "running_var")
    plain = type(part).__name__ in ("FrozenBatchNorm2d", "FrozenBatchNorm3d", "FrozenBatchNorm")
    if plain and all(name in part._buffers for name in names):
        held = [part._buffers[name] for name in names]
        eps = getattr(part, "eps", 1e-5)
        part.forward = lambda x: torch.ops.archscope.frozen_batch_norm(x, *held, eps)


def _error_text(model: nn.Module, error: Exception, sizes: str) -> str:
    name = type(model).__name__
    text = str(error).strip()
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")[:300]
    kind, place = type(error).__name__, place_in_code(error)
    words = ("data-dependent", "data dependent", "GuardOnDataDependent")
    if any(word in f"{kind} {text}" for word in words):
        reason = "its control flow depends on values of its input"
        return f"'{name}' cannot be traced: {reason}{place or f' ({line})'}"
    if any(isinstance(part, torch.jit.ScriptModule) for part in model.modules()):
        return (
            f"'{name}' has parts in TorchScript, which cannot be traced; import the modules that"
            " they were made from, or export it as ONNX"
        )
    if any(
        "nn" in (path := type(part).__module__.split(".")) and "quantized" in path
        for part in model.modules()
    ):
        return (
            f"'{name}' has quantized layers of torch, which hold packed weights and cannot be"
            " traced; import it as it was before torch.ao.quantization converted it"
        )
    return f"'{name}' cannot run on an input {sizes}: {kind}: {line}{place}"
