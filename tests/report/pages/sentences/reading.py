"""Hold the sentences of a page to its records."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from tests.report.pages.sentences import recommendation, studies, summary  # noqa: F401 register
from tests.report.pages.sentences.facts import (
    ACCURACY,
    NUMBER,
    SENTENCES,
    Facts,
    Record,
    close,
)


def patterns(facts: Facts) -> list[tuple[re.Pattern[str], Callable[..., None]]]:
    """Return the patterns for the names of a page."""
    words = {
        "NAME": "|".join(map(re.escape, sorted(facts.networks, key=len, reverse=True))) or "-",
        "STUDY": "|".join(map(re.escape, facts.studies)) or "-",
        "ACCURACY": ACCURACY,
        "NUMBER": NUMBER,
    }

    def filled(pattern: str) -> str:
        for word, meaning in words.items():
            pattern = pattern.replace(word, f"(?:{meaning})")
        return pattern

    silent = [(text, lambda facts: None) for text in recommendation.WITHOUT_NUMBERS]
    return [(re.compile(filled(text)), check) for text, check in (*SENTENCES, *silent)]


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a bullet."""
    yield from re.split(r"(?<=[^ ]{2})\. (?=[A-Z±d])", text.removesuffix("."))


def hold(page: Record) -> int:
    """Hold all sentences of a page, and its cards, to its records; return how many numbers."""
    facts = Facts(page)
    known = patterns(facts)
    numbers = 0
    for bullet in (*page["answer"], *page["words"]):
        for text in sentences(bullet):
            found = [(match, check) for pattern, check in known
                     if (match := pattern.fullmatch(text))]  # fmt: skip
            assert len(found) == 1, f"{len(found)} patterns know the sentence: {text}"
            match, check = found[0]
            check(facts, *match.groups())
            numbers += digits_are_held(facts, match)
    for card in page["winners"]:
        net = next(net for net in page["networks"] if net["id"] == card["id"])
        assert net["name"] == card["name"]
        close(card["shown"], net["values"][card["measure"]])
        numbers += 1
    return numbers


def digits_are_held(facts: Facts, match: re.Match[str]) -> int:
    """Assert that all digits of a sentence, except in names, are in its groups; count groups."""
    rest = list(match.string)
    for group in range(1, (match.re.groups or 0) + 1):
        start, end = match.span(group)
        rest[max(start, 0) : max(end, 0)] = " " * (max(end, 0) - max(start, 0))
    text = "".join(rest)
    for name in (*sorted(facts.networks, key=len, reverse=True), *facts.studies, "ShuffleNetV2",
                 "top-1", "1 of the networks was"):  # fmt: skip
        text = text.replace(name, "")
    assert not re.search(r"\d", text), f"nobody has checked a number of: {match.string}"
    return sum(bool(re.search(r"\d", each or "")) for each in match.groups())
