"""The error for full memory, which suggests the largest batch that fits by the analysis."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from archscope.analysis import analyze
from archscope.bench.memory_check import is_out_of_memory
from archscope.errors import ArchscopeError
from archscope.ir import Graph, Shape, text_of
from archscope.train.device import Arithmetic
from archscope.train.optimizers import STATES
from archscope.train.recipe import BATCHES, Recipe
from archscope.units import format_bytes


@contextmanager
def explained_memory(advice: Callable[[], str]) -> Iterator[None]:
    """Raise ArchscopeError with advice if memory is full."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise ArchscopeError(advice()) from None


def images_advice(count: int, shape: Shape, how: Arithmetic) -> str:
    """Return a sentence for images that the device has no room for."""
    return (
        f"out of memory: {how.device} has no room for {count:,} images of {text_of(shape)} as"
        " bytes; use fewer or smaller images, or --device cpu"
    )


def memory_advice(graph: Graph, recipe: Recipe, how: Arithmetic) -> str:
    """Return a sentence that names the largest batch that fits by the analysis.

    It is an upper bound, since kernels also need workspace.
    """
    room = _room(torch.device(how.device))
    wanted = recipe.batch or max(BATCHES)
    text = f"out of memory with a batch of {wanted}"
    if room is None:
        return text
    size = how.dtype if how.dtype in ("float16", "bfloat16") else "float32"
    result = analyze(
        graph, optimizer=STATES[recipe.optimizer], training=True, memory_bytes=room, dtype=size
    )
    assert result.largest_batch is not None
    batch = result.largest_batch.training
    if not batch:
        return f"{text}: the weights alone do not fit into {format_bytes(room)}"
    if batch >= wanted // recipe.accumulate:
        advice = f"--batch {max(1, wanted // 2)}, as kernels also need workspace"
    else:
        advice = f"--batch {batch} or smaller, or --recipe-set accumulate=N"
    return f"{text}: {format_bytes(room)} have room for {batch} images at most; try {advice}"


def _room(where: torch.device) -> int | None:
    """Return the bytes of memory that training may use, or None if unknown."""
    if where.type == "cuda":
        return int(torch.cuda.mem_get_info(where)[1])
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
