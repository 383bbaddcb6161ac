"""Create the document of a spec from a folded chain and its blocks."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from msgspec import Struct, structs

from archscope.errors import SpecError
from archscope.folding.expressions import MISSING, Derived, FoldedBlock, Parameter, Path
from archscope.folding.naming import RESERVED, distinct, lettered
from archscope.folding.pieces import COUNTS, Chain, Piece, counts_of, nodes_of
from archscope.ir import Graph, Source
from archscope.language.document import Block, Document, Layer
from archscope.language.expression import Expression
from archscope.language.flatten import document_of, head_of, plain
from archscope.language.syntax import WORD
from archscope.language.value import Value
from archscope.language.write import inline
from archscope.ops import OPS
from archscope.ops.attributes import attributes

NOWHERE = Source("", 1, 1)
GATHER = "gather"
"""The block without layers that passes on several values."""


def folded_document(graph: Graph, chain: Chain, blocks: Mapping[str, FoldedBlock]) -> Document:
    """Return the document of a folded graph. Raises SpecError for what a layer cannot express."""
    made: dict[str, Block] = {}
    if any(piece.grows for block in blocks.values() for piece in block.example.body):
        about = "values that go on side by side"
        made[GATHER] = Block(GATHER, NOWHERE, {}, (), about=about)
    for block in blocks.values():
        example = block.example
        names = _names(example.body, dict.fromkeys(example.inputs, "in"), blocks)
        layers = _LayerMaker(blocks, block.texts, names).chain(example.body, ())
        defaults = {parameter.name: _default(parameter) for parameter in block.parameters}
        made[block.name] = Block(block.name, NOWHERE, defaults, layers)
    names = _names(chain, {node.name: node.name for node in graph.inputs}, blocks)
    return document_of(graph, _LayerMaker(blocks, None, names).chain(chain, ()), made)


def _default(parameter: Parameter) -> Value | None:
    if parameter.halved is not None:
        return _value(f"={parameter.halved.name}//2")
    return None if parameter.default is None else _value(parameter.default)


def _value(content: Any) -> Value:
    """Return a number, or an expression if it is text that begins with `=`, as a value."""
    if isinstance(content, str) and content.startswith("="):
        return Value(Expression(content, NOWHERE), NOWHERE, False)
    return Value(plain(content), NOWHERE, True)


def _names(chain: Chain, known: Mapping[str, str], blocks: Collection[str]) -> dict[str, str]:
    """Return names for the layers that others read, in addition to known names."""
    words = {*OPS, *blocks}  # with numbers, these are default names of layers
    taken = {*words, *known.values()}
    names = {**known}
    candidates: dict[str, Iterator[str]] = {}
    for piece in chain:
        if piece.read:
            scope = _scope(piece, words)
            more = candidates.setdefault(scope, lettered(scope))
            names[piece.value] = next(name for name in more if name not in taken)
            taken.add(names[piece.value])
    return names


def _scope(piece: Piece, words: set[str]) -> str:
    """Return the name of a piece in the original network, unless it looks like a default name."""
    names = [name.split(".") for name in nodes_of([piece])]
    scope = names[0] if len(names) == 1 else names[0][:-1]
    while any(name[: len(scope)] != scope for name in names):
        scope = scope[:-1]
    name = scope[-1] if scope else ""
    # A trailing number is a count, or that of a default name.
    fits = WORD.match(name) and not name[-1].isdigit() and name not in {*words, *RESERVED}
    return name if fits else piece.word or "run"


class _LayerMaker(Struct):
    """Creates the layers of chains, of a block or of the network."""

    blocks: Mapping[str, FoldedBlock]
    texts: Mapping[Path, Any] | None  # those of a block; None for the network
    names: Mapping[str, str]
    shares: dict[str, str] = {}

    def chain(self, chain: Chain, path: Path) -> tuple[Layer, ...]:
        """Return the layers of a chain."""
        layers: list[Layer] = []
        for place, piece in enumerate(chain):
            if piece.grows:
                layers[-1] = _with(layers[-1], name="new")
                layers += self._growing(piece, (*path, place))
            else:
                layers.append(self.layer(piece, (*path, place)))
        return tuple(layers)

    def layer(self, piece: Piece, path: Path) -> Layer:
        """Return the layer of a piece with its modifiers."""
        if piece.is_run:
            count = _value(self._said((*path, "repeat"), len(piece.copies)))
            if piece.first_differs:
                first = self._uneven_run(piece.copies, path)
            else:
                first = self._with_then(piece.copies[0], (*path, 0))
            return _with(first, repeat=count, **self._beside(piece, path))
        if piece.body and not piece.is_block:
            return _with(self._with_then(piece.body, (*path, 0)), **self._beside(piece, path))
        if not piece.branches:
            return _with(self._alone(piece, path), **self._beside(piece, path))
        branches: list[tuple[Layer, ...]] = []
        for number, branch in enumerate(piece.branches):
            inside = (*path, number)
            when = self.texts and self.texts.get((*inside, "when"))
            if when:
                optional = _with(self._with_then(branch, inside), when=_value(when.text))
                branches.append((optional,))
            else:
                branches.append(self.chain(branch, inside))
        made = Layer(piece.word, NOWHERE, "", {}, branches=tuple(branches))
        split = _value(len(piece.slices)) if piece.slices else None
        return _with(made, split=split, **self._beside(piece, path))

    def _with_then(self, chain: Chain, path: Path) -> Layer:
        """Return a chain as its first layer, with the others in `then`."""
        first, *rest = self.chain(chain, path)
        return _with(first, then=tuple(rest))

    def _growing(self, piece: Piece, path: Path) -> list[Layer]:
        """Return the layers of a dense run, which carry all earlier values along."""
        gather = Layer(GATHER, NOWHERE, "", {}, name="features", sources=("in", "new"))
        layers = [*self.chain(piece.copies[0], (*path, 0))]
        layers[-1] = _with(layers[-1], name="new")
        again = structs.replace(gather, sources=("features", "new"))
        count = _value(self._said((*path, "repeat"), len(piece.copies)))
        return [gather, _with(layers[0], then=(*layers[1:], again), repeat=count)]

    def _beside(self, piece: Piece, path: Path) -> dict[str, Any]:
        """Return the name, inputs, shared weights, counts and output of a layer."""
        share = None
        if piece.share is not None:
            share = self.shares.setdefault(piece.share, distinct("shared", {*self.shares.values()}))
        return {
            "name": self.names[piece.value] if piece.read else None,
            "sources": piece.sources and tuple(self.names[name] for name in piece.sources),
            "share": share,
            **{
                word: _value(self._said((*path, COUNTS[word]), number))
                for word, number in counts_of(piece).items()
            },
            "output": piece.output and head_of(piece.output, NOWHERE),
        }

    def _said(self, path: Path, number: Any) -> Any:
        """Return the argument for a number of a layer: itself, an expression, or MISSING."""
        said = number if self.texts is None else self.texts.get(path, number)
        return said.text if isinstance(said, Derived) else said

    def _alone(self, piece: Piece, path: Path) -> Layer:
        """Return the layer of an operator or instance without its modifiers."""
        if piece.is_block:
            return self._instance(piece, self._given(piece, path, ()))
        assert piece.node is not None
        op = piece.node.op
        given = {}
        for name, attribute in attributes(type(op)).items():
            value = getattr(op, name)
            said = self._said((*path, name), value)
            derived = isinstance(said, str) and said.startswith("=")
            if attribute.required or derived or value != attribute.default:
                given[name] = said
        return _layer(piece.word, given, op.principal)

    def _uneven_run(self, copies: list[Chain], path: Path) -> Layer:
        """Return the layer of a run whose first iteration gets other values than the rest."""
        (first,), (other,) = copies[:2]
        starts = self._given(first, (*path, 0, 0), ())
        given = self._given(other, (*path, 1, 0), starts)
        starts = self._given(first, (*path, 0, 0), given)
        both = {}
        for name, start in starts.items():
            rest = given.get(
                name, start
            )  # arguments needed only for a shortcut, which the rest lack
            in_first, in_others = _term(start), _term(rest)
            uneven = f"={in_first} if first else {in_others}"
            both[name] = start if in_first == in_others else uneven
        return self._instance(first, both)

    def _instance(self, piece: Piece, given: Mapping[str, Any]) -> Layer:
        parameters = self.blocks[piece.word].parameters
        return _layer(piece.word, given, parameters[0].name if len(parameters) == 1 else None)

    def _given(self, piece: Piece, path: Path, wanted: Collection[str]) -> dict[str, Any]:
        """Return the arguments of an instance; those equal to defaults only if wanted."""
        given = {}
        for parameter in self.blocks[piece.word].parameters:
            name = parameter.name
            number = piece.args.get(name, MISSING)
            if number is MISSING:
                continue
            said = self._said((*path, name), number)
            if self.texts is None and number == parameter.usual(piece.args):
                said = MISSING
            if said is not MISSING:
                given[name] = said
            elif name in wanted:
                given[name] = number
        return given


def _term(said: Any) -> str:
    """Return an argument as a term of an expression."""
    return said.removeprefix("=") if isinstance(said, str) else inline(said)


def _layer(word: str, given: Mapping[str, Any], alone: str | None) -> Layer:
    values = {name: _value(said) for name, said in given.items()}
    return Layer(word, NOWHERE, "", values, list(values) == [alone])


def _with(layer: Layer, **more: Any) -> Layer:
    """Return a layer with more modifiers. Raises SpecError if it has one of them already."""
    more = {key: value for key, value in more.items() if value is not None and value != ()}
    if any(getattr(layer, key) for key in more):
        raise SpecError("a layer cannot have a modifier twice", NOWHERE)
    return structs.replace(layer, **more)
