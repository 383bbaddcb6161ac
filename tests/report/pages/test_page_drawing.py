"""Drawings of networks on the page, in a real browser."""

from __future__ import annotations

from typing import Any

import pytest

from archscope.drawing.layout import layout_of
from archscope.drawing.tree import tree_of
from tests.report.conftest import collected


def test_the_drawing_folds_and_is_that_of_python(opened: Any) -> None:
    one = opened()
    one.page.locator("#network-googlenet > summary").click()
    drawing = one.page.locator("#network-googlenet .drawing")
    before = drawing.locator("g.box").count()
    block = drawing.locator("g[role=button][data-name=inception0]")
    assert block.get_attribute("aria-expanded") == "false"
    block.focus()
    one.page.keyboard.press("Enter")
    assert drawing.locator("g.box").count() > before
    assert block.get_attribute("aria-expanded") == "true"
    focused = "document.activeElement.dataset.name"
    assert one.page.evaluate(focused) == "inception0", "the keyboard stays where it was"
    one.page.keyboard.press("Space")
    assert drawing.locator("g.box").count() == before

    body = one.page.locator("#network-googlenet")
    body.get_by_role("button", name="Open all", exact=True).click()
    script = """all => all.map(one => [one.dataset.name, ...['x', 'y', 'width', 'height'].map(
        key => Number(one.querySelector(':scope > rect').getAttribute(key)))])"""
    seen = {row[0]: row[1:] for row in drawing.locator("svg > g").evaluate_all(script)}
    (google,) = collected("googlenet").networks()
    wanted = layout_of(tree_of(google.layers), lambda *_: True)
    assert {box.node.name for box in wanted.boxes} == set(seen)
    for box in wanted.boxes:
        assert seen[box.node.name] == pytest.approx([box.x, box.y, box.width, box.height])
    body.get_by_role("button", name="Fold all", exact=True).click()
    assert drawing.locator("g.box").count() == len(tree_of(google.layers).children)


def test_a_drawing_is_searched_and_zoomed(opened: Any) -> None:
    one = opened()
    one.page.locator("#network-googlenet > summary").click()
    body = one.page.locator("#network-googlenet")
    drawing, told = body.locator(".drawing"), body.locator(".told")
    find = body.get_by_label("Find")
    find.fill("lrn")
    assert told.inner_text().startswith("2 of ") and "lrn1" in told.inner_text()
    assert drawing.locator(".found").count() == 2
    find.fill("nosuch")
    assert told.inner_text().startswith('No layer\'s name has "nosuch"')
    assert drawing.locator(".found").count() == 0
    find.fill("")
    width = float(drawing.locator("svg").get_attribute("width") or 0)
    body.get_by_role("button", name="zoom in", exact=True).click()
    assert float(drawing.locator("svg").get_attribute("width") or 0) == pytest.approx(1.25 * width)
    body.get_by_role("button", name="Fit").click()
    drawing.locator("g.box[data-name='lrn1']").dispatch_event("pointerover")
    assert told.inner_text().startswith("lrn1: lrn") and "memory access" in told.inner_text()


def test_own_values_are_painted(opened: Any) -> None:
    one = opened()
    one.page.locator("#network-googlenet > summary").click()
    body = one.page.locator("#network-googlenet")
    scale = body.locator(".drawing").locator("xpath=preceding-sibling::div[1]//*[@class='scale']")
    colours = body.get_by_label("Colour by")
    colours.select_option("overlay")
    told = scale.inner_text().replace("\n", "")
    assert told == "0.5 points2 points loss; without colour: no value"
    box = body.locator("g[data-name='lrn1']")
    assert "2 points" in box.inner_html() and "loss: 2 points" in box.inner_html()
    style = "g => g.querySelector('rect').getAttribute('style')"
    assert "100.0%" in box.evaluate(style)
    assert "20.0%" in body.locator("g[data-name='inception0']").evaluate(style)
    colours.select_option("macs")
    assert "of the network" in scale.inner_text()


def test_layers_show_their_attributes(opened: Any) -> None:
    one = opened()
    one.page.evaluate("document.getElementById('network-first').open = true")
    layers = one.page.get_by_role("region", name="Layers of first")
    assert "out 6, kernel 5" in layers.inner_text()
    box = one.page.locator("#network-first g[data-name=conv0] title").text_content()
    assert "out 6, kernel 5" in box and "1x32x32 -> 6x28x28" in box
    drawing = one.page.locator("#network-first .drawing")
    titles = drawing.locator("g.box text:first-of-type").all_text_contents()
    assert titles[1:4] == ["conv0 5x5", "tanh0", "avgpool0 2x2/2"]
