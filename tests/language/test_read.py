"""Text -> items: YAML's core schema, aliases, and where everything stands."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archscope.errors import SpecError
from archscope.language.limits import LIMITS
from archscope.language.yaml_items import Item, parse


def value(text: str) -> Any:
    return parse(f"key: {text}", "file", LIMITS).value["key"].value


@pytest.mark.parametrize(
    "text, expected",
    [
        ("true", True), ("True", True), ("FALSE", False), ("null", None), ("~", None), ("", None),
        ("0", 0), ("12", 12), ("-3", -3), ("+3", 3), ("007", 7), ("1_000", 1000),
        ("1.5", 1.5), (".5", 0.5), ("5.", 5.0), ("-2.5", -2.5), ("1e-3", 0.001), ("1e3", 1000.0),
        ("2E+2", 200.0), ("1e999", float("inf")),
        ("text", "text"), ("=4*width", "=4*width"), ("two words", "two words"),
    ],
)  # fmt: skip
def test_scalars(text: str, expected: Any) -> None:
    assert value(text) == expected
    assert type(value(text)) is type(expected)


@pytest.mark.parametrize(
    "text",
    ["no", "off", "on", "yes", "y", "N", "0x10", "0o17", "1:30", "2001-01-01", ".inf", ".nan",
     "1.2.3", "3x3", "1e", "nULL"],
)  # fmt: skip
def test_words_that_older_yaml_takes_for_something_else(text: str) -> None:
    assert value(text) == text


@pytest.mark.parametrize("text", ["12", "1.5", "true", "null", "~", "", "=x", "no"])
def test_quotes_make_text(text: str) -> None:
    assert value(f"'{text}'") == text
    assert value(f'"{text}"') == text


@given(st.integers(-(10**30), 10**30))
def test_integers_survive(number: int) -> None:
    assert value(str(number)) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_survive(number: float) -> None:
    assert value(repr(number)) == number


DATA = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["a", "=b", "no", "1e", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=20,
)


def written(data: Any) -> str:
    """Return data in YAML's flow style, all text quoted."""
    if isinstance(data, dict):
        return "{" + ", ".join(f"{key}: {written(one)}" for key, one in data.items()) + "}"
    if isinstance(data, list):
        return "[" + ", ".join(map(written, data)) + "]"
    return f"'{data}'" if isinstance(data, str) else {None: "~"}.get(data, str(data))


@given(DATA)
def test_lists_and_mappings_survive(data: Any) -> None:
    assert parse(f"key: {written(data)}", "file", LIMITS).value["key"].plain() == data


TEXT = """\
name: tiny   # a comment
layers:
  - relu
  - conv: {out: 64,
           kernel: [3, 1]}
"""


def place(item: Item) -> tuple[int, int]:
    assert item.at.file == "net.yaml"
    return item.at.line, item.at.column


def test_positions() -> None:
    root = parse(TEXT, "net.yaml", LIMITS)
    assert root.keys is not None
    assert str(root.keys["layers"]) == "net.yaml:2:1"
    relu, layer = root.value["layers"].value
    conv = layer.value["conv"]
    assert place(root.value["name"]) == (1, 7)
    assert place(relu) == (3, 5)
    assert place(layer) == (4, 5)
    assert place(conv) == (4, 11)
    assert place(conv.value["out"]) == (4, 17)
    assert place(conv.value["kernel"].value[1]) == (5, 24)
    assert str(conv.keys["kernel"]) == "net.yaml:5:12"


@given(
    st.lists(
        st.sampled_from(["a: 1", "bb: [1, 2]", "c: {d: 3}", "# words", "", "é: ü"]), max_size=9
    ),
    st.integers(0, 9),
    st.integers(0, 5),
)
def test_a_value_is_where_its_text_is(lines: list[str], before: int, spaces: int) -> None:
    numbered = [line.replace(":", f"{i}:", 1) for i, line in enumerate(lines)]
    at = min(before, len(lines))
    text = "\n".join([*numbered[:at], f"here:{' ' * spaces} 7", *numbered[at:]])
    assert place(parse(text, "net.yaml", LIMITS).value["here"]) == (at + 1, 7 + spaces)


def test_an_alias_is_the_value_of_its_anchor() -> None:
    root = parse("a: &row {t: 1}\nb: [*row, *row]\nc: &n 3\nd: *n", "file", LIMITS)
    assert root.plain() == {"a": {"t": 1}, "b": [{"t": 1}, {"t": 1}], "c": 3, "d": 3}


def test_an_anchor_may_move_on() -> None:
    assert parse("a: &x 1\nb: *x\nc: &x 2\nd: *x", "file", LIMITS).plain() == {
        "a": 1, "b": 1, "c": 2, "d": 2,
    }  # fmt: skip


def test_keys_are_words() -> None:
    assert list(parse("{3: a, true: b, ~: c, 1.5: d, '': e}", "file", LIMITS).value) == [
        "3", "true", "null", "1.5", "",
    ]  # fmt: skip


def test_a_hole_keeps_its_tag_and_no_plain_value() -> None:
    item = parse("a: !int {low: 1, high: 3}", "file", LIMITS).value["a"]
    assert item.tag == "!int"
    assert item.value["high"].value == 3
    with pytest.raises(SpecError, match="'!int' cannot stand here"):
        item.plain()


def test_ends_of_lines_and_marks_of_documents() -> None:
    for text in ("a: 1\r\nb: 2\r\n", "---\na: 1\nb: 2\n...\n", "%YAML 1.2\n---\na: 1\nb: 2"):
        assert parse(text, "file", LIMITS).plain() == {"a": 1, "b": 2}
