"""Distributed training: several processes with one network, or a single one."""

from __future__ import annotations

import atexit
import os

import torch
from torch import Tensor, distributed


class Processes:
    """The processes started by `torchrun`, each with an equal part of every batch."""

    def __init__(self, rank: int = 0, count: int = 1) -> None:
        self.rank, self.count = rank, count

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and output."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum over all processes."""
        if self.count > 1:
            values = values.clone()
            distributed.all_reduce(values)
        return values

    def any(self, flag: bool, where: torch.device) -> bool:
        """Return whether the flag is set in any process; the same in all of them."""
        if self.count == 1:
            return flag
        return bool(self.sum(torch.tensor(int(flag), device=where)))

    def mean(self, value: float, where: torch.device) -> float:
        """Return the mean over all processes."""
        if self.count == 1:
            return value
        return float(self.sum(torch.tensor(value, device=where))) / self.count

    def broadcast(self, text: str) -> str:
        """Return the text of the first process."""
        if self.count == 1:
            return text
        box = [text]
        distributed.broadcast_object_list(box)
        return box[0]


ALONE = Processes()


def join(where: torch.device) -> Processes:
    """Join the processes that torchrun describes in the environment, if any."""
    if not is_torchrun():
        return ALONE
    if not distributed.is_initialized():
        if where.type == "cuda":
            torch.cuda.set_device(where)  # or all processes exchange objects on the first GPU
        distributed.init_process_group("nccl" if where.type == "cuda" else "gloo")
        atexit.register(distributed.destroy_process_group)
    return Processes(distributed.get_rank(), distributed.get_world_size())


def is_torchrun() -> bool:
    """Return whether torchrun started this process."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ
