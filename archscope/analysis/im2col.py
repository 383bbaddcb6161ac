"""A convolution as a matrix product: its matrices and their memory."""

from __future__ import annotations

from math import prod

from msgspec import Struct

from archscope.axes import Window
from archscope.errors import GraphError
from archscope.ir import Graph


class Im2col(Struct, frozen=True):
    """The matrices of a convolution for a batch; with groups, those of one group."""

    node: str
    groups: int
    columns: tuple[int, int]  # X_col: taps of a window x output positions of the batch
    weights: tuple[int, int]  # W_row: output channels x taps of a window
    output: tuple[int, int]  # W_row X_col: output channels x positions
    input_elements: int
    column_elements: int  # of all groups
    blow_up: float  # X_col over the input


def im2col(graph: Graph, name: str, batch: int = 1) -> Im2col:
    """Return the matrices of a convolution, as in CS231n's notes.

    Raises GraphError if the node is not a convolution.
    """
    node = graph.by_name.get(name)
    if node is None:
        raise GraphError(f"'{graph.name}' has no node '{name}'")
    windows = node.facts.window
    if not node.op.convolution or not windows:
        raise GraphError(f"expected a convolution, got '{name}', which is '{node.op.name}'")
    groups = getattr(node.op, "groups", 1)
    window = prod(axis.kernel for axis in windows if isinstance(axis, Window))
    taps = node.ins[0][0] // groups * window
    positions = batch * prod(node.out[1:])
    channels = node.out[0] // groups
    elements = groups * taps * positions
    return Im2col(
        node=name,
        groups=groups,
        columns=(taps, positions),
        weights=(channels, taps),
        output=(channels, positions),
        input_elements=batch * prod(node.ins[0]),
        column_elements=elements,
        blow_up=elements / (batch * prod(node.ins[0])),
    )
