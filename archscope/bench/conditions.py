"""The conditions of a measurement: everything that changes the speed but not the network."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

from archscope.analysis.memory import OPTIMIZERS
from archscope.errors import OptionError, did_you_mean

DEVICES = ("auto", "cpu", "cuda")
"""Where torch can run; `auto` is a GPU if there is one."""

DTYPES = ("float32", "bfloat16", "float16", "float64")
"""Element types that torch can run convolutions with."""

RUNTIMES = {
    "torch": DTYPES, "torch-compile": DTYPES, "onnxruntime": ("float32", "int8"),
    "openvino": ("float32", "int8"),
}  # fmt: skip
"""What can run a network, and the element types of each."""

TORCH = ("torch", "torch-compile")


class Conditions(Struct, frozen=True):
    """How a network runs."""

    device: str
    dtype: str = "float32"
    threads: int = 1
    training: bool = False  # a step: forward, loss, backward, optimizer
    optimizer: str = "momentum"  # of training
    channels_last: bool = False
    compiled: bool = False  # by torch.compile
    fused: bool = False  # batch norms folded into the convolutions before them
    processor_time: bool = False  # CPU time of one thread, not wall-clock time
    runtime: str = "torch"

    def __post_init__(self) -> None:
        _check_name("runtime", self.runtime, RUNTIMES)
        _check_name("dtype", self.dtype, RUNTIMES[self.runtime])
        _check_name("optimizer", self.optimizer, OPTIMIZERS)
        if self.runtime not in TORCH:
            for flag in ("training", "channels_last", "compiled"):
                if getattr(self, flag):
                    words = flag.replace("_", " ")
                    raise OptionError(f"'{words}' is for torch, not for {self.runtime}")
            if self.device != "cpu":
                raise OptionError(f"{self.runtime} runs on the CPU here, not on {self.device}")
        if self.fused and self.training:
            raise OptionError("a fused network cannot be trained: its batch norms are gone")
        if self.processor_time and (self.device != "cpu" or self.threads != 1):
            raise OptionError("processor time is that of one thread on a CPU: say --threads 1")

    def __str__(self) -> str:
        words = [f"{self.threads} thread{'s' if self.threads > 1 else ''}", self.dtype]
        words.append(f"training with {self.optimizer}" if self.training else "inference")
        flags = ("channels_last", "compiled", "fused", "processor_time")
        words += [flag.replace("_", " ") for flag in flags if getattr(self, flag)]
        words += [self.runtime] if self.runtime not in TORCH else []
        return ", ".join(words)


def _check_name(what: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        hint = did_you_mean(name, known) or f"; there are {', '.join(known)}"
        raise OptionError(f"no {what} '{name}'{hint}")
