"""Checks that networks fit into memory before they run, and explains torch's errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from archscope.analysis.cost import DTYPES, costs, total
from archscope.analysis.memory import memory
from archscope.bench.conditions import Conditions
from archscope.errors import OptionError, UnavailableError
from archscope.ir import Graph
from archscope.units import format_bytes

NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "ALLOC_FAILED")
"""Messages of RuntimeErrors by which torch, cuDNN and cuBLAS say that memory is full."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that the memory of the GPU or the CPU is full."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in NO_MEMORY)


def check_memory(
    jobs: Sequence[tuple[Graph, int]], conditions: Conditions, free_bytes: int
) -> None:
    """Raise OptionError if networks with their batches need more than `free_bytes` bytes.

    All weights are in memory at once, feature maps only of the network that runs. A lower
    bound: the workspace of kernels is not known.
    """
    size = DTYPES[conditions.dtype]
    held, most, largest = 0, 0, ""
    for graph, batch in jobs:
        cost = total(costs(graph))
        maps = memory(graph)
        optimizer = conditions.optimizer if conditions.training else None
        if optimizer is None:
            fixed = maps.inference_bytes(cost.params + cost.buffers, 0, size)
            whole = maps.inference_bytes(cost.params + cost.buffers, batch, size)
        else:
            fixed = maps.training_bytes(cost.params, cost.buffers, optimizer, 0, size)
            whole = maps.training_bytes(cost.params, cost.buffers, optimizer, batch, size)
        held += fixed
        if whole - fixed >= most:
            most = whole - fixed
            fits = maps.largest_batch(free_bytes, cost.params, cost.buffers, size, optimizer)
            largest = f"'{graph.name}' with batch {batch}"
            hint = f"; a batch of {fits} might fit" if 0 < fits < batch else ""
    if held + most > free_bytes:
        others = f" beside the weights of {len(jobs) - 1} more" if len(jobs) > 1 else ""
        raise OptionError(
            f"{largest}{others} needs at least {format_bytes(held + most)} on"
            f" {conditions.device}, where {format_bytes(free_bytes)} are free{hint}"
        )


@contextmanager
def explained_errors(graph: Graph, batch: int, conditions: Conditions) -> Iterator[None]:
    """Turn the errors of torch about a network into one sentence."""
    what = f"'{graph.name}' with batch {batch}"
    try:
        yield
    except (RuntimeError, ValueError, MemoryError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        if is_out_of_memory(error):
            raise OptionError(f"{what} does not fit into memory of {conditions.device}") from None
        raise UnavailableError(
            f"{what} does not run on {conditions.device} ({conditions}): {reason}"
        ) from error
