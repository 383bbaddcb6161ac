"""Summarise a report in sentences, and find the best network by each measure."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from archscope.metrics import ACCURACY
from archscope.report.pages.answer import accuracy_text
from archscope.report.pages.content import (
    LESS,
    MEASURES,
    LayerPoint,
    Measure,
    NetworkSection,
    RunSection,
    StudySection,
    Winner,
)
from archscope.report.pages.network_section import SEQUENCE, VECTOR
from archscope.report.pages.quality import KINDS, comparable, number, quality, rivals
from archscope.report.pages.words import NAMED, lead, names, percent, ratio, written
from archscope.units import format_bytes, format_count

COMPARED = ("accuracy", "latency_seconds", "macs", "params", "memory_access_bytes",
          "peak_activation_bytes")  # fmt: skip
"""Measures with a winner, the most important first."""

WEIGHED = ("macs", "params", "memory_access_bytes", "peak_activation_bytes")
"""Measures of how light a network is, with equal weight."""


def measures_of(networks: Sequence[NetworkSection]) -> tuple[Measure, ...]:
    """Return the measures that at least one network has, accuracies first."""
    found = [
        measure
        for measure in MEASURES.values()
        if any(number(network, measure.key) is not None for network in networks)
    ]
    return tuple(sorted(found, key=lambda measure: measure.key not in KINDS))


def winners(networks: Sequence[NetworkSection]) -> tuple[Winner, ...]:
    """Return the best network by each measure in which comparable networks differ."""
    found = []
    judged = quality(networks)
    for key in dict.fromkeys((*([judged.measure] if judged else []), *COMPARED)):
        measure = MEASURES[key]
        ranked = _ranked(rivals(networks, key), measure)
        equal = _extremes(ranked, key)[0]
        if len(equal) == len(ranked):
            continue
        best, second = ranked[0], ranked[1]
        high, low = number(best, key) or 0.0, number(second, key) or 0.0
        if len(equal) > 1:
            margin = f"the same as {names(equal[1:])}"
        elif key in KINDS:
            margin = _margin(networks, second, lead(high, low))
        else:
            margin = f"{ratio(max(high, low), min(high, low))} less than {second.name}"
        found.append(
            Winner(key, measure.label, best.id, best.name, written(high, measure.kind), margin)
        )
    return tuple(found)


def _margin(networks: Sequence[NetworkSection], second: NetworkSection, points: str) -> str:
    """Return the lead of the most accurate network over the second, or that they are tied."""
    found = quality(networks)
    if found is not None and second.id in {network.id for network in found.tied}:
        return f"tied with {second.name}, {points} behind, which may be chance"
    return f"{points} ahead of {second.name}"


def pareto_front(networks: Sequence[NetworkSection], x: str, y: str) -> list[NetworkSection]:
    """Return the networks that no other dominates in two measures."""
    points = []
    for network in networks:
        first, second = number(network, x), number(network, y)
        if first is not None and second is not None:
            signs = [1 if MEASURES[key].better == LESS else -1 for key in (x, y)]
            points.append((first * signs[0], second * signs[1], network))
    return [
        network
        for first, second, network in points
        if not any(a <= first and b <= second and (a, b) != (first, second) for a, b, _ in points)
    ]


def summary(
    networks: Sequence[NetworkSection],
    runs: Sequence[RunSection] = (),
    studies: Sequence[StudySection] = (),
) -> tuple[str, ...]:
    """Summarise a report in a few sentences."""
    searched = tuple(f"Study {study.name}: {study.conclusion}" for study in studies[:NAMED])
    if not networks and (runs or studies):
        return (*searched, *map(_run, runs[:NAMED]))
    return (*searched, *_compared(networks), *_unfinished(runs))


def _compared(networks: Sequence[NetworkSection]) -> tuple[str, ...]:
    if not networks:
        return ("There is no network in this report.",)
    if len(networks) == 1:
        return (*_alone(networks[0]), *_trained(networks))
    alike = comparable(networks)
    size = alike[0].input
    if len(alike) == len(networks):
        words = [f"{len(networks)} networks, all with input {size}."]
    else:
        words = [
            f"{len(networks)} networks with different inputs; compared here"
            f" {f'are the {len(alike)}' if len(alike) > 1 else 'is the first'} with input {size}."
        ]
    networks = alike
    if len(networks) == 1:
        return (*words, *_alone(networks[0]), *_trained(networks))
    words += _lightest(networks)
    words += _spread(networks)
    words += _front(networks)
    words += _guidelines(networks)
    return (*words, *_trained(networks))


def _front(networks: Sequence[NetworkSection]) -> list[str]:
    """Name the networks that are Pareto-optimal in macs and accuracy, or else memory access."""
    key = judged_by(networks)
    group = rivals(networks, key)
    best = pareto_front(group, "macs", key)
    if not best:
        return []
    others = [network for network in group if network not in best]
    left = f"; {names(others)} {'is' if len(others) == 1 else 'are'} dominated" if others else ""
    verb = "is" if len(best) == 1 else "are"
    return [f"{names(best)} {verb} Pareto-optimal in macs and {MEASURES[key].label}{left}."]


def judged_by(networks: Sequence[NetworkSection]) -> str:
    """Return the measure to weigh against macs.

    It is the measured accuracy, else the predicted, else the published one, if at least two
    comparable networks have it; otherwise memory access.
    """
    found = quality(networks)
    return "memory_access_bytes" if found is None else found.measure


def _ranked(networks: Sequence[NetworkSection], measure: Measure) -> list[NetworkSection]:
    known = [network for network in networks if number(network, measure.key) is not None]
    sign = 1 if measure.better == LESS else -1
    return sorted(known, key=lambda network: sign * (number(network, measure.key) or 0.0))


def _extremes(
    ranked: Sequence[NetworkSection], key: str
) -> tuple[list[NetworkSection], list[NetworkSection]]:
    """Return the networks whose value equals that of the first, and that of the last."""
    first, last = (
        (
            [network for network in ranked if number(network, key) == number(end, key)]
            for end in (ranked[0], ranked[-1])
        )
        if ranked
        else ([], [])
    )
    return first, last


def _lightest(networks: Sequence[NetworkSection]) -> list[str]:
    least = {
        key: min(number(network, key) or 0.0 for network in networks) or 1.0 for key in WEIGHED
    }
    weight = {
        network.id: prod((number(network, key) or 0.0) / least[key] for key in WEIGHED) ** 0.25
        for network in networks
    }
    ranked = sorted(networks, key=lambda network: weight[network.id])
    first, second = ranked[0], ranked[1]
    equal = [network for network in ranked if weight[network.id] < 1.005 * weight[first.id]]
    if len(equal) > 1:
        lightest = ", and the lightest," if len(equal) < len(ranked) else ""
        return [
            f"{names(equal)} are equally light{lightest} by the geometric mean of macs, params,"
            " memory access and peak memory."
        ]
    return [
        f"{first.name} is the lightest by the geometric mean of macs, params, memory access and"
        f" peak memory, {weight[second.id] / (weight[first.id] or 1.0):.2f} times lighter than"
        f" {second.name}."
    ]


def _spread(networks: Sequence[NetworkSection]) -> list[str]:
    words = []
    for key in ("macs", "peak_activation_bytes"):
        measure = MEASURES[key]
        ranked = _ranked(networks, measure)
        least, most = _extremes(ranked, key)
        low, high = number(least[0], key), number(most[0], key)
        if not low or not high or low == high:
            continue
        if key == "macs":
            words.append(
                f"Macs range from {written(low, measure.kind)} ({names(least)}) to"
                f" {written(high, measure.kind)} ({names(most)}), {ratio(high, low)} as many."
            )
        else:
            at = f" at {most[0].totals.peak_node}" if len(most) == 1 else ""
            words.append(
                f"{names(most)} {'needs' if len(most) == 1 else 'need'} the most memory for feature"
                f" maps, {written(high, measure.kind)}{at}; {names(least)} the least,"
                f" {written(low, measure.kind)}."
            )
    return words


def _guidelines(networks: Sequence[NetworkSection]) -> list[str]:
    scored = [network for network in networks if network.scores]
    clean = [net for net in scored if not any(score.broken for score in net.scores)]
    if not scored:
        return []
    if clean:
        rest = len(scored) - len(clean)
        tail = f"; {rest} of {len(scored)} break at least one" if rest else ""
        verb = "follows" if len(clean) == 1 else "follow"
        return [f"{names(clean)} {verb} all four guidelines of ShuffleNetV2{tail}."]
    if len(scored) == 1:
        broken = [score.code for score in scored[0].scores if score.broken]
        return [f"It breaks {' and '.join(broken)} of ShuffleNetV2's four guidelines."]
    return [f"All {len(scored)} networks break at least one guideline of ShuffleNetV2."]


def _alone(network: NetworkSection) -> list[str]:
    """Summarise a single network."""
    whole = network.totals
    words = [
        f"{network.name} has {format_count(whole.params)} params and needs"
        f" {format_count(whole.macs)} macs for an input of {network.input}.",
        f"Its feature maps need {format_bytes(whole.peak_activation_bytes)} at most, at"
        f" {whole.peak_node}; training with batch {network.batch} needs"
        f" {format_bytes(whole.training_bytes)} or more.",
    ]
    if whole.macs:
        heavy = max(network.stages, key=lambda stage: stage.macs)
        words.append(
            f"{100 * heavy.macs / whole.macs:.0f} % of the macs are {_stage(heavy.key)},"
            f" {heavy.layers} layers."
        )
    coverage = number(network, "coverage")
    if coverage is not None and network.field:
        seen = "the whole input" if coverage == 1 else f"{100 * coverage:.0f} % of the input"
        wide = coverage < 1 and any(map(_may_see_all, network.layers))
        place = "before the layers that may see all of it" if wide else "of its last map"
        words.append(f"A position {place} sees {seen} (receptive field {network.field}).")
    return [*words, *_guidelines([network])] if network.scores else words


def _may_see_all(layer: LayerPoint) -> bool:
    """Return whether the positions of a map may see the whole input, as after attention."""
    known = layer.stride is not None
    return known and layer.field is None and len(layer.out) > 1 and max(layer.out[1:]) > 1


def _stage(key: str) -> str:
    plural = {VECTOR: "in vectors", SEQUENCE: "in sequences"}
    return plural.get(key, f"at {key} of the input's size")


def _trained(networks: Sequence[NetworkSection]) -> list[str]:
    """State the accuracy of trained networks."""
    known = [network for network in networks if network.measured is not None]
    most = NAMED if len(known) > NAMED + 1 else len(known)
    told = [f"Accuracy of {net.name}: {accuracy_text(net, ACCURACY)}." for net in known[:most]]
    if len(known) > most:
        told[-1] = f"{told[-1][:-1]}; {len(known) - NAMED} more were trained."
    return told


def _unfinished(runs: Sequence[RunSection]) -> list[str]:
    """Name the runs that have not finished."""
    return [_run(run) for run in runs if run.state != "finished"][:NAMED]


def _run(run: RunSection) -> str:
    reached = ""
    if run.accuracy is not None and run.measured is not None:
        reached = f" with {percent(run.accuracy)} of the {run.measured.on}"
    ended = {"running": "is", "killed": "was", "stopped": "was"}.get(run.state, "has")
    return f"Run {run.name} ({run.network}) {ended} {run.state}{reached}."
