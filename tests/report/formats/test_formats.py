"""Every output format shows every table, and people see headings and lines, too."""

from __future__ import annotations

import pytest

from archscope.report import formats
from archscope.report.table import COUNT, NAME, Column, CommandOutput, Heading, Table

PLAIN = Table("the title", (Column("name", NAME), Column("params", COUNT, "n")), (("tiny", 1234),))
WIDE = Table("", (Column("name", NAME), Column("about", wide=True)), (("tiny", "very small"),))
OUTPUT = CommandOutput([Heading("Networks"), PLAIN, "a line\n", WIDE], lambda: {"tiny": 1234})


def test_formats_that_tools_rely_on_are_there() -> None:
    assert {"csv", "json", "markdown", "table"} <= set(formats.FORMATS)


@pytest.mark.parametrize("form", formats.FORMATS)
def test_every_format_has_the_network(form: str) -> None:
    assert "tiny" in formats.render(OUTPUT, form)


def test_csv_has_exact_numbers_and_no_lines() -> None:
    assert formats.render(OUTPUT, "csv") == "name,n\ntiny,1234\nname,about\ntiny,very small\n"


def test_csv_takes_records_in_place_of_tables() -> None:
    output = CommandOutput(OUTPUT.parts, records=lambda: WIDE)
    assert formats.render(output, "csv") == "name,about\ntiny,very small\n"


def test_markdown() -> None:
    table = "**the title**\n\n| name | params |\n| --- | ---: |\n| tiny | 1,234 |"
    start = f"### Networks\n\n{table}\n\na line\n\n| name | about |"
    assert formats.render(OUTPUT, "markdown").startswith(start)


def test_a_terminal_leaves_out_wide_columns() -> None:
    text = formats.render(OUTPUT, "table")
    assert text.startswith("Networks\nthe title\n name   params\n")
    assert "very small" not in text
