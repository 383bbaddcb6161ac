"""Layers -> graph: blocks are instantiated, loops run, expressions computed, names given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from archscope.errors import LimitError, ShapeError, SpecError, did_you_mean
from archscope.ir import Builder, Graph, Op, Output, Shape, text_of
from archscope.ops import OPS
from archscope.ops.attributes import LARGEST, attributes
from archscope.spec.expression import ExpressionError, Frame
from archscope.spec.limits import Limits
from archscope.spec.syntax import GROUP, Block, Chain, Layer, Value

Flow = tuple[str, ...]
"""The nodes whose values enter a layer: one in a chain, several after `from: [a, b]`."""


class Document(Struct, frozen=True):
    """A whole spec, with everything that it takes from other files."""

    name: str
    inputs: dict[str, Value]
    let: dict[str, Value]
    blocks: dict[str, Block]
    body: Block
    about: str = ""
    reference: dict[str, Any] = {}


class Lets(Frame):
    """The named values of a file, computed when first asked for, in any order."""

    __slots__ = ("pending", "values_of")

    def __init__(self, values: Mapping[str, Value]) -> None:
        super().__init__(None)
        self.values_of = values
        self.pending: list[str] = []

    def __missing__(self, name: str) -> Any:
        if name not in self.values_of:
            raise KeyError(name)
        if name in self.pending:
            raise ExpressionError(f"'let' goes in a circle: {' -> '.join([*self.pending, name])}")
        self.pending.append(name)
        value = self.values_of[name](self)
        if value is None:
            raise ExpressionError(f"'{name}' has no value; give it one with --set {name}=...")
        self[name] = value
        self.pending.pop()
        return value

    def names(self) -> set[str]:
        """Return all names known here."""
        return set(self.values_of)


class Place:
    """One instance of a block while it is filled: its names, counters and parameters."""

    __slots__ = (
        "block",
        "counters",
        "depth",
        "entry",
        "frame",
        "mirror",
        "names",
        "prefix",
        "shares",
    )

    def __init__(
        self, block: Block, prefix: str, entry: Flow, frame: Frame, depth: int, mirror: Mirror
    ) -> None:
        self.block, self.prefix, self.entry = block, prefix, entry
        self.frame, self.depth, self.mirror = frame, depth, mirror
        self.names: dict[str, Flow] = {}
        self.counters: dict[str, int] = {}
        self.shares: dict[str, str] = {}

    def take(self, base: str) -> str:
        """Return the full name of the next node or block called `base`."""
        if base not in self.block.numbered:
            return self.prefix + base
        number = self.counters.get(base, 0)
        self.counters[base] = number + 1
        # After a digit the number stands apart: relu6_1 is the second relu6.
        return f"{self.prefix}{base}{'_' if base[-1].isdigit() else ''}{number}"

    def skip(self, base: str) -> None:
        """Keep the number of a layer that `when` leaves out, so that later ones stay put."""
        if base in self.block.numbered:
            self.counters[base] = self.counters.get(base, 0) + 1


Mirror = tuple[str, str] | None
"""A path and the earlier path whose weights are shared, part for part."""


class Expander:
    """Runs a document once and collects its graph."""

    def __init__(self, document: Document, limits: Limits) -> None:
        self.document, self.limits = document, limits
        self.builder = Builder()
        self.lets = Lets(document.let)
        self.outputs: list[Output] = []
        self.taken: set[str] = set()
        self.constant: dict[int, Op] = {}
        self.steps = 0
        self.loose = False  # whether the value at the end of the chain is no output yet

    def graph(self, shapes: Mapping[str, Shape]) -> Graph:
        """Return the graph, with input shapes replaced by `shapes`. Raises SpecError."""
        document = self.document
        self._check_shapes(shapes)
        entry: Flow = ()
        place = Place(document.body, "", entry, Frame(self.lets), 0, None)
        for name, value in document.inputs.items():
            shape = shapes.get(name) or self._input_shape(name, value)
            self.builder.add(name, OPS["input"](size=shape), at=value.at)
            self.taken.add(name)
            place.names[name] = (name,)
            entry = (*entry, name)
        place.entry = entry
        place.frame["in"] = self._shapes(entry)
        flow = self._chain(
            document.body.layers, place, place.frame, entry if len(entry) == 1 else ()
        )
        if self.loose:
            self._emit("output", flow, 1.0, False, document.body.at)
        if not self.outputs:
            raise SpecError("the spec has no layer that computes anything", document.body.at)
        return Graph(
            document.name,
            tuple(self.builder.nodes.values()),
            tuple(self.outputs),
            document.about,
            tuple(document.reference.items()),
        )

    def _check_shapes(self, shapes: Mapping[str, Shape]) -> None:
        for name in shapes:
            if name not in self.document.inputs:
                raise SpecError(
                    f"no input '{name}'{did_you_mean(name, self.document.inputs)}",
                    self.document.body.at,
                )

    def _input_shape(self, name: str, value: Value) -> Shape:
        shape = value(self.lets)
        whole = isinstance(shape, list) and all(
            isinstance(size, int) and not isinstance(size, bool) and 1 <= size <= LARGEST
            for size in shape
        )
        if not whole or not 1 <= len(shape) <= 4:
            raise SpecError(
                f"the shape of '{name}' must be a list of 1 to 4 whole numbers, channels first,"
                f" got {_shown(shape)}",
                value.at,
            )
        return tuple(shape)

    def _shapes(self, flow: Flow) -> Any:
        """Return what `in` and `x` stand for: a shape, or a list where several values enter."""
        nodes = self.builder.nodes
        return nodes[flow[0]].out if len(flow) == 1 else [nodes[name].out for name in flow]

    def _chain(self, chain: Chain, place: Place, frame: Frame, flow: Flow) -> Flow:
        for layer in chain:
            try:
                flow = self._layer(layer, place, frame, flow)
            except SpecError as error:
                if error.path:
                    raise
                inside = f" in {place.prefix.rstrip('.')}" if place.prefix else ""
                raise type(error)(error.message, error.at, f"{layer.path}{inside}") from None
        return flow

    def _layer(self, layer: Layer, place: Place, frame: Frame, flow: Flow) -> Flow:
        before = flow
        if layer.sources:
            flow = self._sources(layer, place)
        if layer.repeat is None and layer.each is None:
            flow = self._once(layer, place, frame, flow)
        else:
            frame["x"] = self._shapes(flow)
            for turn in self._turns(layer, frame):
                flow = self._once(layer, place, Frame(frame, turn), flow)
        if layer.output is None:
            return flow
        head = layer.output
        weight = self._number(head.weight, frame, 1.0, "weight")
        train_only = self._truth(head.train_only, frame, "train_only")
        self._emit(head.name, flow, weight, train_only, layer.at)
        self.loose = False
        return before

    def _sources(self, layer: Layer, place: Place) -> Flow:
        flow: Flow = ()
        for name in layer.sources or ():
            known = {**place.names, "in": place.entry}
            if name not in known:
                if name in place.block.names:
                    raise SpecError(
                        f"'{name}' is not there yet: a layer reads only layers before it,"
                        " so that there is no cycle",
                        layer.at,
                    )
                raise SpecError(f"no layer is named '{name}'{did_you_mean(name, known)}", layer.at)
            flow += known[name]
        return flow

    def _turns(self, layer: Layer, frame: Frame) -> Iterator[dict[str, Any]]:
        if layer.repeat is not None:
            count = layer.repeat(frame)
            if isinstance(count, float) and count.is_integer():
                count = int(count)
            if isinstance(count, bool) or not isinstance(count, int) or count < 0:
                raise SpecError(
                    f"'repeat' must be a whole number of at least 0, got {_shown(count)}",
                    layer.repeat.at,
                )
            self._check_turns(count, layer.repeat)
            rows: list[dict[str, Any]] = [{}] * count
        else:
            rows = self._rows(layer, frame)
        last = len(rows) - 1
        for i, row in enumerate(rows):
            yield {**row, "i": i, "first": i == 0, "last": i == last}

    def _rows(self, layer: Layer, frame: Frame) -> list[dict[str, Any]]:
        columns: dict[str, list[Any]] = {}
        for name, value in (layer.each or {}).items():
            column = value(frame)
            if not isinstance(column, list):
                raise SpecError(f"'each' walks lists, '{name}' is {_shown(column)}", value.at)
            self._check_turns(len(column), value)
            columns[name] = column
        lengths = {name: len(column) for name, column in columns.items()}
        if len(set(lengths.values())) > 1:
            listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise SpecError(
                f"'each' walks lists together, but their lengths differ: {listed}", layer.at
            )
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def _check_turns(self, count: int, value: Value) -> None:
        if count > self.limits.repeat:
            raise LimitError(f"more turns than the limit of {self.limits.repeat}", value.at)

    def _once(self, layer: Layer, place: Place, frame: Frame, flow: Flow) -> Flow:
        self.steps += 1
        if self.steps > self.limits.steps:
            raise LimitError(f"more layers visited than the limit of {self.limits.steps}", layer.at)
        frame["x"] = self._shapes(flow)
        if layer.when is not None and not self._truth(layer.when, frame, "when"):
            place.skip(layer.base)
            return self._chain(layer.otherwise, place, frame, flow)
        if layer.branches is not None:
            flow = self._branches(layer, place, frame, flow)
        if layer.word == GROUP:
            return self._chain(layer.then, place, frame, flow)
        if layer.word in OPS:
            flow = self._operator(layer, place, frame, flow)
        else:
            flow = self._block(layer, place, frame, flow)
        if layer.name:
            place.names[layer.name] = flow
        return self._chain(layer.then, place, frame, flow)

    def _branches(self, layer: Layer, place: Place, frame: Frame, flow: Flow) -> Flow:
        branches = layer.branches or ()
        starts = [flow] * len(branches)
        if layer.split is not None:
            starts = self._split(layer, layer.split, place, frame, flow)
        ends = []
        for branch, start in zip(branches, starts, strict=True):
            end = self._chain(branch, place, frame, start)
            if len(end) != 1:
                raise SpecError(
                    f"a branch must end in one value, this ends in {len(end)}", layer.at
                )
            ends.append(end[0])
        return tuple(ends)

    def _split(
        self, layer: Layer, split: Value, place: Place, frame: Frame, flow: Flow
    ) -> list[Flow]:
        value = split(frame)
        branches = len(layer.branches or ())
        channels = self.builder.nodes[flow[0]].out[0] if len(flow) == 1 else 0
        if isinstance(value, int) and value == branches and channels % value == 0:
            sizes = [channels // value] * value
        elif isinstance(value, list) and len(value) == branches:
            sizes = value
        else:
            sizes = []
        whole = all(isinstance(size, int) and size > 0 for size in sizes)
        if not whole or not sizes or sum(sizes) != channels:
            raise SpecError(
                f"'split' must part {channels} channels into {branches}: the number of branches"
                f" or a list of sizes, got {_shown(value)}",
                split.at,
            )
        starts: list[Flow] = []
        start = 0
        for size in sizes:
            op = OPS["slice"](start=start, stop=start + size)
            starts.append((self._add(place, "slice", op, flow, layer, None),))
            start += size
        return starts

    def _operator(self, layer: Layer, place: Place, frame: Frame, flow: Flow) -> Flow:
        if not flow:
            known = ", ".join(place.names)
            raise SpecError(f"nothing enters '{layer.word}'; say 'from:' one of {known}", layer.at)
        op = self.constant.get(id(layer)) or self._build(layer, frame)
        return (self._add(place, layer.base, op, flow, layer, layer.share),)

    def _add(
        self, place: Place, base: str, op: Op, flow: Flow, layer: Layer, share: str | None
    ) -> str:
        if len(self.builder.nodes) >= self.limits.nodes:
            raise LimitError(f"more nodes than the limit of {self.limits.nodes}", layer.at)
        name = self._claim(place, base, layer)
        mirror = self._mirror(place, name, share)
        try:
            self.builder.add(name, op, flow, None, layer.at)
        except ShapeError as error:
            raise SpecError(str(error), layer.at) from None
        self.loose = True
        if mirror is not None:
            self._share(name, mirror, layer)
        return name

    def _claim(self, place: Place, base: str, layer: Layer) -> str:
        name = place.take(base)
        if name in self.taken:
            raise SpecError(f"the name '{name}' is taken already", layer.at)
        self.taken.add(name)
        return name

    def _mirror(self, place: Place, name: str, share: str | None) -> Mirror:
        if share is None:
            return place.mirror
        if share in place.shares:
            return name, place.shares[share]
        place.shares[share] = name
        return place.mirror

    def _share(self, name: str, mirror: tuple[str, str], layer: Layer) -> None:
        nodes = self.builder.nodes
        node = nodes[name]
        facts = node.facts
        if not facts.params and not facts.buffers:
            return
        owner = nodes.get(mirror[1] + name[len(mirror[0]) :])
        if owner is None or owner.op.torch(*owner.ins) != node.op.torch(*node.ins):
            got = str(node.op.torch(*node.ins))
            wanted = str(owner.op.torch(*owner.ins)) if owner else "nothing there"
            raise SpecError(f"'{name}' cannot share weights: it is {got}, not {wanted}", layer.at)
        self.builder.share(name, owner.shares or owner.name)

    def _build(self, layer: Layer, frame: Frame) -> Op:
        cls = OPS[layer.word]
        table = attributes(cls)
        given = dict(layer.args)
        if layer.alone is not None:
            if cls.principal is None:
                raise SpecError(f"'{layer.word}' takes no value of its own", layer.alone.at)
            given[cls.principal] = layer.alone
        fields = {}
        constant = True
        for name, value in given.items():
            attribute = table[name]
            constant = constant and value.constant
            content = value(frame)
            if content is None and not attribute.required and attribute.default is None:
                continue
            try:
                fields[name] = attribute.kind.read(content)
            except ValueError:
                raise SpecError(
                    f"'{name}' of '{layer.word}' must be {attribute.kind.text},"
                    f" got {_shown(content)}",
                    value.at,
                ) from None
        for name, attribute in table.items():
            if attribute.required and name not in fields:
                raise SpecError(f"'{layer.word}' needs '{name}': {attribute.about}", layer.at)
        op = cls(**fields)
        if constant:
            self.constant[id(layer)] = op
        return op

    def _block(self, layer: Layer, place: Place, frame: Frame, flow: Flow) -> Flow:
        if not flow:
            known = ", ".join(place.names)
            raise SpecError(f"nothing enters '{layer.word}'; say 'from:' one of {known}", layer.at)
        if place.depth >= self.limits.depth:
            raise LimitError(
                f"blocks nested deeper than the limit of {self.limits.depth}"
                f" (does '{layer.word}' contain itself?)",
                layer.at,
            )
        block = self.document.blocks[layer.word]
        inner = self._arguments(layer, block, frame)
        inner["in"] = self._shapes(flow)
        for name, default in block.defaults.items():
            if name not in inner:
                if default is None:
                    raise SpecError(f"'{layer.word}' needs '{name}'", layer.at)
                inner[name] = default(inner)
        name = self._claim(place, layer.base, layer)
        mirror = self._mirror(place, name, layer.share)
        instance = Place(block, f"{name}.", flow, inner, place.depth + 1, mirror)
        return self._chain(block.layers, instance, inner, flow)

    def _arguments(self, layer: Layer, block: Block, frame: Frame) -> Frame:
        given = dict(layer.args)
        if layer.alone is not None:
            if not block.defaults:
                raise SpecError(f"'{layer.word}' has no parameters", layer.alone.at)
            given[next(iter(block.defaults))] = layer.alone
        inner = Frame(self.lets)
        for name, value in given.items():
            if name not in block.defaults:
                known = ", ".join(block.defaults) or "none"
                hint = did_you_mean(name, block.defaults) or f"; it takes {known}"
                raise SpecError(f"'{layer.word}' has no parameter '{name}'{hint}", value.at)
            inner[name] = value(frame)
        return inner

    def _emit(self, name: str, flow: Flow, weight: float, train_only: bool, at: Any) -> None:
        if len(flow) != 1:
            raise SpecError(f"output '{name}' must be one value, got {len(flow)}", at)
        if any(output.name == name for output in self.outputs):
            raise SpecError(f"two outputs are named '{name}'", at)
        self.outputs.append(Output(name, flow[0], weight, train_only))

    def _truth(self, value: Value | None, frame: Frame, what: str) -> bool:
        if value is None:
            return False
        content = value(frame)
        if not isinstance(content, bool | int):
            raise SpecError(f"'{what}' must be true or false, got {_shown(content)}", value.at)
        return bool(content)

    def _number(self, value: Value | None, frame: Frame, default: float, what: str) -> float:
        if value is None:
            return default
        content = value(frame)
        if isinstance(content, bool) or not isinstance(content, int | float):
            raise SpecError(f"'{what}' must be a number, got {_shown(content)}", value.at)
        return float(content)


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return text_of(value)
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
