"""The page as text: gold files, nothing from outside, and everything escaped."""

from __future__ import annotations

import json
import os
import re
import zlib
from base64 import b64decode
from html.parser import HTMLParser
from math import nan
from pathlib import Path

import pytest
from msgspec import structs

from archscope import analyze, load
from archscope.drawing.tree import tree_of
from archscope.language import zoo
from archscope.report.formats import markdown, table
from archscope.report.pages.content import NetworkSection, Page, Problem
from archscope.report.pages.html import bundle, html, unbroken
from archscope.report.pages.network_section import describe_network
from archscope.report.pages.payload import for_script, network_data
from archscope.report.pages.text_page import parts, scatter
from archscope.report.sparkline import bar, sparkline
from archscope.report.table import CommandOutput
from tests.report.conftest import HOSTILE, changed, collected, make_study, page_of

GOLD = Path(__file__).with_name("gold")
GOLD_VALUES = {
    "params", "macs", "memory_access_bytes", "peak_activation_bytes", "training_bytes",
    "macs_per_byte", "field", "coverage", "depth", "G1", "G2", "G3", "G4",
}  # fmt: skip
"""What the gold files have of each network, so that a new metric leaves them as they are."""
PATTERN = "INPUT 1x32x32 -> CONV 6 -> RELU -> POOL -> FC 10"


