"""The page in a real browser: offline, used as people use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from archscope.report.pages.html import html
from tests.report.conftest import collected, page_of

ALONE = """
paper: https://example.org/paper
input: [3, 32, 32]
layers: [{conv: 8}, relu]
"""
"""A network with a paper and without a description."""


def test_sorts_and_filters(opened: Any) -> None:
    one = opened()
    heading = one.page.locator("#table thead button", has_text="macs").first
    heading.click()
    assert one.column(1)[0] == "first" and one.column(1)[-1] == "vgg16"
    heading.press("Enter")  # by the keyboard as by the mouse
    assert one.column(1)[0] == "vgg16"
    assert one.page.locator("th[aria-sort=descending]").inner_text().startswith("macs")

    one.page.fill("#filter", "shuffle")
    assert sorted(one.column(1)) == ["shufflenet_v1_g3", "shufflenet_v2_x1_0"]
    assert one.page.inner_text("#count") == "2 of 7 networks"
    one.page.fill("#filter", "macs>=1G params<30M")
    assert sorted(one.column(1)) == ["googlenet", "resnet50"]
    assert one.page.locator("details.network:visible").count() == 2
    one.page.fill("#filter", "")
    assert len(one.column(1)) == 7


def test_unknown_values_sort_last(opened: Any) -> None:
    one = opened()
    button = one.page.locator("#table thead button", has_text="accuracy")
    for _ in range(2):
        button.click()
        assert one.column(1)[0] == "first", "it alone has one"


def test_axes_and_pins(opened: Any) -> None:
    one = opened()
    title = "document.querySelector('#scatter .xtitle').textContent"
    assert one.page.evaluate(title) == "macs"
    one.page.select_option("#axis-x", "G4")
    one.page.locator("#scatter .xtitle", has_text="G4").wait_for()
    assert "lower G4" in one.page.inner_text("#front")
    one.page.select_option("#axis-y", "depth")
    assert "no network is dominated" in one.page.inner_text("#front")

    one.page.check("input[aria-label='pin resnet50']")
    assert "resnet50" in one.page.inner_text("#pinned")
    one.page.click("#pinned summary")
    one.page.locator("#pinned pre", has_text="each: {depth: =depths}").wait_for()
    one.page.click("button[aria-label='unpin resnet50']")
    assert one.page.inner_text("#pinned") == ""
    assert not one.page.is_checked("input[aria-label='pin resnet50']")
    one.page.locator("#scatter").scroll_into_view_if_needed()
    point = one.page.locator("#scatter .scatterlayer .point").first
    point.dispatch_event("mousemove")
    one.page.select_option("#axis-x", "macs")
    box = one.page.locator("#scatter .scatterlayer .point").last.bounding_box()
    one.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    one.page.mouse.down()
    one.page.mouse.up()
    one.page.wait_for_selector("#pinned .card")


def test_a_network_opens_with_everything(opened: Any) -> None:
    one = opened()
    one.page.evaluate("location.hash = 'network-resnet50'")  # as a link from outside does
    body = one.page.locator("#network-resnet50")
    one.charts("#network-resnet50", 4)
    text = body.inner_text()
    for words in ("Cost by stage", "Memory timeline", "Roofline", "Findings (1)", "Layers",
                  "stage0.bottleneck0.shortcut.conv_bn.batchnorm runs", "each: {depth: =depths}",
                  "1.12 breaks the guideline", "25.56 M"):  # fmt: skip
        assert words in text, words
    assert body.get_by_role("region", name="Layers of resnet50").locator("tbody tr").count() == 176
    note = body.locator("p[role=status]:not(.told)")
    before = note.inner_text()
    body.locator("input[type=number]").first.fill("1")
    assert note.inner_text() != before


def test_pinned_networks_are_compared(opened: Any) -> None:
    one = opened()
    assert "The first 3 networks" in one.page.inner_text("#compared")
    for name in ("resnet50", "mobilenet_v2", "shufflenet_v2_x1_0"):
        one.page.check(f"input[aria-label='pin {name}']")
    assert "The 3 pinned networks" in one.page.inner_text("#compared")
    one.page.select_option("#baseline", "resnet50")
    table = one.page.get_by_role("region", name="Compared networks", exact=True)
    row = table.locator("tbody tr", has=one.page.get_by_role("rowheader", name="params"))
    cells = [" ".join(text.split()) for text in row.locator("td").all_inner_texts()]
    assert cells == ["25.56 M", "3.505 M ▼ 7.29 times", "2.279 M ▼ 11.2 times"]
    stages = one.page.get_by_role("region", name="Stages of the compared networks")
    names = stages.locator("tbody th").all_inner_texts()
    assert names == [f"1/{2**step} of the input" for step in range(6)] + ["vectors"]

    button = stages.get_by_role("button", name="1/16 of the input")
    button.press("Enter")
    assert button.get_attribute("aria-pressed") == "true"
    faint = "all => all.filter(each => Number(getComputedStyle(each).opacity) < 1).length"
    bars = one.page.locator("#comparison-body .bars .point path")
    assert bars.evaluate_all(faint) == 3 * 6, "the bars of other stages"
    button.press("Enter")
    assert button.get_attribute("aria-pressed") == "false"


def test_a_filter_explains_itself(opened: Any) -> None:
    one = opened()
    for text, told, shown in (
        ("macs<1G net", 'Shown: macs below 1.000 G; name, description or input has "net".', 3),
        ("published_top-1>=70%", "Shown: published top-1 at least 70.0 %.", None),
        ("nosuch", 'Nothing matches: name, description or input has "nosuch".', 0),
        ("mcas<1G", 'Nothing matches: there is no column "mcas"; columns are ', 0),
        ("params<5MB", 'Nothing matches: "params<5MB" is no condition such as params<=5M.', 0),
    ):
        one.page.fill("#filter", text)
        assert one.page.inner_text("#filtered").startswith(told)
        if shown is not None:
            assert len(one.column(1)) == shown, text
            empty = "No network passes the filter." in one.page.inner_text("#scatter")
            assert empty == (shown == 0) == (one.page.locator("#scatter .point").count() == 0)
    one.page.fill("#filter", "")
    assert one.page.inner_text("#filtered") == ""


def test_axes_say_what_they_show(opened: Any) -> None:
    """Every axis has a title, every tick a text, and epochs are whole."""
    one = opened()
    for name in ("network-resnet50", "run-first", "study-search"):
        one.page.evaluate(f"document.getElementById('{name}').open = true")
    one.charts("#network-resnet50", 4)
    one.charts("#run-first", 7)
    one.charts("#study-search", 8)
    untitled = """all => all.filter(place => place.querySelector('.cartesianlayer .subplot')
        && !['x', 'y'].every(side => place.querySelector(`.${side}title`)?.textContent))
        .map(place => place.getAttribute('aria-label'))"""
    assert one.page.locator(".chart").evaluate_all(untitled) == []
    empty = "all => all.filter(each => !each.textContent.trim()).length"
    assert one.page.locator(".chart .xtick text, .chart .ytick text").evaluate_all(empty) == 0
    epochs = one.page.locator("[aria-label='loss of first by epoch'] .xtick text")
    assert epochs.all_text_contents() == ["1", "2"]


def test_buttons_of_a_chart_are_not_over_the_data(opened: Any) -> None:
    one = opened()
    below = """all => all.map(place => [place.querySelector('.modebar-group'),
        place.querySelector('.cartesianlayer .plot, .nsewdrag')])
        .filter(([bar, plot]) => bar && plot)
        .map(([bar, plot]) => plot.getBoundingClientRect().top - bar.getBoundingClientRect().bottom)
    """
    gaps = one.page.locator(".chart").evaluate_all(below)
    assert gaps and min(gaps) >= 0
    assert one.page.locator("#scatter .modebar--hover").count() == 1, "shown under the mouse alone"


def test_runs_have_curves(opened: Any) -> None:
    one = opened()
    run = one.page.locator("#run-first")
    run.evaluate("one => one.open = true")
    one.charts("#run-first", 7)
    assert "half of 'conv1' is dead" in run.inner_text()
    assert "95.0 % right" in run.inner_text()
    assert run.locator(".heatmaplayer").count() == 1
    for words in ("Gradient by layer", "Dead units by layer", "Filters of conv1", "Wrong images",
                  "a, taken for b (90.0 %)"):  # fmt: skip
        assert words in run.inner_text(), words
    shown = "all => all.map(one => one.naturalWidth)"
    assert run.locator("img").evaluate_all(shown) == [1] * 4
    assert all(run.locator("img").evaluate_all("all => all.map(one => one.alt)"))


def test_studies_have_arms_workers_and_decisions(opened: Any) -> None:
    one = opened()
    study = one.page.locator("#study-search")
    study.evaluate("one => one.open = true")
    one.charts("#study-search", 8)
    text = study.inner_text()
    for words in (
        "Best so far",
        "Workers",
        "Proxies",
        "Decisions",
        "78.0 %",
        "infeasible",
        "Use of the budget 5MMACs",
        "too few networks",
    ):
        assert words in text, words
    assert study.locator("tbody tr").count() == 8


def test_scores_of_a_study_against_their_cost_and_choices(opened: Any) -> None:
    one = opened()
    study = one.page.locator("#study-search")
    study.evaluate("one => one.open = true")
    one.charts("#study-search", 8)
    front = study.get_by_role("figure", name="score against cost")
    assert "Pareto front" in front.inner_text() and "5MMACs" in front.inner_text()
    told = study.inner_text()
    assert "The front has 6 networks, from trial 0 (4.000 M macs, 50.0 %) to trial 7" in told
    pairs = study.get_by_role("figure", name="mean scores by two choices")
    assert "62.0 %of 2" in pairs.inner_text().replace("\n", "")
    study.get_by_label("Up").select_option("width")
    study.get_by_label("Across").select_option("kind")
    assert pairs.locator(".xtitle").text_content() == "kind"


def test_steps_of_a_compression(opened: Any) -> None:
    one = opened()
    section = one.page.locator("#compression-whole")
    section.evaluate("one => one.open = true")
    one.charts("#compression-whole", 2)
    assert section.locator("tbody tr").count() == 3
    costs = section.get_by_role("figure", name="costs of the steps")
    ticks = costs.locator(".xtick text").all_text_contents()
    assert ticks == ["whole", "pruned1", "pruned1, int8"], "without what all have in common"
    widths = section.locator(".main-svg").evaluate_all("all => all.map(one => one.clientWidth)")
    assert max(widths) < 0.6 * section.bounding_box()["width"], "beside each other"


def test_layers_before_and_after(opened: Any) -> None:
    one = opened("narrower", width=390)
    net = one.page.locator("details.network").first
    net.evaluate("one => one.open = true")
    text = net.inner_text()
    assert "416.5 K \u2192 133.7 K macs (32.1 % left)" in text
    assert "macs gone since 'lenet5', 67.9 % in all" in text
    table = net.get_by_role("region", name="before and after")
    assert "6 \u2192 3" in table.locator("tbody tr").first.inner_text()
    table.get_by_role("button", name="macs gone").click()
    gone = table.locator("tbody tr td:last-child").all_inner_texts()
    assert sorted(gone, key=lambda text: float(text[:-2])) in (gone, gone[::-1])
    assert "3x28x28" in net.locator("svg [data-name=conv0]").first.text_content()
    assert one.page.evaluate("document.documentElement.scrollWidth") <= 390
    same = one.page.locator("details.network").nth(1)
    same.evaluate("one => one.open = true")
    assert "No layer has other channels" in same.inner_text()


LOOKS = [(width, scheme) for width in (1400, 390) for scheme in ("light", "dark")]


@pytest.mark.parametrize("width", [390, 1400])
def test_names_of_points_are_not_over_others(opened: Any, width: int) -> None:
    one = opened("crowd", width)
    rectangles = """all => all.filter(each => each.textContent).map(each => {
        const { left, top, right, bottom } = each.getBoundingClientRect();
        return [left, top, right, bottom];
    })"""
    chart = one.page.locator("#scatter .main-svg").first.bounding_box()
    names = one.page.locator("#scatter .textpoint").evaluate_all(rectangles)
    assert len(names) >= 2
    for number, (left, top, right, bottom) in enumerate(names):
        assert left >= chart["x"] - 1 and right <= chart["x"] + chart["width"] + 1
        for start, above, end, below in names[:number]:
            assert right <= start + 2 or end <= left + 2 or bottom <= above + 2 or below <= top + 2
    one.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert one.page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_study_without_scores_has_no_empty_charts(opened: Any) -> None:
    one = opened("crowd")
    one.page.evaluate("document.getElementById('study-failures').open = true")
    one.charts("#study-failures", 1)
    headings = one.page.locator("#study-failures h4").all_inner_texts()
    assert "Trials" in headings
    assert not {"Decisions", "Scores by choice", "Best so far"} & {*headings}


def test_charts_are_not_sent_anywhere(opened: Any) -> None:
    """Plotly's own button uploads a chart; the policy of the page would forbid that as well."""
    one = opened()
    labels = "all => all.map(each => each.getAttribute('data-title'))"
    buttons = one.page.locator("#scatter .modebar-btn").evaluate_all(labels)
    assert "Zoom" in buttons and not [each for each in buttons if "Share" in each]
    policy = one.page.locator("meta[http-equiv]").get_attribute("content")
    assert "form-action 'none'" in policy


