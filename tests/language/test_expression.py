"""Expressions: what they compute, and everything of Python that they refuse."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archscope.errors import SpecError
from archscope.ir import Source
from archscope.language.expression import Expression, Frame
from archscope.language.limits import LIMITS

AT = Source("net.yaml", 3, 9)
SCOPE = {
    "width": 16,
    "half": 0.5,
    "first": True,
    "word": "same",
    "rows": [{"t": 1, "c": 16}, {"t": 6, "c": 24}],
    "widths": [8, 16, 32],
    "in": (64, 28, 14),
    "x": (32, 7, 7),
    "flat": (10,),
    "line": (8, 100),
    "volume": (2, 3, 4, 5),
    "both": [(1, 2, 3), (4, 5, 6)],
}


def compute(text: str, scope: dict[str, Any] | Frame = SCOPE) -> Any:
    return Expression(text, AT)(scope)


def refusal(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        compute(text)
    return str(caught.value).removeprefix("net.yaml:3:9: ")


@pytest.mark.parametrize(
    "text, expected",
    [
        ("=4*width", 64), ("= width // 3 ", 5), ("=width/4", 4.0), ("=-width % 7", 5),
        ("=2**3**2", 512), ("=width*half", 8.0), ("=(1 + 2)*3", 9), ("=1 - -1", 2),
        ("=width == 16 and first", True), ("=not first or width < 3", False),
        ("=1 < width <= 16 != 3", True), ("=8 if first else 4", 8), ("=None", None),
        ("=word == 'same'", True), ("=first + 1", 2),
        ("=in.channels", 64), ("=in.height", 28), ("=in.width", 14), ("=in.rank", 2),
        ("=in.elements", 64 * 28 * 14), ("=in", (64, 28, 14)), ("=in[0]", 64), ("=in [ -1 ]", 14),
        ("=flat.channels + flat.height + flat.width + flat.depth", 13), ("=flat.rank", 0),
        ("=line.width", 100), ("=line.height", 1), ("=volume.depth", 3), ("=volume.height", 4),
        ("=both[1].channels", 4), ("=rows[1].c", 24), ("=widths[-1]", 32),
        ("=[width, 2]", [16, 2]), ("=(3, 1)", [3, 1]), ("=[]", []),
        ("=min(3, width)", 3), ("=max(widths)", 32), ("=max(in)", 64), ("=sum(widths)", 56),
        ("=int(2.7)", 2), ("=round(2.6)", 3), ("=ceil(2.1)", 3), ("=floor(-0.5)", -1),
        ("=abs(-3)", 3), ("=len(rows)", 2), ("=divisible(33)", 32), ("=divisible(10, 4)", 12),
    ],
)  # fmt: skip
def test_values(text: str, expected: Any) -> None:
    assert compute(text) == expected
    assert type(compute(text)) is type(expected)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("=3 in widths", False), ("=16 in widths", True), ("=3 not in widths", True),
        ("=in.channels in widths", False), ("=in.channels not in in", False),
        ("=14 in in", True), ("=not in.channels == 3", True), ("=not in in both", True),
        ("=x in [x, in]", True), ("=[in, x][1].channels", 32), ("=3 if 8 in widths else in[1]", 3),
        ("=(in).channels", 64), ("=width in widths and in.channels in [64]", True),
        ("='in' == 'in'", True), ("=len('in.channels')", 11),
    ],
)  # fmt: skip
def test_in_is_a_name_where_a_value_is_due_and_an_operator_behind_one(
    text: str, expected: Any
) -> None:
    assert compute(text) == expected


def test_only_the_chosen_side_is_computed() -> None:
    assert compute("=1 if first else 1/0") == 1
    assert compute("=first or 1/0") is True
    assert compute("=not first and 1/0") is False


def divisible_by_the_book(value: float, by: int) -> int:
    """Return what the reference code of MobileNet computes."""
    new = max(by, int(value + by / 2) // by * by)
    return new + by if new < 0.9 * value else new


@given(st.floats(0.1, 10_000), st.sampled_from([1, 4, 8, 16]))
def test_divisible(value: float, by: int) -> None:
    rounded = compute(f"=divisible({value!r}, {by})")
    assert rounded % by == 0
    assert rounded >= 0.9 * value
    assert rounded == divisible_by_the_book(value, by)


NAMES = {"a": 3, "b": -7, "c": 0.25, "d": 12, "t": True}
LEAVES = st.integers(0, 99).map(str) | st.sampled_from([*NAMES, "0.5", "2.0", "True", "False"])
BINARY = ("+", "-", "*", "/", "//", "%", "**", "==", "!=", "<", "<=", ">", ">=", "and", "or")
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.tuples(inner, st.sampled_from(BINARY), inner).map("({0[0]} {0[1]} {0[2]})".format)
        | inner.map("(-{})".format)
        | inner.map("(not {})".format)
        | st.tuples(inner, inner, inner).map("({0[0]} if {0[1]} else {0[2]})".format)
        | st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(
            "{0[0]}({0[1]}, {0[2]})".format
        )
        | inner.map("abs({})".format)
        | inner.map("int({})".format)
        | st.tuples(inner, inner).map("len([{0[0]}, {0[1]}])".format)
    ),
    max_leaves=12,
)


@given(TREES)
def test_arithmetic_is_that_of_python(text: str) -> None:
    try:
        result = compute(f"={text}", NAMES)
    except SpecError as refused:
        said = str(refused)
        if "division by zero" in said:
            with pytest.raises(ZeroDivisionError):
                eval(text, {}, NAMES)
        else:
            assert "beyond the limit" in said or "a power must be real" in said
        return
    expected = eval(text, {}, NAMES)
    assert result == expected
    assert type(result) is type(expected)


@given(st.integers(-(2**70), 2**70), st.integers(-(2**70), 2**70), st.sampled_from("+-*"))
def test_no_value_is_beyond_the_limit(a: int, b: int, sign: str) -> None:
    try:
        assert abs(compute(f"=a {sign} b", {"a": a, "b": b})) <= LIMITS.number
    except SpecError as refused:
        assert "a number beyond the limit of 9223372036854775807" in str(refused)
        assert abs(eval(f"a {sign} b", {}, {"a": a, "b": b})) > LIMITS.number


@pytest.mark.parametrize(
    "text, what",
    [
        ("lambda: 8", "a lambda"), ("[n for n in widths]", "a comprehension"),
        ("{n for n in widths}", "a comprehension"), ("{n: 1 for n in widths}", "a comprehension"),
        ("max(n for n in widths)", "a comprehension"), ("f'{width}'", "an f-string"),
        ("(n := 8)", "an assignment"), ("[*widths]", "a star"), ("max(*widths)", "a star"),
        ("widths[0:2]", "a slice"), ("width.bit_length()", "such a call"),
        ("max(8, key=16)", "such a call"), ("(lambda: 8)()", "such a call"),
        ("rows[0].get('t')", "such a call"), ("{}", "a dictionary"), ("{8}", "a set"),
        ("8 << 1", "such an operator"), ("8 & 1", "such an operator"), ("+8", "such an operator"),
        ("8 @ 1", "such an operator"), ("~8", "such an operator"),
        ("8 is 8", "such a comparison"), ("8 is not 8", "such a comparison"),
        ("8j", "such a constant"), ("b'a'", "such a constant"), ("...", "such a constant"),
        ("await width", "this"), ("(yield)", "this"),
    ],
)  # fmt: skip
def test_the_rest_of_python_is_not_allowed(text: str, what: str) -> None:
    assert refusal(f"={text}") == f"{what} is not allowed in '={text}'"


@pytest.mark.parametrize("name", ["__import__", "open", "eval", "getattr", "print", "float", "pow"])
def test_no_other_function(name: str) -> None:
    assert refusal(f"={name}('x')").startswith(f"unknown function '{name}' in")


@pytest.mark.parametrize("attribute", ["__class__", "__len__", "count", "index"])
@pytest.mark.parametrize("name, what", [("in", "a shape has no"), ("rows[0]", "no")])
def test_no_other_attribute(name: str, what: str, attribute: str) -> None:
    assert refusal(f"={name}.{attribute}").startswith(f"{what} '{attribute}' in")


@pytest.mark.parametrize(
    "text, message",
    [
        ("=widths.channels", "'.channels' of [8, 16, 32], which is no shape or row"),
        ("=word.upper", "'.upper' of 'same', which is no shape or row"),
        ("=widths == [8]", "cannot compare [8, 16, 32] with [8]"),
        ("=rows[0] == None", "cannot compare {'c': 16, 't': 1} with nothing"),
        ("=widths in both", "cannot look for [8, 16, 32] in [(1, 2, 3), (4, 5, 6)]"),
        ("='a' in word", "cannot look for 'a' in 'same'"),
        ("=word < 3", "cannot compare 'same' with 3"),
        ("=widths[1.5]", "no element 1.5 in a list of 3"),
        ("=widths['a']", "no element 'a' in a list of 3"),
        ("=rows[0][0]", "[0] of {'c': 16, 't': 1}, which is no list"),
        ("=sum(1, 2)", "'sum' cannot take 1, 2"),
        ("=sum(both)", "'sum' cannot take [(1, 2, 3), (4, 5, 6)]"),
        ("=min()", "'min' cannot take nothing"),
        ("=round(2.5, 1)", "'round' cannot take 2.5, 1"),
        ("=ceil(word)", "'ceil' cannot take 'same'"),
        ("=divisible(8, 0)", "'divisible' cannot take 8, 0"),
        ("=widths * 2", "arithmetic needs numbers, got [8, 16, 32]"),
        ("=in + x", "arithmetic needs numbers, got the shape 64x28x14"),
        ("=-in", "arithmetic needs numbers, got the shape 64x28x14"),
        ("=0.5**65", "a power must be real, with an exponent of at most 64"),
        ("=(2.0**60)**64", "a number beyond the limit of 9223372036854775807"),
        ("=_i", "the name '_i' is reserved"),
        ("=1e300*1e300", "a number beyond the limit of 9223372036854775807"),
    ],
)
def test_wrong_values(text: str, message: str) -> None:
    assert refusal(text) == f"{message} in '{text}'"


@given(st.text(max_size=30))
def test_any_text_is_computed_or_refused(text: str) -> None:
    try:
        compute(f"={text}")
    except SpecError as refused:
        assert str(refused).startswith("net.yaml:3:9: ")
        assert str(refused).isprintable()


WORDS = st.sampled_from(
    ["in", "x", "width", "rows", "widths", "not", "and", "or", "if", "else", "lambda", "for", "1",
     "2.5", "'a'", "None", "max", "sum", "len", "divisible", "(", ")", "[", "]", ",", ".", "+", "-",
     "*", "**", "//", "%", "==", "<", ".channels", ".c", "[0]", ":", "{", "}", ":=", "="]
)  # fmt: skip


@given(st.lists(WORDS, max_size=14).map(" ".join))
def test_any_words_are_computed_or_refused(text: str) -> None:
    try:
        compute(f"={text}")
    except SpecError as refused:
        assert str(refused).startswith("net.yaml:3:9: ")


def test_an_unknown_name_in_an_inner_frame_is_guessed_from_the_outer() -> None:
    frame = Frame(Frame(None, {"width": 3}), {"depth": 2})
    assert compute("=width*depth", frame) == 6
    with pytest.raises(SpecError, match="did you mean 'width'"):
        compute("=widht", frame)


def test_an_inner_name_hides_the_outer() -> None:
    assert compute("=i", Frame(Frame(None, {"i": 3}), {"i": 2})) == 2
