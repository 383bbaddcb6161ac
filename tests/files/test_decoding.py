"""What is wrong with a record is said in our words, with its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from archscope.decoding import convert, decode_json
from archscope.errors import RecordError


class Layer(Struct):
    name: str
    macs: int = 0
    share: Annotated[float, Meta(ge=0, lt=1)] = 0
    kind: Literal["conv", "linear"] = "conv"
    most: int | None = None
    learned: bool = True
    sizes: tuple[int, int] = (1, 1)
    times: Annotated[list[float], Meta(max_length=2)] = []


class Network(Struct, forbid_unknown_fields=True):
    title: Annotated[str, Meta(min_length=1)]
    layers: tuple[Layer, ...] = ()
    by_name: Mapping[str, Layer] = {}
    threads: Annotated[int, Meta(gt=0)] = 1


def layer(**values: Any) -> dict[str, Any]:
    return {"title": "net", "layers": [{"name": "a"}, {"name": "b", **values}]}


WRONG: list[tuple[Any, str]] = [
    (layer(macs="many"), "layers[1].macs: expected a whole number, got 'many'"),
    (layer(macs=1.5), "layers[1].macs: expected a whole number, got 1.5"),
    (layer(macs=None), "layers[1].macs: expected a whole number, got nothing"),
    (layer(name=3), "layers[1].name: expected text, got 3"),
    (layer(learned=1), "layers[1].learned: expected true or false, got 1"),
    (layer(most="x"), "layers[1].most: expected a whole number or nothing, got 'x'"),
    (layer(share=-0.5), "layers[1].share: expected a number of at least 0, got -0.5"),
    (layer(share=1), "layers[1].share: expected a number below 1, got 1"),
    (layer(sizes=[3]), "layers[1].sizes: expected a list of length 2, got [3]"),
    (layer(sizes=[3, "x"]), "layers[1].sizes[1]: expected a whole number, got 'x'"),
    (layer(times=[1, 2, 3]), "layers[1].times: expected a list of length at most 2, got [1, 2, 3]"),
    (layer(times=3), "layers[1].times: expected a list, got 3"),
    (
        layer(kind="liner"),
        "layers[1].kind: expected one of conv, linear, got 'liner', did you mean 'linear'?",
    ),
    ({"title": "net", "layers": [{}]}, "layers[0]: 'name' is missing"),
    ({"titel": "net"}, "unknown key 'titel', did you mean 'title'?"),
    ({"title": "net", "layers": [{"nmae": "a"}]}, "layers[0]: 'name' is missing; there is 'nmae'"),
    ({"title": ""}, "title: expected text of length at least 1, got ''"),
    ({"title": "net", "threads": 0}, "threads: expected a whole number of at least 1, got 0"),
    (
        {"title": "net", "by_name": {"a": {"name": 1}}},
        "by_name[...].name: expected text, got a whole number",
    ),
    ({"title": "net", "by_name": []}, "by_name: expected a mapping, got []"),
    ([1, 2], "expected a mapping, got [1, 2]"),
    (None, "expected a mapping, got nothing"),
]


@pytest.mark.parametrize(("value", "said"), WRONG)
def test_a_mistake_is_said_with_place_expectation_and_value(value: Any, said: str) -> None:
    with pytest.raises(RecordError) as from_json:
        decode_json(msgspec.json.encode(value), Network)
    with pytest.raises(RecordError) as from_data:
        convert(value, Network)
    assert str(from_json.value) == str(from_data.value) == said


def test_an_outer_place_stands_before_the_inner_one() -> None:
    with pytest.raises(RecordError, match=r"^data\.layers\[1\]\.macs: expected a whole") as raised:
        convert(layer(macs="x"), Network, "data")
    assert raised.value.place == "data.layers[1].macs"
    with pytest.raises(RecordError, match=r"^data: expected a mapping, got 5$"):
        convert(5, Network, "data")


def test_text_that_reads_like_a_number_is_one_unless_strict() -> None:
    assert convert({"title": "net", "threads": "3"}, Network, strict=False).threads == 3
    with pytest.raises(RecordError, match="threads: expected a whole number, got '3'"):
        convert({"title": "net", "threads": "3"}, Network)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b" \n", "the file is empty"),
        (b"{", "the JSON ends in the middle of a value"),
        (b"[1", "the JSON ends in the middle of a value"),
        (b"{'a': 1}", "not JSON: object keys must be strings at line 1, column 2"),
        (b'{\n  "a": NaN\n}', "not JSON: invalid character at line 2, column 8"),
        (b'{"a": 1,}', "not JSON: trailing comma in object at line 1, column 9"),
        (b'{"a": "\xff"}', "not JSON: it is not UTF-8"),
        (b"\0" * 9, "not JSON: invalid character at line 1, column 1"),
        (b'{"a":' * 100_000, "the JSON is nested too deeply"),
        (b'{"a": 1e999}', "a: number out of range"),
    ],
)
def test_what_is_no_json_is_said_with_its_line(content: bytes, said: str) -> None:
    assert decode_json(b'{"a": 1}', dict[str, int]) == {"a": 1}
    with pytest.raises(RecordError) as raised:
        decode_json(content)
    assert str(raised.value).replace("[...]", "a") == said


scalars = (
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-1, 2) | st.text("ab", max_size=3)
)
names = st.sampled_from(["title", "layers", "by_name", "threads", "name", "macs", "kind", "sizes"])
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4)
)


@given(values | st.fixed_dictionaries({"title": st.just("net"), "layers": st.lists(values)}))
def test_no_value_is_refused_in_the_words_of_the_library(value: Any) -> None:
    try:
        expected: Any = msgspec.convert(value, Network)
    except msgspec.ValidationError:
        expected = None
    try:
        found = convert(value, Network)
    except RecordError as error:
        found = None
        assert not {"`", "$", "Expected", "Object", "Invalid"} & {*str(error).split()}
        assert "`" not in error.reason
    assert found == expected
