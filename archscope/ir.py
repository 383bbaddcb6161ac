"""The records of a network that all other code shares; frozen, without torch.

Loaders and importers create a `Graph`; analyses, rules, builders and exporters read it.
The records are msgspec structs, which are cheap to define (a dataclass takes a millisecond per
class) and take a fifth of a microsecond to create. `gc=False` keeps the garbage collector from
tracking records that are frozen and so cannot be part of a cycle.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from functools import cached_property, lru_cache
from math import prod
from typing import Any, ClassVar

from msgspec import Struct, structs

from archscope.axes import Axis
from archscope.errors import GraphError
from archscope.onnx_form import Value
from archscope.scopes import scopes_of

Shape = tuple[int, ...]
"""Channels first, then the spatial axes, no batch: `(3, 224, 224)`."""


def text_of(shape: Iterable[int]) -> str:
    """Format a shape: `3x224x224`."""
    return "x".join(map(str, shape))


Windows = tuple[Axis, ...] | None
"""One `Axis` for each spatial axis; `POINTWISE`; or `WHOLE`, which sees the whole input."""
POINTWISE: Windows = ()
WHOLE: Windows = None


class Call(Struct, frozen=True, gc=False):
    """A description of a torch call, which `build` executes and exporters print."""

    target: str
    args: tuple[Any, ...] = ()
    kwargs: tuple[tuple[str, Any], ...] = ()

    def with_(self, **kwargs: Any) -> Call:
        """Return the same call with more keyword arguments."""
        return Call(self.target, self.args, self.kwargs + tuple(kwargs.items()))

    def __str__(self) -> str:
        words = [repr(arg) for arg in self.args]
        words += [f"{name}={value!r}" for name, value in self.kwargs]
        return f"{self.target}({', '.join(words)})"


def call(target: str, *args: Any, **kwargs: Any) -> Call:
    """Describe a torch call: `call("nn.Conv2d", 3, 64, 7, stride=2)`."""
    return Call(target, args, tuple(kwargs.items()))


def by_rank(pattern: str) -> tuple[str, ...]:
    """Return the names of a torch module for 1, 2 and 3 spatial axes, such as `nn.Conv{}d`."""
    return tuple(pattern.format(rank) for rank in (1, 2, 3))


class Storage(Enum):
    """Where an operator stores its result."""

    NEW = "new"  # in new memory
    IN_PLACE = "in place"  # overwrites its input, if nothing else reads it
    VIEW = "view"  # a view of its input


class Saved(Struct, frozen=True, gc=False):
    """What autograd keeps for the backward pass of an operator, on CPU.

    `elements` and `indices` (8 bytes each) are extra values per image, `fixed` is the number of
    4-byte values independent of the batch size. `copied` means that an operator which keeps its
    input keeps a copy of it when it works in place.
    """

    input: bool = False
    copied: bool = False
    output: bool = False
    elements: int = 0
    indices: int = 0
    fixed: int = 0
    least: bool = False  # a lower bound; the rest depends on the kernels that torch selects


WEIGHTS, INNER = -1, -2  # weights, and values computed inside, as `factors` of an operator


class Op(Struct, frozen=True, kw_only=True):
    """An operator: its fields are its attributes, its methods are facts.

    Every fact takes the input shapes. A registered operator must define all facts; traits are
    false unless they are set.
    """

    name: ClassVar[str]
    principal: ClassVar[str | None] = None  # the attribute of the short form `op: value`
    arity: ClassVar[tuple[int, int | None]] = (1, 1)  # of inputs: minimum, maximum (None: any)
    branching: ClassVar[bool] = False  # specs may write its inputs inline, as branches
    storage: ClassVar[Storage] = Storage.NEW
    modules: ClassVar[tuple[str, ...]] = ()  # torch modules that all counting tools were tried on
    known_to_tools: ClassVar[bool] = True  # whether they were tried with these attributes

    commutative: ClassVar[bool] = False  # inputs may be reordered and nested
    zero_is_neutral: ClassVar[bool] = False  # zero inputs may be left out
    random: ClassVar[bool] = False  # random in training, so that two applications never merge
    valuewise: ClassVar[bool] = False  # each value depends only on the input's at its position
    nonlinear: ClassVar[bool] = False  # prevents the layers around it from merging into one
    normalises: ClassVar[bool] = False  # brings values to a common scale
    convolution: ClassVar[bool] = False  # slides weights (out, in / groups, *kernel) over its input
    pools: ClassVar[bool] = False  # reduces each window of a channel to a number, no weights
    may_see_less: ClassVar[bool] = False  # less than its window, if that is the whole input
    relates: ClassVar[bool] = False  # weights positions by their relation, as attention does
    in_windows: ClassVar[bool] = False  # relates those of a window, which it brings together first
    selects: ClassVar[bool] = False  # each value of its result is a value of an input, or zero
    result_levels: ClassVar[int] = 0  # to which it rounds its result, 0 without rounding
    without_slope: ClassVar[tuple[int, ...]] = ()  # inputs with zero gradient
    absorbs_scale: ClassVar[bool] = False  # its weight and bias can scale and shift each channel
    scales_channels: ClassVar[bool] = False  # and shifts, by constants at inference

    @property
    def label(self) -> str:
        """The name for messages; for unrecognised operators, their name in their framework."""
        return self.name

    @property
    def unknown(self) -> tuple[str, ...]:
        """The facts of an unrecognised operator that are known only in part."""
        return ()

    @property
    def vocabulary(self) -> int:
        """The number of values that its input may have if these are indices, otherwise 0."""
        return 0

    @property
    def keeps_zero(self) -> bool:
        """Whether zero inputs result in zeros."""
        return False

    def is_zero(self, *zero: bool) -> bool:
        """Return whether the result is zero everywhere, given which inputs are."""
        return self.keeps_zero and all(zero)

    def is_identity(self, *ins: Shape) -> bool:
        """Return whether the result equals the input, in training and at inference."""
        return False

    @property
    def training_storage(self) -> Storage:
        """Where it stores its result in training, if different from inference."""
        return self.storage

    def shape(self, *ins: Shape) -> Shape:
        """Return the output shape, or raise ShapeError."""
        raise NotImplementedError

    def params(self, *ins: Shape) -> int:
        """Return the number of learnable parameters."""
        raise NotImplementedError

    def buffers(self, *ins: Shape) -> int:
        """Return the number of running statistics, without torch's step counter."""
        raise NotImplementedError

    def macs(self, *ins: Shape) -> int:
        """Return the multiply-accumulates of convolutions and matrix products, for one image."""
        raise NotImplementedError

    def elementwise(self, *ins: Shape) -> int:
        """Return all other arithmetic for one image: 1 per operation on an element."""
        raise NotImplementedError

    def access(self, *ins: Shape) -> int:
        """Return the elements read and written for one image: inputs + weights + output."""
        raise NotImplementedError

    def window(self, *ins: Shape) -> Windows:
        """Return which inputs an output position reads, along each spatial axis."""
        raise NotImplementedError

    def saved(self, *ins: Shape) -> Saved:
        """Return what autograd keeps for the backward pass."""
        raise NotImplementedError

    def torch(self, *ins: Shape) -> Call:
        """Return the torch call that creates its module."""
        raise NotImplementedError

    def onnx(self, *ins: Shape) -> Value | None:
        """Return its ONNX form at inference; None if ONNX cannot express it."""
        raise NotImplementedError

    def backward_macs(self, *ins: Shape, needed: tuple[bool, ...]) -> int:
        """Return the multiply-accumulates of the backward pass, for one image.

        `needed` tells which inputs need a gradient; weights always do. A product of an input and
        a weight, or of two inputs, is computed again for the gradient of each factor.
        """
        return self.macs(*ins) * (bool(self.params(*ins)) + sum(needed))

    def factors(self, *ins: Shape) -> tuple[tuple[int, int, int], ...]:
        """Return the macs by what they multiply: two factors, and the number for one image.

        A factor is the place of an input, `WEIGHTS` or `INNER`. By default the weights, or a second
        input if there are no weights, multiply the first input.
        """
        second = 1 if len(ins) > 1 and not self.params(*ins) else WEIGHTS
        return ((second, 0, self.macs(*ins)),)

    def biases(self, *ins: Shape) -> int:
        """Return the number of params that are added to results: int32 in int8 networks."""
        return 0

    def weights_key(self, *ins: Shape) -> object:
        """Return a key that is equal for operators whose weights have the same names and shapes.

        Such operators can share weights. The default key is the torch module.
        """
        return self.torch(*ins)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Return examples for the contract tests and the reference."""
        raise NotImplementedError


FACTS = (
    "shape", "params", "buffers", "macs", "elementwise",
    "access", "window", "saved", "torch", "onnx", "examples",
)  # fmt: skip


class Example(Struct, frozen=True, gc=False):
    """An operator with valid input shapes."""

    op: Op
    ins: tuple[Shape, ...]
    positive: bool = False  # whether inputs must be positive, as for a logarithm
    places: Op | None = None  # the operator that makes the last input, of a map like the result


class Facts(Struct, frozen=True, gc=False):
    """The counts of an operator for given inputs, for one image."""

    params: int
    buffers: int
    macs: int
    elementwise: int
    access: int
    window: Windows
    saved: Saved
    elements: int  # number of output elements
    biases: int  # how many of the params are added


@lru_cache(maxsize=1 << 16)
def facts(op: Op, ins: tuple[Shape, ...]) -> Facts:
    """Return the counts of an operator; cached, as networks repeat operators."""
    return Facts(
        op.params(*ins),
        op.buffers(*ins),
        op.macs(*ins),
        op.elementwise(*ins),
        op.access(*ins),
        op.window(*ins),
        op.saved(*ins),
        prod(op.shape(*ins)),
        op.biases(*ins),
    )


class Source(Struct, frozen=True, gc=False):
    """A place in a file; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Node(Struct, frozen=True, gc=False):
    """The application of an operator in a graph."""

    name: str
    op: Op
    inputs: tuple[str, ...]
    ins: tuple[Shape, ...]
    out: Shape
    shares: str | None = None  # the earlier node whose weights it uses
    at: Source | None = None
    new_params: int | None = None  # where its weights are computed of others, or held by them
    weight_bytes: int | None = None  # of what it holds, in the file it comes from, where known
    weight_macs: int = 0  # of the products by which its weights are computed, beside its own
    weight_bits: int | None = None  # of each of the weights, without biases, as stored, where known

    @property
    def own_params(self) -> int:
        """The learnable numbers not held by an earlier node, so that sums count each once."""
        if self.shares is not None:
            return 0
        return self.facts.params if self.new_params is None else self.new_params

    @property
    def own_macs(self) -> int:
        """The multiply-accumulates, with those by which weights are computed where held first."""
        return self.facts.macs + (self.weight_macs if self.shares is None else 0)

    @property
    def scope(self) -> str:
        """The path of the block that contains the node: `stage1.block0`."""
        return self.name.rpartition(".")[0]

    @property
    def facts(self) -> Facts:
        """The counts of the operator for this node's inputs."""
        return facts(self.op, self.ins)


