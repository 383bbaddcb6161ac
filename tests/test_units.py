from __future__ import annotations

from collections.abc import Callable

import pytest

from archscope.errors import OptionError
from archscope.units import (
    BYTES,
    COUNT,
    MILLISECONDS,
    format_beside,
    format_bytes,
    format_count,
    format_value,
    parse_bytes,
    parse_duration,
    physical,
    split_quantity,
    split_word,
)


@pytest.mark.parametrize(
    "value, limit, kind, text",
    [
        (1.1006, 1.1, "ratio", "1.101"),
        (1.0996, 1.1, "ratio", "1.0996"),
        (1.1, 1.1, "ratio", "1.10"),
        (1.5, 1.1, "ratio", "1.50"),
        (0.50004, 0.5, "share", "50.004 %"),
        (6, 5, "number", "6"),
    ],
)
def test_a_value_beside_its_limit(value: float, limit: float, kind: str, text: str) -> None:
    assert format_beside(value, limit, kind) == text


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
    assert COUNT.parse(text) == value


@pytest.mark.parametrize("text", ["", "M", "5 apples", "5MiB", "-3", "1e", "nan", "5MM"])
def test_no_counts(text: str) -> None:
    with pytest.raises(OptionError, match="expected a count such as"):
        COUNT.parse(text)


@pytest.mark.parametrize(
    "text, value",
    [("64MiB", 64 << 20), ("8GiB", 8 << 30), ("500MB", 500_000_000), ("1.5KiB", 1536), ("7B", 7)],
)
def test_bytes(text: str, value: int) -> None:
    assert parse_bytes(text) == value


@pytest.mark.parametrize(
    "text, value", [("8G", 8e9), ("0.3G", 3e8), ("4Mi", 4 << 20), ("300 M", 3e8), ("2k", 2000)]
)
def test_where_bytes_are_expected_their_letter_may_be_left_out(text: str, value: int) -> None:
    assert parse_bytes(text) == value


@pytest.mark.parametrize(
    "parse, text, why",
    [
        (COUNT.parse, "300MB", "'MB' is bytes"),
        (COUNT.parse, "8GiB", "'GiB' is bytes"),
        (COUNT.parse, "300m", "a million is 'M'"),
        (parse_bytes, "8Gb", "'Gb' is bits; bytes are GB"),
        (parse_bytes, "8gb", "bytes are GB"),
    ],
)
def test_another_unit_is_told(parse: Callable[[str], float], text: str, why: str) -> None:
    with pytest.raises(OptionError, match=f"got '{text}'; .*{why}"):
        parse(text)


@pytest.mark.parametrize("text", ["", "64", "64Mib", "8 gigabytes", "-1MiB"])
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
    assert format_count(value) == format_count(float(value)) == text


@pytest.mark.parametrize(
    "value, text",
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.000 KiB"), (553430176, "527.8 MiB")],
)
def test_readable_bytes(value: int, text: str) -> None:
    assert format_bytes(value) == format_bytes(float(value)) == text


@pytest.mark.parametrize(
    "text, value",
    [("500ms", 0.5), ("90s", 90), ("5m", 300), ("1h 30m", 5400), ("45", 45), ("1.5min", 90)],
)
def test_durations(text: str, value: float) -> None:
    assert parse_duration(text) == value


@pytest.mark.parametrize("text", ["", "5 days", "h", "-1s"])
def test_no_durations(text: str) -> None:
    with pytest.raises(OptionError, match="expected a time such as"):
        parse_duration(text)


def test_a_quantity_is_a_number_and_what_follows() -> None:
    assert split_quantity("300MFLOPs") == (300, "MFLOPs")
    assert split_quantity(" .5 M params ") == (0.5, "M params")
    assert split_quantity("1e-3s") == (1e-3, "s")
    assert split_quantity("60% of resnet50") == (60, "% of resnet50")
    assert split_quantity("5e") == (5, "e")
    assert split_quantity("macs 5") is None
    assert split_word("MFLOPs", ["flop", "flops"]) == ("M", "FLOPs")
    assert split_word("M", ["flops"]) == ("M", "")


@pytest.mark.parametrize(
    "text, value",
    [("5mJ", 5e-3), ("0.3 uJ", 3e-7), ("12pJ", 1.2e-11), ("2J", 2), ("1kJ", 1e3), ("1MJ", 1e6)],
)
def test_physical_units_take_prefixes(text: str, value: float) -> None:
    assert physical("J").parse(text) == pytest.approx(value)


def test_units_refuse_what_is_not_theirs() -> None:
    with pytest.raises(OptionError, match="expected J such as 5mJ, got '5W'"):
        physical("J").parse("5W")
    with pytest.raises(OptionError, match="expected ms such as 8ms, got '8min'"):
        MILLISECONDS.parse("8min")
    assert MILLISECONDS.parse("0.5s") == 500


@pytest.mark.parametrize(
    "value, kind, text",
    [
        (4.6e-3, "J", "4.600 mJ"),
        (0.99996e-3, "J", "1.000 mJ"),
        (12, "W", "12.00 W"),
        (0, "J", "0 J"),
        (0.25, "share", "25.0 %"),
        (2, "ratio", "2.00"),
        (0.0123, "seconds", "12.3 ms"),
        (12.3456789, "seconds", "12,346 ms"),
        (8, "milliseconds", "8 ms"),
        (0.0123456, "milliseconds", "0.01235 ms"),
        (12.3456789, "milliseconds", "12.35 ms"),
        (999.96, "milliseconds", "1,000 ms"),
        (123456.7, "milliseconds", "123,457 ms"),
        (1234.5, "number", "1,234.5"),
        (1792, "count", "1,792"),
        (1024, "bytes", "1.000 KiB"),
    ],
)
def test_values_are_written_by_their_kind(value: float, kind: str, text: str) -> None:
    assert format_value(value, kind) == text


def test_exact_values_have_all_digits() -> None:
    assert BYTES.exact(4 * 2**20) == "4,194,304"
    assert MILLISECONDS.exact(8.25) == "8.25"
