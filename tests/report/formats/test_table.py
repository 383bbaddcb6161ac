"""Tables fit any terminal: no number is cut, and a column without room is said to be left out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archscope.analysis import analyze
from archscope.cli import main
from archscope.language import load
from archscope.printable import width_of
from archscope.report import formats
from archscope.report.formats.table import NARROW, render
from archscope.report.table import (
    BYTES,
    COUNT,
    MEASURE,
    NAME,
    NUMBERS,
    PICTURE,
    RATIO,
    SHAPE,
    SHARE,
    TEXT,
    Column,
    CommandOutput,
    Table,
    readable,
)
from archscope.report.tables.analysis import layer_table
from archscope.report.tables.networks import comparison_table
from archscope.report.wrapping import wrapped

WIDTHS = (60, 80, 100)
NUMBER = re.compile(r"\d+(?:[.,x]\d+)*(?: (?:%|[kKMGT]i?B?)(?!\w))?")


def check(table: Table, width: int) -> None:
    """Check that each number of a table is in its text as a whole, or its column named as lost."""
    text = shown_at(width, table)
    lost = omitted(text)
    shown = NUMBER.findall(text)
    kept = [column for column in table.columns if not column.wide and not is_lost(column, lost)]
    assert table.columns[0] in kept
    for place, column in enumerate(table.columns):
        if column in kept:
            for row in (*table.rows, *table.totals):
                for number in NUMBER.findall(readable(row[place], column.kind)):
                    assert number in shown, f"{number} of {column.name} at {width}"
    if len(kept) > 1 and max(map(width_of, text.splitlines()), default=0) > width:
        raise AssertionError(f"wider than {width}:\n{text}")


def shown_at(width: int, table: Table) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(width))
        return render(CommandOutput([table]), screen=True)


def omitted(text: str) -> str:
    found = re.search(r"\d+ columns? do(?:es)? not fit:.*?--wide shows all", " ".join(text.split()))
    return found[0] if found else ""


def is_lost(column: Column, lost: str) -> bool:
    names = lost.partition(": ")[2].partition(";")[0].split(", ")
    return (column.name or "another") in names or bool(column.key and column.key in names)


numbers = st.one_of(st.integers(0, 10**40), st.floats(0, 1e30), st.none())
words = st.text(st.sampled_from("abcdefg_./- 0123456789,é層"), max_size=70)
cells = {
    COUNT: st.one_of(st.integers(0, 10**40), st.just(">= 123.4 T"), st.none()),
    BYTES: numbers, SHARE: numbers, RATIO: numbers, MEASURE: numbers,
    SHAPE: st.lists(st.integers(1, 10**9), min_size=1, max_size=5).map(tuple),
    NAME: words, TEXT: words,
}  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> Table:
    kinds = draw(st.lists(st.sampled_from(sorted(cells)), min_size=2, max_size=12))
    columns = tuple(Column(f"column number{place}", kind) for place, kind in enumerate(kinds))
    row = st.tuples(*(cells[kind] for kind in kinds))
    rows, totals = draw(st.lists(row, max_size=4)), draw(st.lists(row, max_size=1))
    return Table(draw(words), columns, tuple(rows), tuple(totals))


@settings(max_examples=100)
@given(tables(), st.sampled_from(WIDTHS))
def test_no_number_of_any_table_is_cut(table: Table, width: int) -> None:
    check(table, width)


@settings(max_examples=100)
@given(tables())
def test_no_word_is_broken_in_a_pipe(table: Table) -> None:
    shown = render(CommandOutput([table])).split("\n")
    for place, column in enumerate(table.columns):
        for row in (*table.rows, *table.totals):
            cell = readable(row[place], column.kind)
            for part in [cell.rstrip()] if column.kind == NAME else cell.split():
                assert any(part in line for line in shown), f"{part!r} of {column.name}"


def test_every_kind_of_column_is_tried() -> None:
    assert set(cells) == {*NUMBERS, SHAPE, *NARROW}


LONG = "a_network_with_a_name_that_is_longer_than_any_terminal_would_like_it_to_be_2_0_17"
SPEC = f"name: {LONG}\ninput: [3, 4096, 4096]\nlayers:\n  - conv: {{out: 65536, kernel: 11}}\n"
COMMANDS = (
    "analyze SPEC", "analyze resnet50 --fused --memory 8GiB --count strict", "ops",
    "compare vgg16 resnet50 mobilenet_v2 SPEC --plot", "recipes", "rule", "guidelines SPEC",
    "reconcile SPEC", "im2col SPEC conv", "lint SPEC resnet50 --statistics --exit-zero",
    "report SPEC vgg16 resnet50 --format terminal", "space mobile --samples 4",
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_no_number_of_a_command_is_cut(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "long.yaml").write_text(SPEC)
    seen: list[CommandOutput] = []

    def keep(output: CommandOutput, form: str, screen: bool = False) -> str:
        seen.append(output)
        return ""

    monkeypatch.setattr(formats, "render", keep)
    assert main(command.replace("SPEC", str(tmp_path / "long.yaml")).split()) == 0
    found = [part for output in seen for part in output.parts if isinstance(part, Table)]
    assert found
    for width in WIDTHS:
        for table in found:
            check(table, width)


def wide_table(**column: Any) -> Table:
    columns = Column("name", NAME), Column("n" * 12, COUNT, **column), Column("m" * 12, COUNT)
    return Table("", columns, (("tiny", 12345678901234567890, 2),))


@pytest.mark.parametrize("rank, lost", [(1, "m"), (0, "n")])
def test_the_column_of_the_lowest_rank_is_left_out(rank: int, lost: str) -> None:
    text = shown_at(30, wide_table(rank=rank))
    assert omitted(text) == f"1 column does not fit: {lost * 12}; --wide shows all"
    assert ("n" * 12 in text.split("\n")[0]) == (rank == 1)


def test_files_pipes_and_wide_output_have_all_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    whole = render(CommandOutput([wide_table()], wide=True), screen=True)
    assert render(CommandOutput([wide_table()])) == whole
    monkeypatch.delenv("COLUMNS")
    assert render(CommandOutput([wide_table()]), screen=True) == whole
    assert "n" * 12 in whole and "m" * 12 in whole and not omitted(whole)


@pytest.mark.parametrize("no_color, bold", [("", True), ("1", False)])
def test_bold_is_for_terminals_that_want_it(
    no_color: str, bold: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", no_color)
    assert ("\x1b[1m" in render(CommandOutput([wide_table()]), screen=True)) == bold
    assert "\x1b" not in render(CommandOutput([wide_table()]))


HOSTILE = "\x1b]52;c;cm0gLXJm\x07 \x9b31m \u202e \r"


def test_nothing_in_a_table_controls_the_terminal() -> None:
    table = Table(HOSTILE, (Column(HOSTILE),), ((HOSTILE,),), ((HOSTILE,),))
    text = render(CommandOutput([HOSTILE, table]))
    assert not set(text) & set("\x1b\x07\x9b\u202e\r")
    assert text.count(r"\x1b]52;c;cm0gLXJm\x07 \x9b31m \u202e \r") == 5


def test_the_numbers_that_a_table_is_read_for_stay_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "36")
    analysis = analyze(load("vgg16"))
    for table in (layer_table(analysis, 1), comparison_table([analysis])):
        heading = render(CommandOutput([table]), screen=True).splitlines()[0]
        assert heading.split()[1:] == ["params", "macs"]


def test_names_are_broken_at_their_parts() -> None:
    name = "stage1.inverted_residual0.conv_bn1; 163"
    assert wrapped(name, 20) == ["stage1.inverted_", "residual0.conv_bn1;", "163"]


@pytest.mark.parametrize("width", WIDTHS)
def test_pictures_are_whole_or_left_out(width: int) -> None:
    """A sparkline on two lines, or without its gaps, would be another one."""
    picture = "▁ █▇  ▂" * 5
    table = Table(
        "",
        (Column("network", NAME), Column("memory", PICTURE), Column("at", TEXT)),
        (("a" * 20, picture, "the first of the layers in the last of all the blocks"),),
    )
    text = shown_at(width, table)
    assert picture in text or "memory" in omitted(text)
