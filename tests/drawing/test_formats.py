"""Drawings as files: well-formed, with all lines, and whatever stands in a name stays text."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from msgspec import structs

from archscope import Analysis, analyze, load
from archscope.drawing.formats import FORMATS, format_of, render
from archscope.drawing.heat import colour, share
from archscope.drawing.labels import shortened
from archscope.drawing.layout import layout_of
from archscope.drawing.tree import tree_of
from archscope.errors import OptionError
from tests.nets import Net

SPACE = "{http://www.w3.org/2000/svg}"
HOSTILE = '</text><script>alert("1")</script>\n`]--&\x07'


def hostile() -> Analysis:
    net = Net(x=(3, 8, 8))
    net("conv", "x", name=f"{HOSTILE}.one", out=4, kernel=3)
    net("relu", f"{HOSTILE}.one", name=f"{HOSTILE}.two")
    return analyze(structs.replace(net.graph(), name=HOSTILE))


def test_the_legend_says_what_colours_mean() -> None:
    """Its colours are those of boxes with the shares that it names."""
    analysis = analyze(load("lenet5"))
    root = ElementTree.fromstring(str(render(analysis, "svg", heat="memory")))
    texts = [element.text for element in root.findall(f"{SPACE}text")]
    assert texts == ["share of memory access", "0 %", "25 %", "100 %"]
    bar = [element.get("fill") for element in root.findall(f"{SPACE}rect")][1:-1]
    assert [bar[place] for place in (0, 5, 10)] == [colour(0.25**0.5 * part) for part in (0, 1, 2)]
    plain = ElementTree.fromstring(str(render(analysis, "svg", heat=None)))
    assert plain.findall(f"{SPACE}text") == [], "without colours there is none"


def test_svg_has_every_box_and_every_line() -> None:
    analysis = analyze(load("googlenet"))
    root = ElementTree.fromstring(render(analysis, "svg"))
    drawing = layout_of(tree_of(analysis.layers), lambda *_: True)
    assert len(root.findall(f".//{SPACE}g[@class='box']")) == len(analysis.layers)
    assert len(root.findall(f".//{SPACE}path")) == len(drawing.edges)
    texts = {element.text for element in root.iter(f"{SPACE}text")}
    assert "64x112x112 · 118.0 M macs" in texts
    assert "inception0" in texts


def test_boxes_name_windows_as_figures_do() -> None:
    net = Net(x=(3, 32, 32), s=(4, 40))
    net("conv", "x", name="stem", out=8, kernel=7, stride=2, padding=3)
    net("conv", "stem", name="row", out=8, kernel=(1, 7), stride=(2, 1), padding=(0, 3))
    net("conv", "row", name="point", out=8, kernel=1)
    net("maxpool", "point", name="pool", kernel=2)  # the stride is the kernel
    net("conv_transpose", "pool", name="up", out=8, kernel=2, stride=2)
    net("relu", "up", name="relu")
    net("conv", "s", name="signal", out=4, kernel=5, stride=4)
    net("conv", "relu", name="a_name_that_is_longer_than_a_box", out=4, kernel=3)
    analysis = analyze(net.graph())
    root = ElementTree.fromstring(str(render(analysis, "svg", heat=None)))
    titles = [str(box[2].text) for box in root.iter(f"{SPACE}g")]
    assert {"stem 7x7/2", "row 1x7/2x1", "point 1x1", "pool 2x2/2", "up 2x2/2", "relu"} < {*titles}
    assert "signal 5/4" in titles
    assert titles[-1].endswith("a_box 3x3") and len(titles[-1]) == 23
    for form in ("dot", "mermaid"):
        assert '"stem 7x7/2' in str(render(analysis, form))


def test_the_heaviest_layer_is_the_warmest() -> None:
    analysis = analyze(load("googlenet"))
    root = tree_of(analysis.layers)
    shares = {child.name: share(child, analysis, "macs") for child in root.children}
    assert max(shares, key=shares.__getitem__) == "unit2"
    assert abs(sum(shares.values()) - 1) < 1e-9
    assert (colour(0.0), colour(1.0)) == ("#ffffff", "#f08e3c")


def test_hostile_names_stay_text_in_svg() -> None:
    analysis = hostile()
    text = render(analysis, "svg")
    root = ElementTree.fromstring(text)  # a control character would not parse
    assert not [element for element in root.iter() if element.tag.endswith("script")]
    assert "<script" not in text


def test_hostile_names_stay_text_in_dot_and_mermaid() -> None:
    analysis = hostile()
    for depth in (1, None):
        quoted = re.sub(r'"(?:[^"\\]|\\.)*"', "", render(analysis, "dot", depth))
        assert "script" not in quoted and '"' not in quoted
        for line in render(analysis, "mermaid", depth).splitlines():
            assert "<script" not in line
            assert line.count('"') in (0, 2), line


def test_dot_and_mermaid_fold_alike() -> None:
    analysis = analyze(load("googlenet"))
    for depth in (1, 2, None):
        first, second = (render(analysis, form, depth) for form in ("dot", "mermaid"))
        lines = [
            line.split() for line in first.splitlines() if "->" in line and "label" not in line
        ]
        other = [line.split() for line in second.splitlines() if "-->" in line]
        assert [(one, two.rstrip(";")) for one, _, two in lines] == [(a, b) for a, _, b in other]
    assert first.count("label=") == len(analysis.layers) + first.count("subgraph")


def test_long_names_lose_their_middle() -> None:
    assert shortened("abcdefghij", 10) == "abcdefghij"
    assert shortened("abcdefghijk", 10) == "abc…fghijk"


def test_the_suffix_of_a_file_is_its_format() -> None:
    assert {"dot", "mermaid", "png", "svg"} <= set(FORMATS)
    assert [format_of(Path(f"net.{suffix}")) for suffix in ("GV", "mmd", "png", "svg")] == [
        "dot", "mermaid", "png", "svg",
    ]  # fmt: skip
    with pytest.raises(OptionError, match=r"the suffix of 'net.pdf' belongs to no drawing format"):
        format_of(Path("net.pdf"))


@pytest.mark.parametrize("form", ["svg", "dot", "mermaid"])
def test_a_layer_with_the_weights_of_another_says_so(form: str) -> None:
    analysis = analyze(load("siamese"))
    drawn = str(render(analysis, form))
    borrowed = [layer for layer in analysis.layers if layer.shares is not None]
    assert len(borrowed) > 1
    assert drawn.count(" shared") == len(borrowed)
    if form != "mermaid":  # which has no tooltips
        assert all(f"the weights of {layer.shares}" in drawn for layer in borrowed)
    assert " shared" not in str(render(analyze(load("lenet5")), form))
