"""Parse and print quantities such as `300MFLOPs`, `64MiB`, `8ms` and `60%`.

This is the only number grammar of the package. A quantity is a number followed by letters; a
`Unit` defines which letters are accepted, and their factors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from math import inf

from msgspec import Struct

from archscope.errors import OptionError

_NUMBER = r"[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?"
_QUANTITY = re.compile(rf"({_NUMBER})\s*(.*)\Z", re.DOTALL)
_PART = re.compile(rf"({_NUMBER})\s*(us|ms|s|min|m|h|)\s*")
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}
_LARGE = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BINARY = {"ki": 2**10, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_SMALL = {"m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12}


class Unit(Struct, frozen=True):
    """The unit of a kind of values: how they are parsed and printed."""

    kind: str  # its name in columns of tables and pages
    format: Callable[[float], str]
    factors: dict[str, float] = {}  # factors of the letters after a number; empty: never parsed
    name: str = ""  # after a number in a sentence; counts use the name of what is counted
    examples: str = ""
    words: tuple[str, ...] = ()  # accepted after the letters without effect
    whole: bool = True  # whether values are integers
    symbol: str = ""  # ends the letters; optional where only this unit is expected

    def worth(self, letters: str) -> float | None:
        """Return the factor of the letters after a number, if this unit accepts them."""
        return self.factors.get(
            letters, self.factors.get(letters + self.symbol) if letters else None
        )

    def parse(self, text: str) -> float:
        """Return the value of a text. Raises OptionError."""
        quantity = split_quantity(text)
        letters = split_word(quantity[1], self.words)[0] if quantity else ""
        worth = self.worth(letters)
        if quantity is None or worth is None:
            noun = self.name or f"a {self.kind}"
            raise OptionError(
                f"expected {noun} such as {self.examples}, got '{text}'{unit_hint(letters)}"
            )
        value = quantity[0] * worth
        if value == inf:
            raise OptionError(f"'{text}' is too large")
        return value

    def exact(self, value: float) -> str:
        """Return a value with all its digits, without the name of the unit."""
        return f"{value:,.0f}" if self.whole else f"{value:g}"


def unit_hint(letters: str) -> str:
    """Return a hint for letters that are not a unit, or another unit: `; 'Mb' is bits`."""
    if re.fullmatch(r"[kKMGT]i?b", letters):
        return f"; '{letters}' is bits; bytes are {letters[:-1]}B"
    if letters == "m":
        return "; 'm' would be a thousandth, a million is 'M'"
    if letters in BYTES.factors:
        return f"; '{letters}' is bytes"
    known = {word.lower(): word for word in BYTES.factors}
    right = known.get(letters.lower())
    return f"; bytes are {right}" if right else ""


def split_quantity(text: str) -> tuple[float, str] | None:
    """Split a text into its leading number and the rest; None without a number."""
    match = _QUANTITY.match(text.strip())
    return (float(match[1]), match[2].strip()) if match else None


def split_word(text: str, words: Iterable[str]) -> tuple[str, str]:
    """Remove the longest of some words from the end of a text; return the rest and the word.

    Case is ignored: `MFLOPs` is `M` and `FLOPs`. The word is empty if the text ends with none.
    """
    ends = [word for word in words if text.lower().endswith(word)]
    place = len(text) - max(map(len, ends), default=0)
    return text[:place].strip(), text[place:]


def parse_bytes(text: str) -> int:
    """Parse bytes: `64MiB` (powers of 1024), `8GB` (powers of 1000). Raises OptionError."""
    return round(BYTES.parse(text))


def parse_shape(text: str) -> tuple[int, ...] | None:
    """Return a shape such as `3x224x224`, or None if a text is none."""
    sizes = text.lower().split("x")
    whole = all(size.isdecimal() and len(size) < 10 and int(size) for size in sizes)
    return tuple(map(int, sizes)) if len(sizes) <= 4 and whole else None


def parse_duration(text: str) -> float:
    """Parse a time into seconds: `500ms`, `90s`, `5m`, `1h 30m`, `45`. Raises OptionError."""
    parts = _PART.findall(text.strip())
    if not parts or _PART.sub("", text.strip()):
        raise OptionError(f"expected a time such as 500ms, 90s, 5m or 1h30m, got '{text}'")
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if seconds == inf:
        raise OptionError(f"'{text}' is too long a time")
    return seconds


def parse_share(text: str) -> float:
    """Parse a fraction such as `90%` or `0.9`. Raises OptionError."""
    quantity = split_quantity(text)
    if quantity is None or quantity[1] not in ("", "%"):
        raise OptionError(f"expected a share such as 90% or 0.9, got '{text}'")
    return quantity[0] / 100 if quantity[1] else quantity[0]


def format_duration(seconds: float) -> str:
    """Format a time for people: `0.42 s`, `12.3 s`, `4 min 05 s`, `2 h 10 min`."""
    if seconds < 59.95:
        return f"{seconds:.1f} s" if seconds >= 9.95 else f"{seconds:.2f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def format_count(value: float) -> str:
    """Format a count with at most four digits: `15.47 G`, `300.8 M`, `1,792`.

    Counts that were read from JSON are floats, and look like others.
    """
    if abs(value) < 10_000:
        return f"{int(value) if value == int(value) else value:,}"
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "K")):
        if abs(value) >= factor * 0.99995:
            return f"{_digits(value / factor)} {prefix}"
    return str(value)


def format_bytes(value: float) -> str:
    """Format bytes with at most four digits in binary units: `527.8 MiB`."""
    for power, prefix in ((4, "Ti"), (3, "Gi"), (2, "Mi"), (1, "Ki")):
        if abs(value) >= 1024**power * 0.99995:
            return f"{_digits(value / 1024**power)} {prefix}B"
    return f"{value:.4g} B"


def format_milliseconds(value: float) -> str:
    """Format milliseconds with at most four digits: `8 ms`, `12.35 ms`, `1,235 ms`."""
    return f"{value:.4g} ms" if abs(value) < 999.5 else f"{value:,.0f} ms"


LONGEST = 1e9
"""The value from which measured numbers have a power of ten."""


def format_measure(value: float) -> str:
    """Format a measured number with four digits, small ones with more: `5.476`, `0.00123`."""
    if abs(value) >= LONGEST:
        return f"{value:.4g}"
    if value == 0 or abs(value) >= 0.9995:
        return f"{value:,.{max(4 - len(str(int(abs(value)))), 0)}f}"
    return f"{value:.3g}"


def format_scaled(value: float, symbol: str) -> str:
    """Format a physical quantity with four digits and a prefix of its unit: `4.600 mJ`."""
    scales = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), *((_SMALL[p], p) for p in "munp"))
    for factor, prefix in scales:
        if abs(value) >= factor * 0.99995:
            return f"{_digits(value / factor)} {prefix}{symbol}"
    return f"{value:g} {symbol}"


MOST_PLACES = 6


def format_value(value: float, kind: str) -> str:
    """Format a value of a kind of column; an unknown kind is the symbol of a unit."""
    unit = _BY_KIND.get(kind)
    return unit.format(value) if unit is not None else format_scaled(value, kind)


def format_apart(value: float, limit: float, places: int) -> str:
    """Format a number with this many decimal places, and more if it would read like a limit."""
    while (
        value != limit and places < MOST_PLACES and f"{value:.{places}f}" == f"{limit:.{places}f}"
    ):
        places += 1
    return f"{value:.{places}f}"


def format_beside(value: float, limit: float, kind: str) -> str:
    """Format a value that is not its limit so that both read differently: 1.101 beside 1.10."""
    if kind == "share":
        return f"{format_apart(100 * value, 100 * limit, 1)} %"
    return format_apart(value, limit, 2) if kind == "ratio" else format_value(value, kind)


def physical(symbol: str) -> Unit:
    """Return a unit that accepts prefixes from p to T, such as J or W."""
    return Unit(
        kind=symbol,
        format=lambda value: format_scaled(value, symbol),
        factors={f"{prefix}{symbol}": worth for prefix, worth in {**_LARGE, **_SMALL}.items()},
        name=symbol,
        examples=f"5m{symbol}",
        whole=False,
    )


def _digits(value: float) -> str:
    whole = len(str(int(abs(value))))
    return f"{value:.{max(4 - whole, 0)}f}"


COUNT = Unit(
    kind="count",
    format=format_count,
    factors=dict(_LARGE),
    examples="5M, 300MFLOPs or 1.2GMACs",
    words=("macs", "mac", "flops", "flop", "params"),  # one FLOP for each multiply-accumulate
)
BYTES = Unit(
    kind="bytes",
    format=format_bytes,
    factors={f"{prefix}B": worth for prefix, worth in {**_LARGE, **_BINARY}.items()},
    name="bytes",
    examples="64MiB, 8GiB or 500MB",
    symbol="B",
)
MILLISECONDS = Unit(
    kind="milliseconds",
    format=format_milliseconds,
    factors={"us": 0.001, "ms": 1.0, "s": 1000.0},
    name="ms",
    examples="8ms",
    whole=False,
)
SECONDS = Unit(kind="seconds", format=lambda value: format_milliseconds(1000 * value), whole=False)
SHARE = Unit(kind="share", format=lambda value: f"{100 * value:.1f} %", whole=False)
RATIO = Unit(kind="ratio", format=lambda value: f"{value:.2f}", whole=False)
PLAIN = Unit(kind="number", format=lambda value: f"{value:,g}", whole=False)
MEASURED = Unit(kind="measure", format=format_measure, whole=False)

_BY_KIND = {
    unit.kind: unit for unit in (COUNT, BYTES, MILLISECONDS, SECONDS, SHARE, RATIO, PLAIN, MEASURED)
}
