"""The [reorg] of darknet, which a fork of Caffe has as a layer too."""

from __future__ import annotations

from typing import Any

from archscope.ir import Shape

Step = tuple[str, dict[str, Any]]
"""An operator and its attributes."""


def reorg_steps(shape: Shape, step: int) -> tuple[Step, ...]:
    """Return the operators, one after another, that move blocks of positions into channels.

    The order is darknet's own: the values (C, H, W) are viewed as a map `step` times the size with
    C / step^2 channels, and its positions become channels. `step` must divide H and W, and its
    square C.
    """
    channels, height, width = shape
    thin = channels // step**2
    return (
        ("reshape", {"size": (thin, height * step, width * step)}),
        ("space_to_depth", {"block": step}),
        ("channel_shuffle", {"groups": thin}),
        ("reshape", {"size": (channels * step**2, height // step, width // step)}),
    )
