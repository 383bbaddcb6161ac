"""Every sentence on top of real pages, and every number in it, against the JSON of the page.

Networks of the zoo, trainings of several seeds and searches are reported as users do it. Each
sentence has a pattern here, whose groups are its numbers, and a check that computes them anew from
the records behind the tables. A sentence without a pattern fails, and so does a number that is in
no group.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import pytest

from archscope.cli import main
from archscope.ir import Graph
from archscope.records.study import Job, TrialResult
from archscope.search import local_executor
from archscope.search.evaluation import Trainer, evaluate
from tests.report.conftest import FIVE
from tests.report.pages.test_answer import Reader

Record = dict[str, Any]
UNITS = {"": 1.0, "%": 0.01, "points": 0.01, "times": 1.0, "K": 1e3, "M": 1e6, "G": 1e9,
         "B": 1.0, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "ms": 1e-3}  # fmt: skip


def close(text: str, value: float) -> None:
    """Assert that a text such as `4.089 G`, `76.1 %` or `1.03` is a value as it is printed."""
    number, _, unit = text.partition(" ")
    digits = number.replace(",", "")
    last = 10.0 ** -len(digits.partition(".")[2]) * UNITS[unit]
    assert abs(float(digits) * UNITS[unit] - value) <= 0.501 * last, f"{text} is not {value}"


class Facts:
    """The records of a page, by name."""

    def __init__(self, page: Record) -> None:
        self.page = page
        self.networks = {net["name"]: net for net in page["networks"]}
        self.runs = {run["name"]: run for run in page["runs"]}
        self.studies = {study["name"]: study for study in page["studies"]}

    @cached_property
    def alike(self) -> list[Record]:
        """The networks of the most frequent input."""
        inputs = [net["input"] for net in self.networks.values()]
        most = max(inputs, key=inputs.count)
        return [net for net in self.networks.values() if net["input"] == most]

    @cached_property
    def key(self) -> str:
        """The accuracy by which networks are compared."""
        for key in ("accuracy", "predicted_top1", "published_top1"):
            if sum(net["values"].get(key) is not None for net in self.alike) > 1:
                return key
        raise AssertionError("no accuracy to compare")

    def column(self, label: str) -> str:
        """Return the key of a measure by its label or key."""
        found = [each["key"] for each in self.page["measures"] if label in each.values()]
        return found[0] if found else label

    def value(self, name: str, label: str = "macs") -> float:
        return float(self.networks[name]["values"][self.column(label)])

    def names(self, text: str) -> list[str]:
        """Return the networks of a list, less those that are only counted."""
        known = sorted(self.networks, key=len, reverse=True)
        return re.findall("|".join(map(re.escape, known)), text)

    def accuracy(self, name: str, text: str) -> None:
        """Check what a network reaches: `95.8 % of the digits test images, mean of 3 seeds`."""
        net = self.networks[name]
        first, _, rest = text.partition(" % ")
        kind = {"pub": "published top-1", "pre": "predicted top-1"}.get(rest[:3], "accuracy")
        close(f"{first} %", self.value(name, kind))
        if kind == "accuracy":
            found = net["measured"]
            on, _, spread = rest.removeprefix("of the ").partition(", mean of ")
            assert on == found["on"]
            assert bool(spread) == (len(found["scores"]) > 1)
            if spread:
                seeds, points = spread.split(" seeds ± ")
                assert int(seeds) == len(found["scores"])
                close(points, found["spread"])
        elif kind == "predicted top-1" and "," in rest:
            for edge, value in zip(
                rest.split(", ")[1].split(" to "), net["predicted"], strict=True
            ):
                close(edge, value)


SENTENCES: list[tuple[str, Callable[..., None]]] = []
"""Patterns, with NAME, STUDY, NUMBER and ACCURACY in place, and what checks their groups."""

NUMBER = r"[\d.,]*\d(?: (?:[KMG]iB|[KMGB]|%|points|ms|times)(?![\w]))?"
ACCURACY = (rf"(?:{NUMBER}) (?:of the [^,;.]+(?:, mean of \d+ seeds ± {NUMBER})?"
            rf"|(?:published|predicted) top-1 on ImageNet(?:, {NUMBER} to {NUMBER})?)")  # fmt: skip


def sentence(pattern: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def add(check: Callable[..., None]) -> Callable[..., None]:
        SENTENCES.append((pattern, check))
        return check

    return add


# Which network to ship.


@sentence("(?:On the [^,]+, s|S)hip (NAME): of (NUMBER) networks it is the most accurate,"
          " (ACCURACY), at (NUMBER) ([a-z ]+)")  # fmt: skip
def most(facts: Facts, name: str, many: str, reached: str, cost: str, label: str) -> None:
    rivals = [net for net in facts.alike if net["values"].get(facts.key) is not None]
    assert int(many) == len(rivals)
    assert facts.value(name, facts.key) == max(net["values"][facts.key] for net in rivals)
    facts.accuracy(name, reached)
    close(cost, facts.value(name, label))


@sentence("(?:On the [^,]+, s|S)hip (NAME): it is tied in accuracy with ([^%]*?), (?:with"
          " (ACCURACY) the best of them|(NUMBER) against (ACCURACY))(?:, where (NUMBER) may be"
          " (?:chance|error))?(?:; more seeds would tell|, and needs the (?:fewest|least)"
          " ([a-z ]+), (NUMBER)|, and costs no more than ([^,]+), (NUMBER) ([a-z ]+)"
          ")?")  # fmt: skip
def tied(facts: Facts, name: str, others: str, best: str | None, own: str | None,
         against: str | None, chance: str | None, label: str | None, least: str | None,
         equals: str | None, price: str | None, priced: str | None) -> None:  # fmt: skip
    together = [name, *facts.names(others)]
    values = {each: facts.value(each, facts.key) for each in together}
    first = max(values, key=lambda each: values[each])
    if best:
        assert values[name] == values[first]
        facts.accuracy(name, best)
    else:
        close(own or "", values[name])
        assert any(_holds(facts, each, against or "") for each in together if each != name)
    if chance:
        margin = float(chance.split()[0]) / 100 + 0.0005
        assert all(values[first] - value <= margin for value in values.values())
    if label:
        close(least or "", facts.value(name, label))
        assert facts.value(name, label) == min(facts.value(each, label) for each in together)
    if priced:
        close(price or "", facts.value(name, priced))
        assert all(facts.value(each, priced) == facts.value(name, priced)
                   for each in facts.names(equals or ""))  # fmt: skip


def _holds(facts: Facts, name: str, accuracy: str) -> bool:
    try:
        facts.accuracy(name, accuracy)
    except AssertionError:
        return False
    return True


@sentence("Where cost counts more, (NAME) needs (NUMBER) (?:fewer|less) ([a-z ]+), (NUMBER), and"
          " reaches (NUMBER), (-?NUMBER) less")  # fmt: skip
def cheaper(facts: Facts, name: str, times: str, label: str, cost: str, reached: str,
            less: str) -> None:  # fmt: skip
    (shipped, *_) = facts.names(facts.page["answer"][0])
    close(times, facts.value(shipped, label) / facts.value(name, label))
    close(cost, facts.value(name, label))
    close(reached, facts.value(name, facts.key))
    gap = facts.value(shipped, facts.key) - facts.value(name, facts.key)
    assert abs(float(less.split()[0]) - 100 * gap) < 0.11, "of two rounded percentages"


@sentence("(NAME), the next by cost, needs (NUMBER) more ([a-z ]+)")
def dearer(facts: Facts, name: str, times: str, label: str) -> None:
    (shipped, *_) = facts.names(facts.page["answer"][0])
    close(times, facts.value(name, label) / facts.value(shipped, label))


@sentence("(NAME) reaches (ACCURACY); there is nothing to compare")
def alone(facts: Facts, name: str, reached: str) -> None:
    assert len(facts.networks) == 1
    facts.accuracy(name, reached)


@sentence("(?:(NUMBER) of (NUMBER) networks were|1 of the networks was|Each network was) trained"
          " once: another seed may change the order")  # fmt: skip
def once(facts: Facts, some: str | None, many: str | None) -> None:
    known = [net["measured"] for net in facts.alike if net["measured"]]
    singles = sum(len(each["scores"]) == 1 for each in known)
    assert singles == (int(some) if some else singles)
    assert len(known) == (int(many) if many else len(known))
    assert singles > 0


@sentence("A prior predicts (.*); nothing was measured")
def prior(facts: Facts, about: str) -> None:
    assert any(study["prior"] and study["prior"]["about"] == about
               for study in facts.studies.values())  # fmt: skip


WITHOUT_NUMBERS = (
    "Published top-1 comes from the source named next to it, with that source's training;"
    " nothing was trained here",
    "Predicted top-1 is of ImageNet and was not measured; docs/predict.md says how far off it is",
    "± is the standard deviation between seeds, only a rough estimate from so few",
    "digits is a demonstration: it does not tell good networks apart",
    "Validation images chose the best epoch, so that this accuracy is optimistic",
    "With so few trainings, the variation between seeds is only a rough estimate",
    "Which to ship is open: .*",
    "How accurate this network is is not known here; .*",
    "There is no network in this report",
)

# Studies.


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
    " accuracy\\); no network of the space inside the budget has a higher prediction \\(proved\\)"
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


@sentence("Of (NUMBER) proposed networks, (NUMBER) were (?:trained|predicted by a prior); trial"
          " (NUMBER) has the highest score of the search, (NUMBER) \\((.*)\\)")  # fmt: skip
def proposed(facts: Facts, many: str, trained: str, trial: str, score: str, origin: str) -> None:
    (study,) = facts.studies.values()
    counts = dict(study["counts"])
    assert int(many) == sum(counts.values())
    assert int(trained) == len(study["trials"])
    scores = facts_of_trials(study)
    assert scores[int(trial)] == max(scores.values())
    close(score, scores[int(trial)])
    row = next(row for row in study["trials"] if row[0] == int(trial))
    assert row[study["columns"].index("origin")] == origin


@sentence("The baseline, drawn uniformly from all feasible networks, reached (NUMBER), the search"
          " (NUMBER)(?: \\(hypervolume of score against macs, as a share of that of both: search"
          " (NUMBER), baseline (NUMBER)\\))?; each is a single run, which proves nothing about"
          " another")  # fmt: skip
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


# The summary.


@sentence("(NUMBER) networks, all with input (\\S+)")
def all_alike(facts: Facts, many: str, size: str) -> None:
    assert {net["input"] for net in facts.networks.values()} == {size}
    assert int(many) == len(facts.networks)


@sentence("(NUMBER) networks with different inputs; compared here (?:are the (NUMBER)|is the first)"
          " with input (\\S+)")  # fmt: skip
def some_alike(facts: Facts, many: str, alike: str | None, size: str) -> None:
    assert int(many) == len(facts.networks)
    assert int(alike or 1) == len(facts.alike)
    assert facts.alike[0]["input"] == size


@sentence("(NAME) is the lightest by macs, params, memory access and peak memory taken together,"
          " (NUMBER) lighter than (NAME)")  # fmt: skip
def lightest(facts: Facts, first: str, times: str, second: str) -> None:
    keys = ("macs", "params", "memory_access_bytes", "peak_activation_bytes")
    weights = {net["name"]: prod(net["values"][key] for key in keys) ** 0.25 for net in facts.alike}
    assert sorted(weights, key=lambda name: weights[name])[:2] == [first, second]
    close(times, weights[second] / weights[first])


@sentence("(NAME) and (NAME) are the lightest, and equal, by macs, params, memory access and peak"
          " memory taken together")  # fmt: skip
def equally_light(facts: Facts, first: str, second: str) -> None:
    assert {first, second} <= {net["name"] for net in facts.alike}


@sentence("Macs go from (NUMBER) \\((NAME)\\) to (NUMBER) \\((NAME)\\), (NUMBER)")
def span(facts: Facts, low: str, least: str, high: str, greatest: str, times: str) -> None:
    values = [net["values"]["macs"] for net in facts.alike]
    assert (facts.value(least), facts.value(greatest)) == (min(values), max(values))
    close(low, min(values))
    close(high, max(values))
    close(times, max(values) / min(values))


@sentence("(NAME) needs the most memory for feature maps, (NUMBER) at (\\S+); (NAME) the least,"
          " (NUMBER)")  # fmt: skip
def peak(facts: Facts, first: str, high: str, node: str, last: str, low: str) -> None:
    values = {net["name"]: net["values"]["peak_activation_bytes"] for net in facts.alike}
    assert (values[first], values[last]) == (max(values.values()), min(values.values()))
    assert facts.networks[first]["totals"]["peak_node"] == node
    close(high, values[first])
    close(low, values[last])


@sentence("(.*) (?:is|are) Pareto-optimal in macs and ([a-z\\d -]+?)(?:; the other"
          " (?:(NUMBER) are|one is) dominated)?")  # fmt: skip
def front(facts: Facts, names: str, label: str, rest: str | None) -> None:
    key = facts.column(label)
    sign = -1 if key == "memory_access_bytes" else 1
    points = {net["name"]: (net["values"]["macs"], sign * net["values"][key])
              for net in facts.alike if net["values"].get(key) is not None}  # fmt: skip
    best = {
        name
        for name, (macs, good) in points.items()
        if not any(m <= macs and g >= good and (m, g) != (macs, good) for m, g in points.values())
    }
    assert {*facts.names(names)} <= best
    more = re.search(r" and (\d+) more", names)
    assert len(facts.names(names)) + int(more[1] if more else 0) == len(best)
    if rest:
        assert int(rest) == len(points) - len(best)


def broken(net: Record) -> list[str]:
    return [score["code"] for score in net["scores"] if score["broken"]]


@sentence("(.*) keeps? all four guidelines of ShuffleNetV2(?:; (NUMBER) of (NUMBER) break at least"
          " one)?")  # fmt: skip
def kept(facts: Facts, names: str, some: str | None, many: str | None) -> None:
    clean = {net["name"] for net in facts.alike if not broken(net)}
    assert {*facts.names(names)} <= clean
    if some:
        assert (int(some), int(many or 0)) == (len(facts.alike) - len(clean), len(facts.alike))


@sentence("All (NUMBER) networks break at least one guideline of ShuffleNetV2")
def none_kept(facts: Facts, many: str) -> None:
    assert all(broken(net) for net in facts.alike)
    assert int(many) == len(facts.alike)


@sentence("It breaks ((?:G\\d(?: and )?)+) of ShuffleNetV2's four guidelines")
def breaks(facts: Facts, codes: str) -> None:
    assert codes.split(" and ") == broken(facts.alike[0])


@sentence("(NAME) is right for (ACCURACY)(?:; (NUMBER) more were trained)?")
def right(facts: Facts, name: str, reached: str, more: str | None) -> None:
    facts.accuracy(name, reached)
    if more:
        assert int(more) == sum(net["measured"] is not None for net in facts.alike) - 4


@sentence("(NAME) has (NUMBER) params and needs (NUMBER) macs for an input of (\\S+)")
def size(facts: Facts, name: str, params: str, macs: str, shape: str) -> None:
    totals = facts.networks[name]["totals"]
    close(params, totals["params"])
    close(macs, totals["macs"])
    assert facts.networks[name]["input"] == shape


@sentence("Its feature maps need (NUMBER) at most, at (\\S+); training with batch (NUMBER) needs"
          " (NUMBER) or more")  # fmt: skip
def memory(facts: Facts, most: str, node: str, batch: str, training: str) -> None:
    net = facts.alike[0]
    close(most, net["totals"]["peak_activation_bytes"])
    close(training, net["totals"]["training_bytes"])
    assert (net["totals"]["peak_node"], net["batch"]) == (node, int(batch))


@sentence(
    "(NUMBER) of the macs are at (vectors|(?:1/)?\\d+x? of the input's size), (NUMBER) layers"
)
def heaviest(facts: Facts, share: str, stage: str, layers: str) -> None:
    net = facts.alike[0]
    heavy = max(net["stages"], key=lambda each: each["macs"])
    close(share, heavy["macs"] / net["totals"]["macs"])
    assert (heavy["key"] in stage or stage == "vectors") and heavy["layers"] == int(layers)


@sentence("A position of its last map sees (?:the whole input|(NUMBER) of the input) \\(receptive"
          " field (.*)\\)")  # fmt: skip
def coverage(facts: Facts, share: str | None, field: str) -> None:
    net = facts.alike[0]
    close(share or "100 %", net["values"]["coverage"])
    assert net["field"] == field


@sentence("Run (\\S+) \\([^)]*\\) is (\\w+)(?: with (NUMBER) right)?")
def run_state(facts: Facts, name: str, state: str, share: str | None) -> None:
    run = facts.runs[name]
    assert run["state"] == state
    if share:
        close(share, run["accuracy"])


# How sentences are read.


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

    silent = [(text, lambda facts: None) for text in WITHOUT_NUMBERS]
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


SPACE = """
name: toy
input: [1, 8, 8]
layers:
  - conv: {out: !choice [2, 4, 6, 8], kernel: !choice [1, 3, 5], padding: 2}
  - relu
  - global_avgpool
  - flatten
  - linear: 4
