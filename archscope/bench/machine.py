"""The machine: its device, processor, cores and free memory, and the threads in use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import torch
from msgspec import Struct

from archscope.bench.conditions import DEVICES
from archscope.errors import OptionError, UnavailableError
from archscope.latency.host import cores, processor

CGROUP = Path("/sys/fs/cgroup")


class Machine(Struct, frozen=True):
    """The machine that a measurement is valid for, with the version of torch."""

    device: str  # cpu or cuda
    name: str
    cores: int  # that this process may use; of a GPU, its multiprocessors
    torch: str

    def busy(self, load: float) -> bool:
        """Return whether a load average is high enough to disturb a measurement."""
        return self.device == "cpu" and load > self.cores / 2


def this_machine(device: str = "auto") -> Machine:
    """Return the machine behind a device; `auto` is a GPU if there is one.

    Raises OptionError for an unknown device, UnavailableError for one that does not exist here.
    """
    if device not in DEVICES:
        raise OptionError(f"expected a device of {', '.join(DEVICES)}, got '{device}'")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        return Machine(device, processor(), cores(), str(torch.__version__))
    if not torch.cuda.is_available():
        built = f"torch {torch.__version__} sees no GPU"
        raise UnavailableError(f"device 'cuda' is not available: {built}; there is 'cpu'")
    gpu = torch.cuda.get_device_properties(torch.cuda.current_device())
    return Machine(device, gpu.name, gpu.multi_processor_count, str(torch.__version__))


def free_bytes(device: str) -> int:
    """Return the bytes of free memory of a device."""
    if device == "cuda":
        return int(torch.cuda.mem_get_info()[0])
    available = int(psutil.virtual_memory().available)
    try:  # a container may allow less
        limit = int((CGROUP / "memory.max").read_text(encoding="ascii"))
        used = int((CGROUP / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):  # no container, or "max"
        return available
    return min(available, limit - used)


@contextmanager
def using_threads(count: int | None) -> Iterator[int]:
    """Let torch use `count` threads inside of the context, and yield their number.

    None leaves the number as it is. Raises OptionError for less than one.
    """
    before = torch.get_num_threads()
    if count is not None:
        if count < 1:
            raise OptionError(f"expected 1 thread or more, got {count}")
        torch.set_num_threads(count)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
