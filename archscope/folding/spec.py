"""A folded chain and its blocks -> the document of a spec."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from msgspec import structs

from archscope.errors import SpecError
from archscope.folding.expressions import MISSING, Derived, FoldedBlock, Parameter, Path
from archscope.folding.naming import RESERVED, distinct
from archscope.folding.pieces import Chain, Item, nodes_of
from archscope.ir import Graph, Source
from archscope.language.document import Block, Document, Layer, block_of
from archscope.language.expression import Expression
from archscope.language.flatten import document_of, head_of, plain
from archscope.language.syntax import WORD
from archscope.language.value import Value
from archscope.language.write import inline
from archscope.ops import OPS
from archscope.ops.attributes import attributes

NOWHERE = Source("", 1, 1)
GATHER = "gather"
"""The block without layers, which lets several values go on side by side."""


def folded_document(graph: Graph, chain: Chain, blocks: Mapping[str, FoldedBlock]) -> Document:
    """Return the document of a folded graph. Raises SpecError for what no layer can say."""
    made: dict[str, Block] = {}
    if any(item.grows for block in blocks.values() for item in block.example.body):
        about = "values that go on side by side"
        made[GATHER] = block_of(GATHER, NOWHERE, {}, (), about=about)
    for block in blocks.values():
        example = block.example
        names = _names(example.body, dict.fromkeys(example.inputs, "in"), blocks)
        layers = _LayerMaker(blocks, block.texts, names).chain(example.body, ())
        defaults = {parameter.name: _default(parameter) for parameter in block.parameters}
        made[block.name] = block_of(block.name, NOWHERE, defaults, layers)
    names = _names(chain, {node.name: node.name for node in graph.inputs}, blocks)
    return document_of(graph, _LayerMaker(blocks, None, names).chain(chain, ()), made)


def _default(parameter: Parameter) -> Value | None:
    if parameter.halved is not None:
        return _value(f"={parameter.halved.name}//2")
    return None if parameter.default is None else _value(parameter.default)


def _value(content: Any) -> Value:
    """Return what is said of a number, an expression if it is text that begins with `=`."""
    if isinstance(content, str) and content.startswith("="):
        return Value(Expression(content, NOWHERE), NOWHERE, False)
    return Value(plain(content), NOWHERE, True)


def _names(chain: Chain, known: Mapping[str, str], blocks: Collection[str]) -> dict[str, str]:
    """Return how layers are called that others read by name, beside names that are known."""
    words = {*OPS, *blocks}  # with numbers, these are names that layers get by themselves
    taken = {*words, *known.values()}
    names = {**known}
    for item in chain:
        if item.read:
            names[item.value] = distinct(_scope(item, words), taken)
            taken.add(names[item.value])
    return names


def _scope(item: Item, words: set[str]) -> str:
    """Return how the model calls an item, where that is no name that layers get by themselves."""
    names = [name.split(".") for name in nodes_of([item])]
    scope = names[0] if len(names) == 1 else names[0][:-1]
    while any(name[: len(scope)] != scope for name in names):
        scope = scope[:-1]
    name = scope[-1] if scope else ""
    # A number at its end is of a count, or one that layers get by themselves.
    fits = WORD.match(name) and not name[-1].isdigit() and name not in {*words, *RESERVED}
    return name if fits else item.word or "run"


class _LayerMaker:
    """Makes the layers of chains, of a block or of the network."""

    def __init__(
        self,
        blocks: Mapping[str, FoldedBlock],
        texts: Mapping[Path, Any] | None,
        names: Mapping[str, str],
    ) -> None:
        self.blocks, self.texts, self.names = blocks, texts, names
        self.shares: dict[str, str] = {}

    def chain(self, chain: Chain, path: Path) -> tuple[Layer, ...]:
        """Return the layers of a chain."""
        layers: list[Layer] = []
        for place, item in enumerate(chain):
            if item.grows:
                layers[-1] = _with(layers[-1], name="new")
                layers += self._growing(item, (*path, place))
            else:
                layers.append(self.layer(item, (*path, place)))
        return tuple(layers)

    def layer(self, item: Item, path: Path) -> Layer:
        """Return a layer with all that stands beside it."""
        if item.is_run:
            count = _value(self._said((*path, "repeat"), len(item.copies)))
            if item.lead:
                first = self._lead(item.copies, path)
            else:
                first = self._with_then(item.copies[0], (*path, 0))
            return _with(first, repeat=count, **self._beside(item))
        if item.body and not item.is_block:
            return _with(self._with_then(item.body, (*path, 0)), **self._beside(item))
        if not item.branches:
            return _with(self._alone(item, path), **self._beside(item))
        branches: list[tuple[Layer, ...]] = []
        for number, branch in enumerate(item.branches):
            inside = (*path, number)
            when = self.texts and self.texts.get((*inside, "when"))
            if when:
                optional = _with(self._with_then(branch, inside), when=_value(when.text))
                branches.append((optional,))
            else:
                branches.append(self.chain(branch, inside))
        made = Layer(item.word, NOWHERE, "", {}, branches=tuple(branches))
        split = _value(len(item.slices)) if item.slices else None
        return _with(made, split=split, **self._beside(item))

    def _with_then(self, chain: Chain, path: Path) -> Layer:
        """Return a chain as one layer, whose others follow in `then`."""
        first, *rest = self.chain(chain, path)
        return _with(first, then=tuple(rest))

    def _growing(self, item: Item, path: Path) -> list[Layer]:
        """Return layers that carry all values along."""
        gather = Layer(GATHER, NOWHERE, "", {}, name="features", sources=("in", "new"))
        first, *rest = self.chain(item.copies[0], (*path, 0))
        if rest:
            rest[-1] = _with(rest[-1], name="new")
        else:
            first = _with(first, name="new")
        again = structs.replace(gather, sources=("features", "new"))
        count = _value(self._said((*path, "repeat"), len(item.copies)))
        return [gather, _with(first, then=(*rest, again), repeat=count)]

    def _beside(self, item: Item) -> dict[str, Any]:
        """Return the name of an item, what it reads, whose weights it has and what it gives."""
        share = None
        if item.share is not None:
            share = self.shares.setdefault(item.share, distinct("shared", self.shares.values()))
        return {
            "name": self.names[item.value] if item.read else None,
            "sources": item.sources and tuple(self.names[name] for name in item.sources),
            "share": share,
            "output": item.output and head_of(item.output, NOWHERE),
        }

    def _said(self, path: Path, number: Any) -> Any:
        """Return what is said of a number: itself, an expression, or MISSING for nothing."""
        said = number if self.texts is None else self.texts.get(path, number)
        return said.text if isinstance(said, Derived) else said

    def _alone(self, item: Item, path: Path) -> Layer:
        """Return a layer without branches and without what stands beside it."""
        if item.is_block:
            return self._instance(item, self._given(item, path, ()))
        assert item.node is not None
        op = item.node.op
        given = {}
        for name, attribute in attributes(type(op)).items():
            value = getattr(op, name)
            said = self._said((*path, name), value)
            derived = isinstance(said, str) and said.startswith("=")
            if attribute.required or derived or value != attribute.default:
                given[name] = said
        return _layer(item.word, given, op.principal)

    def _lead(self, copies: list[Chain], path: Path) -> Layer:
        """Return a block whose first turn is given other values than the rest."""
        (first,), (other,) = copies[:2]
        starts = self._given(first, (*path, 0, 0), ())
        given = self._given(other, (*path, 1, 0), starts)
        starts = self._given(first, (*path, 0, 0), given)
        both = {}
        for name, start in starts.items():
            rest = given.get(name, start)  # what only a shortcut needs, the rest do not have
            one, two = _term(start), _term(rest)
            both[name] = start if one == two else f"={one} if first else {two}"
        return self._instance(first, both)

    def _instance(self, item: Item, given: Mapping[str, Any]) -> Layer:
        parameters = self.blocks[item.word].parameters
        return _layer(item.word, given, parameters[0].name if len(parameters) == 1 else None)

    def _given(self, item: Item, path: Path, wanted: Collection[str]) -> dict[str, Any]:
        """Return what an instance gives; what goes without saying only if it is wanted."""
        given = {}
        for parameter in self.blocks[item.word].parameters:
            name = parameter.name
            number = item.args.get(name, MISSING)
            if number is MISSING:
                continue
            said = self._said((*path, name), number)
            if self.texts is None and number == parameter.usual(item.args):
                said = MISSING
            if said is not MISSING:
                given[name] = said
            elif name in wanted:
                given[name] = number
        return given


def _term(said: Any) -> str:
    """Return what is said of a number as a part of an expression."""
    return said.removeprefix("=") if isinstance(said, str) else inline(said)


def _layer(word: str, given: Mapping[str, Any], alone: str | None) -> Layer:
    values = {name: _value(said) for name, said in given.items()}
    return Layer(word, NOWHERE, "", values, list(values) == [alone])


def _with(layer: Layer, **more: Any) -> Layer:
    """Return a layer with more beside it. Raises SpecError if that stands there already."""
    more = {key: value for key, value in more.items() if value is not None and value != ()}
    if any(getattr(layer, key) for key in more):
        raise SpecError("a layer cannot say this twice", NOWHERE)
    return structs.replace(layer, **more)