@pytest.mark.parametrize("width, scheme", LOOKS)
def test_nothing_is_cut_and_axe_finds_nothing(opened: Any, width: int, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    one = opened(width=width, scheme=scheme)
    for name in ("network-googlenet", "run-first", "study-search", "compression-whole"):
        one.page.evaluate(f"document.getElementById('{name}').open = true")
    one.charts("#compression-whole", 2)
    one.charts("#network-googlenet", 4)
    one.charts("#run-first", 7)
    one.charts("#study-search", 8)
    one.page.locator("#network-googlenet").get_by_role("button", name="Open all").click()
    one.page.fill("#filter", "net")
    assert one.page.evaluate("document.documentElement.scrollWidth") <= width
    colour = one.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert colour == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 27)"}[scheme]
    found = axe.Axe().run(one.page)
    wrong = [
        (each["id"], [node["target"] for node in each["nodes"]][:3])
        for each in found.response["violations"]
    ]
    assert wrong == []


def test_theme_changes_charts_too(opened: Any) -> None:
    one = opened()
    ink = "getComputedStyle(document.querySelector('#scatter .xtitle')).fill"
    light = one.page.evaluate(ink)
    one.page.click("#theme")
    assert one.page.inner_text("#theme span") == "light"
    one.page.click("#theme")
    assert one.page.inner_text("#theme span") == "dark"
    assert one.page.evaluate(ink) != light
    one.page.click("#theme")
    assert one.page.evaluate(ink) == light, "the system is light"


