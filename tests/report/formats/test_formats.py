"""Every output format shows every table, and people see headings and lines, too."""

from __future__ import annotations

import csv
from io import StringIO

import pytest

from archscope.report import formats
from archscope.report.table import COUNT, NAME, SHAPE, SHARE, Column, CommandOutput, Heading, Table

PLAIN = Table("the title", (Column("name", NAME), Column("params", COUNT, "n")), (("tiny", 1234),))
WIDE = Table("", (Column("name", NAME), Column("about", wide=True)), (("tiny", "very small"),))
OUTPUT = CommandOutput([Heading("Networks"), PLAIN, "a line\n", WIDE], lambda: {"tiny": 1234})


def test_formats_that_tools_rely_on_are_there() -> None:
    assert {"csv", "json", "latex", "markdown", "table"} <= set(formats.FORMATS)


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


HOSTILE = (
    "=HYPERLINK(0)", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1", "\r=1", "  =1+1",
    "a\x1b]52;c;cm0=\x07b", "a\nb", 'say "so"',
)  # fmt: skip


def table_of_texts(texts: tuple[str, ...]) -> CommandOutput:
    return CommandOutput([Table("", (Column("text"),), tuple((text,) for text in texts))])


def test_csv_has_no_formulas_and_no_control_characters() -> None:
    read = list(csv.reader(StringIO(formats.render(table_of_texts(HOSTILE), "csv"))))
    cells = [cell for _, (cell,) in zip(HOSTILE, read[1:], strict=True)]
    assert [cell[0] for cell in cells[:7]] == ["'", "'", "'", "'", "\\", "\\", "'"]
    assert cells[7:] == [r"a\x1b]52;c;cm0=\x07b", "a\nb", 'say "so"']


def test_csv_keeps_numbers_that_are_texts() -> None:
    texts = ("-1.2", "-1,234.5", "+3.10 %", "-4e-05", "-", "2-D", "-12.5 MiB")
    rows = list(csv.reader(StringIO(formats.render(table_of_texts(texts), "csv"))))[1:]
    assert [cell for (cell,) in rows] == [*texts[:4], "'-", *texts[5:]]
    negative = CommandOutput([Table("", (Column("n", COUNT),), ((-5,), (-0.25,)))])
    assert formats.render(negative, "csv") == "n\n-5\n-0.25\n"


@pytest.mark.parametrize(
    "text, written",
    [
        ("<img src=x onerror=1>", "&lt;img src=x onerror=1>"),
        ("a | b\nc", r"a \| b c"),
        ("![x](http://y) `z`", r"![x\](http://y) \`z\`"),
        ("__init__ and conv_bn_relu", r"\_\_init\_\_ and conv_bn_relu"),
        ("**bold** \\ &lt; R&D", r"\*\*bold\*\* \\ &amp;lt; R&D"),
        ("\x1b[31mred", r"\\x1b[31mred"),
    ],
)
def test_markdown_is_literal(text: str, written: str) -> None:
    columns = (Column(text),)
    output = CommandOutput([Heading(text), Table(text, columns, ((text,),)), "a line"])
    heading, title, table, line = formats.render(output, "markdown").split("\n\n")
    assert (heading, title, line) == (f"### {written}", f"**{written}**", "a line\n")
    assert table == f"| {written} |\n| --- |\n| {written} |"


def test_lines_of_markdown_are_neither_html_nor_headings() -> None:
    text = "- ours\n# not ours\n> no quote\n===\n+ no list\n`a < b` <b> \x1b"
    assert formats.render(CommandOutput([text]), "markdown") == (
        "- ours\n\\# not ours\n\\> no quote\n\\===\n\\+ no list\n`a < b` &lt;b> \\x1b\n"
    )


def test_latex() -> None:
    columns = (Column("net"), Column("out", SHAPE), Column("macs", COUNT), Column("change", SHARE))
    table = Table("both", columns, (("a", (3, 8, 8), 12345678, -0.25),), (("all", "", 5, None),))
    assert (
        formats.render(CommandOutput([Heading("Nets"), table, "one\ntwo\n"]), "latex")
        == r"""
% needs the packages booktabs, longtable and textcomp

\subsection*{Nets}

\medskip
\textbf{both}

\begin{tabular}{llrr}
\toprule
net & out & macs & change \\
\midrule
a & 3$\times$8$\times$8 & 12.35\,M & $-$25.0\,\% \\
\midrule
all &  & 5 &  \\
\bottomrule
\end{tabular}

\medskip
one \\
two
""".lstrip()
    )


def test_long_tables_of_latex_have_a_heading_on_each_page() -> None:
    text = formats.render(CommandOutput([Table("", (Column("n"),), (("x",),) * 41)]), "latex")
    assert r"\begin{longtable}{l}" in text and "\\endhead\nx" in text


@pytest.mark.parametrize(
    "text, written",
    [
        (r"a_b & 50 % of #1 {$x^2$}", r"a\_b \& 50 \% of \#1 \{\$x\textasciicircum{}2\$\}"),
        (r"\input{/etc/passwd}", r"\textbackslash{}input\{/etc/passwd\}"),
        ("[1] * a\nb ~ 'c' \"d\"", r"{[}1] {*} a b \textasciitilde{} \textquotesingle{}c"
         r"\textquotesingle{} ''d''"),
        ("▁█ ▄", r"\rule{.4em}{.1em}\rule{.4em}{.8em}\rule{.4em}{0pt}\rule{.4em}{.4em}"),
        ("█▍", r"\rule{.4em}{.8em}\rule{.15em}{.8em}"),
        ("1 <= 2 -> --x", r"1 $\leq$ 2 $\rightarrow$ {-}-x"),
        ("\x1b[31mred", r"\textbackslash{}x1b{[}31mred"),
    ],
)  # fmt: skip
def test_latex_is_literal(text: str, written: str) -> None:
    table = Table("", (Column(text),), ((text,),))
    assert f"\n{written} \\\\\n\\midrule\n{written} \\\\\n" in formats.render(
        CommandOutput([table]), "latex"
    )
