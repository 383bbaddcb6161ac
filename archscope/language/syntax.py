"""The words of the language, and the records that a spec is read into."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from keyword import iskeyword
from typing import Any

from msgspec import Struct

from archscope.errors import LimitError, SpecError
from archscope.ir import Source
from archscope.language.expression import UNQUOTED, Expression
from archscope.language.holes import Hole, read_hole
from archscope.language.limits import LIMITS
from archscope.language.yaml_items import Item

MODIFIERS = (
    "then", "repeat", "each", "when", "else", "name", "from", "share", "output", "split",
)  # fmt: skip
FILE_KEYS = (
    "name", "about", "paper", "reference", "input", "inputs", "use", "extends", "let", "blocks",
    "layers",
)  # fmt: skip
BLOCK_KEYS = ("with", "layers", "about")
HEAD_KEYS = ("name", "weight", "train_only")
SYNONYMS = {
    "dense": "linear", "fc": "linear", "fully_connected": "linear", "bn": "batchnorm",
    "gap": "global_avgpool", "swish": "silu", "deconv": "conv_transpose",
    "skip": "identity", "shortcut": "identity", "cat": "concat", "sum": "add",
}  # fmt: skip
"""What others call our operators, where the spelling is too far off for a guess."""
PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*\Z")
WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
LOOP_NAMES = ("i", "first", "last")
VALUES_IN_STEP = 8  # constants or small operations that take about as long as a visit

Chain = tuple["Layer", ...]
GROUP = ""
"""The word of a layer that only holds others, in `then`; patterns make them."""


class Value(Struct, frozen=True):
    """A value of the spec: a constant, or something with expressions in it."""

    content: Any  # a constant, an Expression, a Hole, or a list or dict of Values
    at: Source
    constant: bool
    cost: int = 1  # a measure of the work that it takes to compute it

    def __call__(self, scope: Any) -> Any:
        """Return the plain value in a scope. Raises SpecError."""
        content = self.content
        if self.constant:
            return content
        if isinstance(content, Expression):
            return content(scope)
        if isinstance(content, list):
            return [value(scope) for value in content]
        if isinstance(content, Hole):
            return content(scope)
        return {key: value(scope) for key, value in content.items()}

    def holes(self) -> Iterator[Hole]:
        """Yield the holes in it, and those in their alternatives."""
        for value in self.parts():
            if isinstance(value.content, Hole):
                yield value.content
                for choice in value.content.alternatives:
                    yield from choice.holes()

    def parts(self) -> Iterator[Value]:
        """Yield it, or the values in its list or mapping, that are not constant."""
        content = self.content
        if self.constant:
            return
        if isinstance(content, list | dict):
            for part in content.values() if isinstance(content, dict) else content:
                yield from part.parts()
        else:
            yield self


class Head(Struct, frozen=True):
    """The `output:` of a layer."""

    name: str
    weight: Value
    train_only: Value


class Layer(Struct, frozen=True):
    """One entry of a chain."""

    word: str  # the operator or block
    at: Source
    path: str  # where in the file: `layers[2]`
    args: dict[str, Value]
    alone: Value | None = None  # the argument that stands without its name
    branches: tuple[Chain, ...] | None = None
    then: Chain = ()
    repeat: Value | None = None
    each: dict[str, Value] | None = None
    when: Value | None = None
    otherwise: Chain = ()
    name: str | None = None
    sources: tuple[str, ...] | None = None
    share: str | None = None
    output: Head | None = None
    split: Value | None = None
    cost: int = 1  # steps that a visit counts for
    open: bool = False  # whether it, or a layer in it, has a hole

    @property
    def base(self) -> str:
        """The name that nodes of this layer get, before any index."""
        return self.name or self.word


class Block(Struct, frozen=True):
    """A chain with parameters."""

    name: str
    at: Source
    defaults: dict[str, Value | None]  # None: must be given
    layers: Chain
    numbered: frozenset[str]  # names that occur more than once and so get an index
    names: frozenset[str]  # names given by `name:`
    cost: int = 0  # steps that its defaults count for
    open: bool = False  # whether its defaults have a hole


def value_of(item: Item, label: str = "", found: list[Hole] | None = None) -> Value:
    """Return the value that an item stands for. Raises SpecError.

    Where holes may stand, `label` names the value inside what holds it, and `found` collects
    them.
    """
    if item.tag is not None and found is not None:
        hole = read_hole(item, label, lambda part, name: value_of(part, name, found))
        found.append(hole)
        return Value(hole, item.at, False)
    item.close()
    content = item.value
    if isinstance(content, str):
        if content.startswith("="):
            expression = Expression(content, item.at)
            return Value(expression, item.at, False, expression.cost)
        if len(content) > LIMITS.text:
            raise LimitError(f"text longer than the limit of {LIMITS.text} characters", item.at)
    if isinstance(content, list):
        values = [value_of(part, f"{label}.{i}", found) for i, part in enumerate(content)]
        if all(value.constant for value in values):
            return Value([value.content for value in values], item.at, True)
        return Value(values, item.at, False, sum(value.cost for value in values))
    if isinstance(content, dict):
        rows = {key: value_of(part, f"{label}.{key}", found) for key, part in content.items()}
        if all(value.constant for value in rows.values()):
            return Value({key: value.content for key, value in rows.items()}, item.at, True)
        return Value(rows, item.at, False, sum(value.cost for value in rows.values()))
    return Value(content, item.at, True)


def mapping(item: Item, what: str, path: str) -> dict[str, Item]:
    """Return the items of a mapping. Raises SpecError for anything else."""
    item.close()
    if not isinstance(item.value, dict):
        raise SpecError(f"{what} must be a mapping, got {item.kind}", item.at, path)
    return item.value


def listing(item: Item, what: str, path: str) -> list[Item]:
    """Return the items of a list. Raises SpecError for anything else."""
    item.close()
    if not isinstance(item.value, list):
        raise SpecError(f"{what} must be a list, got {item.kind}", item.at, path)
    return item.value


def name_of(item: Item, what: str, path: str, pattern: re.Pattern[str] = WORD) -> str:
    """Return a name. Raises SpecError for anything that cannot be one."""
    item.close()
    name = item.value
    if not isinstance(name, str) or not pattern.match(name) or len(name) > LIMITS.text:
        raise SpecError(
            f"{what} must be a word of letters, digits and '_', got {item.kind}", item.at, path
        )
    return name


def values_of(item: Item, what: str, path: str, reserved: Iterable[str] = ()) -> dict[str, Item]:
    """Return the items of a mapping whose keys expressions can use. Raises SpecError."""
    rows = mapping(item, what, path)
    for key in rows:
        if not WORD.match(key) or iskeyword(key) or key in ("x", *reserved):
            raise SpecError(
                f"'{key}' cannot name a value, expected a word that expressions do not know"
                f" yet{unquoted(key)}",
                key_at(item, key),
                path,
            )
    return rows


def unquoted(key: str) -> str:
    """Return the hint for a key that is the end of an expression that YAML has cut."""
    return UNQUOTED if {*key} & {*")]}"} else ""


def block_of(
    name: str, at: Source, defaults: dict[str, Value | None], layers: Chain, open: bool = False
) -> Block:
    """Return a block, with the names in its body that need an index to be told apart."""
    seen: set[str] = set()
    twice: set[str] = set()
    given: set[str] = set()

    def visit(chain: Chain, looped: bool) -> None:
        for layer in chain:
            inside = looped or layer.repeat is not None or layer.each is not None
            if layer.word != GROUP:
                if inside or (layer.base in seen and not layer.name):
                    twice.add(layer.base)
                seen.add(layer.base)
            if layer.name:
                given.add(layer.name)
            if layer.split is not None:
                twice.add("slice")
            for branch in layer.branches or ():
                visit(branch, inside)
            visit(layer.then, inside)
            visit(layer.otherwise, inside)

    visit(layers, False)
    cost = sum(value.cost for value in defaults.values() if value) // VALUES_IN_STEP
    return Block(name, at, defaults, layers, frozenset(twice), frozenset(given), cost, open)


def layers_in(chain: Chain) -> Iterator[Layer]:
    """Yield all layers of a chain, branches and what follows them, in the order of the file."""
    for layer in chain:
        yield layer
        for branch in layer.branches or ():
            yield from layers_in(branch)
        yield from layers_in(layer.then)
        yield from layers_in(layer.otherwise)


def key_at(item: Item, key: str) -> Source:
    """Return where a key of a mapping stands."""
    return (item.keys or {}).get(key, item.at)
