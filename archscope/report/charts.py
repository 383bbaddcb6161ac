"""Write charts of the report as SVG and PNG files for papers and slides, with matplotlib."""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import BytesIO
from math import log2
from typing import Any

from archscope.drawing.heat import HEATS
from archscope.drawing.labels import shortened
from archscope.errors import OptionError, did_you_mean
from archscope.report.pages.content import MEASURES, Measure, NetworkSection
from archscope.report.pages.quality import number
from archscope.report.pages.summary import pareto_front
from archscope.report.pages.words import written
from archscope.report.table import BYTES, COUNT, SHARE

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""The palette of Okabe and Ito, which is safe for colour-blind readers."""
LINES = ("-", "--", "-.", ":")
INCHES, DPI = (7.0, 4.2), 160
SIDES = ((0, 6, "center", "bottom"), (0, -6, "center", "top"), (7, 0, "left", "center"),
         (-7, 0, "right", "center"))  # fmt: skip
"""Where names are tried beside their points: offset in points, and alignment."""
ROUNDS = 6  # of these, each ten points further away
POINT = 5  # half the side of a point, in pixels of the figure
BARS = 40  # the most layers to show with their names
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
    """Draw a chart as SVG or PNG: pareto, memory, field or layers.

    `x` and `y` are the measures of pareto, `fact` is the one shown by the bars of layers. The same
    networks give the same bytes. Raises OptionError for an unknown measure or if there is nothing
    to draw.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

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
        figure.savefig(file, format=form, dpi=DPI, metadata=metadata)
    return file.getvalue()


def measure_named(word: str) -> Measure:
    """Return the measure with a key or label. Raises OptionError."""
    for measure in MEASURES.values():
        label = measure.label
        if word.lower() in (measure.key.lower(), label, label.replace(" ", "_")):
            return measure
    keys = list(MEASURES)
    hint = did_you_mean(word, keys) or f"; there are {', '.join(keys)}"
    raise OptionError(f"no measure '{word}'{hint}")


def _pareto(axes: Any, networks: Sequence[NetworkSection], x: Measure, y: Measure) -> None:
    from matplotlib.ticker import MultipleLocator

    known = [
        network
        for network in networks
        if number(network, x.key) is not None and number(network, y.key) is not None
    ]
    if not known:
        raise OptionError(f"no network has both {x.label} and {y.label}")
    ranked = x.better is not None and y.better is not None
    labels: list[Any] = []
    optimal = {network.id for network in (pareto_front(known, x.key, y.key) if ranked else known)}
    for network in known:
        # matplotlib takes no whole number that needs over 64 bits.
        place = tuple(float(number(network, measure.key) or 0) for measure in (x, y))
        colour, fill = (COLOURS[0],) * 2 if network.id in optimal else ("#7a838d", "white")
        axes.plot(*place, "o", color=colour, markerfacecolor=fill)
        label = axes.annotate(shortened(network.name, 40), place, xytext=(0, 6),
                              textcoords="offset points", fontsize=8, color=colour)  # fmt: skip
        label.set_in_layout(False)  # a long name would narrow the chart
        labels.append(label)
    for measure, axis, scale in (
        (x, axes.xaxis, axes.set_xscale),
        (y, axes.yaxis, axes.set_yscale),
    ):
        values = [float(number(network, measure.key) or 0) for network in known]
        # A logarithmic axis of values that are close has no ticks.
        low, high = min(values), max(values)
        if measure.kind != SHARE and high >= 4 * low > 0:
            scale("log", base=2 if measure.kind == BYTES else 10)
        elif measure.kind == BYTES and high > low:
            axis.set_major_locator(MultipleLocator(2 ** round(log2((high - low) / 5))))
        kind = measure.kind
        axis.set_major_formatter(lambda value, _, kind=kind: _tick(value, kind))
        axis.set_minor_formatter(lambda value, _: "")
    axes.set_xlabel(x.label)
    axes.set_ylabel(y.label)
    axes.margins(0.12)
    _place(axes, labels)


def _place(axes: Any, labels: Sequence[Any]) -> None:
    """Move the names of points to where they are inside of the figure and over no other name."""
    from matplotlib.transforms import Bbox

    figure = axes.figure
    figure.draw_without_rendering()
    points = axes.transData.transform([label.xy for label in labels])
    taken = [Bbox.from_bounds(x - POINT, y - POINT, 2 * POINT, 2 * POINT) for x, y in points]
    for label in labels:
        for step in range(len(SIDES) * ROUNDS + 1):
            x, y, horizontal, vertical = SIDES[step % len(SIDES)]
            further = 10 * (step // len(SIDES) % ROUNDS) * (1 if y >= 0 else -1)
            label.set(position=(x, y + further), ha=horizontal, va=vertical)
            box = label.get_window_extent()
            inside = axes.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
            if inside and not box.count_overlaps(taken):
                break  # after the last step, where it was first
        taken.append(box)


def _tick(value: float, kind: str) -> str:
    """Format a value without trailing zeros: `100 M`."""
    return re.sub(r"\.0+(?= |$)|(\.\d*[1-9])0+(?= |$)", r"\1", written(value, kind))


def _lines(axes: Any, networks: Sequence[NetworkSection], kind: str) -> None:
    """Draw the memory or the receptive field over the layers."""
    drawn = False
    for place, network in enumerate(networks):
        points = [
            layer.alive_bytes if kind == "memory" else layer.field for layer in network.layers
        ]
        unit = MIB if kind == "memory" else 1
        values = [float("nan") if point is None else point / unit for point in points]
        if all(point is None for point in points):
            continue
        drawn = True
        style: Any = {
            "color": COLOURS[place % len(COLOURS)],
            "linestyle": LINES[place % len(LINES)],
        }
        axes.step(
            range(len(values)), values, where="post", label=network.name, linewidth=1.6, **style
        )
    if not drawn:
        raise OptionError("there is no memory timeline in a saved analysis; give the spec"
                          if kind == "memory" else "no layer has a receptive field")  # fmt: skip
    axes.set_xlabel("layer, in order of execution")
    axes.set_ylabel("MiB of feature maps" if kind == "memory" else "receptive field, pixels")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=8)


def _layers(axes: Any, networks: Sequence[NetworkSection], fact: str) -> None:
    """Draw the layers of one network that have the measure."""
    if len(networks) != 1:
        raise OptionError(f"layers are drawn of one network, got {len(networks)}")
    (network,) = networks
    key = HEATS[fact]
    bars = [(layer.name, getattr(layer, key)) for layer in network.layers if getattr(layer, key)]
    if not bars:
        raise OptionError(f"no layer of {network.name} has {fact}")
    axes.bar(range(len(bars)), [float(value) for _, value in bars], color=COLOURS[0])
    axes.yaxis.set_major_formatter(
        lambda value, _: _tick(value, BYTES if fact == "memory" else COUNT)
    )
    if len(bars) <= BARS:
        names = [shortened(name, 28) for name, _ in bars]
        axes.set_xticks(range(len(bars)), names, rotation=90, fontsize=6)
    else:
        axes.set_xlabel(f"layers with {fact}, in order of execution")
    axes.set_ylabel("memory access" if fact == "memory" else fact)
    axes.set_title(network.name, fontsize=10)
    axes.margins(x=0.01)
