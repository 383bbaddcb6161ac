"""Import the file of a `torch.export` program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from archscope.errors import ArchscopeError, GraphError, OptionError
from archscope.importers.aten.batch import Batch
from archscope.importers.formats import Imported, Inputs
from archscope.importers.torch.arguments import arguments_of
from archscope.importers.torch.functional import functional
from archscope.importers.torch.program import ProgramImporter, from_module
from archscope.importers.torch.sizes_of_others import without_others
from archscope.importers.torch.tracing import Trace, quiet


def from_program_file(source: str, input: Inputs = None, batch: int = 1) -> Imported:
    """Import a `.pt2` file, which is loaded but not run. Raises ArchscopeError.

    A program for any batch size is traced again for many images; one that was exported for a fixed
    batch size is counted at that size, and `about` says so.
    """
    program = _loaded(source)
    name = Path(source).stem
    given: Any = input
    if input is None:
        given = _examples(program, source)
    try:
        return from_module(program.module(check_guards=False), given, name, batch)
    except ArchscopeError:
        if input is not None:
            raise
    tensors = [part for part in tree_leaves(given) if isinstance(part, torch.Tensor)]
    size = next((tensor.shape[0] for tensor in tensors if tensor.dim()), 1)
    reason = "it was exported for that batch alone"
    trace = Trace(functional(without_others(program)), Batch(size, alike=False), reason)
    module = program.module(check_guards=False)
    importer = ProgramImporter(trace, module, arguments_of(module, given))
    importer.run()
    return importer.imported(name, f"counted at batch {size}: {reason}")


def _loaded(source: str) -> torch.export.ExportedProgram:
    if not Path(source).is_file():
        raise OptionError(f"there is no file '{source}'")
    try:
        with quiet():
            return torch.export.load(source)
    except Exception as error:
        line = next((line for line in str(error).splitlines() if line.strip()), "")[:200]
        what = f"{type(error).__name__}: {line}" if line else type(error).__name__
        raise OptionError(f"'{source}' is not a torch.export program: {what}") from None


def _examples(program: torch.export.ExportedProgram, source: str) -> Any:
    """Return the positional inputs that a program was exported with."""
    given: Any = program.example_inputs
    if given is None:
        raise GraphError(f"'{source}' does not state its inputs; give their shapes with --input")
    args, kwargs = given
    return {**dict(zip(_names(program), args, strict=False)), **kwargs} if kwargs else tuple(args)


def _names(program: torch.export.ExportedProgram) -> list[str]:
    return list(program.graph_signature.user_inputs)
