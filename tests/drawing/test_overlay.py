"""Users' own values on drawings: colours, and errors in files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from archscope import Analysis, analyze, load
from archscope.drawing.formats import FORMATS, render
from archscope.drawing.heat import colour
from archscope.drawing.overlay import FAINTEST, Overlay, node_names, read_overlay
from archscope.drawing.tree import tree_of
from archscope.errors import OptionError

SPACE = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    return analyze(load("googlenet"))


def overlay_of(analysis: Analysis, content: Any, folder: Path) -> Overlay:
    file = folder / "values.json"
    file.write_text(json.dumps(content))
    return read_overlay(file).of_one(analysis.name, node_names(tree_of(analysis.layers)))


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("about", [{}, {"title": "loss", "unit": "points"}])
def test_forms_of_a_file(
    analysis: Analysis, tmp_path: Path, nested: bool, about: dict[str, str]
) -> None:
    content: Any = {"lrn1": 1, "inception0": 2.5}
    if nested:
        content = {"googlenet": content}
    if about:
        content = {**about, "values": content}
    found = overlay_of(analysis, content, tmp_path)
    assert found.values == {"lrn1": 1.0, "inception0": 2.5}
    assert (found.title, found.unit) == (("loss", "points") if about else ("values", ""))
    assert found.text(2.5) == ("2.5 points" if about else "2.5")


def test_boxes_are_painted_by_their_value(analysis: Analysis, tmp_path: Path) -> None:
    leaves = [layer.name for layer in analysis.layers if layer.name.startswith("inception1.")]
    values = {"lrn1": -2.0, "inception0": 6.0, leaves[0]: 0.0, leaves[1]: 4.0}
    paint = overlay_of(analysis, {"title": "a <b>", "unit": "s", "values": values}, tmp_path)
    boxes = {node.name: node for node in tree_of(analysis.layers).children}
    assert paint.value(boxes["inception1"]) == 2.0, "the mean of what is inside"
    assert paint.value(boxes["lrn0"]) is None
    warmth = [paint.intensity(boxes[name]) for name in ("lrn1", "inception1", "inception0", "lrn0")]
    assert warmth == [FAINTEST, pytest.approx((1 + FAINTEST) / 2), 1.0, 0.0]

    drawn = ElementTree.fromstring(str(render(analysis, "svg", 1, paint)))
    fills = {}
    for group in drawn.iter(f"{SPACE}g"):
        (about,), (rect,) = group.findall(f"{SPACE}title"), group.findall(f"{SPACE}rect")
        fills[str(about.text).partition(":")[0]] = rect.get("fill")
    assert fills["inception0"] == colour(1.0) and fills["lrn0"] == colour(0.0)
    texts = [str(each.text) for each in drawn.iter(f"{SPACE}text")]
    assert texts[:3] == ["a <b>", "-2 s", "6 s"], "the legend"
    assert "480x28x28 · 2 s" in texts


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_shows_values(form: str, analysis: Analysis, tmp_path: Path) -> None:
    paint = overlay_of(analysis, {"title": "one", "values": {"lrn1": 3.25}}, tmp_path)
    drawn = render(analysis, form, 1, paint)
    assert drawn != render(analysis, form, 1)
    if isinstance(drawn, str):
        assert "3.25" in drawn and "one" in drawn


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"lrn11": 1}, r"node 'lrn11', which is not in 'googlenet', did you mean 'lrn1'\?"),
        ({"googlent": {"lrn1": 1}}, r"network 'googlent'.*, did you mean 'googlenet'\?"),
        ({"other": {"lrn1": 1}}, r"network 'other', which is not drawn; networks are 'googlenet'"),
        ({"lrn1": "high"}, "expected a number for 'lrn1', got \"high\""),
        ({"lrn1": 10**400}, "expected a number for 'lrn1', got 1000"),
        ({"lrn1": None}, "expected a number for 'lrn1', got null"),
        ({"lrn1": True}, "expected a number for 'lrn1', got true"),
        ({"googlenet": {"lrn1": []}}, "expected a number for 'googlenet', 'lrn1', got"),
        ({"lrn1": 1, "googlenet": {"lrn1": 1}}, "expected a number for 'googlenet'"),
        ({}, r"expected \{node: number\} or"),
        ([1], r"expected \{node: number\} or .*, got \[1\]"),
        ({"values": {"lrn1": 1}, "titel": "x"}, "the key 'titel'"),
        ({"values": {"lrn1": 1}, "title": 3}, "texts as title and unit"),
        ({"values": {}}, r"expected \{node: number\} or"),
        ({"googlenet": {}}, "no values"),
    ],
)
def test_mistakes_have_one_line(
    analysis: Analysis, tmp_path: Path, content: Any, told: str
) -> None:
    with pytest.raises(OptionError, match=told) as caught:
        overlay_of(analysis, content, tmp_path)
    assert "\n" not in str(caught.value) and "values.json" in str(caught.value)


@pytest.mark.parametrize("content", [b"{", b"", b"\xff", b'{"a": NaN}'])
def test_files_that_are_no_json(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "values.json").write_bytes(content)
    with pytest.raises(OptionError, match="cannot read"):
        read_overlay(tmp_path / "values.json")
    with pytest.raises(OptionError, match="no such file"):
        read_overlay(tmp_path / "none.json")


def test_a_file_of_several_networks(tmp_path: Path) -> None:
    file = tmp_path / "values.json"
    file.write_text(json.dumps({"a": {"x": 1}, "b": {"y": 2}}))
    read = read_overlay(file)
    assert read.of_one("a", {"x"}).values == {"x": 1.0}, "others of the file are left"
    found = read.of({"a": {"x"}, "b": {"y"}, "c": {"x"}})
    assert {name: each.values for name, each in found.items()} == {"a": {"x": 1.0}, "b": {"y": 2.0}}
    file.write_text(json.dumps({"x": 1, "y": 2}))
    found = read_overlay(file).of({"a": {"x"}, "b": {"y", "x"}})
    assert found["a"].values == {"x": 1.0} and found["b"].values == {"x": 1.0, "y": 2.0}
    with pytest.raises(OptionError, match="node 'y', which is not in 'a'"):
        read_overlay(file).of({"a": {"x"}})
