"""PyTorch modules -> Graph."""

from __future__ import annotations

from archscope.importers.torch.import_string import from_import_string, module_and_inputs
from archscope.importers.torch.program import from_module

__all__ = ["from_import_string", "from_module", "module_and_inputs"]
