"""Several processes that train one network together; one alone is the usual case."""

from __future__ import annotations

import os

import torch
from torch import Tensor, distributed

from archscope.errors import OptionError


class Processes:
    """The processes that `torchrun` started, each with an equal part of every batch."""

    def __init__(self, rank: int = 0, count: int = 1) -> None:
        self.rank, self.count = rank, count

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and speaks."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum over all processes."""
        if self.count > 1:
            values = values.clone()
            distributed.all_reduce(values)
        return values

    def any(self, flag: bool, where: torch.device) -> bool:
        """Return whether any process says so; all of them learn the same."""
        if self.count == 1:
            return flag
        return bool(self.sum(torch.tensor(int(flag), device=where)))

    def tell(self, text: str) -> str:
        """Return the text that the first process gives."""
        if self.count == 1:
            return text
        box = [text]
        distributed.broadcast_object_list(box)
        return box[0]


ALONE = Processes()


def join(where: torch.device) -> Processes:
    """Join the processes that torchrun announced in the environment, if it did."""
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        return ALONE
    if not distributed.is_available():
        raise OptionError("this build of torch knows no distributed training")
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if where.type == "cuda" else "gloo")
    return Processes(distributed.get_rank(), distributed.get_world_size())


def leave() -> None:
    """Leave the processes, if any were joined."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()
