"""Charts as files: the pictures of the report for papers and slides, drawn by matplotlib."""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import BytesIO
from typing import Any

from archscope.drawing.heat import HEATS
from archscope.errors import OptionError, UnavailableError
from archscope.report.pages.content import MEASURES, Measure, NetworkSection
from archscope.report.pages.summary import number, pareto_front, written
from archscope.report.table import BYTES, COUNT, SHARE

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe and Ito's, which every eye tells apart."""
LINES = ("-", "--", "-.", ":")
INCHES, DOTS = (7.0, 4.2), 160  # size, and dots of a PNG for each inch
BARS = 40  # layers that fit side by side with their names
MIB = 1 << 20


def plot(
    kind: str,
    networks: Sequence[NetworkSection],
    form: str,
    *,
    x: str = "macs",
    y: str = "memory_access_bytes",
    fact: str = "macs",
) -> bytes:
    """Return a chart as SVG or PNG: pareto, memory, field or layers.

    `x` and `y` are the measures of pareto, `fact` is what the bars of layers show. The same
    networks give the same bytes. Raises OptionError for an unknown measure or nothing to draw,
    UnavailableError without matplotlib.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError:
        raise UnavailableError(
            "charts need the package matplotlib: pip install 'archscope[plot]'"
        ) from None
    style: Any = {"svg.hashsalt": "archscope", "svg.fonttype": "none", "font.family": "DejaVu Sans",
             "axes.spines.top": False, "axes.spines.right": False, "text.parse_math": False,
             "axes.axisbelow": True}  # fmt: skip
    with mpl.rc_context(style):
        figure = Figure(figsize=INCHES, layout="constrained")
        axes = figure.subplots()
        axes.grid(color="#d5dae0", linewidth=0.6)
        if kind == "pareto":
            _pareto(axes, networks, measure_named(x), measure_named(y))
        elif kind == "layers":
            _layers(axes, networks, fact)
        else:
            _lines(axes, networks, kind)
        file = BytesIO()
        metadata = {"Date": None} if form == "svg" else {"Software": None}
        figure.savefig(file, format=form, dpi=DOTS, metadata=metadata)
    return file.getvalue()


def measure_named(word: str) -> Measure:
    """Return the measure of a key or label. Raises OptionError."""
    from archscope.errors import did_you_mean

    for one in MEASURES.values():
        if word.lower() in (one.key.lower(), one.label, one.label.replace(" ", "_")):
            return one
    keys = list(MEASURES)
    hint = did_you_mean(word, keys) or f"; there are {', '.join(keys)}"
    raise OptionError(f"no measure '{word}'{hint}")


def _pareto(axes: Any, networks: Sequence[NetworkSection], x: Measure, y: Measure) -> None:
    known = [
        network
        for network in networks
        if number(network, x.key) is not None and number(network, y.key) is not None
    ]
    if not known:
        raise OptionError(f"no network has both {x.label} and {y.label}")
    judged = x.better is not None and y.better is not None
    best = (
        {one.id for one in pareto_front(known, x.key, y.key)}
        if judged
        else {one.id for one in known}
    )
    for one in known:
        mine = one.id in best
        place = (number(one, x.key), number(one, y.key))
        colour = COLOURS[0] if mine else "#7a838d"
        axes.plot(*place, "o", color=colour, markerfacecolor=colour if mine else "white")
        axes.annotate(one.name, place, xytext=(0, 6), textcoords="offset points",
                      ha="center", fontsize=8, color=colour)  # fmt: skip
    for measure, axis, scale in (
        (x, axes.xaxis, axes.set_xscale),
        (y, axes.yaxis, axes.set_yscale),
    ):
        if all((number(one, measure.key) or 0) > 0 for one in known) and measure.kind != SHARE:
            scale("log", base=2 if measure.kind == BYTES else 10)
        kind = measure.kind
        axis.set_major_formatter(lambda value, _, kind=kind: _tick(value, kind))
        axis.set_minor_formatter(lambda value, _: "")
    axes.set_xlabel(x.label)
    axes.set_ylabel(y.label)
    axes.margins(0.12)


def _tick(value: float, kind: str) -> str:
    """Return a round value without its last zeros: `100 M`."""
    return re.sub(r"\.0+(?= |$)|(\.\d*[1-9])0+(?= |$)", r"\1", written(value, kind))


def _lines(axes: Any, networks: Sequence[NetworkSection], kind: str) -> None:
    """Draw memory or field over the layers, of networks of any length."""
    drawn = False
    for place, one in enumerate(networks):
        points = [layer.alive_bytes if kind == "memory" else layer.field for layer in one.layers]
        values = [point / (MIB if kind == "memory" else 1) for point in points if point is not None]
        if not values:
            continue
        drawn = True
        style: Any = {
            "color": COLOURS[place % len(COLOURS)],
            "linestyle": LINES[place % len(LINES)],
        }
        axes.step(range(len(values)), values, where="post", label=one.name, linewidth=1.6, **style)
    if not drawn:
        raise OptionError("there is no memory timeline in a saved analysis; give the spec"
                          if kind == "memory" else "no layer has a receptive field")  # fmt: skip
    axes.set_xlabel("layer, in order of execution")
    axes.set_ylabel("MiB of feature maps" if kind == "memory" else "receptive field, pixels")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=8)


def _layers(axes: Any, networks: Sequence[NetworkSection], fact: str) -> None:
    """Draw one network layer by layer, those without the fact left out; the last ones at most."""
    if len(networks) != 1:
        raise OptionError(f"layers are drawn of one network, got {len(networks)}")
    (one,) = networks
    key = HEATS[fact]
    bars = [(layer.name, getattr(layer, key)) for layer in one.layers if getattr(layer, key)]
    if not bars:
        raise OptionError(f"no layer of {one.name} has {fact}")
    axes.bar(range(len(bars)), [value for _, value in bars], color=COLOURS[0])
    axes.yaxis.set_major_formatter(
        lambda value, _: _tick(value, BYTES if fact == "memory" else COUNT)
    )
    if len(bars) <= BARS:
        names = [name if len(name) < 25 else f"…{name[-23:]}" for name, _ in bars]
        axes.set_xticks(range(len(bars)), names, rotation=90, fontsize=6)
    else:
        axes.set_xlabel(f"layers with {fact}, in order of execution")
    axes.set_ylabel("memory access" if fact == "memory" else fact)
    axes.set_title(one.name, fontsize=10)
    axes.margins(x=0.01)
