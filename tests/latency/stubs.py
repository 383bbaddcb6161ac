"""Profiles without a machine."""

from __future__ import annotations

from random import Random

from msgspec import structs

from archscope.latency.kernel_kinds import FEATURES, KINDS
from archscope.latency.profile import Error, Interval, Machine, Profile


def stub(fusion: str = "onnxruntime", seed: int = 0, **changes: object) -> Profile:
    """Return a profile in which every feature of every kind takes a time of its own."""
    random = Random(seed)
    known = Profile(
        name=f"stub-{fusion}",
        machine=Machine("a board", 4),
        runtime="onnxruntime",
        version="1.0",
        fusion=fusion,
        threads=1,
        kinds={
            kind: {name: random.uniform(0.1, 1) / (100 if name == "kernels" else 1)
                   for name in FEATURES}
            for kind in KINDS
        },
        error=Error(30, 10, 0.04, 0.05, 0.9),
        interval=Interval(-0.1, 0.2),
    )  # fmt: skip
    return structs.replace(known, **changes).sealed()