def gold(name: str, text: str) -> None:
    """Compare with a file of what is right; UPDATE_GOLD=1 writes it anew, to be looked at."""
    path = GOLD / name
    if os.environ.get("UPDATE_GOLD"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def static(page: Page) -> str:
    """Return a page less its style and its script, which are files of their own."""
    text = html(page, charts="")
    text = re.sub(r"<style>.*?</style>", "<style></style>", text, flags=re.DOTALL)
    return re.sub(r"<script>\n\(\(\) =>.*?</script>", "<script></script>", text, flags=re.DOTALL)


@pytest.fixture(scope="module")
def two() -> Page:
    networks = [
        structs.replace(
            network,
            values={key: value for key, value in network.values.items() if key in GOLD_VALUES},
        )
        for network in collected("lenet5", PATTERN).networks()
    ]
    return page_of(*networks)


def test_gold_page(two: Page) -> None:
    gold("two.html", static(two))


def test_gold_markdown_and_terminal(two: Page) -> None:
    gold("two.md", markdown.render(CommandOutput(parts(two, plot=False))))
    gold("two.txt", table.render(CommandOutput(parts(two, plot=True))))


def test_the_same_page_twice_is_the_same_bytes(run_folder: Path) -> None:
    inputs = [collected("lenet5", str(run_folder)) for _ in range(2)]
    first, second = (html(page_of(*read.networks(), inputs=read)) for read in inputs)
    assert first == second


def test_the_script_is_packed_or_plain(two: Page) -> None:
    """What the browser unpacks is plotly.js, letter for letter."""
    page, plain = html(two), html(two, "plain")
    place = re.search(r'<script type="text/plain" id="plotly" data-packed="deflate">(.*?)<', page)
    assert place is not None
    assert zlib.decompress(b64decode(place[1])).decode() == bundle()
    assert bundle() in plain and "data-packed=" not in plain
    assert len(page.encode()) < 2_500_000 < len(plain.encode())


def test_five_networks_and_a_study_are_under_two_and_a_half_megabytes(
    five: tuple[NetworkSection, ...], tmp_path: Path
) -> None:
    inputs = collected(str(make_study(tmp_path / "search")))
    assert len(html(page_of(*five, inputs=inputs)).encode()) < 2_500_000


class Outside(HTMLParser):
    """Collects what a page would fetch, and how its scripts begin."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [str(value) for name, value in attrs if name in ("src", "srcset", "data")]
        if tag == "link":
            self.fetched.append(str(attrs))


def test_the_page_fetches_nothing(two: Page) -> None:
    found = Outside()
    found.feed(html(two, charts=""))
    assert found.fetched == []
    assert "url(" not in html(two, charts="") and "@import" not in html(two, charts="")


def test_a_page_for_the_network_fetches_plotly_alone(two: Page) -> None:
    text = html(two, "cdn")
    found = Outside()
    found.feed(text)
    (link,) = found.fetched
    assert re.fullmatch(r"https://cdn\.plot\.ly/plotly-\d+\.\d+\.\d+\.min\.js", link)
    assert link.split("-")[1].removesuffix(".min.js") in bundle()[:200]
    assert len(text) < 200_000


def hostile(five: tuple[NetworkSection, ...]) -> Page:
    bad = structs.replace(five[0], id="hostile", name=HOSTILE, about=HOSTILE, paper=HOSTILE,
                          yaml=HOSTILE, source=HOSTILE)  # fmt: skip
    page = page_of(changed(bad, accuracy=nan), changed(five[1], accuracy=0.5), five[2])
    return structs.replace(page, title=HOSTILE, problems=(Problem(HOSTILE, HOSTILE),))


def test_hostile_texts_stay_text(five: tuple[NetworkSection, ...]) -> None:
    page = hostile(five)
    plain = Outside()
    plain.feed(html(page_of(*five[:3]), charts=""))
    found = Outside()
    found.feed(html(page, charts=""))
    assert found.tags.count("script") == plain.tags.count("script")
    assert "img" not in found.tags
    assert found.fetched == []


def test_json_in_a_script_ends_nothing() -> None:
    text = for_script({"name": "</script><!--\u2028&"})
    assert "<" not in text and "\u2028" not in text and "&" not in text
    assert json.loads(text) == {"name": "</script><!--\u2028&"}


def test_a_page_of_nothing() -> None:
    page = structs.replace(page_of(), problems=(Problem("runs/x", "there is no run"),))
    text = html(page, charts="")
    assert "There is no network in this report." in text
    assert "runs/x" in text
    assert 'id="overview"' not in text


def test_one_network_has_nothing_to_be_compared_with(five: tuple[NetworkSection, ...]) -> None:
    text = static(page_of(five[0]))
    assert 'id="trade-offs"' not in text and 'id="difference"' not in text
    assert 'id="network-vgg16" open' in text


def test_text_charts(five: tuple[NetworkSection, ...]) -> None:
    assert bar(1) == "█" * 10
    assert bar(1e-6) == "▏"
    assert bar(0) == ""
    assert sparkline([0, 4, 8]) == " ▄█"
    assert sparkline([]) == ""
    assert len(sparkline(range(1000))) == 40
    drawn = scatter(five, "macs", "memory_access_bytes")
    assert "a vgg16" in drawn and "D shufflenet_v1_g3" in drawn and "E shufflenet" in drawn
    rows = [line for line in drawn.splitlines() if line.startswith(" │")]
    assert "a" in rows[0] and rows[0].rstrip().endswith("a"), "the most of both is at the corner"


def test_500_networks_stay_under_25_megabytes() -> None:
    """The zoo is as mixed as a report of 500 networks would be, and its share is known."""
    sizes = []
    for path in zoo().values():
        graph = load(path)
        page = describe_network(analyze(graph), graph, yaml=path.read_text(encoding="utf-8"))
        sizes.append(len(for_script(network_data(page, tree_of(page.layers)))))
    whole = 500 * sum(sizes) / len(sizes) + len(bundle())
    assert whole < 23_000_000, "findings and the table come on top"


def test_a_hyphen_that_must_not_break_is_still_a_hyphen() -> None:
    found = unbroken("<b> predicted top-1, published Top-5, top-10 & stop-1")
    assert re.sub("</?span[^>]*>", "", found) == (
        "&lt;b&gt; predicted top-1, published Top-5, top-10 &amp; stop-1"
    )
    assert re.findall(r'<span class="unbroken">(.*?)</span>', found) == ["top-1", "Top-5"]
