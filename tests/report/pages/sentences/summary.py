"""Sentences of the summary."""

from __future__ import annotations

import re
from math import prod

from tests.report.pages.sentences.facts import (
    Facts,
    Record,
    close,
    sentence,
)

WEIGHED = ("macs", "params", "memory_access_bytes", "peak_activation_bytes")


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


@sentence("(NAME) is the lightest by the geometric mean of macs, params, memory access and peak"
          " memory, (NUMBER) lighter than (NAME)")  # fmt: skip
def lightest(facts: Facts, first: str, times: str, second: str) -> None:
    weights = {net["name"]: prod(net["values"][key] for key in WEIGHED) ** 0.25
               for net in facts.alike}  # fmt: skip
    assert sorted(weights, key=lambda name: weights[name])[:2] == [first, second]
    close(times, weights[second] / weights[first])


@sentence("(.*) are equally light(, and the lightest,)? by the geometric mean of macs,"
          " params, memory access and peak memory")  # fmt: skip
def equally_light(facts: Facts, names: str, others: str | None) -> None:
    weights = {net["name"]: prod(net["values"][key] for key in WEIGHED) ** 0.25
               for net in facts.alike}  # fmt: skip
    lightest = {name for name, weight in weights.items() if weight < 1.005 * min(weights.values())}
    all_of(facts, names, lightest)
    assert bool(others) == (len(lightest) < len(weights))


def all_of(facts: Facts, text: str, wanted: set[str]) -> None:
    """Hold a list of names, perhaps with "and 3 more", to the networks that it should name."""
    more = re.search(r" and (\d+) more$", text)
    told = {*facts.names(text)}
    assert told <= wanted and len(told) + int(more[1] if more else 0) == len(wanted)


def having(values: dict[str, float], value: float) -> set[str]:
    return {name for name, own in values.items() if own == value}


@sentence("Macs range from (NUMBER) \\((.*)\\) to (NUMBER) \\((.*)\\), (NUMBER) as many")
def span(facts: Facts, low: str, least: str, high: str, greatest: str, times: str) -> None:
    values = {net["name"]: net["values"]["macs"] for net in facts.alike}
    lowest, highest = min(values.values()), max(values.values())
    all_of(facts, least, having(values, lowest))
    all_of(facts, greatest, having(values, highest))
    close(low, lowest)
    close(high, highest)
    close(times, highest / lowest)


@sentence("(.*) needs? the most memory for feature maps, (NUMBER)(?: at (\\S+))?; (.*) the least,"
          " (NUMBER)")  # fmt: skip
def peak(facts: Facts, first: str, high: str, node: str | None, last: str, low: str) -> None:
    values = {net["name"]: net["values"]["peak_activation_bytes"] for net in facts.alike}
    lowest, highest = min(values.values()), max(values.values())
    all_of(facts, first, having(values, highest))
    all_of(facts, last, having(values, lowest))
    if node is not None:
        assert facts.networks[first]["totals"]["peak_node"] == node
    close(high, highest)
    close(low, lowest)


@sentence("(.*) (?:is|are) Pareto-optimal in macs and ([a-z\\d -]+?)(?:; (.*) (?:is|are)"
          " dominated)?")  # fmt: skip
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
        assert {*facts.names(rest)} <= {*points} - best
        more = re.search(r" and (\d+) more", rest)
        assert len(facts.names(rest)) + int(more[1] if more else 0) == len(points) - len(best)


def broken(net: Record) -> list[str]:
    return [score["code"] for score in net["scores"] if score["broken"]]


@sentence("(.*) follows? all four guidelines of ShuffleNetV2(?:; (NUMBER) of (NUMBER) break at"
          " least one)?")  # fmt: skip
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


@sentence("Accuracy of (NAME): (ACCURACY)(?:; (NUMBER) more were trained)?")
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
    "(NUMBER) of the macs are (in (?:vector|sequence)s|at (?:1/)?\\d+x? of the input's size),"
    " (NUMBER) layers"
)
def heaviest(facts: Facts, share: str, stage: str, layers: str) -> None:
    net = facts.alike[0]
    heavy = max(net["stages"], key=lambda each: each["macs"])
    close(share, heavy["macs"] / net["totals"]["macs"])
    assert heavy["key"] in stage and heavy["layers"] == int(layers)


@sentence("A position (of its last map|before the layers that may see all of it) sees (?:the whole"
          " input|(NUMBER) of the input) \\(receptive field (.*)\\)")  # fmt: skip
def coverage(facts: Facts, where: str, share: str | None, field: str) -> None:
    net = facts.alike[0]
    wide = [
        each
        for each in net["layers"]
        if each["field"] is None
        and each["stride"] is not None
        and max(each["out"][1:], default=1) > 1
    ]
    assert (where == "of its last map") == (not wide or share is None)
    close(share or "100 %", net["values"]["coverage"])
    assert net["field"] == field


@sentence("Run (\\S+) \\([^)]*\\) (?:is|was|has) (\\w+)(?: with (NUMBER) of the [^.]*)?")
def run_state(facts: Facts, name: str, state: str, share: str | None) -> None:
    run = facts.runs[name]
    assert run["state"] == state
    if share:
        close(share, run["accuracy"])
