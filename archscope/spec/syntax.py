"""Items -> layers: what each line of a spec says, checked, its expressions compiled.

Names of operators and attributes are checked here, so that a typo is found even in a block
that nothing uses. Shapes and values are the matter of `expand`.
"""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct

from archscope.errors import SpecError, did_you_mean
from archscope.ir import Source
from archscope.ops import OPS
from archscope.ops.attributes import attribute_names
from archscope.spec.expression import Expression
from archscope.spec.read import Item

MODIFIERS = (
    "then", "repeat", "each", "when", "else", "name", "from", "share", "output", "split",
)  # fmt: skip
FILE_KEYS = (
    "name", "about", "paper", "reference", "input", "inputs", "use", "extends", "let", "blocks",
    "layers",
)  # fmt: skip
PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*\Z")
WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
LOOP_NAMES = ("i", "first", "last")

Chain = tuple["Layer", ...]
GROUP = ""
"""The word of a layer that only holds others, in `then`; patterns make them."""


class Value(Struct, frozen=True):
    """A value of the spec: a constant, or something with expressions in it."""

    content: Any  # a constant, an Expression, or a list or dict of Values
    at: Source
    constant: bool

    def __call__(self, scope: Any) -> Any:
        """Return the plain value in a scope. Raises SpecError."""
        content = self.content
        if self.constant:
            return content
        if isinstance(content, Expression):
            return content(scope)
        if isinstance(content, list):
            return [value(scope) for value in content]
        return {key: value(scope) for key, value in content.items()}


class Head(Struct, frozen=True):
    """The `output:` of a layer."""

    name: str
    weight: Value | None
    train_only: Value | None


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


def value_of(item: Item) -> Value:
    """Return the value that an item stands for. Raises SpecError."""
    if item.tag and not item.tag.startswith("tag:yaml.org"):
        raise SpecError(
            f"'{item.tag}' leaves the value open: this is a search space, expected a plain spec",
            item.at,
        )
    content = item.value
    if isinstance(content, str) and content.startswith("="):
        return Value(Expression(content, item.at), item.at, False)
    if isinstance(content, list):
        values = [value_of(part) for part in content]
        if all(value.constant for value in values):
            return Value([value.content for value in values], item.at, True)
        return Value(values, item.at, False)
    if isinstance(content, dict):
        rows = {key: value_of(part) for key, part in content.items()}
        if all(value.constant for value in rows.values()):
            return Value({key: value.content for key, value in rows.items()}, item.at, True)
        return Value(rows, item.at, False)
    return Value(content, item.at, True)


def mapping(item: Item, what: str, path: str) -> dict[str, Item]:
    """Return the items of a mapping. Raises SpecError for anything else."""
    if not isinstance(item.value, dict):
        raise SpecError(f"{what} must be a mapping, got {item.kind}", item.at, path)
    return item.value


def listing(item: Item, what: str, path: str) -> list[Item]:
    """Return the items of a list. Raises SpecError for anything else."""
    if not isinstance(item.value, list):
        raise SpecError(f"{what} must be a list, got {item.kind}", item.at, path)
    return item.value


def name_of(item: Item, what: str, path: str, pattern: re.Pattern[str] = WORD) -> str:
    """Return a name. Raises SpecError for anything that cannot be one."""
    if not isinstance(item.value, str) or not pattern.match(item.value):
        raise SpecError(
            f"{what} must be a word of letters, digits and '_', got {item.kind}", item.at, path
        )
    return item.value


