"""Make the pictures of the manual: `python docs/screenshots.py`, with playwright and a Chromium."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from archscope.cli import main

PICTURES = Path(__file__).with_name("pictures")
NETWORKS = ("vgg16", "resnet50", "googlenet", "mobilenet_v2", "shufflenet_v1_g3",
            "shufflenet_v2_x1_0")  # fmt: skip


def take(page: Page) -> None:
    """Take the top of the page in the light, and an opened network in the dark."""
    page.wait_for_selector("#scatter .plot-container")
    page.screenshot(path=PICTURES / "report.png")
    page.emulate_media(color_scheme="dark")
    page.evaluate("location.hash = 'network-googlenet'")
    network = page.locator("#network-googlenet")
    network.locator(".plot-container").nth(3).wait_for()
    network.locator("g[role=button][data-name=inception0]").press("Enter")
    network.locator(".drawing").evaluate("one => one.scrollTop = 480")
    page.mouse.move(0, 0)
    page.wait_for_timeout(300)
    network.locator("h4").first.scroll_into_view_if_needed()
    page.evaluate("document.querySelector('#network-googlenet h4').scrollIntoView()")
    page.wait_for_timeout(600)
    page.screenshot(path=PICTURES / "network.png")


def show(page: Page, element: str) -> None:
    """Scroll to an element; charts that are drawn on the way move it, hence again."""
    for _ in range(3):
        page.evaluate(f"{element}.scrollIntoView({{behavior: 'instant'}})")
        page.wait_for_timeout(600)


def take_search(page: Page, folder: Path) -> None:
    """Take a search of the embedded digits at 12x12, and a training of its winner at 28x28."""
    words = ["search", "tiny", "--budget", "3MMACs", "--data", "digits", "--resolution", "12",
             "--images", "600", "--trials", "60", "--control", "0.25", "--epochs", "1", "--top",
             "3", "--seeds", "3", "--name", "digits", "--no-cache", "--workers", "1",
             "--studies-dir", str(folder)]  # fmt: skip
    main(words)
    study, runs = folder / "digits", folder / "runs"
    main(["train", str(study / "winner.yaml"), "--data", "digits", "--epochs", "4", "--name",
          "winner", "--runs-dir", str(runs), "--quiet"])  # fmt: skip
    main(["evaluate", str(runs / "winner"), "--keep"])
    for path, source in (("search.html", study), ("run.html", runs / "winner")):
        main(["report", str(source), "--date", "none", "-o", str(folder / path)])
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.goto((folder / "search.html").as_uri())
    page.locator(".study .plot-container").nth(5).wait_for()
    show(page, "document.querySelector('.study .pair')")
    page.screenshot(path=PICTURES / "search.png")
    page.goto((folder / "run.html").as_uri())
    page.locator(".run .seen").first.wait_for()
    show(page, "[...document.querySelectorAll('.run h4')].find("
               "one => one.textContent === 'Gradient by layer')")  # fmt: skip
    page.screenshot(path=PICTURES / "run.png")


def all_pictures() -> int:
    """Make every picture and return the exit code."""
    chromium = shutil.which("chromium") or shutil.which("chrome")
    if chromium is None:
        print("no Chromium on this machine", file=sys.stderr)
        return 2
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as started:
        path = Path(folder) / "report.html"
        main(["report", *NETWORKS, "--date", "none", "-o", str(path)])
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1160}, color_scheme="light")
        page.goto(path.as_uri())
        take(page)
        take_search(page, Path(folder))
        browser.close()
    return main(["draw", "googlenet", "--fold", "1", "-o", str(PICTURES / "googlenet.svg")])


if __name__ == "__main__":
    sys.exit(all_pictures())
