"""Every network that ships is held to published numbers, and kept short."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from archscope import load
from archscope.analysis import analyze
from archscope.language import zoo
from archscope.verify import oracles

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(zoo())
with (Path(__file__).parent / "zoo.csv").open(newline="") as table:
    PUBLISHED = {row["name"]: row for row in csv.DictReader(table)}
MOST_LINES = {
    "vgg16": 25,
    "resnet50": 32,
    "densenet121": 36,
    "shufflenet_v2_x1_0": 42,
    "googlenet_bn": 50,
}


def test_every_file_is_in_the_zoo() -> None:
    assert {path.stem for path in (ROOT / "specs").glob("*.yaml")} == set(SHIPPED)
    assert set(MOST_LINES) <= set(SHIPPED)
    assert len(set(PUBLISHED) & set(SHIPPED)) >= len(MOST_LINES)


@pytest.mark.parametrize("name", sorted(set(PUBLISHED) & set(SHIPPED)))
def test_numbers_are_the_published_ones(name: str) -> None:
    row = PUBLISHED[name]
    analysis = analyze(load(name))
    assert "x".join(map(str, analysis.input)) == row["input"]
    assert analysis.totals.params == int(row["params"])
    if row["macs"]:
        assert analysis.totals.macs == int(row["macs"])
    if row["rf_size"]:
        field = analysis.receptive_field
        assert field and field.size and field.stride and field.padding
        ours = {(*along,) for along in zip(field.size, field.stride, field.padding, strict=True)}
        assert ours == {(int(row["rf_size"]), int(row["rf_stride"]), int(row["rf_padding"]))}


@pytest.mark.parametrize("name", SHIPPED)
def test_spec_agrees_with_what_it_quotes(name: str) -> None:
    check = oracles.check_reference(load(name).inference())
    assert not check.differences
    assert check.compared or name not in PUBLISHED, "a known network quotes its numbers"


@pytest.mark.parametrize("name", SHIPPED)
def test_spec_is_found_by_name(name: str) -> None:
    graph = load(name)
    assert graph.name == name
    assert graph.about
    assert graph.nodes == load(zoo()[name]).nodes


@pytest.mark.parametrize(("name", "most"), MOST_LINES.items())
def test_spec_is_short(name: str, most: int) -> None:
    assert len(zoo()[name].read_text().splitlines()) <= most
