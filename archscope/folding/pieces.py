"""The pieces of a spec that is being folded: operators, merges of branches, runs and blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct, structs

from archscope.ir import Node, Output, Shape

Key = tuple[Any, ...]


class Item(Struct, eq=False):
    """One layer to be: an operator with its branches, a run, or an instance of a block.

    A run has `copies`, alike in every number; an instance of a block has a `body`, and so has
    a side head, whose layers stand behind one another in `then`.
    """

    word: str  # the operator or block; empty for a run and a side head
    inputs: tuple[str, ...]  # the nodes that it reads
    value: str  # the node that it ends in
    entry: Shape | None  # of what enters, where that is one value
    node: Node | None = None  # of an operator
    branches: list[list[Item]] = []
    slices: list[str] = []  # the nodes of `split`
    body: list[Item] = []
    copies: list[list[Item]] = []
    closed: int = 0  # numbers shared weights that are used only inside one piece
    held: bool = False  # whether others share weights with layers in it
    sources: tuple[str, ...] | None = None  # what `from` must say
    read: bool = False  # whether a `from` says it
    output: Output | None = None
    share: str | None = None
    grows: bool = False  # whether each turn of a run reads all before it
    lead: bool = False  # whether the first turn of a run differs in numbers
    args: dict[str, Any] = {}  # the numbers of an operator, the parameters of a block

    @property
    def pinned(self) -> bool:
        """Whether it must stay where it is written: outputs and shared weights."""
        return self.output is not None or self.share is not None or self.held

    @property
    def is_run(self) -> bool:
        """Whether it is a run."""
        return bool(self.copies)

    @property
    def is_block(self) -> bool:
        """Whether it is an instance of a block."""
        return bool(self.body) and bool(self.word)


Chain = list[Item]


def leaf(node: Node) -> Item:
    """Return the item of a node."""
    entry = node.ins[0] if len(node.ins) == 1 else None
    numbers = {
        name: value
        for name, value in structs.asdict(node.op).items()
        if isinstance(value, int | float | tuple) and not isinstance(value, bool)
    }
    return Item(node.op.name, node.inputs, node.name, entry, node, args=numbers)


def instance(word: str, items: Chain) -> Item:
    """Return items as an instance of a block."""
    first, last = items[0], items[-1]
    made = Item(word, first.inputs, last.value, first.entry, body=[*items])
    made.sources, made.read = first.sources, last.read
    say_sources(made.body, made.inputs)
    return made


def say_sources(chain: Chain, flow: tuple[str, ...]) -> None:
    """Let each item say what it reads where that is not what stands before it."""
    made = {item.value: item for item in chain}
    for item in chain:
        item.sources, item.read = None, False
    for item in chain:
        if item.inputs != flow:
            item.sources = item.inputs
            for name in item.inputs:
                if name in made:
                    made[name].read = True
        if item.output is None:
            flow = (item.value,)


def say_all_sources(chain: Chain, flow: tuple[str, ...]) -> None:
    """Let items of a chain, and of all blocks in it, say what they read where they must."""
    say_sources(chain, flow)
    for inner in all_chains(chain):
        for item in inner:
            if item.is_block and not any(one.grows for one in item.body):
                say_sources(item.body, item.inputs)


def references(chain: Chain, place: int, start: int = 0) -> tuple[int, ...]:
    """Return how far before an item stands what it reads, 0 for what is before `start`."""
    places = {item.value: back for back, item in enumerate(chain[start:place], start)}
    return tuple(place - places[name] if name in places else 0 for name in chain[place].inputs)


def is_depthwise(item: Item) -> bool:
    """Return whether an item convolves each channel alone."""
    channels = item.entry[0] if item.entry else 1
    return channels > 1 and item.args.get("groups") == item.args.get("out") == channels


def chains_in(item: Item) -> Iterator[Chain]:
    """Yield the chains that an item holds."""
    yield from item.branches
    if item.body:
        yield item.body
    yield from item.copies


def all_chains(chain: Chain) -> Iterator[Chain]:
    """Yield a chain and every chain inside it."""
    yield chain
    for item in chain:
        for inner in chains_in(item):
            yield from all_chains(inner)


def instances_in(chain: Chain) -> dict[str, list[Item]]:
    """Return the instances of each block, those in all turns and instances."""
    found: dict[str, list[Item]] = {}
    for inner in all_chains(chain):
        for item in inner:
            if item.is_block:
                found.setdefault(item.word, []).append(item)
    return found


def first_node(item: Item) -> str:
    """Return the node that the text of an item makes first."""
    return next(nodes_of([item]))


def last_node(item: Item) -> str:
    """Return the node that the text of an item makes last."""
    while item.node is None:
        item = (item.copies[-1] if item.is_run else item.body)[-1]
    return item.node.name


def nodes_of(chain: Iterable[Item]) -> Iterator[str]:
    """Yield the nodes of a chain in the order in which its text makes them."""
    for item in chain:
        yield from item.slices
        for inner in chains_in(item):
            yield from nodes_of(inner)
        if item.node is not None:
            yield item.node.name


def weight(item: Item) -> int:
    """Return how many nodes an item has."""
    return sum(1 for _ in nodes_of([item]))


def lines(chain: Iterable[Item]) -> int:
    """Return about how many lines a chain takes."""
    count = 0
    for item in chain:
        count += 1 + (item.sources is not None) + item.read
        count += sum(max(1, lines(branch)) for branch in item.branches)
        if item.is_run:
            count += lines(item.copies[0]) + item.lead  # which is a layer of its own here
    return count
