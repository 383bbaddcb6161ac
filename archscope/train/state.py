"""All that a training needs to go on from: taken from a loop, and given back to one."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

import msgspec
import torch

from archscope.records.training import Epoch, Finding

if TYPE_CHECKING:
    from archscope.train.loop import Loop


def state_of(loop: Loop) -> dict[str, Any]:
    """Return the state of a loop between two steps: tensors, numbers and texts alone."""
    gpu = loop.device.type == "cuda"
    pending = perf_counter() - loop.logged if loop.seen else 0.0
    return {
        "network": loop.network.state_dict(),
        "optimizer": loop.optimizer.state_dict(),
        "average": None if loop.average is None else loop.average.state_dict(),
        "scaler": loop.scaler.state_dict(),
        "random": torch.get_rng_state(),
        "random_cuda": torch.cuda.get_rng_state(loop.device) if gpu else None,
        "ended": loop.ended,
        "epoch": loop.epoch,
        "step": loop.step,
        "steps": loop.steps,
        "seconds": loop.seconds,
        "training": loop.training + pending,
        "seen": loop.seen,
        "tally": loop.tally,
        "recent": loop.recent,
        "first_loss": loop.first_loss,
        "records": msgspec.to_builtins((loop.epochs, loop.best, list(loop.findings.values()))),
    }


def restore(loop: Loop, state: dict[str, Any]) -> None:
    """Bring a new loop to where another one was."""
    loop.network.load_state_dict(state["network"])
    loop.optimizer.load_state_dict(state["optimizer"])
    if loop.average is not None:
        loop.average.load_state_dict(state["average"])
    loop.scaler.load_state_dict(state["scaler"])
    torch.set_rng_state(state["random"])
    if state["random_cuda"] is not None and loop.device.type == "cuda":
        torch.cuda.set_rng_state(state["random_cuda"], loop.device)
    loop.ended = state["ended"]
    loop.epoch, loop.step, loop.steps = state["epoch"], state["step"], state["steps"]
    loop.before, loop.training, loop.seen = state["seconds"], state["training"], state["seen"]
    loop.tally, loop.recent = state["tally"].to(loop.device), state["recent"].to(loop.device)
    loop.first_loss = state["first_loss"]
    epochs, best, findings = state["records"]
    loop.epochs = msgspec.convert(epochs, list[Epoch])
    loop.best = msgspec.convert(best, Epoch | None)
    found = msgspec.convert(findings, list[Finding])
    loop.findings = {(one.kind, one.node): one for one in found}
