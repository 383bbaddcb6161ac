from __future__ import annotations

import pytest

from archscope.errors import OptionError
from archscope.units import format_bytes, format_count, parse_bytes, parse_count


@pytest.mark.parametrize(
    "text, value",
    [
        ("300M", 300_000_000),
        ("300MFLOPs", 300_000_000),
        ("300MMACs", 300_000_000),
        ("300 MMACs", 300_000_000),
        ("1.5G", 1_500_000_000),
        ("2.5e6", 2_500_000),
        ("5k", 5_000),
        ("84", 84),
    ],
)
def test_counts(text: str, value: int) -> None:
    assert parse_count(text) == value


@pytest.mark.parametrize("text", ["", "M", "5 apples", "5MiB", "-3", "1e", "nan", "5MM"])
def test_no_counts(text: str) -> None:
    with pytest.raises(OptionError, match="expected a count such as"):
        parse_count(text)


@pytest.mark.parametrize(
    "text, value",
    [("64MiB", 64 << 20), ("8GiB", 8 << 30), ("500MB", 500_000_000), ("1.5KiB", 1536), ("7B", 7)],
)
def test_bytes(text: str, value: int) -> None:
    assert parse_bytes(text) == value


@pytest.mark.parametrize("text", ["", "8G", "64", "64Mib", "8 gigabytes", "-1MiB"])
def test_no_bytes(text: str) -> None:
    with pytest.raises(OptionError, match="expected bytes such as"):
        parse_bytes(text)


@pytest.mark.parametrize(
    "value, text",
    [
        (0, "0"),
        (9_999, "9,999"),
        (10_000, "10.00 K"),
        (999_949, "999.9 K"),
        (999_960, "1.000 M"),
        (15_470_264_320, "15.47 G"),
        (300_774_272, "300.8 M"),
    ],
)
def test_readable_counts(value: int, text: str) -> None:
    assert format_count(value) == text


@pytest.mark.parametrize(
    "value, text",
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.000 KiB"), (553430176, "527.8 MiB")],
)
def test_readable_bytes(value: int, text: str) -> None:
    assert format_bytes(value) == text
