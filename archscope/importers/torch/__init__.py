"""Imports PyTorch modules and `torch.export` programs."""

from __future__ import annotations

from archscope.importers.torch.import_string import from_import_string, module_and_inputs
from archscope.importers.torch.program import from_module
from archscope.importers.torch.program_file import from_program_file

__all__ = ["from_import_string", "from_module", "from_program_file", "module_and_inputs"]
