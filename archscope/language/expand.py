"""Layers -> graph: blocks are instantiated, loops run, expressions computed, names given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice, repeat
from math import prod
from typing import Any

from archscope.errors import LENGTH, LimitError, ShapeError, SpecError, quoted, shortened
from archscope.ir import Builder, Graph, Op, Output, Shape, Source, text_of
from archscope.language.block_cache import (
    PLACED,
    Memo,
    Sums,
    key_of,
    place_ends,
    place_instance,
    sums_of,
)
from archscope.language.document import Document, Flow, Lets, Mirror, Place
from archscope.language.expression import Frame
from archscope.language.holes import DRAW, Draw
from archscope.language.limits import Limits
from archscope.language.loops import turns
from archscope.language.syntax import GROUP, Block, Chain, Layer, Value
from archscope.language.values import SHAPE, checked, part_sizes, shape_of, truth
from archscope.ops import OPS
from archscope.ops.attributes import NUMBER, attributes


class Expander:
    """Runs a document once and collects its graph; `choices` are what its holes hold."""

    def __init__(
        self,
        document: Document,
        limits: Limits,
        choices: dict[str, Any] | None = None,
        memo: Memo | None = None,
    ) -> None:
        self.document, self.limits = document, limits
        self.choices = {} if choices is None else choices
        self.memo = Memo(document) if memo is None and document.open else memo
        self.builder = Builder()
        self.lets = Lets(document.let)
        self.outputs: list[Output] = []
        self.sites: dict[str, Source] = {}
        self.taken: dict[str, None] = {}
        self.constant = {} if self.memo is None else self.memo.constant
        self.ledger: list[Sums] | None = None
        self.steps = 0
        self.depth = 0

    def sums(self) -> Sums | None:
        """Return the sums over all nodes, or None if the graph must be made to know them.

        Blocks that are known are not built again. Raises SpecError.
        """
        self.ledger = []
        self._run({})
        if any(output.train_only for output in self.outputs):
            return None
        counted = (sums_of([node]) for node in self.builder.nodes.values() if node.at is not PLACED)
        return tuple(map(sum, zip(*self.ledger, *counted, strict=True)))

    def graph(self, shapes: Mapping[str, Shape]) -> Graph:
        """Return the graph, with input shapes replaced by `shapes`. Raises SpecError."""
        self._run(shapes)
        document = self.document
        return Graph(
            document.name,
            tuple(self.builder.nodes.values()),
            tuple(self.outputs),
            document.about,
            tuple(document.reference.items()),
            document.paper,
            self.sites,
        )

    def _run(self, shapes: Mapping[str, Shape]) -> None:
        document = self.document
        entry: Flow = ()
        place = Place(document.body, "", entry, None)
        if self.memo is not None:
            self.lets[DRAW] = Draw(self.choices, "", "")
        for name, value in document.inputs.items():
            shape = shapes.get(name) or self._input_shape(name, value)
            self.builder.add(name, OPS["input"](size=shape), at=value.at)
            self._check_size(name, value.at)
            self.taken[name] = None
            place.names[name] = (name,)
            entry = (*entry, name)
        place.entry = entry
        frame = Frame(self.lets, {"in": self._shapes(entry)})
        flow = self._chain(document.body.layers, place, frame, entry if len(entry) == 1 else ())
        if self._unsaid(flow):
            self._emit("output", flow, 1.0, False, document.body.at)
        if not self.outputs:
            raise SpecError("the spec has no layer that computes anything", document.body.at)

    def _unsaid(self, flow: Flow) -> bool:
        """Return whether the end of the chain is an output though no layer says so.

        It is if something computes it and nothing reads it; where heads do, they are the outputs.
        """
        nodes = self.builder.nodes
        ends = {name for name in flow if nodes[name].inputs}
        ends.difference_update(*(node.inputs for node in nodes.values()))
        return bool(ends - {output.node for output in self.outputs})

    def _input_shape(self, name: str, value: Value) -> Shape:
        content = value(self.lets)
        shape = shape_of(content)
        if shape is None:
            raise SpecError(
                f"the shape of '{name}' must be {SHAPE}, got {quoted(content)}", value.at
            )
        return shape

    def _shapes(self, flow: Flow) -> Any:
        """Return what `in` and `x` stand for: a shape, or a list where several values enter."""
        nodes = self.builder.nodes
        return nodes[flow[0]].out if len(flow) == 1 else [nodes[name].out for name in flow]

    def _spend(self, steps: int, at: Source) -> None:
        self.steps += steps
        if self.steps > self.limits.steps:
            raise LimitError(f"more work than the limit of {self.limits.steps} steps", at)

    def _chain(self, chain: Chain, place: Place, frame: Frame, flow: Flow) -> Flow:
        self.depth += 1
        for layer in chain:
            try:
                if self.depth > self.limits.depth:
                    raise LimitError(
                        f"blocks and branches nested deeper than the limit of {self.limits.depth};"
                        " does a block contain itself?",
                        layer.at,
                    )
                flow = self._layer(layer, place, frame, flow)
            except SpecError as error:
                if error.path:
                    raise
                inside = place.prefix.rstrip(".")
                if len(inside) > LENGTH:
                    inside = f"...{inside[3 - LENGTH :]}"
                path = f"{layer.path} in {inside}" if inside else layer.path
                raise type(error)(error.message, error.at, path) from None
        self.depth -= 1
        return flow

    def _layer(self, layer: Layer, place: Place, frame: Frame, flow: Flow) -> Flow:
        before = flow
        if layer.sources:
            flow = self._sources(layer.sources, layer, place)
        start = flow
        if layer.repeat is None and layer.each is None:
            flow = self._once(layer, place, frame, flow)
        else:
            frame["x"] = self._shapes(flow)
            if layer.open:
                frame[DRAW] = self._draw(layer, place)
            around = place.turns
            for turn in turns(layer, frame, self.limits.repeat, self._spend):
                place.turns = (*around, turn["i"])
                flow = self._once(layer, place, Frame(frame, turn), flow)
            place.turns = around
        head = layer.output
        if head is None:
            return flow
        if flow != start:  # `when` may leave a head out
            weight = checked(NUMBER, "'weight'", head.weight, frame)
            train_only = truth(head.train_only, frame, "train_only")
            self._emit(head.name, flow, weight, train_only, layer.at)
        return before

    def _sources(self, names: Iterable[str], layer: Layer, place: Place) -> Flow:
        flow: list[str] = []
        for name in names:
            found = place.entry if name == "in" else place.names.get(name)
            if found is None:
                raise SpecError(place.why_missing(name, self.taken), layer.at)
            self._spend(len(found), layer.at)
            flow += found
        return tuple(flow)

    def _once(self, layer: Layer, place: Place, frame: Frame, flow: Flow) -> Flow:
        self._spend(layer.cost + len(flow), layer.at)
        frame["x"] = self._shapes(flow)
        if layer.open:
            frame[DRAW] = self._draw(layer, place)
        if layer.when is not None and not truth(layer.when, frame, "when"):
            place.skip(layer.base)
            return self._chain(layer.otherwise, place, frame, flow)
        if layer.branches is not None:
            flow = self._branches(layer, place, frame, flow)
        if layer.word == GROUP:
            return self._chain(layer.then, place, frame, flow)
        if not flow:
            known = shortened(", ".join(place.names))
            raise SpecError(f"nothing enters '{layer.word}'; say 'from:' one of {known}", layer.at)
        if layer.word in OPS:
            flow = self._operator(layer, place, frame, flow)
        else:
            flow = self._block(layer, place, frame, flow)
        if layer.name:
            place.names[layer.name] = flow
        return self._chain(layer.then, place, frame, flow)

    def _branches(self, layer: Layer, place: Place, frame: Frame, flow: Flow) -> Flow:
        branches = layer.branches or ()
        starts: Iterable[Flow] = repeat(flow, len(branches))
        if layer.split is not None:
            starts = self._split(layer, layer.split, place, frame, flow)
        ends = []
        for branch, start in zip(branches, starts, strict=True):
            end = self._chain(branch, place, frame, start)
            if len(end) != 1:
                what = f"{len(end)} values" if end else "none; say 'from:' in it"
                raise SpecError(f"a branch must end in one value, this ends in {what}", layer.at)
            ends.append(end[0])
        return tuple(ends)

    def _split(
        self, layer: Layer, split: Value, place: Place, frame: Frame, flow: Flow
    ) -> list[Flow]:
        if len(flow) != 1:
            raise SpecError(f"'split' parts one value, got {len(flow)}", split.at)
        channels = self.builder.nodes[flow[0]].out[0]
        sizes = part_sizes(split, frame, channels, len(layer.branches or ()))
        starts: list[Flow] = []
        start = 0
        for size in sizes:
            op = OPS["slice"](start=start, stop=start + size)
            starts.append((self._add(place, "slice", op, flow, layer, None),))
            start += size
        return starts

    def _operator(self, layer: Layer, place: Place, frame: Frame, flow: Flow) -> Flow:
        op = self.constant.get(id(layer)) or self._build(layer, frame)
        if op.branching and len(flow) < op.arity[0]:
            raise SpecError(
                f"'{layer.word}' takes at least {op.arity[0]} values, got {len(flow)};"
                " write a list of branches under it, or 'from: [a, b]' beside it",
                layer.at,
            )
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
        self._check_size(name, layer.at)
        if mirror is not None:
            self._share(name, mirror, layer)
        return name

    def _check_size(self, name: str, at: Source) -> None:
        shape = self.builder.nodes[name].out
        if prod(shape) > self.limits.number:
            raise LimitError(
                f"'{name}' has the shape {text_of(shape)},"
                f" more elements than the limit of {self.limits.number}",
                at,
            )

    def _claim(self, place: Place, base: str, layer: Layer) -> str:
        name = place.take(base)
        # Names grow with the depth of blocks, and are kept for every node.
        self._spend(len(name) // 64, layer.at)
        if name in self.taken:
            raise SpecError(f"the name '{name}' is taken already", layer.at)
        self.taken[name] = None
        return name

    def _draw(self, layer: Layer, place: Place) -> Draw:
        """Return what fills the holes of a layer."""
        assert self.memo is not None
        return Draw(self.choices, *place.holes_of(self.memo.labels[id(layer)]))

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
        if not node.op.params(*node.ins) and not node.op.buffers(*node.ins):
            return
        owner = nodes.get(mirror[1] + name[len(mirror[0]) :])
        if owner is None:
            raise SpecError(
                f"'{name}' cannot share weights: '{mirror[1]}' has no such part", layer.at
            )
        got, wanted = node.op.torch(*node.ins), owner.op.torch(*owner.ins)
        if got != wanted:
            raise SpecError(f"'{name}' cannot share weights: it is {got}, not {wanted}", layer.at)
        self.builder.share(name, owner.shares or owner.name)

    def _build(self, layer: Layer, frame: Frame) -> Op:
        cls = OPS[layer.word]
        table = attributes(cls)
        given = dict(layer.args)
        if layer.alone is not None and cls.principal is not None:
            given[cls.principal] = layer.alone
        fields = {}
        for name, value in given.items():
            attribute = table[name]
            optional = not attribute.required and attribute.default is None
            if optional and value(frame) is None:
                continue
            fields[name] = checked(attribute.kind, f"'{name}' of '{layer.word}'", value, frame)
        for name, attribute in table.items():
            if attribute.required and name not in fields:
                raise SpecError(f"'{layer.word}' needs '{name}': {attribute.about}", layer.at)
        op = cls(**fields)
        if all(value.constant for value in given.values()):
            self.constant[id(layer)] = op
        return op

    def _block(self, layer: Layer, place: Place, frame: Frame, flow: Flow) -> Flow:
        block = self.document.blocks[layer.word]
        inner = self._arguments(layer, block, frame)
        inner["in"] = self._shapes(flow)
        path = place.path
        if self.memo is not None:
            path, _ = place.holes_of(self.memo.labels[id(layer)])
        if block.open:
            inner[DRAW] = Draw(self.choices, path, f"{block.name}.")
        self._spend(block.cost, layer.at)
        for name, default in block.defaults.items():
            if name not in inner and default is not None:
                inner[name] = default(inner)
        name = self._claim(place, layer.base, layer)
        self.sites[name] = layer.at
        mirror = self._mirror(place, name, layer.share)
        inside = Place(block, f"{name}.", flow, mirror, path)
        if self.memo is None or mirror is not None or block.name not in self.memo.closed:
            return self._chain(block.layers, inside, inner, flow)
        return self._remembered(self.memo, inside, inner, flow)

    def _remembered(self, memo: Memo, place: Place, frame: Frame, flow: Flow) -> Flow:
        """Expand a block without holes, or take what it became in an earlier candidate."""
        block = place.block
        frame.pop(DRAW, None)
        common = tuple([self.choices.get(path) for path in memo.closed[block.name]])
        key = key_of(block, frame, common)
        try:
            known = memo.find(key)
        except TypeError:  # an argument is a list or a row
            return self._chain(block.layers, place, frame, flow)
        nodes, taken = self.builder.nodes, self.taken
        if known is not None:
            if self.ledger is not None:
                self.ledger.append(known.sums)
                more, flow = place_ends(known, place)
                nodes.update(more)
                return flow
            names = [place.prefix + name for name in known.names]
            self._spend(known.steps, block.at)
            if len(nodes) + len(known.nodes) <= self.limits.nodes and taken.keys().isdisjoint(
                names
            ):
                more, flow = place_instance(known, place)
                nodes.update(more)
                taken.update(dict.fromkeys(names))
                self.sites.update({place.prefix + name: at for name, at in memo.sites[key]})
                return flow
        before, built, asked, steps = len(taken), len(nodes), len(self.sites), self.steps
        ledger, self.ledger = self.ledger, None  # what is kept must be whole
        flow = self._chain(block.layers, place, frame, flow)
        self.ledger = ledger
        inside = islice(self.sites.items(), asked, None)
        memo.sites[key] = [(name.removeprefix(place.prefix), at) for name, at in inside]
        fresh = islice(nodes.values(), built, None)
        memo.keep(key, place, fresh, islice(taken, before, None), flow, self.steps - steps)
        return flow

    def _arguments(self, layer: Layer, block: Block, frame: Frame) -> Frame:
        given = {name: value(frame) for name, value in layer.args.items()}
        if layer.alone is not None:
            given[next(iter(block.defaults))] = layer.alone(frame)
        return Frame(self.lets, given)

    def _emit(self, name: str, flow: Flow, weight: float, train_only: bool, at: Any) -> None:
        if len(flow) != 1:
            raise SpecError(f"output '{name}' must be one value, got {len(flow)}", at)
        if any(output.name == name for output in self.outputs):
            raise SpecError(f"two outputs are named '{name}'", at)
        self.outputs.append(Output(name, flow[0], weight, train_only))
