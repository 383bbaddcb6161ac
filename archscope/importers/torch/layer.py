"""A layer of the graph that an import makes."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from archscope.ir import Op
from archscope.ops.foreign import Tensor


class ImportedLayer(Struct, frozen=True):
    """An operator of ours, on values of the program."""

    path: str  # of the module that made it
    kind: str  # the operator's name, or that of the opaque operator that it stands for
    op: Op
    inputs: tuple[str, ...]
    weights: Mapping[str, Tensor]  # by their names in the state_dict of the torch module