"""
IMAGES = "synthetic:classes=4,shape=1x8x8,images=1400,test=100"


class ThisProcess:
    """The executor of the local machine, without processes, which take seconds to start."""

    def __init__(self, trainer: Trainer, workers: int = 1, **_: Any) -> None:
        self.trainer, self.workers, self.deadline = trainer, workers, None
        self.jobs: list[Job] = []

    def submit(self, job: Job, graph: Graph) -> None:
        self.jobs.append(job)

    def collect(self) -> TrialResult:
        return evaluate(self.trainer, self.jobs.pop(0))

    def cancel(self) -> None:
        self.jobs.clear()

    def close(self, at_once: bool = False) -> None:
        self.jobs.clear()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the trainings of two networks, three and two seeds, and a search."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(local_executor, "LocalExecutor", ThisProcess)
        Path("toy.yaml").write_text(SPACE, encoding="utf-8")
        words = ["--data", IMAGES, "--epochs", "1", "-q"]
        for width, seeds in ((2, 3), (8, 2)):
            net = f"INPUT 1x8x8 -> CONV {width} -> RELU -> POOL -> FC 4"
            trained = main(["train", net, *words, "--seeds", str(seeds), "--name", f"w{width}"])
            assert trained == 0
        words += ["--trials", "10", "--control", "0.5", "--images", "400", "--resolution", "8"]
        words += ["--recipe-set", "learning_rate=0.05"]
        words += ["--top", "2", "--seeds", "2", "--stretch", "1", "--no-cache", "--name", "toy"]
        assert main(["search", "toy.yaml", *words]) == 0
        yield folder


ZOO = {
    "five": [*FIVE],
    "other inputs": ["lenet5", "resnet18", "mobilenet_v3_small", "squeezenet1_0"],
    "predicted": ["googlenet", "mobilenet_v2", "shufflenet_v2_x1_0", "--predict"],
    "alone": ["vgg16"],
}
PAGES = {
    "seeds": ["runs/w2", "w8"],
    "trainings and others": ["runs/w2-seed0", "runs/w8", "resnet18"],
    "study": ["toy", "lenet5"],
    "studies and all": ["studies", "runs", "vgg16"],
    "folder": ["studies/toy"],
}


@pytest.mark.parametrize("name", PAGES)
def test_every_sentence_says_what_the_records_say(
    name: str, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(home)
    read_and_hold(PAGES[name], tmp_path)


@pytest.mark.parametrize("name", ZOO)
def test_every_sentence_on_the_zoo(name: str, tmp_path: Path) -> None:
    read_and_hold(ZOO[name], tmp_path)


@pytest.mark.slow
def test_a_page_of_a_prior(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["--budget", "300MFLOPs", "--trials", "3", "--top", "0", "-q", "--name", "mine"]
    assert main(["search", *words]) == 0
    read_and_hold(["mine", "mobilenet_v2"], tmp_path)


def read_and_hold(words: list[str], folder: Path) -> None:
    """Hold the sentences of a report to its records, and see that they are on its page."""
    file, shown = folder / "page.json", folder / "page.html"
    for path in (file, shown):
        assert main(["report", *words, "--date", "none", "-o", str(path)]) == 0
    page = json.loads(file.read_bytes())
    assert hold(page) >= 3
    read = Reader(shown.read_text(encoding="utf-8"))
    assert {" ".join(text.split()) for text in (*page["answer"], *page["words"])} <= {
        *read.paragraphs
    }


def test_a_wrong_number_would_be_found(tmp_path: Path) -> None:
    file = tmp_path / "page.json"
    assert main(["report", "resnet50", "mobilenet_v2", "--date", "none", "-o", str(file)]) == 0
    page = json.loads(file.read_bytes())
    names = re.compile(r"resnet50|mobilenet_v2|stage\S+|ShuffleNetV2|top-1|\d+x\d+x\d+|G\d")
    changed = 0
    for part in ("answer", "words"):
        for place, text in enumerate(page[part]):
            hidden = names.sub(lambda match: "-" * len(match[0]), text)
            for found in re.finditer(r"\d(?![\d.,])", hidden):
                digit = str((int(found[0]) + 5) % 10)
                wrong = text[: found.start()] + digit + text[found.end() :]
                bullets = [*page[part][:place], wrong, *page[part][place + 1 :]]
                with pytest.raises(AssertionError):
                    hold({**page, part: bullets})
                changed += 1
    assert changed > 12
