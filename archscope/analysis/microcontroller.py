"""The needs of a network on a microcontroller: flash, RAM, and estimated time on a measured board.

Networks are deployed with batch norms folded, int8 weights and feature maps, int32 biases and
channels last. RAM is that of planners that reuse a buffer as soon as it is free: element-wise
operators overwrite their input, and depthwise convolutions and poolings write their rows over input
rows that they no longer need. Code and variables of the runtime are not included.
"""

from __future__ import annotations

from collections.abc import Collection
from math import prod

from msgspec import Struct

from archscope.analysis.batch_norms import foldable
from archscope.analysis.cost import bytes_of
from archscope.axes import Window
from archscope.ir import POINTWISE, Graph, Node, Storage

TARGETS = ("mcu",)
BOARD = "STM32H747, 400 MHz, STM32Cube.AI 10.0"
NANOSECONDS = {"depthwise": 9.156, "other": 2.512, "output": 26.71, "streamed": 20.36}
"""Nanoseconds on `BOARD` per mac of depthwise convolutions, of layers that use each weight once and
of others, and per output element of layers with macs. Fitted by non-negative least squares of the
relative error to the 16 published times in `tests/reference/stm32.csv`."""


class McuLayer(Struct, frozen=True, gc=False):
    """The needs of one node."""

    name: str
    flash_bytes: int
    ram_bytes: int  # feature maps alive while it runs
    im2col_bytes: int  # scratch memory of the kernel, not part of `ram_bytes`
    overlaps: bool  # whether it writes over its input


class Microcontroller(Struct, frozen=True):
    """The needs of a network on a microcontroller, for a batch."""

    flash_bytes: int
    ram_bytes: int
    ram_node: str  # the first node that runs at the peak
    im2col_bytes: int  # the largest scratch memory of a kernel, on top of `ram_bytes`
    im2col_node: str | None
    milliseconds: float  # an estimate
    board: str
    layers: tuple[McuLayer, ...]


def microcontroller(graph: Graph, batch: int = 1) -> Microcontroller:
    """Return the needs of a network on a microcontroller, for inference."""
    flash = flash_by_node(graph)
    timeline, overlapping = _plan(graph, batch)
    scratch = [im2col_bytes(node) for node in graph.nodes]
    ram, most = max(timeline), max(scratch)
    layers = (
        McuLayer(node.name, flash[node.name], alive, columns, node.name in overlapping)
        for node, alive, columns in zip(graph.nodes, timeline, scratch, strict=True)
    )
    return Microcontroller(
        flash_bytes=sum(flash.values()),
        ram_bytes=ram,
        ram_node=graph.nodes[timeline.index(ram)].name,
        im2col_bytes=most,
        im2col_node=graph.nodes[scratch.index(most)].name if most else None,
        milliseconds=sum(map(nanoseconds, graph.nodes)) * batch / 1e6,
        board=BOARD,
        layers=tuple(layers),
    )


def flash_of(graph: Graph) -> int:
    """Return the bytes of flash that the weights need for inference."""
    return sum(flash_by_node(graph).values())


def ram_of(graph: Graph, batch: int = 1) -> int:
    """Return the bytes of RAM that the feature maps of a batch need."""
    return max(_plan(graph, batch)[0])


def flash_by_node(graph: Graph, absorbing: Collection[str] = ()) -> dict[str, int]:
    """Return the bytes of each node's int8 weights and int32 biases, with batch norms folded.

    Scales and zero points are not included, as in the weights that ST's model zoo publishes.
    `absorbing` is that of `foldable`.
    """
    folded = foldable(graph, absorbing)
    layers = set(folded.values())
    flash = {}
    for node, facts in zip(graph.nodes, graph.facts.values(), strict=True):
        if node.shares is not None or node.name in folded:
            flash[node.name] = 0
            continue
        own = node.own_params
        size = bytes_of(own + facts.buffers, min(facts.biases, own), "int8")
        if node.name in layers and not facts.biases:
            size += bytes_of(node.out[0], node.out[0], "int8")
        flash[node.name] = size
    return flash


