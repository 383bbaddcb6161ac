"""One-line patterns, the notation for networks in many courses.

    INPUT 3x32x32 -> [[CONV 12 -> RELU]*2 -> POOL]*3 -> FC 10

`CONV 64` is a 3x3 convolution with padding 1, `CONV 64 5x5 /2` sets window and stride, `POOL` is
2x2 max pooling, `FC` flattens its input if need be, and any other word is an operator, alone or
with its principal attribute. `[...]*3` repeats, `*N` takes N from `--set N=3`, and `POOL?` can be
removed by `--set pool=false`.
"""

from __future__ import annotations

import re
from keyword import iskeyword
from typing import Any

from archscope.errors import LimitError, SpecError, did_you_mean, quoted
from archscope.ir import Source
from archscope.language.document import GROUP, Block, Chain, Document, Layer
from archscope.language.expression import Expression
from archscope.language.limits import Limits, check_limit
from archscope.language.syntax import LOOP_NAMES, WORD
from archscope.language.value import Value
from archscope.ops import OPS
from archscope.ops.attributes import attributes

FILE = "<pattern>"
LARGEST_LENGTH = 20  # characters of a number
ALIASES = {
    "conv": "conv", "pool": "maxpool", "fc": "linear", "bn": "batchnorm", "gap": "global_avgpool",
}  # fmt: skip
_TOKEN = re.compile(r"\s*(->|[\[\]*?]|[A-Za-z_]\w*|/?[0-9][0-9.x]*|.)")
_SHAPE = re.compile(r"[0-9]+(?:x[0-9]+){0,3}\Z")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?\Z")


def document_of_pattern(text: str, limits: Limits) -> Document:
    """Parse a pattern to a document. Raises SpecError."""
    return _Parser(text, limits).document()


class _Parser:
    def __init__(self, text: str, limits: Limits) -> None:
        self.limits = limits
        if len(text) > limits.pattern:
            raise LimitError(f"longer than the limit of {limits.pattern} characters", FILE)
        self.tokens = [
            (match.group(1), Source(FILE, 1, match.start(1) + 1))
            for match in _TOKEN.finditer(text.rstrip())
        ]
        self.end = Source(FILE, 1, len(text.rstrip()) + 1)
        self.position = 0
        self.depth = 0
        self.let: dict[str, Value] = {}

    def document(self) -> Document:
        word, at = self.next("INPUT")
        if word.lower() != "input":
            raise SpecError(f"a pattern begins with 'INPUT 3x32x32', got {quoted(word)}", at)
        size, at = self.next("the shape of the input")
        if not _SHAPE.match(size):
            raise SpecError(f"expected a shape such as 3x32x32, got {quoted(size)}", at)
        shape = [_number(part, at) for part in size.split("x")]
        self.expect("->")
        layers = self.chain()
        if self.position < len(self.tokens):
            word, at = self.tokens[self.position]
            raise SpecError(f"expected '->' or the end, got {quoted(word)}", at)
        body = Block("", Source(FILE, 1, 1), {}, layers)
        return Document("pattern", {"input": Value(shape, at, True)}, self.let, {}, body)

    def peek(self) -> str:
        return self.tokens[self.position][0] if self.position < len(self.tokens) else ""

    def accept(self, token: str) -> bool:
        """Consume the next token if it is `token`, and return whether it was."""
        found = self.peek() == token
        self.position += found
        return found

    def next(self, wanted: str) -> tuple[str, Source]:
        if self.position == len(self.tokens):
            raise SpecError(f"the pattern ends where {wanted} should be", self.end)
        self.position += 1
        return self.tokens[self.position - 1]

    def expect(self, token: str) -> None:
        word, at = self.next(f"'{token}'")
        if word != token:
            raise SpecError(f"expected '{token}', got {quoted(word)}", at)

    def chain(self) -> Chain:
        layers = [*self.element()]
        while self.accept("->"):
            layers += self.element()
        return tuple(layers)

    def element(self) -> Chain:
        """Read a word or a bracket, with `?` and `*n` after it."""
        word, at = self.next("a layer")
        if word == "[":
            self.depth += 1
            check_limit(self.depth, self.limits.depth, "nested deeper than", at)
            layers = self.chain()
            self.expect("]")
            self.depth -= 1
        elif word[0].isalpha() or word[0] == "_":
            layers = self.word(word, at)
        else:
            raise SpecError(f"expected a layer or '[', got {quoted(word)}", at)
        if self.accept("?"):
            self.let["pool"] = Value(True, at, True)
            layers = (self.group(layers, at, when=Value(Expression("=pool", at), at, False)),)
        if self.accept("*"):
            layers = (self.group(layers, at, repeat=self.count()),)
        return layers

    def group(self, layers: Chain, at: Source, **modifiers: Any) -> Layer:
        """Return a layer that groups several, with a condition or a number of repeats."""
        return Layer(GROUP, at, "pattern", {}, then=layers, **modifiers)

    def count(self) -> Value:
        word, at = self.next("a number of turns")
        if _NUMBER.match(word):
            return Value(_number(word, at), at, True)
        if not WORD.match(word) or iskeyword(word) or word in ("x", *LOOP_NAMES):
            raise SpecError(f"expected a number of turns or a name for it, got {quoted(word)}", at)
        self.let.setdefault(word, Value(None, at, True))
        return Value(Expression(f"={word}", at), at, False)

    def word(self, word: str, at: Source) -> Chain:
        name = ALIASES.get(word.lower(), word.lower())
        if name not in OPS or name == "input":
            known = {*OPS, *ALIASES} - {"input"}
            raise SpecError(f"unknown layer {quoted(word)}{did_you_mean(word, known)}", at)
        if OPS[name].arity != (1, 1):
            raise SpecError(f"a pattern is one chain, which leaves no place for '{name}'", at)
        fields: dict[str, Any] = {}
        while re.match(r"/?[0-9]", self.peek()):
            text, place = self.next("a number")
            self.argument(name, fields, text, place)
        if name == "conv":
            fields.setdefault("kernel", 3)
            kernel = fields["kernel"]
            sizes = kernel if isinstance(kernel, list) else [kernel]
            fields["padding"] = [size // 2 for size in sizes] if len(sizes) > 1 else sizes[0] // 2
        if name == "maxpool":
            fields.setdefault("kernel", 2)
        args = {key: Value(value, at, True) for key, value in fields.items()}
        layer = Layer(name, at, "pattern", args)
        if name != "linear":
            return (layer,)
        spatial = Value(Expression("=x.rank > 0", at), at, False)
        return Layer("flatten", at, "pattern", {}, when=spatial), layer

    def argument(self, name: str, fields: dict[str, Any], text: str, at: Source) -> None:
        """Read `64` as the principal attribute, `5x5` as the window, `/2` as the stride."""
        table = attributes(OPS[name])
        key = OPS[name].principal
        if text.startswith("/"):
            key, text = "stride", text[1:]
        elif "x" in text:
            key = "kernel"
        if key is None or key not in table or key in fields:
            raise SpecError(f"'{name}' cannot take {quoted(text)} here", at)
        sizes = [_number(part, at) for part in text.split("x")]
        fields[key] = sizes if len(sizes) > 1 else sizes[0]


def _number(text: str, at: Source) -> int | float:
    if not _NUMBER.match(text) or len(text) > LARGEST_LENGTH:
        raise SpecError(f"expected a number, got {quoted(text)}", at)
    return float(text) if "." in text else int(text)
