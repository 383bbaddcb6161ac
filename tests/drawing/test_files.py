"""Drawings as files: well-formed, with all lines, and whatever stands in a name stays text."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from msgspec import structs

from archscope import Analysis, analyze, load
from archscope.drawing.dot import dot
from archscope.drawing.heat import share, warmth
from archscope.drawing.layout import picture
from archscope.drawing.mermaid import mermaid
from archscope.drawing.svg import cut, svg
from archscope.drawing.tree import tree
from tests.nets import Net

SPACE = "{http://www.w3.org/2000/svg}"
HOSTILE = '</text><script>alert("1")</script>\n`]--&\x07'


def hostile() -> Analysis:
    net = Net(x=(3, 8, 8))
    net("conv", "x", name=f"{HOSTILE}.one", out=4, kernel=3)
    net("relu", f"{HOSTILE}.one", name=f"{HOSTILE}.two")
    return analyze(structs.replace(net.graph(), name=HOSTILE))


def test_svg_has_every_box_and_every_line() -> None:
    analysis = analyze(load("googlenet"))
    drawing = picture(tree(analysis.layers), lambda *_: True)
    root = ElementTree.fromstring(svg(drawing, analysis))
    assert len(root.findall(f".//{SPACE}g[@class='box']")) == len(analysis.layers)
    assert len(root.findall(f".//{SPACE}path")) == len(drawing.wires)
    texts = {element.text for element in root.iter(f"{SPACE}text")}
    assert "64x112x112 · 118.0 M macs" in texts
    assert "inception0" in texts


def test_the_heaviest_layer_is_the_warmest() -> None:
    analysis = analyze(load("googlenet"))
    item = tree(analysis.layers)
    shares = {child.name: share(child, analysis, "macs") for child in item.children}
    assert max(shares, key=shares.__getitem__) == "unit2"
    assert abs(sum(shares.values()) - 1) < 1e-9
    assert warmth(0) == 0 and warmth(1) == 1


def test_hostile_names_stay_text_in_svg() -> None:
    analysis = hostile()
    text = svg(picture(tree(analysis.layers), lambda *_: True), analysis)
    root = ElementTree.fromstring(text)  # a control character would not parse
    assert not [element for element in root.iter() if element.tag.endswith("script")]
    assert "<script" not in text


def test_hostile_names_stay_text_in_dot_and_mermaid() -> None:
    analysis = hostile()
    item = tree(analysis.layers)
    for depth in (1, None):
        quoted = re.sub(r'"(?:[^"\\]|\\.)*"', "", dot(item, analysis, depth))
        assert "script" not in quoted and '"' not in quoted
        for line in mermaid(item, analysis, depth).splitlines():
            assert "<script" not in line
            assert line.count('"') in (0, 2), line


def test_dot_and_mermaid_fold_alike() -> None:
    analysis = analyze(load("googlenet"))
    item = tree(analysis.layers, analysis.name)
    for depth in (1, 2, None):
        first, second = dot(item, analysis, depth), mermaid(item, analysis, depth)
        lines = [
            line.split() for line in first.splitlines() if "->" in line and "label" not in line
        ]
        other = [line.split() for line in second.splitlines() if "-->" in line]
        assert [(one, two.rstrip(";")) for one, _, two in lines] == [(a, b) for a, _, b in other]
    assert first.count("label=") == len(analysis.layers) + first.count("subgraph")


def test_long_names_lose_their_middle() -> None:
    assert cut("abcdefghij", 10) == "abcdefghij"
    assert cut("abcdefghijk", 10) == "abc…fghijk"
