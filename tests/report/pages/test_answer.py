"""Sentences of a written page against its tables, over pages of made-up records.

The tables are read from the HTML as a reader sees them, and sentences are held to them by rules
that know nothing of how either is made.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec import structs

from archscope.metrics import ACCURACY, PREDICTED, PUBLISHED
from archscope.records.study import Finalist, PriorReport
from archscope.records.study import Predicted as PredictedNetwork
from archscope.report.pages.answer import answer
from archscope.report.pages.content import FORMAT, BudgetUse, NetworkSection, Page, StudySection
from archscope.report.pages.html import html
from archscope.report.pages.quality import measured, quality
from archscope.report.pages.summary import measures_of, summary, winners
from archscope.stats import students_t
from tests.report.conftest import collected

NAMES = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta")
KEYS = {
    "accuracy": ACCURACY, "predicted top-1": PREDICTED, "published top-1": PUBLISHED,
}  # fmt: skip


class Reader(HTMLParser):
    """The sentences, cards and tables of a page, as texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.bold: set[tuple[str, str]] = set()  # network and column of cells that are best
        self.paragraphs: list[str] = []
        self.cell: list[str] | None = None
        self.small = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kind = dict(attrs).get("class") or ""
        if tag == "table":
            self.tables.append([])
        elif tag == "tr" and self.tables:
            self.tables[-1].append([])
        elif tag in ("td", "th", "p", "li"):
            self.cell, self.small = [], 0
            self.best = "best" in kind.split()
        elif tag == "span" and "small" in kind and self.cell is not None:
            self.cell.append(" | ")

    def handle_data(self, data: str) -> None:
        if self.cell is not None:
            self.cell.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("td", "th", "p", "li") or self.cell is None:
            return
        text = " ".join("".join(self.cell).split())
        self.cell = None
        if tag in ("p", "li"):
            self.paragraphs.append(text)
            return
        row = self.tables[-1][-1]
        row.append(text)
        if self.best:
            self.bold.add((row[0].partition(" | ")[0], self.tables[-1][0][len(row) - 1]))

    def rows(self, number: int = 0) -> dict[str, dict[str, str]]:
        """Return a table: cells by column, of each row by its name."""
        head, *rows = self.tables[number]
        return {row[0].partition(" | ")[0]: dict(zip(head, row, strict=True)) for row in rows}


