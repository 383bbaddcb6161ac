"""Charts as files."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from msgspec import structs

from archscope.analysis import analyze
from archscope.errors import OptionError
from archscope.language import load
from archscope.report.charts import plot
from archscope.report.pages.content import NetworkSection
from archscope.report.pages.network_section import describe_network

pytest.importorskip("matplotlib", reason="matplotlib is not installed")


def texts(content: bytes) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(content).iter()
            if element.tag.endswith("}text")]  # fmt: skip


@pytest.mark.parametrize("kind", ["pareto", "memory", "field"])
def test_every_network_is_named(five: tuple[NetworkSection, ...], kind: str) -> None:
    content = plot(kind, five, "svg")
    assert {one.name for one in five} <= set(texts(content))
    assert plot(kind, five, "svg") == content, "the same input, the same bytes"


def test_layers_of_one(five: tuple[NetworkSection, ...]) -> None:
    assert "stage0.conv1" in texts(plot("layers", five[:1], "svg"))
    with pytest.raises(OptionError, match="of one network, got 5"):
        plot("layers", five, "svg")


@pytest.mark.parametrize("kind", ["pareto", "layers"])
def test_counts_of_any_size_are_drawn(kind: str) -> None:
    network = load("lenet5")
    large = [describe_network(analyze(network, batch=batch)) for batch in (10**20, 10**21)]
    names = texts(plot(kind, large[:1] if kind == "layers" else large, "svg"))
    assert "lenet5" in names or "conv0" in names


def test_png(five: tuple[NetworkSection, ...]) -> None:
    content = plot("pareto", five, "png", x="G4", y="peak memory")
    assert content.startswith(b"\x89PNG")


def test_names_are_no_formulas(five: tuple[NetworkSection, ...]) -> None:
    odd = structs.replace(five[0], name="$x^$ <b>")
    assert "$x^$ <b>" in texts(plot("pareto", [odd, *five[1:]], "svg"))


def test_points_that_are_close_have_ticks_and_long_names(five: tuple[NetworkSection, ...]) -> None:
    close = [
        structs.replace(five[0], id=str(number), name=f"{'long' * 20}{number}",
                        values={**five[0].values, "macs": 1e9 + 2e8 * number})
        for number in range(3)
    ]  # fmt: skip
    told = texts(plot("pareto", close, "svg"))
    assert {"1.2 G", "1.4 G"} <= set(told), "ticks"
    assert sum("…" in text and len(text) <= 40 for text in told) == 3


def test_gaps_stay_in_their_place(five: tuple[NetworkSection, ...]) -> None:
    layers = list(five[0].layers)
    gap = [structs.replace(layer, field=None) for layer in layers[:10]]
    moved = structs.replace(five[0], layers=(*gap, *layers[10:]))
    assert plot("field", [moved], "svg") != plot("field", [structs.replace(
        five[0], layers=tuple(layers[10:]))], "svg")  # fmt: skip


def test_mistakes(five: tuple[NetworkSection, ...]) -> None:
    with pytest.raises(OptionError, match="no measure 'makcs', did you mean 'macs'"):
        plot("pareto", five, "svg", x="makcs")
    with pytest.raises(OptionError, match="no network has both macs and accuracy"):
        plot("pareto", five, "svg", y="accuracy")
