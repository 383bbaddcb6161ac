"""Names of nodes: path, index, and that they stay when something else comes or goes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.language.texts import graph_of, names

OPS = ("relu", "tanh", "relu6", "gelu")
CHAINS = st.lists(st.sampled_from(OPS), min_size=1, max_size=8)


def chain(words: list[str]) -> str:
    return f"layers: [{', '.join(words)}]"


def test_a_number_only_where_a_name_occurs_more_than_once() -> None:
    assert names(graph_of("layers: [relu, tanh, relu, gelu]")) == ["relu0", "tanh", "relu1", "gelu"]


def test_a_number_behind_a_digit_stands_apart() -> None:
    assert names(graph_of("layers: [relu6, relu6]")) == ["relu6_0", "relu6_1"]


def test_what_may_repeat_has_a_number_even_if_it_does_not() -> None:
    assert names(graph_of("layers: [{relu: {}, repeat: 1}]")) == ["relu0"]
    assert names(graph_of("layers: [{relu: {}, then: tanh, each: {n: [1]}}]")) == ["relu0", "tanh0"]


def test_a_given_name_takes_the_place_of_the_word() -> None:
    text = "blocks: {b: {layers: [relu]}}\nlayers: [{b: {}, name: head}, {tanh: {}, name: top}]"
    assert names(graph_of(text)) == ["head.relu", "top"]


def test_names_may_be_paths() -> None:
    assert names(graph_of("layers: [{relu: {}, name: stage0.relu}]")) == ["stage0.relu"]


def test_numbers_count_along_the_text_through_branches() -> None:
    net = graph_of("layers: [relu, add: [[relu, tanh], relu], {relu: {}, then: relu}]")
    assert names(net) == ["relu0", "relu1", "tanh", "relu2", "add", "relu3", "relu4"]


def test_each_block_counts_for_itself() -> None:
    text = "blocks: {b: {layers: [relu, relu]}}\nlayers: [relu, b, b]"
    assert names(graph_of(text)) == ["relu", "b0.relu0", "b0.relu1", "b1.relu0", "b1.relu1"]


def test_when_leaves_a_gap_so_that_later_numbers_stay() -> None:
    text = "layers: [relu, {relu: {}, when: %s}, {relu: {}, when: %s, else: relu}, relu]"
    assert names(graph_of(text % ("true", "true"))) == ["relu0", "relu1", "relu2", "relu3"]
    assert names(graph_of(text % ("false", "true"))) == ["relu0", "relu2", "relu3"]


def test_a_missing_turn_leaves_a_gap() -> None:
    text = "layers: [{relu: {}, when: =i != 1, repeat: 3}]"
    assert names(graph_of(text)) == ["relu0", "relu2"]


@given(CHAINS)
def test_names_tell_the_operators_in_order(words: list[str]) -> None:
    found = names(graph_of(chain(words)))
    assert len(set(found)) == len(words)
    for word, name in zip(words, found, strict=True):
        number = name.removeprefix(word)
        assert bool(number) == (words.count(word) > 1)
        if number:
            before = [w for w in words[: found.index(name)] if w == word]
            assert int(number.removeprefix("_")) == len(before)


@given(CHAINS, st.integers(0, 8))
def test_a_sibling_of_another_name_moves_no_name(words: list[str], at: int) -> None:
    more = [*words[:at], "sigmoid", *words[at:]]
    found = names(graph_of(chain(more)))
    assert "sigmoid" in found
    assert [name for name in found if name != "sigmoid"] == names(graph_of(chain(words)))


@given(CHAINS, st.integers(0, 7), st.booleans())
def test_leaving_a_layer_out_by_when_moves_no_name(words: list[str], at: int, kept: bool) -> None:
    at = min(at, len(words) - 1)
    condition = str(kept).lower()
    layers = [*words[:at], f"{{{words[at]}: {{}}, when: {condition}}}", *words[at + 1 :], "sigmoid"]
    found = names(graph_of(chain(layers)))
    every = names(graph_of(chain([*words, "sigmoid"])))
    assert found == [name for i, name in enumerate(every) if kept or i != at]


def test_reading_twice_gives_the_same_graph() -> None:
    text = "layers: [conv: 8, add: [identity, {conv: 8, then: relu, repeat: 2}]]"
    assert graph_of(text) == graph_of(text)


def test_operators_by_their_former_names() -> None:
    """Version 0.1 called `mul_scalar` so."""
    graph = graph_of("layers: [{times: 0.5}, relu]")
    assert [node.op.name for node in graph.nodes[1:]] == ["mul_scalar", "relu"]
    block = graph_of("blocks: {times: {with: {n: }, layers: [{tile: =n}]}}\nlayers: [{times: 2}]")
    assert [node.op.name for node in block.nodes[1:]] == ["tile"]
