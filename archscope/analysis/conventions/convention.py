"""Counting conventions: what a tool counts in addition to macs, and what it misses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import chain

from msgspec import Struct

from archscope.analysis.memory import in_place
from archscope.errors import GraphError
from archscope.ir import Graph, Node, by_rank


class Layer(Struct, frozen=True, gc=False):
    """A node as a tool sees it: the module that `build` makes for it, and its state."""

    node: Node
    module: str  # "nn.Conv2d", "" for an input, or the operator's name where there is none
    in_place: bool  # it overwrites its input
    live: bool  # an output depends on it, so it is in a trace

    @property
    def macs(self) -> int:
        """The multiply-accumulates of the node."""
        return self.node.facts.macs

    @property
    def unknown(self) -> tuple[str, ...]:
        """The facts that are not fully known.

        These are of operators that were not recognised, or whose weights are computed by products,
        which tools count by the modules that compute them.
        """
        return self.node.op.unknown or (("macs",) if self.node.weight_macs else ())


class Term(Struct, frozen=True):
    """A reason why a tool's count of a layer differs from macs, with the amount."""

    reason: str
    amount: Callable[[Layer], int]


def term(reason: str) -> Callable[[Callable[[Layer], int]], Term]:
    """Return a decorator that turns a function for the amount into a term."""
    return partial(Term, reason)


Row = tuple[Term | tuple[Term, ...], *tuple[str, ...]]


def table(*rows: Row) -> Mapping[str, tuple[Term, ...]]:
    """Return the terms of each module, from rows of a term and the modules it applies to.

    A name with `{}` stands for the modules of 1, 2 and 3 spatial axes.
    """
    terms_of: dict[str, tuple[Term, ...]] = {}
    for terms, *patterns in rows:
        for name in chain.from_iterable(map(by_rank, patterns)):
            terms_of[name] = (terms,) if isinstance(terms, Term) else terms
    return terms_of


UNSEEN = Term("no output needs it, so it is not in the trace", lambda layer: -layer.macs)

Differences = tuple[tuple[str, int], ...]


class Convention(Struct, frozen=True, kw_only=True):
    """The count of a tool: macs, plus the terms of each module by which it differs from them.

    The table has the modules that `build` makes, as tools look at modules or at what these
    compute. A module that is not in the table counts as its macs if its operator was tried on
    every tool (`Op.modules`); otherwise its count is unknown.
    """

    name: str
    version: str = ""  # of the tool; "" for our own conventions
    about: str
    modules: Mapping[str, tuple[Term, ...]] | None = None  # None: `always` applies to all
    always: tuple[Term, ...] = ()
    traced: bool = False  # it counts a trace, without nodes that no output needs
    per_image: bool = False  # it counts one image, whatever the batch size
    written: tuple[str, ...] = ()  # how the count changes if modules are written differently

    def differences(self, layer: Layer) -> Differences | None:
        """Return the reasons and amounts by which a layer's count differs from macs, if known."""
        if not layer.module:
            return ()
        if layer.unknown:
            return None
        terms: tuple[Term, ...] = ()
        if self.modules is not None:
            op = layer.node.op
            if layer.module not in op.modules or not op.known_to_tools:
                return None
            terms = self.modules.get(layer.module, ())
        if self.traced and not layer.live:
            terms = (UNSEEN,)
        counted = [(term.reason, term.amount(layer)) for term in (*terms, *self.always)]
        return tuple((reason, amount) for reason, amount in counted if amount)


def layers(graph: Graph) -> list[Layer]:
    """Return the nodes of a graph as tools see them."""
    placed = in_place(graph)
    live = graph.ancestors(*(output.node for output in graph.outputs))
    return [
        Layer(
            node,
            _module(node) if node.inputs else "",
            node.name in placed,
            node.name in live,
        )
        for node in graph.nodes
    ]


def _module(node: Node) -> str:
    try:
        return node.op.torch(*node.ins).target
    except GraphError:  # the model can be analysed but not built
        return node.op.name
