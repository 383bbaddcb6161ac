"""PyTorch modules -> Graph."""

from __future__ import annotations

from archscope.importers.torch.module import from_module

__all__ = ["from_module"]