class Output(Struct, frozen=True, gc=False):
    """A named output of a network, with its weight in the training loss."""

    name: str
    node: str
    weight: float = 1.0
    train_only: bool = False


class Graph(Struct, frozen=True, dict=True):
    """A network: nodes in topological order, inputs point back only."""

    name: str
    nodes: tuple[Node, ...]
    outputs: tuple[Output, ...]
    about: str = ""
    reference: tuple[tuple[str, Any], ...] = ()
    paper: str = ""
    sites: Mapping[str, Source] = {}  # where each block instance is used, by scope
    dtype: str = ""  # of its tensors in the file or module that it comes from
    weights: str = ""  # the file whose tensors its nodes have the bytes and bits of

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for node in self.nodes:
            if node.name in seen:
                raise GraphError(f"two nodes are named '{node.name}'")
            for name in (*node.inputs, *([node.shares] if node.shares else ())):
                if name not in seen:
                    raise GraphError(f"'{node.name}' reads '{name}', which is not an earlier node")
            seen.add(node.name)
        for output in self.outputs:
            if output.node not in seen:
                raise GraphError(
                    f"output '{output.name}' refers to '{output.node}', which is not a node"
                )

    def __str__(self) -> str:
        inputs = ", ".join(f"{node.name} {text_of(node.out)}" for node in self.inputs)
        return f"{self.name}: {len(self.nodes)} nodes, from {inputs}"

    @cached_property
    def by_name(self) -> dict[str, Node]:
        """The nodes by name."""
        return {node.name: node for node in self.nodes}

    @cached_property
    def facts(self) -> dict[str, Facts]:
        """The counts of the nodes, by name."""
        return {node.name: facts(node.op, node.ins) for node in self.nodes}

    def trail(self, node: Node) -> Iterator[Source]:
        """Yield where a node was written, then where each enclosing block was used, inner first."""
        if node.at is not None:
            yield node.at
        yield from (self.sites[scope] for scope in scopes_of(node.name) if scope in self.sites)

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The nodes without inputs: the inputs of the network."""
        return tuple(node for node in self.nodes if not node.inputs)

    @property
    def main(self) -> Output:
        """The main output at inference: the last one that is not only for training."""
        return next((o for o in reversed(self.outputs) if not o.train_only), self.outputs[-1])

    def readers(self) -> dict[str, list[str]]:
        """Return the names of the readers of each node."""
        readers: dict[str, list[str]] = {node.name: [] for node in self.nodes}
        for node in self.nodes:
            for name in node.inputs:
                readers[name].append(node.name)
        return readers

    def ancestors(self, *names: str) -> set[str]:
        """Return these nodes and all nodes that they depend on."""
        wanted = set(names)
        for node in reversed(self.nodes):
            if node.name in wanted:
                wanted.update(node.inputs)
        return wanted

    def inference(self) -> Graph:
        """Return the graph without the parts that only training outputs need."""
        if not any(output.train_only for output in self.outputs):
            return self
        kept = tuple(output for output in self.outputs if not output.train_only)
        if not kept:
            raise GraphError(f"every output of '{self.name}' is only for training")
        aside = self.ancestors(*(o.node for o in self.outputs if o.train_only))
        drop = aside - self.ancestors(*(output.node for output in kept))
        return self.only(set(self.by_name) - drop, kept)

    def only(self, names: set[str], outputs: tuple[Output, ...]) -> Graph:
        """Return the subgraph of these nodes, without nodes whose inputs are not in it.

        Weights whose owner is left out belong to the first node that shares them.
        """
        heirs: dict[str, str] = {}
        nodes: dict[str, Node] = {}
        for node in self.nodes:
            if node.name not in names or not nodes.keys() >= set(node.inputs):
                continue
            if node.shares is not None and node.shares not in nodes:
                heir = heirs.setdefault(node.shares, node.name)
                node = structs.replace(node, shares=None if heir == node.name else heir)
            nodes[node.name] = node
        return structs.replace(self, nodes=tuple(nodes.values()), outputs=outputs)

    def to_networkx(self) -> Any:
        """Return a networkx.DiGraph of node names, each with its `op` and `out`."""
        import networkx

        graph: Any = networkx.DiGraph(name=self.name)
        for node in self.nodes:
            graph.add_node(node.name, op=node.op.name, out=node.out)
            graph.add_edges_from((name, node.name) for name in node.inputs)
        return graph