class Reader:
    """Reads chains, knowing which blocks exist."""

    def __init__(self, blocks: set[str]) -> None:
        self.blocks = blocks

    def block(self, name: str, item: Item, at: Source) -> Block:
        """Read a block. Raises SpecError."""
        path = f"blocks.{name}"
        if not WORD.match(name):
            raise SpecError(f"'{name}' cannot name a block: letters, digits and '_'", at, path)
        if name in OPS or name in MODIFIERS:
            taken = "an operator" if name in OPS else "a word of the language"
            raise SpecError(f"'{name}' is {taken} and cannot name a block", at, path)
        body = mapping(item, "a block", path)
        for key in body:
            if key not in ("with", "layers", "about"):
                known = ("with", "layers", "about")
                raise SpecError(
                    f"unknown key '{key}' in a block{did_you_mean(key, known)}",
                    _key_at(item, key),
                    path,
                )
        if "layers" not in body:
            raise SpecError("a block needs 'layers'", item.at, path)
        defaults: dict[str, Value | None] = {}
        parameters = body.get("with")
        if parameters is not None:
            for key, value in mapping(parameters, "'with'", f"{path}.with").items():
                if not WORD.match(key) or key in ("x", "in"):
                    raise SpecError(
                        f"'{key}' cannot name a parameter", _key_at(parameters, key), f"{path}.with"
                    )
                empty = value.value is None and value.tag is None
                defaults[key] = None if empty else value_of(value)
        layers = self.chain(body["layers"], f"{path}.layers")
        return block_of(name, at, defaults, layers)

    def chain(self, item: Item, path: str) -> Chain:
        """Read a chain: a list of layers, or one layer alone. Raises SpecError."""
        if isinstance(item.value, list):
            return tuple(self.layer(one, f"{path}[{i}]") for i, one in enumerate(item.value))
        if item.value is None:
            raise SpecError("expected a layer or a list of layers, got nothing", item.at, path)
        return (self.layer(item, path),)

    def layer(self, item: Item, path: str) -> Layer:
        """Read one layer. Raises SpecError."""
        if isinstance(item.value, str):
            word = item.value
            if word.startswith("="):
                raise SpecError(f"expected a layer, got the expression '{word}'", item.at, path)
            self._check_word(word, item.at, path)
            return Layer(word, item.at, path, {})
        if not isinstance(item.value, dict):
            raise SpecError(f"expected a layer, got {item.kind}", item.at, path)
        words = [key for key in item.value if key not in MODIFIERS]
        if len(words) != 1:
            self._explain_words(words, item, path)
        word = words[0]
        at = _key_at(item, word)
        self._check_word(word, at, path)
        fields: dict[str, Any] = self._arguments(word, item.value[word], path)
        for key, modifier in item.value.items():
            if key != word:
                fields.update(self._modifier(key, modifier, f"{path}.{key}"))
        layer = Layer(word, at, path, **fields)
        self._check_modifiers(layer, item)
        return layer

    def _check_word(self, word: str, at: Source, path: str) -> None:
        if word == "input":
            raise SpecError(
                "'input' is no layer; write 'input: [3, 224, 224]' at the top", at, path
            )
        if word not in OPS and word not in self.blocks:
            known = [*OPS, *self.blocks, *MODIFIERS]
            raise SpecError(
                f"unknown operator or block '{word}'{did_you_mean(word, known)}", at, path
            )

    def _explain_words(self, words: list[str], item: Item, path: str) -> None:
        if not words:
            raise SpecError("this layer names no operator or block", item.at, path)
        # The word that is known is the layer; what stands beside it is the mistake.
        known = [word for word in words if word in OPS or word in self.blocks]
        if len(known) == 1:
            wrong = next(word for word in words if word not in known)
            taken = attribute_names(OPS[known[0]]) if known[0] in OPS else ()
            hint = (
                f"; write '{known[0]}: {{{wrong}: ...}}'"
                if wrong in taken
                else did_you_mean(wrong, MODIFIERS)
            )
            raise SpecError(
                f"unknown key '{wrong}' beside '{known[0]}'{hint}", _key_at(item, wrong), path
            )
        names = " and ".join(f"'{word}'" for word in words[:2])
        raise SpecError(
            f"a layer names one operator or block, got {names}; begin each with its own '-'",
            _key_at(item, words[1]),
            path,
        )

    def _arguments(self, word: str, item: Item, path: str) -> dict[str, Any]:
        op = OPS.get(word)
        if op is not None and op.branching and isinstance(item.value, list):
            branches = tuple(
                self._branch(one, f"{path}.{word}[{i}]") for i, one in enumerate(item.value)
            )
            return {"args": {}, "branches": branches}
        if isinstance(item.value, dict):
            for key, value in item.value.items():
                if op is not None and key not in attribute_names(op):
                    names = attribute_names(op)
                    hint = did_you_mean(key, names) or (
                        f"; it takes {', '.join(names)}" if names else "; it takes none"
                    )
                    if ")" in key or "]" in key:
                        hint = "; inside {...} an expression that holds , [ ] { } must be quoted"
                    raise SpecError(
                        f"'{word}' has no attribute '{key}'{hint}", _key_at(item, key), path
                    )
                if op is None and value.value is None and value.tag is None:
                    raise SpecError(f"'{key}' has no value", _key_at(item, key), path)
            return {"args": {key: value_of(value) for key, value in item.value.items()}}
        if item.value is None:
            return {"args": {}}
        return {"args": {}, "alone": value_of(item)}

    def _branch(self, item: Item, path: str) -> Chain:
        if item.value == "identity":
            return ()
        if item.value == [] or item.value is None:
            raise SpecError("an empty branch; write 'identity'", item.at, path)
        return self.chain(item, path)

    def _modifier(self, key: str, item: Item, path: str) -> dict[str, Any]:
        if key in ("then", "else"):
            return {"otherwise" if key == "else" else key: self.chain(item, path)}
        if key in ("repeat", "when", "split"):
            if item.value is None and item.tag is None:
                raise SpecError(f"'{key}' has no value", item.at, path)
            return {key: value_of(item)}
        if key == "each":
            rows = mapping(item, "'each'", path)
            for name in rows:
                if not WORD.match(name) or name in LOOP_NAMES or name in ("x", "in"):
                    raise SpecError(f"'{name}' cannot name a value", _key_at(item, name), path)
            return {"each": {name: value_of(values) for name, values in rows.items()}}
        if key == "from":
            parts = item.value if isinstance(item.value, list) else [item]
            if not parts:
                raise SpecError("'from' names no layer", item.at, path)
            return {"sources": tuple(name_of(one, "'from'", path, PATH) for one in parts)}
        if key == "output":
            return {"output": self._head(item, path)}
        return {key: name_of(item, f"'{key}'", path, PATH)}

    def _head(self, item: Item, path: str) -> Head:
        if not isinstance(item.value, dict):
            return Head(name_of(item, "'output'", path), None, None)
        known = ("name", "weight", "train_only")
        for key in item.value:
            if key not in known:
                raise SpecError(
                    f"'output' has no '{key}'{did_you_mean(key, known)}", _key_at(item, key), path
                )
        if "name" not in item.value:
            raise SpecError("'output' needs a name", item.at, path)
        weight, train_only = item.value.get("weight"), item.value.get("train_only")
        return Head(
            name_of(item.value["name"], "the name of an output", path),
            value_of(weight) if weight else None,
            value_of(train_only) if train_only else None,
        )

    def _check_modifiers(self, layer: Layer, item: Item) -> None:
        def refuse(key: str, message: str) -> None:
            raise SpecError(message, _key_at(item, key), layer.path)

        if layer.repeat and layer.each:
            refuse("each", "a layer has 'repeat' or 'each', not both")
        if layer.otherwise and not layer.when:
            refuse("else", "'else' needs a 'when' beside it")
        if layer.split and layer.branches is None:
            refuse("split", "'split' needs branches: a list under 'add', 'concat' or 'mul'")
        if layer.branches is not None and len(layer.branches) < 2:
            refuse(layer.word, f"'{layer.word}' needs at least two branches")
        if layer.output and (layer.repeat or layer.each):
            refuse("output", "an output cannot be repeated")


def block_of(name: str, at: Source, defaults: dict[str, Value | None], layers: Chain) -> Block:
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
    return Block(name, at, defaults, layers, frozenset(twice), frozenset(given))


def _key_at(item: Item, key: str) -> Source:
    return (item.keys or {}).get(key, item.at)
