"""A folded chain and its blocks -> text."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from archscope.folding.naming import RESERVED, distinct
from archscope.folding.pieces import Chain, Item, nodes_of
from archscope.folding.terms import MISSING, Block, Derived, Parameter, Path
from archscope.ir import Graph
from archscope.language.syntax import WORD
from archscope.language.write import flow_text, head_lines, output_text
from archscope.ops import OPS
from archscope.ops.attributes import attributes

WIDTH = 96


def folded_text(graph: Graph, chain: Chain, blocks: Mapping[str, Block]) -> str:
    """Return the spec of a folded graph."""
    text = head_lines(graph)
    if blocks:
        text += ["", "blocks:"]
        if any(item.grows for block in blocks.values() for item in block.example.body):
            text += ["  gather:                    # values that go on side by side"]
            text += ["    layers: []"]
        for block in blocks.values():
            text.append(f"  {block.name}:")
            if block.parameters:
                given = ", ".join(map(_parameter, block.parameters))
                text.append(f"    with: {{{given}}}")
            example = block.example
            names = _names(example.body, dict.fromkeys(example.inputs, "in"), blocks)
            text += _heading(_Writer(blocks, block.texts, names).chain(example.body, ()), 4)
    text.append("")
    names = _names(chain, {node.name: node.name for node in graph.inputs}, blocks)
    text += _heading(_Writer(blocks, None, names).chain(chain, ()), 0)
    return "\n".join(text) + "\n"


def _parameter(parameter: Parameter) -> str:
    if parameter.halved is not None:
        return f"{parameter.name}: ={parameter.halved.name}//2"
    default = "" if parameter.default is None else flow_text(parameter.default)
    return f"{parameter.name}: {default}"


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


def _heading(lines: list[str], indent: int) -> list[str]:
    short = f"layers: [{', '.join(line[2:] for line in lines)}]"
    space = " " * indent
    plain = all(line.startswith("- ") and ": " not in line for line in lines)
    if indent and plain and len(lines) < 4:
        return [space + short]
    return [f"{space}layers:", *(f"{space}  {line}" for line in lines)]


class _Writer:
    """Writes chains, of a block or of the network."""

    def __init__(
        self,
        blocks: Mapping[str, Block],
        texts: Mapping[Path, Any] | None,
        names: Mapping[str, str] = {},
    ) -> None:
        self.blocks, self.texts, self.names = blocks, texts, names
        self.shares: dict[str, str] = {}

    def chain(self, chain: Chain, path: Path) -> list[str]:
        """Return the lines of a chain."""
        lines: list[str] = []
        for place, item in enumerate(chain):
            made = self.layer(item, (*path, place))
            grows = place + 1 < len(chain) and chain[place + 1].grows
            lines += _beside(made, ["name: new"]) if grows else made
        return lines

    def layer(self, item: Item, path: Path) -> list[str]:
        """Return the lines of a layer with all that stands beside it."""
        if item.grows:
            return self._growing(item, path)
        if item.is_run:
            count = self.value((*path, "repeat"), len(item.copies))
            if item.lead:
                word = self._lead(item.copies, path)
                return _with(word, [f"repeat: {count}", *self._beside(item)])
            return self._row(item, item.copies[0], (*path, 0), [f"repeat: {count}"])
        if item.body and not item.is_block:
            return self._row(item, item.body, (*path, 0), [])
        beside = self._beside(item)
        if not item.branches:
            word = self._word(item, path)
            return _with(word, beside)
        lines = [f"- {item.word}:"]
        for number, branch in enumerate(item.branches):
            inner = self.chain(branch, (*path, number)) or ["- identity"]
            when = self.texts and self.texts.get((*path, number, "when"))
            if when:
                inner = self._optional(branch, (*path, number), when.text)
            # Alone, `identity` is the empty branch; in a list it is the operator.
            single = bool(when) or (len(branch) < 2 and not (branch and inner == ["- identity"]))
            lines += [f"    {inner[0] if single else '- ' + inner[0]}"]
            lines += [f"    {'' if single else '  '}{line}" for line in inner[1:]]
        if item.slices:
            beside.append(f"split: {len(item.slices)}")
        return [*lines, *(f"  {line}" for line in beside)]

    def _row(self, item: Item, chain: Chain, path: Path, beside: list[str]) -> list[str]:
        """Return a layer whose others follow in `then`."""
        lines = self.layer(chain[0], (*path, 0))
        rest = [self.layer(one, (*path, place)) for place, one in enumerate(chain) if place]
        then = [line[2:] for line in _then(rest)] if rest else []
        own = [] if item is chain[0] else self._beside(item)
        return _beside(lines, [*then, *beside, *own])

    def _growing(self, item: Item, path: Path) -> list[str]:
        """Return layers that carry all values along."""
        rows = [self.layer(one, (*path, 0, place)) for place, one in enumerate(item.copies[0])]
        rows[-1] = _beside(rows[-1], ["name: new"])
        gather = ["- gather: {}", "  name: features"]
        rest = [*rows[1:], [*gather, "  from: [features, new]"]]
        count = self.value((*path, "repeat"), len(item.copies))
        turns = _beside(rows[0], [*(line[2:] for line in _then(rest)), f"repeat: {count}"])
        return [*gather, "  from: [in, new]", *turns]

    def _optional(self, branch: Chain, path: Path, condition: str) -> list[str]:
        return self._row(branch[0], branch, path, [f"when: {condition}"])

    def _beside(self, item: Item) -> list[str]:
        beside = []
        if item.read:
            beside.append(f"name: {self.names[item.value]}")
        if item.sources is not None:
            names = [self.names[name] for name in item.sources]
            beside.append(f"from: {flow_text(names if len(names) > 1 else names[0])}")
        if item.share is not None:
            key = self.shares.setdefault(item.share, distinct("shared", self.shares.values()))
            beside.append(f"share: {key}")
        if item.output is not None:
            beside.append(f"output: {output_text(item.output)}")
        return beside

    def value(self, path: Path, plain: Any) -> Any:
        """Return what is said of a number."""
        if self.texts is None or path not in self.texts:
            return flow_text(plain)
        said = self.texts[path]
        if said is MISSING:
            return None
        return said.text if isinstance(said, Derived) else flow_text(said)

    def _word(self, item: Item, path: Path) -> str:
        if item.is_block:
            return self._instance(item, path)
        assert item.node is not None
        op = item.node.op
        given = {}
        for name, attribute in attributes(type(op)).items():
            value = getattr(op, name)
            said = self.value((*path, name), value)
            derived = said.startswith("=")
            if attribute.required or derived or value != attribute.default:
                given[name] = said
        return _worded(item.word, given, op.principal)

    def _instance(self, item: Item, path: Path) -> str:
        return self._called(item, self._given(item, path, ()))

    def _lead(self, copies: list[Chain], path: Path) -> str:
        """Return a block whose first turn is given other values than the rest."""
        (first,), (other,) = copies[:2]
        starts = self._given(first, (*path, 0, 0), ())
        given = self._given(other, (*path, 1, 0), starts)
        starts = self._given(first, (*path, 0, 0), given)
        both = {}
        for name, start in starts.items():
            rest = given.get(name, start)  # what only a shortcut needs, the rest do not have
            one, two = start.removeprefix("="), rest.removeprefix("=")
            both[name] = start if one == two else f"={one} if first else {two}"
        return self._called(first, both)

    def _called(self, item: Item, given: Mapping[str, str]) -> str:
        parameters = self.blocks[item.word].parameters
        return _worded(item.word, given, parameters[0].name if len(parameters) == 1 else None)

    def _given(self, item: Item, path: Path, wanted: Collection[str]) -> dict[str, str]:
        """Return what an instance gives; what goes without saying only if it is wanted."""
        given = {}
        for parameter in self.blocks[item.word].parameters:
            name = parameter.name
            plain = item.args.get(name, MISSING)
            if plain is MISSING:
                continue
            said = self.value((*path, name), plain)
            if self.texts is None and plain == parameter.usual(item.args):
                said = None
            if said is not None:
                given[name] = said
            elif name in wanted:
                given[name] = flow_text(plain)
        return given


def _worded(word: str, given: Mapping[str, str], alone: str | None) -> str:
    if not given:
        return word
    if alone is not None and list(given) == [alone]:
        return f"{word}: {given[alone]}"
    return f"{word}: {{{', '.join(f'{name}: {value}' for name, value in given.items())}}}"


def _beside(lines: list[str], more: list[str]) -> list[str]:
    """Return the lines of a layer with more beside it."""
    if len(lines) == 1:
        return _with(lines[0][2:], more)
    return [*lines, *(f"  {line}" for line in more)]


def _with(word: str, beside: list[str]) -> list[str]:
    if beside and ":" not in word:
        word += ": {}"
    return [f"- {word}", *(f"  {line}" for line in beside)]


def _then(rest: list[list[str]]) -> list[str]:
    """Return the lines of `then`, on one line where the layers are short."""
    if all(len(lines) == 1 for lines in rest):
        words = [lines[0][2:] for lines in rest]
        short = ", ".join(f"{{{word}}}" if ": " in word else word for word in words)
        if len(words) == 1:
            return [f"  then: {short}"]
        if len(short) < WIDTH - 20:
            return [f"  then: [{short}]"]
    return ["  then:", *(f"    {line}" for lines in rest for line in lines)]
