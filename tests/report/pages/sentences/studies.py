"""Sentences on studies."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from tests.report.pages.sentences.facts import (
    Facts,
    Record,
    close,
    sentence,
)


@sentence("Ship trial (NUMBER) of study (STUDY)(?: \\(NAME below\\))?: (NUMBER) of the validation"
          " images(?:, mean of (NUMBER) seeds)?; (?:the next, trial (NUMBER), reached (NUMBER)|no"
          " other was trained again)")  # fmt: skip
def won(facts: Facts, trial: str, study: str, mean: str, seeds: str | None, second: str | None,
        reached: str | None) -> None:  # fmt: skip
    rows = facts.studies[study]["finalists"]
    first = max(rows, key=lambda row: row["mean"])
    assert int(trial) == first["trial"] and not first["tied"]
    close(mean, first["mean"])
    assert int(seeds or 1) == len(first["scores"])
    if second:
        close(reached or "", next(row["mean"] for row in rows if row["trial"] == int(second)))
        assert sorted(row["mean"] for row in rows)[-2] == rows[1]["mean"]


@sentence("Study (STUDY) has no winner: trials ([\\d, and]+) are tied at (NUMBER)(?: to"
          " (NUMBER))?, so ship the cheapest, trial (NUMBER)(?: \\((NUMBER) macs\\))?")  # fmt: skip
def tie(facts: Facts, study: str, trials: str, low: str, high: str | None, cheapest: str,
        macs: str | None) -> None:  # fmt: skip
    rows = [row for row in facts.studies[study]["finalists"] if row["tied"]]
    assert {*map(int, re.findall(r"\d+", trials))} == {row["trial"] for row in rows}
    close(low, min(row["mean"] for row in rows))
    close(high or low, max(row["mean"] for row in rows))
    chosen = next(row for row in rows if row["trial"] == int(cheapest))
    assert chosen["costs"]["macs"] == min(row["costs"]["macs"] for row in rows)
    if macs:
        close(macs, chosen["costs"]["macs"])


@sentence("Ship nothing of study (STUDY): its best mean, (NUMBER) \\(trial (NUMBER)\\), is no"
          " better than guessing")  # fmt: skip
def guessing(facts: Facts, study: str, mean: str, trial: str) -> None:
    found = facts.studies[study]
    first = max(found["finalists"], key=lambda row: row["mean"])
    assert found["guessing"] and first["trial"] == int(trial)
    close(mean, first["mean"])


@sentence("Ship nothing of study (STUDY) yet: its best score is (NUMBER), but no network was"
          " trained again")  # fmt: skip
def unfinished(facts: Facts, study: str, score: str) -> None:
    assert not facts.studies[study]["finalists"]
    close(score, max(facts_of_trials(facts.studies[study]).values()))


@sentence("Ship trial (NUMBER) of study (STUDY)(?: \\(NAME below\\))?: (NUMBER) predicted top-1"
          " \\((NUMBER) to (NUMBER)\\) at (NUMBER) macs(?:; ([a-z\\d, ]+) may be as good|, the best"
          " of the search by the prior)")  # fmt: skip
def by_prior(facts: Facts, trial: str, study: str, mean: str, low: str, high: str, macs: str,
             close_ones: str | None) -> None:  # fmt: skip
    first, *others = facts.studies[study]["prior"]["networks"]
    assert int(trial) == first["trial"]
    assert first["mean"] == max(row["mean"] for row in (first, *others))
    for text, key in ((mean, "mean"), (low, "low"), (high, "high")):
        close(text, first[key] / 100)
    close(macs, first["costs"]["macs"])
    near = {row["trial"] for row in others if row["high"] >= first["mean"]}
    assert {*map(int, re.findall(r"\d+", close_ones or ""))} == near


@sentence(
    "Study (STUDY): Predicted top-1 (NUMBER), (NUMBER) to (NUMBER) \\((.+); not this network's"
    " accuracy\\); no network of the space within the budget has a higher prediction \\(proved\\)"
)
def proved_by_prior(facts: Facts, study: str, mean: str, low: str, high: str, about: str) -> None:
    report = facts.studies[study]["prior"]
    first = report["networks"][0]
    assert report["proved"] and report["about"] == about
    for text, key in ((mean, "mean"), (low, "low"), (high, "high")):
        assert float(text.removesuffix(" %")) == round(first[key], 1)


@sentence("By the same prior, (\\w+) reaches (NUMBER) at (NUMBER) macs")
def beside(facts: Facts, name: str, mean: str, macs: str) -> None:
    rows = [row for study in facts.studies.values() for row in study["prior"]["references"]]
    row = next(row for row in rows if row["name"] == name)
    close(mean, row["mean"] / 100)
    close(macs, row["costs"]["macs"])


@sentence("Study (STUDY): No winner: trials ([\\d, and]+) are tied \\((?:they differ by"
          " (NUMBER), and (NUMBER) may be chance|each was trained once, so nothing is known of"
          " chance)\\); the cheapest is trial (NUMBER) \\((NUMBER) macs\\)"
          "((?:; trial \\d+ is [^;]*)*)")  # fmt: skip
def concluded_tie(facts: Facts, study: str, trials: str, apart: str | None, chance: str | None,
                  cheapest: str, macs: str, origins: str) -> None:  # fmt: skip
    rows = [row for row in facts.studies[study]["finalists"] if row["tied"]]
    assert {*map(int, re.findall(r"\d+", trials))} == {row["trial"] for row in rows}
    means = [row["mean"] for row in rows]
    if apart:
        close(apart, max(means) - min(means))
        assert float((chance or "").split()[0]) >= float(apart.split()[0])
    chosen = next(row for row in rows if row["trial"] == int(cheapest))
    assert chosen["costs"]["macs"] == min(row["costs"]["macs"] for row in rows)
    close(macs, chosen["costs"]["macs"])
    check_origins(facts, study, origins)


@sentence("Study (STUDY): Trial (NUMBER) is the best with (NUMBER)(?:, (NUMBER) above the next,"
          " where (NUMBER) may be chance)?((?:; trial \\d+ is [^;]*)*)")  # fmt: skip
def concluded_win(facts: Facts, study: str, trial: str, mean: str, apart: str | None,
                  chance: str | None, origins: str) -> None:  # fmt: skip
    means = sorted((row["mean"] for row in facts.studies[study]["finalists"]), reverse=True)
    assert facts.studies[study]["finalists"][0]["trial"] == int(trial)
    close(mean, means[0])
    if apart:
        close(apart, means[0] - means[1])
        assert float((chance or "").split()[0]) <= float(apart.split()[0])
    check_origins(facts, study, origins)


@sentence("Study (STUDY): No winner: the best mean, (NUMBER), is no better than always guessing the"
          " most frequent class \\((NUMBER)\\)")  # fmt: skip
def concluded_guessing(facts: Facts, study: str, mean: str, chance: str) -> None:
    found = facts.studies[study]
    assert found["guessing"]
    close(mean, max(row["mean"] for row in found["finalists"]))
    assert abs(float(mean.split()[0]) - float(chance.split()[0])) < 10, "or it would be better"


def check_origins(facts: Facts, study: str, text: str) -> None:
    columns = facts.studies[study]["columns"]
    origins = {row[0]: row[columns.index("origin")] for row in facts.studies[study]["trials"]}
    for trial, kind in re.findall(r"trial (\d+) is (an anchor|of the baseline)", text):
        assert ("anchor" in origins[int(trial)]) == (kind == "an anchor")


def facts_of_trials(study: Record) -> dict[int, float]:
    """Return the scores of the trials that have one."""
    place = study["columns"].index(study["score"])
    return {row[0]: row[place] for row in study["trials"] if row[place] is not None}


@sentence("Of (NUMBER) proposed networks?, (NUMBER) (?:were|was) (?:trained|predicted by a prior)"
          "(?: and (NUMBER) failed)?; trial (NUMBER) has the highest score of the search, (NUMBER)"
          " \\((.*)\\)")  # fmt: skip
def proposed(
    facts: Facts, many: str, trained: str, failed: str | None, trial: str, score: str, origin: str
) -> None:
    (study,) = facts.studies.values()
    counts = dict(study["counts"])
    assert int(many) == sum(counts.values())
    assert int(failed or 0) == counts.get("failed", 0)
    assert int(trained) + int(failed or 0) == len(study["trials"])
    scores = facts_of_trials(study)
    assert scores[int(trial)] == max(scores.values())
    close(score, scores[int(trial)])
    row = next(row for row in study["trials"] if row[0] == int(trial))
    assert row[study["columns"].index("origin")] == origin


@sentence("The baseline, drawn uniformly from all feasible networks, reached (NUMBER), the search"
          " (NUMBER)(?: \\(hypervolume of score against macs, as a share of that of both: search"
          " (NUMBER), baseline (NUMBER)\\))?; each is a single run, so another may turn out"
          " differently")  # fmt: skip
def arms(facts: Facts, baseline: str, search: str, own: str | None, base: str | None) -> None:
    (study,) = facts.studies.values()
    best = {curve["name"]: max(y for y in curve["y"] if y is not None) for curve in study["best"]}
    close(baseline, best["baseline"])
    close(search, best["search"])
    if own and base:
        columns = study["columns"]
        places = [columns.index(key) for key in ("macs", study["score"], "origin")]
        points = [[row[place] for place in places] for row in study["trials"]
                  if row[places[1]] is not None]  # fmt: skip
        whole = area(points, points)
        close(own, area([p for p in points if p[2] not in ("baseline", "uniform")], points) / whole)
        close(base, area([p for p in points if p[2] in ("baseline", "uniform")], points) / whole)


def area(points: list[list[Any]], every: list[list[Any]]) -> float:
    """Return what points dominate of the rectangle of all, added up between all costs."""
    edges = sorted({point[0] for point in every})
    least = min(point[1] for point in every)
    return sum(
        (high - low) * (max((p[1] for p in points if p[0] <= low), default=least) - least)
        for low, high in pairwise(edges)
    )
