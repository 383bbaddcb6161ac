"""Render a report as a self-contained HTML file."""

from __future__ import annotations

import re
import zlib
from base64 import b64encode
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from archscope.drawing.tree import tree_of
from archscope.errors import UnavailableError
from archscope.report.pages.content import Page
from archscope.report.pages.payload import for_script, network_data, page_data
from archscope.report.pages.quality import number, quality, rivals
from archscope.report.pages.words import points, written
from archscope.units import format_beside, format_duration

TEMPLATES = Path(__file__).with_name("templates")
SCRIPTS = (
    "basics.js", "charts.js", "table.js", "tradeoffs.js", "layout.js", "drawing.js", "before.js",
    "network.js", "comparison.js", "runs.js", "choices.js", "study_front.js", "studies.js",
    "compressions.js", "start.js",
)  # fmt: skip
"""The parts of the page's own script, in the order of their dependencies."""

PLOTLY_PAGE = "https://cdn.plot.ly/plotly-{}.min.js"


PlotlyScript = Literal["embed", "plain", "cdn"]


def html(page: Page, plotlyjs: PlotlyScript = "embed", charts: str | None = None) -> str:
    """Render the page as HTML with plotly's bundle.

    `embed` includes it compressed, for the browser to unpack, `plain` uncompressed, and `cdn` links
    to it. `charts` replaces the bundle. Raises UnavailableError if there is no plotly.js.
    """
    embedded = plotlyjs != "cdn"
    link = "" if embedded else PLOTLY_PAGE.format(_bundled())
    template = _environment().get_template("page.html")
    body: str = template.render(
        page=page,
        data=for_script(page_data(page)),
        networks=[
            (network, for_script(network_data(network, tree_of(network.layers))))
            for network in page.networks
        ],
        best=best_values(page),
        limits={score.code: score.limit for network in page.networks for score in network.scores},
        link=link,
        packed=plotlyjs == "embed",
        style=_file("style.css"),
        scripts="\n".join(map(_file, SCRIPTS)),
    )
    # Megabytes of script bypass the template, which would copy them.
    if not embedded:
        return body
    script = bundle() if charts is None else charts
    return body.replace(MARK, packed(script) if plotlyjs == "embed" else script, 1)


@cache
def _environment() -> Any:
    """Return the environment of the templates, cached because compiling them is slow."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["written"] = written
    environment.filters["duration"] = lambda value: "-" if value is None else format_duration(value)
    environment.filters["beside"] = format_beside
    environment.filters["points"] = points
    environment.filters["script"] = for_script
    environment.filters["unbroken"] = unbroken
    return environment


def unbroken(text: str) -> str:
    """Return a text as HTML in which `top-1` does not break at its hyphen.

    A hyphen that never breaks would be another letter, which nobody finds by typing it.
    """
    from markupsafe import Markup, escape

    return Markup(TOP.sub(r'<span class="unbroken">\g<0></span>', str(escape(text))))  # noqa: S704 escaped


TOP = re.compile(r"\btop-\d\b", re.IGNORECASE)
MARK = "/* plotly.js */"


def _file(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def bundle() -> str:
    """Return plotly.js. Raises UnavailableError."""
    return _script().read_text(encoding="utf-8")


def packed(script: str) -> str:
    """Compress a script as the page unpacks it: zlib's format (RFC 1950) in base64."""
    return b64encode(zlib.compress(script.encode())).decode()


def _script() -> Path:
    """Return the file of plotly.js: that of the wheel or, in a checkout, of the package plotly."""
    shipped = Path(__file__).with_name("plotly.min.js")
    if shipped.is_file():
        return shipped
    spec = find_spec("plotly")  # importing it would take longer than the whole report
    if spec is None or not spec.origin:
        raise UnavailableError("a report in HTML needs the package plotly: pip install plotly")
    return Path(spec.origin).parent / "package_data" / "plotly.min.js"


def _bundled() -> str:
    """Return the version of plotly.js, from its first line."""
    with _script().open(encoding="utf-8") as file:
        head = file.read(200)
    words = head.replace("*", " ").split()
    return next((word[1:] for word in words if word[:1] == "v" and word[1:2].isdigit()), "latest")


def best_values(page: Page) -> dict[str, set[str]]:
    """Return the ids of the best networks by each measure in which comparable networks differ.

    For accuracies, networks tied with the best are included.
    """
    best: dict[str, set[str]] = {}
    found = quality(page.networks)
    for measure in page.measures:
        group = rivals(page.networks, measure.key)
        values = {network.id: number(network, measure.key) or 0.0 for network in group}
        choose: Callable[[Any], Any] | None = {"less": min, "more": max, None: None}[measure.better]
        if found is not None and measure.key == found.measure:
            best[measure.key] = {network.id for network in found.tied}
        elif choose is not None and len(set(values.values())) > 1:
            most = choose(values.values())
            best[measure.key] = {name for name, value in values.items() if value == most}
    return best
