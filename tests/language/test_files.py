"""Files: `use` takes blocks, `extends` takes everything; and settings from outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from archscope.errors import OptionError, SpecError
from archscope.ir import Graph
from archscope.language import document, graph, load, zoo
from tests.language.texts import INPUT, graph_of, names, refusal

BASE = """
name: base
about: the first
input: [3, 8, 8]
reference: {params: 1}
let: {width: 4, depth: 2}
blocks:
  unit: {layers: [{conv: =width}, relu]}
  top: {layers: [global_avgpool]}
layers: [{unit: {}, repeat: =depth}, top]
"""


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write_(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write_


def test_extends_takes_everything(write: Any) -> None:
    write("base.yaml", BASE)
    net = load(write("net.yaml", "extends: base.yaml\n"))
    assert (net.name, net.about) == ("base", "the first")
    assert names(net) == [
        "unit0.conv", "unit0.relu", "unit1.conv", "unit1.relu", "top.global_avgpool",
    ]  # fmt: skip
    assert net.reference == ()  # numbers of another network are not ours


def test_let_and_blocks_merge_by_name(write: Any) -> None:
    write("base.yaml", BASE)
    child = "extends: base.yaml\nname: child\nlet: {depth: 1}\nblocks: {top: {layers: flatten}}\n"
    net = load(write("net.yaml", child))
    assert net.name == "child"
    assert names(net) == ["unit0.conv", "unit0.relu", "top.flatten"]
    assert net.by_name["unit0.conv"].out == (4, 8, 8)


def test_layers_and_inputs_are_replaced(write: Any) -> None:
    write("base.yaml", BASE)
    net = load(
        write("net.yaml", "extends: base.yaml\ninputs: {a: [1, 4, 4]}\nlayers: [unit, tanh]\n")
    )
    assert [node.name for node in net.nodes] == ["a", "unit.conv", "unit.relu", "tanh"]


def test_extends_of_extends(write: Any) -> None:
    write("base.yaml", BASE)
    write("middle.yaml", "extends: base.yaml\nlet: {width: 6, depth: 1}\n")
    net = load(write("net.yaml", "extends: middle.yaml\nlet: {depth: 3}\n"))
    assert len(names(net)) == 7
    assert net.by_name["unit2.conv"].out[0] == 6


def test_use_takes_blocks_and_nothing_else(write: Any) -> None:
    write("parts/base.yaml", BASE)
    text = f"use: parts/base.yaml\nlet: {{width: 5}}\n{INPUT}layers: [unit]\n"
    net = load(write("net.yaml", text))
    assert net.name == "net"
    assert net.by_name["unit.conv"].out == (5, 32, 32)


def test_a_later_file_wins_and_the_own_block_wins_most(write: Any) -> None:
    write("a.yaml", "blocks: {one: {layers: relu}, two: {layers: relu}, three: {layers: relu}}")
    write("b.yaml", "blocks: {two: {layers: tanh}, three: {layers: tanh}}")
    text = (
        f"use: [a.yaml, b.yaml]\n{INPUT}blocks: {{three: {{layers: gelu}}}}\n"
        "layers: [one, two, three]\n"
    )
    assert names(load(write("net.yaml", text))) == ["one.relu", "two.tanh", "three.gelu"]


def test_one_file_may_be_used_from_two_sides(write: Any) -> None:
    write("common.yaml", "blocks: {unit: {layers: relu}}")
    write("a.yaml", "use: common.yaml\nblocks: {one: {layers: unit}}")
    write("b.yaml", "use: common.yaml\nblocks: {two: {layers: unit}}")
    net = load(write("net.yaml", f"use: [a.yaml, b.yaml]\n{INPUT}layers: [one, two]\n"))
    assert names(net) == ["one.unit.relu", "two.unit.relu"]


def test_a_circle_through_folders_is_seen(write: Any) -> None:
    write("parts/b.yaml", "use: ../a.yaml")
    with pytest.raises(SpecError, match=r"in a circle: a\.yaml -> b\.yaml -> a\.yaml"):
        load(write("a.yaml", "use: parts/b.yaml"))


def test_names_are_looked_up_beside_the_file_then_in_the_zoo(write: Any) -> None:
    text = f"use: blocks/common.yaml\n{INPUT}layers: [conv_bn: 4]\n"
    assert names(load(write("net.yaml", text))) == ["conv_bn.conv", "conv_bn.batchnorm"]
    write("blocks/common.yaml", "blocks: {conv_bn: {with: {out: }, layers: [conv: =out]}}")
    assert names(load(write("net.yaml", text))) == ["conv_bn.conv"]
    net = load(write("net.yaml", "extends: vgg16\nlet: {classes: 10}\n"))
    assert net.nodes[-1].out == (10,)


def test_a_file_wins_over_the_zoo(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("vgg16", f"{INPUT}layers: [relu]\n")
    monkeypatch.chdir(path.parent)
    assert names(load("vgg16")) == ["relu"]


def test_the_zoo_has_names() -> None:
    assert load("vgg16") == load(zoo()["vgg16"]) == load(str(zoo()["vgg16"]))


def test_a_text_in_place_of_the_file() -> None:
    text = f"\ufeff{INPUT}layers: [relu]\r\n".encode()
    assert names(graph(document("net.yaml", text=text))) == ["relu"]
    assert names(graph(document("-", text=b"INPUT 3x8x8 -> CONV 4\n"))) == ["conv"]


SET = 'let: {n: 2, widths: [4, 8], word: same, nothing: }\nlayers: [{repeat: =n, conv: "=%s"}]'


def test_set_gives_another_value() -> None:
    text = SET % "widths[0] + i"
    assert len(names(graph_of(text, set={"n": 3}))) == 3
    assert graph_of(text, set={"widths": [7]}).nodes[-1].out[0] == 8
    assert graph_of(text, set={"widths": (7, 9)}).nodes[-1].out[0] == 8
    assert graph_of(SET % "nothing", set={"nothing": 5}).nodes[-1].out[0] == 5


def test_set_reaches_what_is_computed_from_it() -> None:
    net = graph_of("let: {a: 1, b: =2*a, c: =b + 1}\nlayers: [conv: =c]", set={"a": 10})
    assert net.nodes[-1].out[0] == 21
    net = graph_of("let: {a: 1, b: =2*a, c: =b + 1}\nlayers: [conv: =c]", set={"b": 10})
    assert net.nodes[-1].out[0] == 11


def said(text: str, **settings: Any) -> str:
    with pytest.raises(OptionError) as caught:
        graph_of(text, **settings)
    return str(caught.value)


def test_set_of_an_unknown_name() -> None:
    assert said(SET % 1, set={"width": 3}) == (
        "cannot set 'width': no such name in 'let', did you mean 'widths'?"
    )
    assert said(SET % 1, set={"quality": 3}) == (
        "cannot set 'quality': no such name in 'let'; the spec lets you set"
        " n, widths, word, nothing"
    )
    assert said("layers: relu", set={"n": 3}).endswith("the spec lets you set none")
    assert said(SET % 1, set={3: 3}).startswith("cannot set 3: no such name")


def test_set_to_what_no_spec_could_say() -> None:
    assert said(SET % 1, set={"n": 3j}) == (
        "cannot set 'n': expected a number, text, a list or a mapping, got 3j"
    )


def test_a_wrong_value_from_outside_is_reported_where_it_is_used() -> None:
    for value, shown in (
        ("two", "got 'two'"),
        (-1, "got -1"),
        (10**5000, "and at most 2147483647, got a number of over 60 digits"),
    ):
        assert refusal(SET % 4, set={"n": value}).replace(",", "") == (
            f"3:19: 'repeat' must be a whole number of at least 0 {shown} (at layers[0])"
        ).replace(",", "")


def sizes(net: Graph) -> list[tuple[int, ...]]:
    return [node.out for node in net.inputs]


TWO = "inputs: {left: [3, 8, 8], right: [3, 8, 8]}\nlayers: [{concat: {}, from: [left, right]}]"


def test_input_is_replaced() -> None:
    assert sizes(graph_of("layers: relu", input=(1, 4, 4))) == [(1, 4, 4)]
    assert sizes(graph_of("layers: relu", input=[1, 4.0, 2])) == [(1, 4, 2)]
    assert sizes(graph_of("layers: relu", input={"input": (2, 1, 1)})) == [(2, 1, 1)]
    assert sizes(graph_of(TWO, input={"right": (5, 8, 8)})) == [(3, 8, 8), (5, 8, 8)]
    assert sizes(graph_of(TWO, input={})) == [(3, 8, 8), (3, 8, 8)]


def test_a_changed_network_has_no_reference() -> None:
    text = "reference: {params: 3}\nlet: {n: 1}\nlayers: [conv: =n]"
    assert dict(graph_of(text).reference) == {"params": 3}
    assert graph_of(text, set={"n": 2}).reference == ()
    assert graph_of(text, input=(1, 2, 2)).reference == ()


SHAPE = "must be a list of 1 to 4 whole numbers from 1 to 2147483647, channels first, got"


@pytest.mark.parametrize(
    "shape, shown",
    [
        (3, "3"),
        ("3x8x8", "'3x8x8'"),
        ((), "()"),
        ((3, 0), "the shape 3x0"),
        ((3, -1, 8), "the shape 3x-1x8"),
        ([3, 2.5], "[3, 2.5]"),
        ((3, True), "the shape 3xTrue"),
        ((1, 2, 3, 4, 5), "the shape 1x2x3x4x5"),
        ([10**5000], "[a number of over 60 digits]"),
        (None, None),
    ],
)
def test_wrong_shapes(shape: Any, shown: str | None) -> None:
    if shown is None:
        assert sizes(graph_of("layers: relu", input=shape)) == [(3, 32, 32)]
    else:
        assert said("layers: relu", input=shape) == f"the shape of 'input' {SHAPE} {shown}"


def test_shapes_of_unknown_inputs() -> None:
    assert said(TWO, input={"rihgt": (3,)}) == (
        "the spec has no input 'rihgt', did you mean 'right'?"
    )
    assert said(TWO, input={"top": (3,)}) == ("the spec has no input 'top'; it has left, right")
    assert said(TWO, input=(3, 8, 8)) == (
        "the spec has several inputs; give a shape by name: left, right"
    )


@pytest.mark.parametrize(
    "declared, given, write",
    [
        ("[3, 224, 224]", (64, 64), "3x64x64"),
        ("[3, 224, 224]", (1, 3, 64, 64), "3x64x64"),
        ("[3, 224]", (64,), "3x64"),
        ("[=1+2, 8, 8]", (4, 4), r"\?x4x4"),
    ],
)
def test_an_input_with_other_axes_is_told_how_to_write_it(
    declared: str, given: tuple[int, ...], write: str
) -> None:
    text = f"input: {declared}\nlayers:\n  - conv: {{out: 4, kernel: 1}}\n".encode()
    with pytest.raises(OptionError, match=rf"axes, 'input' of the spec has .* write {write}$"):
        graph(document("x.yaml", text=text), input=given)


def test_an_input_that_is_one_expression_may_have_any_axes() -> None:
    text = b"let: {shape: [3, 8, 8]}\ninput: =shape\nlayers:\n  - conv: {out: 4, kernel: 1}\n"
    read = document("x.yaml", text=text)
    assert graph(read).inputs[0].out == (3, 8, 8)
    assert graph(read, input=(3, 8)).outputs and graph(read, set={"shape": [2, 5]})


@pytest.mark.parametrize("shown", ["101", "-1", "high", "true", ".nan"])
def test_published_accuracy_is_a_percentage(shown: str) -> None:
    with pytest.raises(SpecError, match=r"'top1' must be a percentage such as 76\.13, got"):
        graph_of(f"reference: {{top1: {shown}}}\nlayers: [relu]")
