"""Pages in a real browser, made once for all tests, with an eye on their console.

A browser takes a second to start and plotly another.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from archscope.drawing.overlay import Overlay
from archscope.language import zoo
from archscope.report.pages.content import NetworkSection
from archscope.report.pages.html import html
from archscope.report.pages.inputs import ReportInputs
from tests.report.conftest import (
    changed,
    collected,
    compression,
    inspection,
    make_run,
    make_study,
    page_of,
)
from tests.report.pages.test_html import hostile
from tests.report.pages.test_study_section import make_failed_study

LENET = zoo()["lenet5"].read_text(encoding="utf-8")


class Watched:
    """A page that remembers what it should not have done."""

    def __init__(self, page: Any, path: Path) -> None:
        self.page, self.wrong = page, []
        page.on("console", lambda one: self.wrong.append(f"{one.type}: {one.text}"))
        page.on("pageerror", lambda one: self.wrong.append(f"error: {one}"))
        page.on("request", lambda one: self._request(one.url))
        page.goto(path.as_uri())
        self.charts("#scatter", 1)

    def _request(self, url: str) -> None:
        if not url.startswith(("file:", "data:", "blob:")):
            self.wrong.append(f"request: {url}")

    def charts(self, inside: str, count: int) -> None:
        """Wait for so many charts in a part of the page."""
        drawn = self.page.locator(f"{inside} .plot-container")  # one for each chart
        drawn.nth(count - 1).wait_for(state="attached")

    def column(self, number: int) -> list[str]:
        """Return a column of the overview as far as it is shown."""
        cells = self.page.locator(f"#table tbody tr:not([hidden]) > :nth-child({number})")
        return [text.split("\n")[0].strip() for text in cells.all_inner_texts()]


@pytest.fixture(scope="module")
def paths(
    tmp_path_factory: pytest.TempPathFactory, five: tuple[NetworkSection, ...]
) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    run = make_run(folder / "runs" / "first")
    (run / "look.json").write_text(json.dumps(inspection()))
    study = make_study(folder / "studies" / "search")
    (folder / "compression.json").write_text(json.dumps(compression()))
    inputs = collected(str(run), "googlenet", str(study), str(folder / "compression.json"))
    painted = Overlay("loss", "points", {"inception0": 0.5, "lrn1": 2.0})
    more = [
        structs.replace(one, overlay=painted if one.name == "googlenet" else None)
        for one in inputs.networks()
    ]
    narrower = ReportInputs(before="lenet5")
    for name, width in (("half", 0.5), ("same", 1)):
        text = LENET.replace("width: 1", f"width: {width}").replace("lenet5", name)
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        narrower.add(str(folder / f"{name}.yaml"))
    crowd = collected("lenet5", str(make_failed_study(folder / "failures")))
    pages = {
        "crowd": page_of(*crowded(crowd.networks()[0]), inputs=crowd),
        "five": page_of(*five, *more, inputs=inputs),
        "hostile": hostile(five),
        "narrower": page_of(*narrower.networks()),
    }
    for name, page in pages.items():
        (folder / f"{name}.html").write_text(html(page), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in pages}


def crowded(lenet: NetworkSection) -> list[NetworkSection]:
    """Networks with long names, whose points are close together or equal."""
    return [
        changed(
            structs.replace(lenet, id=f"crowd-{number}", name=f"{'long' * 20}{number}"),
            published_top1=0.7 + 0.001 * (number % 5),
            G1=1.1004 + 0.1 * number,
        )
        for number in range(8)
    ]


@pytest.fixture(scope="module")
def tabs(browser: Any) -> Iterator[dict[Any, Watched]]:
    """Pages that stay open from test to test: loading one takes most of the time."""
    found: dict[Any, Watched] = {}
    yield found
    for value in found.values():
        value.page.context.close()


@pytest.fixture
def opened(browser: Any, paths: dict[str, Path], tabs: dict[Any, Watched]) -> Iterator[Any]:
    used: list[Watched] = []

    def call(name: str = "five", width: int = 1400, scheme: str = "light") -> Watched:
        key = (name, width, scheme)
        if key not in tabs:
            size = {"width": width, "height": 900}
            context = browser.new_context(viewport=size, color_scheme=scheme, offline=True)
            tabs[key] = Watched(context.new_page(), paths[name])
        used.append(tabs[key])
        return used[-1]

    yield call
    for one in used:
        assert one.wrong == []
        one.page.fill("#filter", "")
        one.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = false)")
        one.page.evaluate("document.querySelectorAll('.pin:checked').forEach(one => one.click())")
        one.page.evaluate("location.hash = ''")
