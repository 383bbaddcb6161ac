"""Every format of drawings draws every box of a network; a new file in the folder is tested here.

What a drawing is, is seen from its content: XML and JSON are parsed, bytes are opened as an image.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from html import unescape
from itertools import count
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest
from PIL import Image

import archscope.drawing.formats as formats
from archscope import Analysis, analyze, load
from archscope.drawing.formats import FORMATS, format_of, render
from archscope.errors import UnavailableError
from archscope.ir import text_of
from tests.nets import Net, chain

Drawing = str | bytes

COUNTER = count()


def tiny() -> Analysis:
    return analyze(chain(("conv", {"out": 4, "kernel": 3}), ("relu", {}), x=(3, 8, 8)))


def branching() -> Analysis:
    net = Net(x=(4, 6, 6))
    left = net("conv", "x", name="left", out=5, kernel=3, padding=1)
    right = net("maxpool", "x", name="right", kernel=3, stride=1, padding=1)
    both = net("concat", left, right, name="both")
    return analyze(net.graph(net("add", both, net("sigmoid", both, name="gate"), name="sum")))


def blocks() -> Analysis:
    return analyze(load("shufflenet_v2_x0_5"))


NETWORKS: dict[str, Callable[[], Analysis]] = {
    function.__name__: function for function in (tiny, branching, blocks)
}


def drawn(form: str, analysis: Analysis, fold: int | None = None) -> Drawing:
    try:
        return render(analysis, form, fold)
    except UnavailableError as error:
        pytest.skip(str(error))


def check(form: str, analysis: Analysis) -> None:
    drawing = drawn(form, analysis)
    assert drawing == drawn(form, analysis), "the same network gives the same drawing"
    assert drawing != drawn(form, analyze(load("lenet5"))), "another one gives another"
    if isinstance(drawing, bytes):
        with Image.open(io.BytesIO(drawing)) as image:
            image.verify()
        return
    text = words_of(drawing)
    for layer in analysis.layers:
        assert layer.name.rpartition(".")[2] in text
        assert text_of(layer.out) in text


def words_of(drawing: str) -> str:
    """Return the text of a drawing, parsed where its first letter says what it is."""
    assert drawing.endswith("\n")
    if drawing.startswith("<"):
        return " ".join(ElementTree.fromstring(drawing).itertext())
    if drawing.startswith("{"):
        return json.dumps(json.loads(drawing))
    for left, right in ("{}", "[]"):
        assert drawing.count(left) == drawing.count(right)
    return unescape(drawing)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("form", FORMATS)
def test_a_drawing_has_every_box(form: str, network: str) -> None:
    check(form, NETWORKS[network]())


@pytest.mark.parametrize("form", FORMATS)
def test_folded_drawings_are_smaller(form: str) -> None:
    analysis = blocks()
    assert len(drawn(form, analysis, 1)) < len(drawn(form, analysis))


@pytest.mark.parametrize("form", FORMATS)
def test_suffixes_lead_to_the_format(form: str) -> None:
    suffixes = formats._module(form).SUFFIXES
    assert suffixes and isinstance(suffixes, tuple)
    for suffix in suffixes:
        assert suffix.startswith(".")
        assert format_of(Path(f"net{suffix.upper()}")) == form


@pytest.mark.parametrize(
    "render_broken",
    [
        lambda analysis, fold, heat: "nothing\n",
        lambda analysis, fold, heat: f"<svg>{analysis.name}</sgv>\n",
        lambda analysis, fold, heat: b"no picture",
        lambda analysis, fold, heat: f"{next(COUNTER)} {analysis.layers}\n",
    ],
)
def test_a_broken_format_is_found(
    render_broken: Callable[..., Drawing], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("broken")
    module.render = render_broken  # type: ignore[attr-defined]
    monkeypatch.setattr(formats, "_module", lambda form: module)
    with pytest.raises((AssertionError, OSError, ElementTree.ParseError)):
        check("broken", tiny())
