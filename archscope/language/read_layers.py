"""Read items to layers.

Names of operators, attributes, blocks and parameters are checked here, so that a typo is found
even in an unused block. Shapes and values are checked in `expand`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from archscope.errors import SpecError, did_you_mean, quoted
from archscope.ir import Source
from archscope.language.document import COUNTED, VALUES, Block, Chain, Head, Layer
from archscope.language.read_values import value_of
from archscope.language.syntax import (
    BLOCK_KEYS,
    FORMER_NAMES,
    HEAD_KEYS,
    LOOP_NAMES,
    MODIFIERS,
    PATH,
    SYNONYMS,
    WORD,
    check_keys,
    key_at,
    listing,
    mapping,
    name_of,
    unquoted,
    values_of,
)
from archscope.language.value import Value
from archscope.language.yaml_items import Item
from archscope.ops import OPS


class Reader:
    """Reads chains; it knows all blocks and their parameters."""

    def __init__(self, blocks: Mapping[str, tuple[Item, Source]]) -> None:
        """Read the heads of all blocks. Raises SpecError."""
        self.parameters = {name: self._parameters(name, *block) for name, block in blocks.items()}

    def _parameters(self, name: str, item: Item, at: Source) -> dict[str, Value | None]:
        path = f"blocks.{name}"
        if not WORD.match(name):
            expected = "expected letters, digits and '_'"
            raise SpecError(f"'{name}' cannot name a block, {expected}", at, path)
        if name in OPS or name in MODIFIERS:
            taken = "an operator" if name in OPS else "a word of the language"
            raise SpecError(f"'{name}' is {taken} and cannot name a block", at, path)
        body = mapping(item, "a block", path)
        check_keys(item, BLOCK_KEYS, " in a block", path)
        if "layers" not in body:
            raise SpecError("a block needs 'layers'", at, path)
        if "with" not in body or body["with"].empty:
            return {}
        rows = values_of(body["with"], "'with'", f"{path}.with")
        return {key: None if row.empty else value_of(row, key) for key, row in rows.items()}

    def block(self, name: str, item: Item, at: Source) -> Block:
        """Read a block. Raises SpecError."""
        layers = self.chain(item.value["layers"], f"blocks.{name}.layers")
        about = item.value["about"].value if "about" in item.value else ""
        about = about if isinstance(about, str) else ""
        entries = self._entries(item.value["inputs"], name) if "inputs" in item.value else ()
        block = Block(name, at, self.parameters[name], layers, about, entries)
        for entry in entries:
            if entry in block.names:
                raise SpecError(
                    f"a layer has the name of the input '{entry}'", at, f"blocks.{name}"
                )
        return block

    @staticmethod
    def _entries(item: Item, name: str) -> tuple[str, ...]:
        """Read the names of a block's inputs."""
        path = f"blocks.{name}.inputs"
        names = [name_of(row, "an input", path) for row in listing(item, "'inputs'", path)]
        if not names or len({*names, "in"}) <= len(names):
            raise SpecError(
                "'inputs' of a block are different names, none of them 'in'", item.at, path
            )
        return tuple(names)

    def chain(self, item: Item, path: str) -> Chain:
        """Read a chain: a list of layers, or a single layer. Raises SpecError."""
        item.refuse_hole()
        if isinstance(item.value, list):
            return tuple(self.layer(part, f"{path}[{i}]") for i, part in enumerate(item.value))
        if item.value is None:
            raise SpecError("expected a layer or a list of layers, got nothing", item.at, path)
        return (self.layer(item, path),)

    def layer(self, item: Item, path: str) -> Layer:
        """Read one layer. Raises SpecError."""
        try:
            item.refuse_hole()
            if isinstance(item.value, str):
                return self._word_alone(item, path)
            if isinstance(item.value, dict):
                return self._layer(item, path)
            raise SpecError(f"expected a layer, got {item.kind}", item.at)
        except SpecError as error:
            if error.path:
                raise
            raise type(error)(error.message, error.at, path) from None

    def _word_alone(self, item: Item, path: str) -> Layer:
        if item.value.startswith("="):
            raise SpecError(f"expected a layer, got the expression {item.kind}", item.at)
        word = self._operator_or_block(item.value, item.at)
        self._check_given(word, set(), item.at)
        return Layer(word, item.at, path, {})

    def _layer(self, item: Item, path: str) -> Layer:
        words = [key for key in item.value if key not in MODIFIERS]
        if len(words) != 1:
            self._explain_words(words, item)
        (written,) = words
        at = key_at(item, written)
        word = self._operator_or_block(written, at)
        fields: dict[str, Any] = self._arguments(word, item.value[written], at, path)
        for key, modifier in item.value.items():
            if key != written:
                fields.update(self._modifier(key, modifier, f"{path}.{key}"))
        layer = Layer(word, at, path, **fields)
        self._check_modifiers(layer, item)
        return layer

    def _operator_or_block(self, word: str, at: Source) -> str:
        """Return the operator or block that a word is the name of. Raises SpecError for another."""
        if word == "input":
            raise SpecError("'input' is no layer; write 'input: [3, 224, 224]' at the top", at)
        if word not in OPS and word not in self.parameters:
            if word in FORMER_NAMES:
                return FORMER_NAMES[word]
            known = [*OPS, *self.parameters, *MODIFIERS]
            same = SYNONYMS.get(word.lower())
            hint = f", did you mean '{same}'?" if same else did_you_mean(word, known)
            raise SpecError(f"unknown operator or block {quoted(word)}{hint}", at)
        return word

    def _explain_words(self, words: list[str], item: Item) -> None:
        if not words:
            raise SpecError("this layer names no operator or block", item.at)
        # The known word is the layer; the other key is the mistake.
        known = [word for word in words if word in OPS or word in self.parameters]
        if len(known) == 1:
            wrong = next(word for word in words if word not in known)
            hint = did_you_mean(wrong, MODIFIERS)
            if wrong in self._taken_by(known[0]):
                hint = f"; write '{known[0]}: {{{wrong}: ...}}'"
            raise SpecError(f"unknown key '{wrong}' beside '{known[0]}'{hint}", key_at(item, wrong))
        got = f"got '{words[0]}' and '{words[1]}'; begin each with its own '-'"
        raise SpecError(f"a layer names one operator or block, {got}", key_at(item, words[1]))

    def _taken_by(self, word: str) -> Collection[str]:
        return OPS[word].__struct_fields__ if word in OPS else self.parameters[word]

    def _arguments(self, word: str, item: Item, at: Source, path: str) -> dict[str, Any]:
        op = OPS.get(word)
        if op is not None and op.branching and isinstance(item.value, list):
            item.refuse_hole()
            parts = enumerate(item.value)
            branches = tuple(self._branch(part, f"{path}.{word}[{i}]") for i, part in parts)
            return {"args": {}, "branches": branches}
        taken = self._taken_by(word)
        if item.empty:
            self._check_given(word, set(), at)
            return {"args": {}}
        if isinstance(item.value, dict) and item.tag is None:
            self._check_names(word, item, taken)
            self._check_given(word, set(item.value), at)
            return {"args": {key: value_of(value, key) for key, value in item.value.items()}}
        if op is not None and op.principal is None:
            raise SpecError(f"'{word}' takes no value of its own, got {item.kind}", item.at)
        if not taken:
            raise SpecError(f"'{word}' has no parameters, got {item.kind}", item.at)
        first = next(iter(taken))
        self._check_given(word, {first}, at)
        name = first if op is None or op.principal is None else op.principal
        return {"args": {name: value_of(item, name)}, "alone": True}

    def _check_names(self, word: str, item: Item, taken: Collection[str]) -> None:
        what = "attribute" if word in OPS else "parameter"
        for key, value in item.value.items():
            if key not in taken:
                hint = unquoted(key) or did_you_mean(key, taken)
                if key in MODIFIERS:
                    hint = f"; '{key}' stands beside '{word}', not under it"
                hint = hint or f"; it takes {', '.join(taken) or 'none'}"
                raise SpecError(f"'{word}' has no {what} '{key}'{hint}", key_at(item, key))
            if what == "parameter" and value.empty:
                raise SpecError(f"'{key}' has no value", key_at(item, key))

    def _check_given(self, word: str, given: Collection[str], at: Source) -> None:
        """Raise SpecError if a required parameter of a block is missing."""
        for name, default in self.parameters.get(word, {}).items():
            if default is None and name not in given:
                raise SpecError(f"'{word}' needs '{name}'", at)

    def _branch(self, item: Item, path: str) -> Chain:
        if item.value == "identity":
            return ()
        if item.value == [] or item.empty:
            raise SpecError("an empty branch; write 'identity'", item.at, path)
        return self.chain(item, path)

    def _modifier(self, key: str, item: Item, path: str) -> dict[str, Any]:
        if key in ("then", "else"):
            return {"otherwise" if key == "else" else key: self.chain(item, path)}
        if key in VALUES:
            if item.empty:
                raise SpecError(f"'{key}' has no value", item.at, path)
            if key in COUNTED:
                item.refuse_hole()
            return {key: value_of(item, key)}
        if key == "each":
            if isinstance(item.value, str) and item.value.startswith("="):
                got = f"got {item.kind}; write {{row: {item.value}}}"
                raise SpecError(f"'each' must name its loop variables, {got}", item.at, path)
            rows = values_of(item, "'each'", path, LOOP_NAMES)
            if not rows:
                raise SpecError("'each' names no list", item.at, path)
            return {key: {name: value_of(values, f"each.{name}") for name, values in rows.items()}}
        if key == "from":
            parts = item.value if isinstance(item.value, list) else [item]
            if not parts:
                raise SpecError("'from' names no layer", item.at, path)
            return {"sources": tuple(name_of(part, "'from'", path, PATH) for part in parts)}
        if key == "output":
            return {key: self._head(item, path)}
        name = name_of(item, f"'{key}'", path, PATH)
        if name == "in":
            raise SpecError(f"'{key}' cannot be 'in', which is what enters a block", item.at, path)
        return {key: name}

    def _head(self, item: Item, path: str) -> Head:
        weight, train_only = Value(1.0, item.at, True), Value(False, item.at, True)
        if not isinstance(item.value, dict):
            return Head(name_of(item, "'output'", path, PATH), weight, train_only)
        rows = mapping(item, "'output'", path)
        check_keys(item, HEAD_KEYS, " in an output", path)
        if "name" not in rows:
            raise SpecError("'output' needs a name", item.at, path)
        return Head(
            name_of(rows["name"], "the name of an output", path, PATH),
            value_of(rows["weight"]) if "weight" in rows else weight,
            value_of(rows["train_only"]) if "train_only" in rows else train_only,
        )

    def _check_modifiers(self, layer: Layer, item: Item) -> None:
        def refuse(key: str, message: str) -> None:
            raise SpecError(message, key_at(item, key))

        if layer.repeat and layer.each:
            refuse("each", "a layer has 'repeat' or 'each', not both")
        if "else" in item.value and not layer.when:
            refuse("else", "'else' needs a 'when' beside it")
        if layer.split and layer.branches is None:
            refuse("split", "'split' needs branches: a list under 'add', 'concat' or 'mul'")
        for key in COUNTED:
            if getattr(layer, key) is not None and layer.word not in OPS:
                refuse(key, f"'{key}' stands beside operators, '{layer.word}' is a block")
        if layer.branches is not None and len(layer.branches) < 2:
            refuse(layer.word, f"'{layer.word}' needs at least two branches")
        if layer.output and (layer.repeat or layer.each):
            refuse("output", "an output cannot be repeated")
