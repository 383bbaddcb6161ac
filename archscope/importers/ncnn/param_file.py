"""Parse the lines of an ncnn `.param` file: a layer each, with parameters by number."""

from __future__ import annotations

import re
from math import isfinite
from pathlib import Path

from msgspec import Struct

from archscope.errors import SpecError, did_you_mean, quoted
from archscope.ir import Shape, Source

MAGIC = "7767517"
ARRAY = -23300  # the key of an array is this minus its number
SHAPES = 30  # the number of the array that states the shape of each top
WHOLE = re.compile(r"[-+]?\d{1,18}")
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
WORD = re.compile(r'[-+]?\d+="[^"]*"|\S+')

Number = int | float


class ParamLayer(Struct):
    """A layer: its type, its input and output blobs, and its parameters.

    `texts` are the parameters that are expressions, in quotes in the file.
    """

    kind: str
    name: str
    bottoms: list[str]
    tops: list[str]
    params: dict[int, list[Number]]
    texts: dict[int, str]
    at: Source

    @property
    def line(self) -> int:
        """Its line in the file."""
        return self.at.line

    def __contains__(self, number: int) -> bool:
        return number in self.params or number in self.texts

    def integers(self, number: int) -> list[int]:
        """Return a parameter that is an array of whole numbers. Raises SpecError."""
        found = self.params.get(number, [])
        if not all(isinstance(value, int) for value in found):
            raise SpecError(
                f"parameter {number} of '{self.name}' must be an integer, got {found[0]}", self.at
            )
        return [int(value) for value in found]

    def integer(self, number: int, default: int) -> int:
        """Return a parameter that is a whole number. Raises SpecError."""
        return (self.integers(number) or [default])[0]

    def number(self, number: int, default: float) -> float:
        """Return a parameter that is a number."""
        return float((self.params.get(number) or [default])[0])

    def shapes(self) -> list[Shape]:
        """Return the shapes of its tops as the file states them, none if it does not."""
        flat = self.integers(SHAPES)
        found = []
        for start in range(0, len(flat) - 3, 4):
            rank, *sizes = flat[start : start + 4]
            shape = tuple(reversed(sizes[: max(rank, 0)]))
            if rank not in (1, 2, 3) or min(shape) < 1:
                return []
            found.append(shape)
        return found if len(found) == len(self.tops) else []


def layers_of(text: str, path: Path) -> list[ParamLayer]:
    """Return the layers of a file. Raises SpecError."""
    file = path.as_posix()
    rows = [(at, WORD.findall(line)) for at, line in enumerate(text.splitlines(), start=1)]
    rows = [(at, words) for at, words in rows if words and not words[0].startswith("#")]
    if rows and rows[0][1] == [MAGIC]:
        rows = rows[1:]
    head = rows[0][1] if rows else []
    if len(head) != 2 or not all(word.isdigit() for word in head):
        raise SpecError(
            "is not an ncnn parameter file: expected the numbers of layers and blobs", file
        )
    layers = [_layer(words, Source(file, at, 1)) for at, words in rows[1:]]
    number = int(head[0][:18])
    if len(layers) < number:
        raise SpecError(f"is truncated: it states {number} layers but has {len(layers)}", file)
    _check_order(layers)
    return layers


def _layer(words: list[str], at: Source) -> ParamLayer:
    if len(words) < 4 or not (words[2].isdigit() and words[3].isdigit()):
        raise SpecError(
            f"expected a type, a name and two counts of blobs, got {quoted(' '.join(words))}", at
        )
    reads, gives = int(words[2][:9]), int(words[3][:9])
    blobs = words[4 : 4 + reads + gives]
    rest = words[4 + reads + gives :]
    if len(blobs) < reads + gives or any("=" in blob for blob in blobs):
        raise SpecError(f"'{words[1][:60]}' names fewer than {reads} + {gives} blobs", at)
    params: dict[int, list[Number]] = {}
    texts: dict[int, str] = {}
    for word in rest:
        key, equals, value = word.partition("=")
        if not equals or not WHOLE.fullmatch(key):
            raise SpecError(f"expected number=value, got {quoted(word)}", at)
        number = int(key)
        if len(value) > 1 and value[0] == value[-1] == '"':
            texts[number] = value[1:-1]
            continue
        values = [_number(part, at) for part in value.split(",") if part]
        if number <= ARRAY:
            number = ARRAY - number
            if not values or values[0] != len(values) - 1:
                raise SpecError(
                    f"the array {quoted(word)} does not have the length that it states", at
                )
            values = values[1:]
        elif not values:
            raise SpecError(f"expected a number, got {quoted(word)}", at)
        params[number] = values
    kind, name = words[0][:60], words[1][:100]
    return ParamLayer(kind, name, blobs[:reads], blobs[reads:], params, texts, at)


def _number(word: str, at: Source) -> Number:
    if WHOLE.fullmatch(word):
        return int(word)
    if not NUMBER.fullmatch(word) or not isfinite(float(word)):
        raise SpecError(f"expected a number, got {quoted(word)}", at)
    return float(word)


def _check_order(layers: list[ParamLayer]) -> None:
    """Check that each blob is produced once, and before it is read."""
    given: dict[str, ParamLayer] = {}
    for layer in layers:
        for blob in layer.bottoms:
            if blob not in given:
                later = any(blob in other.tops for other in layers)
                why = (
                    "only a later layer produces"
                    if later
                    else f"no layer produces{did_you_mean(blob, [*given][-1000:])}"
                )
                raise SpecError(f"'{layer.name[:60]}' reads {quoted(blob)}, which {why}", layer.at)
        for blob in layer.tops:
            if blob in given:
                raise SpecError(
                    f"{quoted(blob)} is already produced by '{given[blob].name[:60]}'", layer.at
                )
            given[blob] = layer