def test_hostile_texts_do_nothing(opened: Any) -> None:
    one = opened("hostile")
    one.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    one.charts("#network-hostile", 4)
    assert one.page.evaluate("window.hacked") is None
    assert "<script>window.hacked = 1</script>" in one.page.inner_text("h1")
    assert "<img src=x" in one.page.inner_text("#network-hostile")
    assert one.page.locator("img").count() == 0
    assert "no number" in one.page.inner_text("#table")
    assert one.page.locator("a[href^='javascript']").count() == 0


def test_print_shows_what_is_open(opened: Any) -> None:
    one = opened()
    one.page.locator("#network-vgg16 > summary").click()
    one.page.emulate_media(media="print")
    visible = [one.page.locator(name).is_visible() for name in
               ("#network-vgg16", "#network-resnet50", "header")]  # fmt: skip
    one.page.emulate_media(media="screen")
    assert visible == [True, False, False]
    widths = "document.querySelector('#scatter .main-svg').getAttribute('width')"
    before = one.page.evaluate(widths)
    one.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert float(one.page.evaluate(widths)) <= 680, "the width of paper"
    one.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert one.page.evaluate(widths) == before


def test_a_browser_that_cannot_unpack_says_so(browser: Any, paths: dict[str, Path]) -> None:
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.add_init_script("delete window.DecompressionStream")
    page.goto(paths["five"].as_uri())
    page.locator("#scatter", has_text="--plotlyjs plain").wait_for()
    assert page.locator("#table tbody tr").count() == 7
    context.close()


