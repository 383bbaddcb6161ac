"""A torch module -> its aten graph, without touching the module."""

from __future__ import annotations

import copy
import logging
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from itertools import chain
from typing import Any

import torch
from torch import nn

from archscope.errors import GraphError, OptionError
from archscope.ir import Shape, text_of

BATCH = 1009
"""A prime that no layer has as its size, so that the axis of the batch is known by it.

Nothing is computed: the tensors are shapes only, so a large batch costs nothing.
"""


def trace_module(model: nn.Module, input: Any) -> torch.export.ExportedProgram:
    """Return the program of a module at inference. Raises ArchscopeError.

    `input` is that of `from_module`. A copy that shares the module's weights runs on tensors
    without numbers, so that the modes, buffers and counters of the module stay as they are.
    """
    from torch._subclasses.fake_tensor import FakeTensorMode

    if not isinstance(model, nn.Module):
        raise OptionError(f"expected a torch.nn.Module, got {type(model).__name__}")
    args, kwargs = _shapes(input)
    with _quiet(), _copy_of(model) as still:
        place = _device_and_dtype(model)
        with FakeTensorMode(allow_non_fake_inputs=True):
            given = tuple(torch.empty(BATCH, *shape, **place) for shape in args)
            named = {name: torch.empty(BATCH, *shape, **place) for name, shape in kwargs.items()}
        try:
            with torch.no_grad():
                program = torch.export.export(still, given, named)
        except Exception as error:
            raise GraphError(_reason(model, error, (*args, *kwargs.values()))) from None
    return program


def without_batch(shape: tuple[int, ...]) -> Shape:
    """Return a shape without the batch, wherever that stands and whatever was folded into it."""
    for axis, size in enumerate(shape):
        if size == BATCH:
            return shape[:axis] + shape[axis + 1 :]
        if size and size % BATCH == 0:
            return (*shape[:axis], size // BATCH, *shape[axis + 1 :])
    return shape


def _shapes(input: Any) -> tuple[tuple[Shape, ...], dict[str, Shape]]:
    """Return the shapes, without the batch, of arguments by place and of those by name."""
    if isinstance(input, Mapping):
        return (), {name: _shape(part) for name, part in input.items()}
    if isinstance(input, torch.Tensor) or all(isinstance(size, int) for size in input):
        return (_shape(input),), {}
    return tuple(map(_shape, input)), {}


def _shape(part: Any) -> Shape:
    return tuple(part.shape[1:]) if isinstance(part, torch.Tensor) else tuple(part)


def _device_and_dtype(model: nn.Module) -> dict[str, Any]:
    """Return the device and dtype of a module's numbers."""
    for tensor in chain(model.parameters(), model.buffers()):
        if tensor.is_floating_point():
            return {"device": tensor.device, "dtype": tensor.dtype}
    return {}


@contextmanager
def _copy_of(model: nn.Module) -> Iterator[nn.Module]:
    """Yield a copy in eval mode that shares the weights, or the module itself if it has none."""
    kept = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    try:
        still = copy.deepcopy(model, dict(kept))
    except Exception:  # what holds a file or a lock cannot be copied
        modes = [(part, part.training) for part in model.modules()]
        try:
            yield model.eval()
        finally:
            for part, mode in modes:
                part.training = mode
        return
    yield still.eval()


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what tracing prints, and keep attention from torch's fast path."""
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


def _reason(model: nn.Module, error: Exception, shapes: Sequence[Shape]) -> str:
    name = type(model).__name__
    text = str(error).strip()
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")[:300]
    line = re.sub(rf"\b{BATCH}\b", "N", line)  # the user's batch is none of ours
    kind = type(error).__name__
    words = ("data-dependent", "data dependent", "GuardOnDataDependent")
    if any(word in f"{kind} {text}" for word in words):
        reason = "what it runs depends on the numbers of its input"
        return f"'{name}' cannot be traced: {reason} ({line})"
    sizes = ", ".join(map(text_of, shapes))
    return f"'{name}' cannot run on an input {sizes}: {kind}: {line}"
