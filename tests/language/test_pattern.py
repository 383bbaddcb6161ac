"""One-line patterns: their meaning, and messages for mistakes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archscope.errors import ArchscopeError, OptionError, SpecError
from archscope.language import Limits, load
from tests.language.texts import graph_of, names, ops


def test_the_pattern_of_every_course() -> None:
    net = load("INPUT 3x32x32 -> [[CONV 12 -> RELU]*2 -> POOL]*3 -> FC 10")
    assert ops(net) == [*["conv", "relu", "conv", "relu", "maxpool"] * 3, "flatten", "linear"]
    assert names(net)[:5] == ["conv0", "relu0", "conv1", "relu1", "maxpool0"]
    assert net.nodes[-1].out == (10,)
    assert net.by_name["flatten"].ins == ((12, 4, 4),)


@pytest.mark.parametrize(
    "layer, spec",
    [
        ("CONV 8", "conv: {out: 8, kernel: 3, padding: 1}"),
        ("conv 8 5x5 /2", "conv: {out: 8, kernel: [5, 5], padding: [2, 2], stride: 2}"),
        ("CONV /2 1x7 8", "conv: {out: 8, kernel: [1, 7], padding: [0, 3], stride: 2}"),
        ("CONV 8 /2x1", "conv: {out: 8, kernel: 3, padding: 1, stride: [2, 1]}"),
        ("POOL", "maxpool: 2"),
        ("POOL 3 /2", "maxpool: {kernel: 3, stride: 2}"),
        ("AVGPOOL 4", "avgpool: 4"),
        ("BN", "batchnorm"),
        ("GAP", "global_avgpool"),
        ("Dropout 0.3", "dropout: 0.3"),
        ("LEAKY_RELU 0.1", "leaky_relu: 0.1"),
        ("UPSAMPLE 2", "upsample: 2"),
        ("[RELU]*3", "{relu: {}, repeat: 3}"),
        ("RELU * 3", "{relu: {}, repeat: 3}"),
        ("[TANH -> RELU]*2", "{tanh: {}, then: relu, repeat: 2}"),
        ("[[TANH]]", "tanh"),
        ("RELU*0 -> TANH", "{relu: {}, when: false}, tanh"),
    ],
)
def test_what_stands_for_what(layer: str, spec: str) -> None:
    pattern, written = load(f"INPUT 3x32x32 -> {layer}"), graph_of(f"layers: [{spec}]")
    assert [(node.op, node.out) for node in pattern.nodes] == [
        (node.op, node.out) for node in written.nodes
    ]


def test_spaces_and_capitals_do_not_matter() -> None:
    net = load("  input 3x8x8->conv 4->[relu->pool]*2 ")
    same = load("INPUT 3x8x8 -> CONV 4 -> [ RELU -> POOL ] * 2")
    assert [(node.name, node.op) for node in net.nodes] == [
        (node.name, node.op) for node in same.nodes
    ]


def test_the_end_of_a_line_is_no_part_of_it() -> None:
    assert ops(load("INPUT 3x8x8 -> FC 10\n")) == ["flatten", "linear"]


def test_fc_flattens_what_has_positions() -> None:
    assert ops(load("INPUT 3x8x8 -> FC 4 -> FC 2")) == ["flatten", "linear", "linear"]
    assert ops(load("INPUT 3 -> FC 2")) == ["linear"]


def test_numbers_from_outside() -> None:
    text = "INPUT 3x8x8 -> [[CONV 4 -> RELU]*N -> POOL?]*M -> FC 10"
    net = load(text, set={"N": 2, "M": 1})
    assert ops(net) == ["conv", "relu", "conv", "relu", "maxpool", "flatten", "linear"]
    assert "maxpool0" not in names(load(text, set={"N": 1, "M": 3, "pool": False}))
    with pytest.raises(SpecError, match=r"'M' has no value in '=M'; give it one with --set M="):
        load(text, set={"N": 2})
    with pytest.raises(OptionError, match="cannot set 'K'"):
        load(text, set={"N": 2, "M": 1, "K": 3})


def said(text: str, limits: Limits | None = None) -> str:
    with pytest.raises(ArchscopeError) as caught:
        load(text, limits=limits or Limits())
    assert isinstance(caught.value, SpecError)
    return str(caught.value).removeprefix("<pattern>:")


@pytest.mark.parametrize(
    "text, message",
    [
        ("-> RELU", "1:1: a pattern begins with 'INPUT 3x32x32', got '->'"),
        ("CONV 3 -> RELU", "1:1: a pattern begins with 'INPUT 3x32x32', got 'CONV'"),
        ("INPUT -> RELU", "1:7: expected a shape such as 3x32x32, got '->'"),
        ("INPUT 3x3x3x3x3 -> RELU", "1:7: expected a shape such as 3x32x32, got '3x3x3x3x3'"),
        ("INPUT 3x32x32 RELU -> RELU", "1:15: expected '->', got 'RELU'"),
        ("INPUT 3x32x32", "1:14: the pattern ends where '->' should be"),
        ("INPUT 3x32x32 ->", "1:17: the pattern ends where a layer should be"),
        ("INPUT 3 → RELU", "1:9: expected '->', got '→'"),
        ("INPUT 3 -> -> RELU", "1:12: expected a layer or '[', got '->'"),
        ("INPUT 3 -> RELU, TANH", "1:16: expected '->' or the end, got ','"),
        ("INPUT 3 -> RELU TANH", "1:17: expected '->' or the end, got 'TANH'"),
        ("INPUT 3 -> [RELU", "1:17: the pattern ends where ']' should be"),
        ("INPUT 3 -> [RELU -> ]", "1:21: expected a layer or '[', got ']'"),
        ("INPUT 3 -> RELU]", "1:16: expected '->' or the end, got ']'"),
        ("INPUT 3 -> []", "1:13: expected a layer or '[', got ']'"),
        ("INPUT 3 -> [RELU]*", "1:19: the pattern ends where a number of turns should be"),
        ("INPUT 3 -> RELU*-1", "1:17: expected a number of turns or a name for it, got '-'"),
        ("INPUT 3 -> RELU*²", "1:17: expected a number of turns or a name for it, got '²'"),
        ("INPUT 3 -> RELU*if", "1:17: expected a number of turns or a name for it, got 'if'"),
        ("INPUT 3 -> RELU*i", "1:17: expected a number of turns or a name for it, got 'i'"),
        ("INPUT 3 -> RELU*2*3", "1:18: expected '->' or the end, got '*'"),
        ("INPUT 3 -> RELU??", "1:17: expected '->' or the end, got '?'"),
        ("INPUT 3x8x8 -> CNOV 3", "1:16: unknown layer 'CNOV', did you mean 'conv'?"),
        ("INPUT 3x8x8 -> INPUT 3", "1:16: unknown layer 'INPUT'"),
        (
            "INPUT 3x8x8 -> ADD",
            "1:16: a pattern is one chain, which leaves no place for 'add'",
        ),
        ("INPUT 3 -> RELU 3", "1:17: 'relu' cannot take '3' here"),
        ("INPUT 3 -> FC 3 4", "1:17: 'linear' cannot take '4' here"),
        ("INPUT 3 -> FC 3..5", "1:15: expected a number, got '3..5'"),
        ("INPUT 3x8x8 -> CONV 3 3x3x", "1:23: expected a number, got ''"),
        ("INPUT 3x8x8 -> CONV 3 /2 /2", "1:26: 'conv' cannot take '2' here"),
        ("INPUT 3 -> FC", "1:12: 'linear' needs 'out': output features (at pattern)"),
        (
            "INPUT 3 -> FC 3.5",
            "1:12: 'out' of 'linear' must be a whole number of at least 1, got 3.5 (at pattern)",
        ),
        (
            "INPUT 3 -> RELU*1.5",
            "1:17: 'repeat' must be a whole number of at least 0, got 1.5 (at pattern)",
        ),
        (
            "INPUT 0x8 -> RELU",
            "1:7: the shape of 'input' must be a list of 1 to 4 whole numbers from 1 to"
            " 2147483647, channels first, got [0, 8]",
        ),
        (
            "  INPUT 3x8x8 -> POOL 9",
            "1:18: 'maxpool' has a window of 9 but its input 3x8x8 with padding is 8 wide"
            " (at pattern)",
        ),
        ("INPUT 3 -> FC " + "9" * 5000, f"1:15: expected a number, got '{'9' * 57}...'"),
        ("INPUT 3 -> RELU*" + "9" * 5000, f"1:17: expected a number, got '{'9' * 57}...'"),
        ("INPUT " + "9" * 5000 + " -> RELU", f"1:7: expected a number, got '{'9' * 57}...'"),
        ("INPUT 3 -> " + "[" * 99, "1:76: nested deeper than the limit of 64"),
    ],
    ids=lambda value: value[:30],
)
def test_mistakes(text: str, message: str) -> None:
    assert said(text) == message


def test_limits() -> None:
    assert said("INPUT 3 -> RELU", Limits(pattern=9)) == (" longer than the limit of 9 characters")
    nested = "INPUT 3 -> " + "[" * 30 + "RELU" + "]*9" * 30
    assert said(nested, Limits(nodes=100)).startswith("1:42: more nodes than the limit of 100")


WORDS = st.sampled_from(
    ["INPUT", "3x8x8", "->", "[", "]", "*", "?", "/2", "3x3", "CONV", "POOL", "FC", "RELU", "GAP",
     "2", "10", "0.5", "N", "x", "-", ">", "²", "ADD", "*2", "\t", "DROPOUT"]
)  # fmt: skip


@given(st.lists(WORDS, max_size=12).map(lambda words: " ".join(["INPUT 3x8x8 ->", *words])))
def test_any_words_are_read_or_refused(text: str) -> None:
    try:
        assert load(text).nodes[0].out == (3, 8, 8)
    except SpecError as refused:
        assert str(refused).startswith("<pattern>:1:")
