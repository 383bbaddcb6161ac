"""PyTorch modules -> Graph."""

from __future__ import annotations

from archscope.importers.torch.import_string import from_import_string
from archscope.importers.torch.program import from_module

__all__ = ["from_import_string", "from_module"]