def value(cell: str) -> float:
    """Read a cell or a number of a sentence: `95.8 %`, `4.089 G`, `61,706`, `3.2 ms`."""
    match = re.match(r"([\d.,]*\d)(?: ([KMGT%]|ms|us|s)\b|( %))?", cell)
    assert match is not None, cell
    factor = {"K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}.get(match[2] or "", 1.0)
    return float(match[1].replace(",", "")) * factor


def percent(cell: str) -> float:
    match = re.match(r"(-?[\d.]+) %", cell)
    return float(match[1]) if match else -1.0


def listed(text: str) -> list[str]:
    return [name for name in re.split(r", | and ", text) if name]


def hold(page: Page) -> int:
    """Hold every sentence that the rules know to the tables; return how many they know."""
    read = Reader(html(page, charts=""))
    overview = read.rows() if page.networks else {}
    known = 0
    answers = [text for text in page.answer if text in read.paragraphs]
    assert len(answers) == len(page.answer) <= 3
    for text in answers:
        known += ship(text, overview, read.bold)
        known += cheaper(text, overview, answers[0])
        known += of_study(text, read)
    for text in read.paragraphs:
        known += costs(text, overview)
    return known


def column_of(overview: dict[str, dict[str, str]], bold: set[tuple[str, str]]) -> str:
    (found,) = {column for _, column in bold if column in KEYS and column in "".join(KEYS)} or {""}
    return found


def group_of(overview: dict[str, dict[str, str]], name: str, column: str) -> dict[str, str]:
    """Return the cells of a column that may be compared with that of a network."""

    def alike(row: dict[str, str]) -> tuple[str, str]:
        images = row[column].rpartition(" seeds, ")[2] if column == "accuracy" else ""
        return row["network"].rpartition(" | ")[2], images.rpartition(" | ")[2]

    wanted = alike(overview[name])
    return {other: row[column] for other, row in overview.items()
            if row[column] != "-" and alike(row) == wanted}  # fmt: skip


def ship(text: str, overview: dict[str, dict[str, str]], bold: set[tuple[str, str]]) -> int:
    single = re.search(r"[Ss]hip (\w+): of (\d+) networks it is the most accurate, ([\d.]+ %)"
                       r" (?P<kind>of the|predicted|published)", text)  # fmt: skip
    tie = re.search(r"[Ss]hip (\w+): ([\d.]+ %) (?P<kind>of the|predicted|published)[^:]*?, tied"
                    r" with ([\w ,]+?)(?:, and (?:needs|costs)| \(|;|\.)", text)  # fmt: skip
    match = single or tie
    if match is None:
        assert not re.search(r"[Ss]hip \w+: ", text), text
        return 0
    column = {"of the": "accuracy"}.get(match["kind"], f"{match['kind']} top-1")
    name = match[1]
    cells = group_of(overview, name, column)
    best = {row for row, each in bold if each == column}
    most = max(map(percent, cells.values()))
    assert name in best
    if single:
        assert best == {name} and int(single[2]) == len(cells)
        assert percent(single[3]) == percent(cells[name]) == most
        return 1
    assert tie is not None
    others = [each for each in listed(tie[4]) if not each.endswith("more")]
    assert set(others) <= best - {name}
    assert percent(tie[2]) == percent(cells[name])
    better = re.search(r"\(the best has ([\d.]+ %)", text)
    assert percent(better[1] if better else tie[2]) == most
    fewest = re.search(r"needs the fewest macs: ([\d.,]+ ?[KMG]?)", text)
    if fewest:
        assert value(fewest[1]) == value(overview[name]["macs"])
        assert value(fewest[1]) <= min(value(overview[each]["macs"]) for each in best)
    return 1


def cheaper(text: str, overview: dict[str, dict[str, str]], first: str) -> int:
    match = re.match(r"Where cost counts more, (\w+) needs ([\d.,]+) times (?:fewer|less) (\w+),"
                     r" ([^,]+), and reaches ([\d.]+ %), (-?[\d.]+) points less", text)  # fmt: skip
    if match is None:
        return 0
    shipped = re.match(r"Ship (\w+)", first)
    assert shipped is not None
    own, other = overview[shipped[1]], overview[match[1]]
    assert match[4] == other[match[3]]
    times = value(own[match[3]]) / value(other[match[3]])
    assert float(match[2].replace(",", "")) == pytest.approx(times, rel=0.06)
    (column,) = [
        each
        for each in KEYS
        if each in own
        and percent(other[each]) == percent(match[5])
        and round(percent(own[each]) - percent(other[each]), 1) == float(match[6])
    ][:1]
    assert column
    return 1


def of_study(text: str, read: Reader) -> int:
    tables = [table for table in read.tables if table[0][:1] == ["trial"]]
    rows = {row[0]: dict(zip(tables[0][0], row, strict=True)) for row in tables[0][1:]} \
        if tables else {}  # fmt: skip
    tie = re.match(
        r"Study \S+ has no winner: trials ([^.]+?) are tied at ([\d.]+ %)(?: to"
        r" ([\d.]+ %))?, so ship the cheapest, trial (\d+) \(([^)]+) macs\)",
        text,
    )
    if tie:
        tied = listed(tie[1])
        assert set(tied) == {name for name, row in rows.items() if row["outcome"] == "tied"}
        means = [percent(rows[name]["mean accuracy"]) for name in tied]
        assert (percent(tie[2]), percent(tie[3] or tie[2])) == (min(means), max(means))
        assert tie[5] == rows[tie[4]]["macs"]
        assert value(tie[5]) == min(value(rows[name]["macs"]) for name in tied)
        return 1
    won = re.match(r"Ship trial (\d+) of study \S+: ([\d.]+ %) of the validation images", text)
    if won:
        assert rows[won[1]]["outcome"] == "the winner"
        assert percent(won[2]) == percent(rows[won[1]]["mean accuracy"])
        assert percent(won[2]) == max(percent(row["mean accuracy"]) for row in rows.values())
        return 1
    none = re.match(r"Ship nothing of study \S+: its best mean, ([\d.]+ %) \(trial (\d+)\)", text)
    if none:
        assert none[1] == rows[none[2]]["mean accuracy"]
        assert {row["outcome"] for row in rows.values()} == {"no better than guessing"}
        return 1
    prior = re.match(r"Ship (trial \d+) of study \S+: ([\d.]+ %) predicted", text)
    if prior:
        (table,) = [
            each
            for each in read.tables
            if "predicted top-1" in each[0]
            and each[0][1] == "predicted top-1"
            and each[1][0].startswith("trial")
        ]
        assert table[1][:2] == [prior[1], prior[2]]
        assert percent(prior[2]) == max(percent(row[1]) for row in table[1:])
        return 1
    return 0


def costs(text: str, overview: dict[str, dict[str, str]]) -> int:
    match = re.match(r"Macs range from (\S+ ?[KMG]?) \((\w+)\) to (\S+ ?[KMG]?) \((\w+)\)", text)
    if match:
        assert (overview[match[2]]["macs"], overview[match[4]]["macs"]) == (match[1], match[3])
        return 1
    card = re.match(
        r"(?:best|least) ([a-z -]+?) ([\d.,]+(?: ?[KMGT%]i?B?)?) (\w+)"
        r" (?:the same as|tied with|[\d.,]+)",
        text,
    )
    if card:
        assert overview[card[3]][card[1]].startswith(card[2])
        return 1
    return 0


(BASE,) = collected("INPUT 1x32x32 -> CONV 6 -> RELU -> POOL -> FC 10").networks()


def network(name: str, macs: int, scores: list[float], on: str, kind: str) -> NetworkSection:
    values: dict[str, float | None] = {**BASE.values, "macs": macs, "params": macs // 7}
    values.pop(PUBLISHED, None)
    accuracy = measured(scores, 355, on) if kind == ACCURACY else None
    values[kind] = accuracy.mean if accuracy is not None else scores[0]
    interval = (scores[0] - 0.01, scores[0] + 0.01) if kind == PREDICTED else None
    return structs.replace(
        BASE,
        id=name,
        name=name,
        values=values,
        measured=accuracy,
        predicted=interval,
        published="a paper" if kind == PUBLISHED else "",
    )


SCORES = st.integers(100, 999).map(lambda number: number / 1000)


@st.composite
def sections(draw: st.DrawFn) -> tuple[NetworkSection, ...]:
    kind = draw(st.sampled_from([ACCURACY, ACCURACY, PREDICTED, PUBLISHED]))
    near = draw(SCORES)
    close = st.floats(-0.03, 0.03).map(lambda step: min(max(near + step, 0.0), 1.0))
    return tuple(
        network(
            name,
            draw(st.integers(1_000, 9_000_000_000) | st.just(5_000_000)),
            draw(st.lists(close | SCORES, min_size=1, max_size=4)),
            draw(st.sampled_from(["digits test images", "photos test images"])),
            kind,
        )
        for name in NAMES[: draw(st.integers(0, len(NAMES)))]
    )


def made_study(finalists: tuple[Finalist, ...] = (), **more: Any) -> StudySection:
    return StudySection(
        id="study-s", name="s", state="finished", conclusion="", facts=(), counts=(), best=(),
        importance=(), proxies=(), jobs=(), decisions=(), finalists=finalists, columns=(),
        trials=(), missing=(), budgets=(), random_band=(), **more,
    )  # fmt: skip


@st.composite
def studies(draw: st.DrawFn) -> tuple[StudySection, ...]:
    kind = draw(st.sampled_from(["none", "finalists", "guessing", "prior"]))
    if kind == "none":
        return ()
    means = sorted(draw(st.lists(SCORES, min_size=1, max_size=5)), reverse=True)
    numbers = draw(st.permutations(range(len(means))))
    macs = draw(st.lists(st.integers(1000, 10**9), min_size=len(means), max_size=len(means)))
    if kind == "prior":
        rows = tuple(PredictedNetwork(f"trial {number}", {"macs": cost, "params": 5}, 100 * mean,
                                      100 * mean - 1, 100 * mean + 1, trial=number)
                     for number, mean, cost in zip(numbers, means, macs, strict=True))  # fmt: skip
        return (made_study(prior=PriorReport("imagenet", "top-1", rows, (), {})),)
    tied = draw(st.integers(1, len(means)))
    rows_of = tuple(
        Finalist(number, {}, {"macs": cost}, mean, (mean, mean), mean, 0.0, mean, mean,
                 tied=tied > 1 and place < tied)
        for place, (number, mean, cost) in enumerate(zip(numbers, means, macs, strict=True))
    )  # fmt: skip
    return (made_study(rows_of, guessing=kind == "guessing"),)


def page_from(networks: tuple[NetworkSection, ...], found: tuple[StudySection, ...]) -> Page:
    return Page(
        FORMAT, "a page", "", "0", answer(networks, found), summary(networks, (), found),
        winners(networks), measures_of(networks), networks, (), found, (),
    )  # fmt: skip


@settings(max_examples=40, deadline=None, phases=(Phase.generate,))  # shrinking takes minutes
@given(sections(), studies())
def test_sentences_agree_with_the_tables(
    networks: tuple[NetworkSection, ...], found: tuple[StudySection, ...]
) -> None:
    page = page_from(networks, found)
    known = hold(page)
    if quality(networks) is not None or (found and found[0].finalists):
        assert known > 0, "a page with an answer was held to nothing"


def test_a_contradiction_would_be_found() -> None:
    pair = (
        network("alpha", 1000, [0.95, 0.96], "digits test images", ACCURACY),
        network("beta", 500, [0.55, 0.56], "digits test images", ACCURACY),
    )
    page = page_from(pair, ())
    assert hold(page) >= 3
    for old, new in (("alpha", "beta"), ("95.5 %", "96.5 %"), ("of 2", "of 3")):
        wrong = structs.replace(page, answer=(page.answer[0].replace(old, new), *page.answer[1:]))
        with pytest.raises(AssertionError):
            hold(wrong)
    finalists = (Finalist(4, {}, {"macs": 5.0}, 0.9, (0.9,), 0.9, None, 0.9, 0.9),)
    page = page_from((), (made_study(finalists),))
    with pytest.raises(AssertionError):
        hold(structs.replace(page, answer=(page.answer[0].replace("90.0", "91.0"),)))


@pytest.mark.parametrize(
    "first, second, tied",
    [
        ([0.95, 0.96, 0.97], [0.94, 0.95, 0.98], True),
        ([0.95, 0.96, 0.97], [0.65, 0.66, 0.67], False),
        ([0.950], [0.940], True),
        ([0.950], [0.700], False),
        ([0.900, 0.902], [0.850, 0.852], False),  # seeds vary less than samples of images
    ],
)
def test_ties_are_what_chance_gives(first: list[float], second: list[float], tied: bool) -> None:
    """The margin is Welch's formula with pooled seeds plus the images' binomial variance."""
    pair = [
        network(name, 1000, scores, "digits test images", ACCURACY)
        for name, scores in (("alpha", first), ("beta", second))
    ]
    found = quality(pair)
    assert found is not None
    assert (len(found.tied) == 2) == tied


def test_accuracies_of_other_images_are_not_compared() -> None:
    pair = [
        network("alpha", 1000, [0.9], "digits test images", ACCURACY),
        network("beta", 1000, [0.8], "photos test images", ACCURACY),
    ]
    assert quality(pair) is None
    assert answer(pair)[0].startswith("Which to ship is open")
    assert ACCURACY not in {winner.measure for winner in winners(pair)}


def test_students_t_is_that_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    found = [students_t(degrees) for degrees in range(1, 200)]
    assert found == pytest.approx([stats.t.ppf(0.975, degrees) for degrees in range(1, 200)], 1e-3)
    assert all(low > high for low, high in pairwise(found))


def test_the_cheapest_of_a_tie_is_that_of_the_budget() -> None:
    """The study says so by its first budget, and the page must not say otherwise."""
    rows = tuple(
        Finalist(number, {}, costs, 0.9, (0.9,), 0.9, None, None, None, tied=True)
        for number, costs in enumerate([{"macs": 1e6, "params": 5e6}, {"macs": 2e6, "params": 4e6}])
    )
    study = structs.replace(
        made_study(rows),
        budgets=(BudgetUse("5M params", (), (), cost="params", limit=5e6),),
        costs={"macs": "count", "params": "count"},
    )
    assert "so ship the cheapest, trial 1 (4.000 M params)" in answer((), (study,))[0]