def test_a_page_printed_before_its_charts_are_there_draws_them(
    browser: Any, paths: dict[str, Path]
) -> None:
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.add_init_script("""addEventListener('DOMContentLoaded', () => {
        dispatchEvent(new Event('beforeprint'));
        dispatchEvent(new Event('afterprint'));
    })""")
    page.goto(paths["narrower"].as_uri())
    page.locator("#scatter .plot-container").wait_for(state="attached")
    assert "Charts need plotly" not in page.inner_text("body")
    context.close()


def test_only_networks_of_one_input_are_judged(opened: Any) -> None:
    one = opened()
    one.page.select_option("#axis-x", "macs")
    one.page.select_option("#axis-y", "memory_access_bytes")
    told = one.page.inner_text("#front")
    assert "first" not in told
    assert told.endswith("Only the 6 networks with input 3x224x224 are compared.")


def test_a_network_alone(browser: Any, tmp_path: Path) -> None:
    (tmp_path / "alone.yaml").write_text(ALONE, encoding="utf-8")
    path = tmp_path / "page.html"
    page_alone = page_of(*collected(str(tmp_path / "alone.yaml")).networks())
    path.write_text(html(page_alone), encoding="utf-8")
    context = browser.new_context(offline=True)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda one: wrong.append(str(one)))
    page.goto(f"{path.as_uri()}#100%")  # an address that cannot be decoded
    for word, told in (("nothing-like-it", "0 of 1 network"), ("", "1 network")):
        page.fill("#filter", word)
        assert page.inner_text("#count") == told
    assert page.get_by_role("link", name="https://example.org/paper").is_visible()
    assert not wrong
    context.close()
