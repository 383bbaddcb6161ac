"""Quantities as people write them: `300MFLOPs`, `5M`, `64MiB`; and as they like to read them."""

from __future__ import annotations

import re

from archscope.errors import OptionError

_COUNT = re.compile(
    r"([0-9]*\.?[0-9]+(?:e[0-9]+)?)\s*([kKMGT]?)\s*(?:MACs?|FLOPs?|macs?|flops?|params)?\Z"
)
_BYTES = re.compile(r"([0-9]*\.?[0-9]+)\s*([kKMGT]?i?)B\Z")
_PART = re.compile(r"([0-9]*\.?[0-9]+)\s*(us|ms|s|min|m|h|)\s*")
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}
_POWERS = {"": 0, "k": 1, "K": 1, "M": 2, "G": 3, "T": 4}


def parse_count(text: str) -> int:
    """Return a number of things: `5M`, `300MMACs`, `1.5G`, `2500000`.

    FLOPs are taken as mobile papers print them: one for each multiply-accumulate. Raises
    OptionError for anything else.
    """
    match = _COUNT.match(text.strip())
    if not match:
        raise OptionError(f"expected a count such as 5M, 300MFLOPs or 1.2GMACs, got '{text}'")
    return round(float(match[1]) * 10.0 ** (3 * _POWERS[match[2]]))


def parse_bytes(text: str) -> int:
    """Return a number of bytes: `64MiB` (of 1024), `8GB` (of 1000). Raises OptionError."""
    match = _BYTES.match(text.strip())
    if not match:
        raise OptionError(f"expected bytes such as 64MiB, 8GiB or 500MB, got '{text}'")
    prefix = match[2]
    base = 1024 if prefix.endswith("i") else 1000
    return round(float(match[1]) * float(base) ** _POWERS[prefix.rstrip("i")])


def parse_duration(text: str) -> float:
    """Return seconds: `500ms`, `90s`, `5m`, `1h 30m`, `45`. Raises OptionError."""
    parts = _PART.findall(text.strip())
    if not parts or _PART.sub("", text.strip()):
        raise OptionError(f"expected a time such as 500ms, 90s, 5m or 1h30m, got '{text}'")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def format_duration(seconds: float) -> str:
    """Return a time as people say it: `0.42 s`, `12.3 s`, `4 min 05 s`, `2 h 10 min`."""
    if seconds < 59.95:
        return f"{seconds:.1f} s" if seconds >= 9.95 else f"{seconds:.2f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def format_count(value: float) -> str:
    """Return a count in at most four digits: `15.47 G`, `300.8 M`, `1,792`."""
    if abs(value) < 10_000:
        return f"{value:,}"
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "K")):
        if abs(value) >= factor * 0.99995:
            return f"{_digits(value / factor)} {prefix}"
    return str(value)


def format_bytes(value: float) -> str:
    """Return bytes in at most four digits of binary units: `527.8 MiB`."""
    for power, prefix in ((4, "Ti"), (3, "Gi"), (2, "Mi"), (1, "Ki")):
        if abs(value) >= 1024**power * 0.99995:
            return f"{_digits(value / 1024**power)} {prefix}B"
    return f"{value} B"


def format_measure(value: float) -> str:
    """Return a measured number in four digits, small ones in more: `5.476`, `0.00123`."""
    if value == 0 or abs(value) >= 0.9995:
        return f"{value:,.{max(4 - len(str(int(abs(value)))), 0)}f}"
    return f"{value:.3g}"


def _digits(value: float) -> str:
    whole = len(str(int(abs(value))))
    return f"{value:.{max(4 - whole, 0)}f}"