def _plan(graph: Graph, batch: int) -> tuple[list[int], set[str]]:
    """Return the bytes alive while each node runs, and the nodes that write over their input."""
    sizes = {name: facts.elements * batch for name, facts in graph.facts.items()}
    last: dict[str, int] = {}
    for index, node in enumerate(graph.nodes):
        last[node.name] = index
        last.update(dict.fromkeys(node.inputs, index))
    last.update((output.node, len(graph.nodes)) for output in graph.outputs)
    buffers: dict[str, str] = {}  # the node whose buffer holds a value
    ends: dict[str, int] = {}  # when the last value in a buffer is read
    given = {node.name for node in graph.inputs}  # their buffers belong to the application
    timeline: list[int] = []
    overlapping: set[str] = set()
    alive = 0
    for index, node in enumerate(graph.nodes):
        name = node.name
        read = [buffers[source] for source in node.inputs]
        free = [buffer for buffer in read if ends[buffer] == index and buffer not in given]
        buffer, saved = name, 0
        if node.op.storage is Storage.VIEW:
            buffer = read[0]
        elif free and _elementwise(node):
            buffer = next((each for each in free if sizes[each] == sizes[name]), name)
        elif free and (both := row_by_row(node, batch)):
            saved = max(0, sizes[name] + sizes[free[0]] - both)
        if (buffer is not name and node.op.storage is not Storage.VIEW) or saved:
            overlapping.add(name)
        if buffer is name:
            alive += sizes[name]
        buffers[name] = buffer
        ends[buffer] = max(ends.get(buffer, 0), last[name])
        timeline.append(alive - saved)
        alive -= sum(sizes[done] for done in {buffer, *read} if ends[done] == index)
    return timeline, overlapping


def _elementwise(node: Node) -> bool:
    """Return whether a node is element-wise on inputs of its output's size."""
    op = node.op
    if op.storage is Storage.IN_PLACE or op.valuewise:
        return True
    return op.commutative and node.facts.window == POINTWISE


def row_by_row(node: Node, batch: int) -> int | None:
    """Return the elements of a buffer that holds the input and the output written over it.

    The output begins so far before the input that each of its rows ends before the first input row
    that it or a later row reads. None for nodes that are neither depthwise nor a pooling.
    """
    (x, *_), out, op = node.ins, node.out, node.op
    if not op.pools and not (op.convolution and getattr(op, "groups", 1) == x[0]):
        return None
    axes = node.facts.window
    if not axes or not isinstance(axes[0], Window):
        return None
    window = axes[0]
    taken, made, rows = prod(x) // x[1], prod(out) // out[1], out[1]
    # The distance grows while windows begin in the padding; after that it is linear.
    turn = window.before // window.stride
    places = (min(place, rows - 1) for place in (turn, turn + 1, rows - 1))
    ahead = max(
        (place + 1) * made - max(0, place * window.stride - window.before) * taken
        for place in places
    )
    ahead += max(0, (batch - 1) * (prod(out) - prod(x)))
    return max(batch * prod(out), ahead + batch * prod(x))


def im2col_bytes(node: Node) -> int:
    """Return the scratch bytes in which CMSIS-NN lays out the windows of a convolution, in int16.

    `arm_convolve_s8` holds two windows, `arm_depthwise_conv_s8_opt` one of all channels; 1x1
    windows are read in place.
    """
    axes = node.facts.window if node.op.convolution else None
    if not axes:
        return 0
    window = prod(axis.kernel for axis in axes if isinstance(axis, Window))
    if window == 1:
        return 0
    channels, groups = node.ins[0][0], getattr(node.op, "groups", 1)
    if groups == channels > 1:
        return 2 * window * channels
    return 2 * 2 * window * (channels // groups)


def nanoseconds(node: Node) -> float:
    """Return the estimated time of a node for one image on `BOARD`."""
    facts = node.facts
    if not facts.macs:
        return 0.0
    return NANOSECONDS[kind_of(node)] * facts.macs + NANOSECONDS["output"] * facts.elements


def kind_of(node: Node) -> str:
    """Return the key in `NANOSECONDS` for a node's macs."""
    if node.op.convolution and getattr(node.op, "groups", 1) == node.ins[0][0] > 1:
        return "depthwise"
    return "streamed" if node.facts.macs <= node.facts.params else "other"
