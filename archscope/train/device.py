"""The device and the precision of a training."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager

import torch
from msgspec import Struct

from archscope.errors import OptionError, UnavailableError
from archscope.train.recipe import Recipe

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

NOT_DETERMINISTIC = " does not have a deterministic implementation"
"""How torch says so, after the name of the operation."""


def select_device(name: str = "auto") -> torch.device:
    """Return the device of a name; `auto` takes a GPU if there is one. Raises ArchscopeError."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda":
        name = (
            f"cuda:{os.environ.get('LOCAL_RANK', 0)}"  # set by torchrun: a device for each process
        )
    try:
        chosen = torch.device(name)
    except RuntimeError:
        raise OptionError(f"expected a device: auto, cpu, cuda or cuda:1, got '{name}'") from None
    if chosen.type not in ("cpu", "cuda"):
        raise OptionError(f"expected a device: auto, cpu, cuda or cuda:1, got '{name}'")
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise UnavailableError(
            f"there is no device '{name}': torch sees {torch.cuda.device_count()} GPUs; use"
            " --device cpu or auto"
        )
    return chosen


class Arithmetic(Struct, frozen=True):
    """How to compute on a device: the element type and the memory format."""

    device: str
    dtype: str
    channels_last: bool

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context for forward passes."""
        if self.dtype == "float32":
            return contextlib.nullcontext()
        return torch.autocast(torch.device(self.device).type, DTYPES[self.dtype])

    @property
    def layout(self) -> torch.memory_format:
        """The memory format of images and weights."""
        return torch.channels_last if self.channels_last else torch.contiguous_format


def arithmetic(
    recipe: Recipe, where: torch.device, rank: int, *, training: bool = False
) -> Arithmetic:
    """Return how a recipe computes images with `rank` axes (3 for 2-D images) on a device.

    On a CPU a network trained in float16 is evaluated in float32. Raises OptionError for training
    in float16 there, where gradients vanish without a GPU's scaling.
    """
    dtype = str(recipe.precision)
    if dtype == "auto":
        able = where.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        dtype = "bfloat16" if able else "float32"
    if dtype == "float16" and where.type == "cpu":
        if training:
            raise OptionError("precision float16 needs a GPU; use bfloat16 on a CPU")
        dtype = "float32"
    last = recipe.channels_last
    if last is None:
        last = dtype != "float32"
    return Arithmetic(str(where), dtype, last and rank == 3)


@contextlib.contextmanager
def deterministic(enabled: bool) -> Iterator[None]:
    """Restrict torch to deterministic algorithms, if enabled.

    Operations without one raise UnavailableError.
    """
    if not enabled:
        yield
        return
    before = torch.are_deterministic_algorithms_enabled()
    benchmark = torch.backends.cudnn.benchmark
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it at start-up
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    except RuntimeError as error:
        operation, found, _ = str(error).partition(NOT_DETERMINISTIC)
        if not found:
            raise
        raise UnavailableError(
            f"{operation} has no deterministic algorithm there: train without --deterministic"
        ) from None
    finally:
        torch.use_deterministic_algorithms(before)
        torch.backends.cudnn.benchmark = benchmark
