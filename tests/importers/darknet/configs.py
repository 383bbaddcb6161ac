"""Configurations for the tests of darknet, and the network of one."""

from __future__ import annotations

from pathlib import Path

from archscope.ir import Graph
from archscope.sources import imported


def conv(filters: int, size: int, stride: int = 1, act: str = "leaky", normed: int = 1) -> str:
    return (
        f"[convolutional]\nbatch_normalize={normed}\nfilters={filters}\nsize={size}\n"
        f"stride={stride}\npad=1\nactivation={act}\n"
    )


def net(size: int, channels: int = 3) -> str:
    return f"[net]\nheight={size}\nwidth={size}\nchannels={channels}\n"


def load(where: Path, text: str) -> Graph:
    (where / "net.cfg").write_text(text)
    return imported(str(where / "net.cfg")).graph
