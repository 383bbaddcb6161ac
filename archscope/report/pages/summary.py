"""What a report says in words: who wins by which measure, and what that is worth."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, prod

from archscope.report.pages.content import (
    LESS,
    MEASURES,
    Measure,
    Network,
    RunPage,
    StudyPage,
    Winner,
)
from archscope.units import format_bytes, format_count, format_value

JUDGED = ("accuracy", "latency_seconds", "macs", "params", "memory_access_bytes",
          "peak_activation_bytes")  # fmt: skip
"""What has a winner, the most telling first."""

WEIGHED = ("macs", "params", "memory_access_bytes", "peak_activation_bytes")
"""What makes a network light, all alike."""

NAMED = 4  # more names are counted


def written(value: float | None, kind: str) -> str:
    """Return a value as people read it; a dash where there is none, or no number."""
    if value is None:
        return "-"
    if not isfinite(value):
        return "no number"
    return format_value(value, kind)


def measures_of(networks: Sequence[Network]) -> tuple[Measure, ...]:
    """Return the measures that some network has."""
    return tuple(one for one in MEASURES if any(number(net, one.key) is not None
                                                for net in networks))  # fmt: skip


def number(network: Network, key: str) -> float | None:
    """Return a value of a network if it is known and a number."""
    value = network.values.get(key)
    return value if value is not None and isfinite(value) else None


def winners(networks: Sequence[Network]) -> tuple[Winner, ...]:
    """Return who is best by each judged measure, if there is anyone to be better than.

    Only networks of the same input are compared.
    """
    found = []
    networks = comparable(networks)
    for key in JUDGED:
        measure = next(one for one in MEASURES if one.key == key)
        ranked = _ranked(networks, measure)
        if len(ranked) < 2:
            continue
        best, second = ranked[0], ranked[1]
        one, other = best.values[key], second.values[key]
        assert one is not None and other is not None
        if one == other:
            words = f"as has {second.name}"
        elif key == "accuracy":
            words = f"{100 * (one - other):.1f} points before {second.name}"
        else:
            words = f"{_times(max(one, other), min(one, other))} less than {second.name}"
        found.append(
            Winner(key, measure.label, best.id, best.name, written(one, measure.kind), words)
        )
    return tuple(found)


def front(networks: Sequence[Network], x: str, y: str) -> list[Network]:
    """Return those that no other equals or beats by both measures while beating it by one."""
    kinds = {one.key: one for one in MEASURES}
    points = []
    for network in networks:
        one, other = number(network, x), number(network, y)
        if one is not None and other is not None:
            signs = [1 if kinds[key].better == LESS else -1 for key in (x, y)]
            points.append((one * signs[0], other * signs[1], network))
    return [
        network
        for one, other, network in points
        if not any(a <= one and b <= other and (a, b) != (one, other) for a, b, _ in points)
    ]


def comparable(networks: Sequence[Network]) -> list[Network]:
    """Return the networks of the input that most of them have.

    The macs of a digit and those of a photograph are no match.
    """
    groups: dict[str, list[Network]] = {}
    for network in networks:
        groups.setdefault(network.input, []).append(network)
    return max(groups.values(), key=len, default=[])


def summary(
    networks: Sequence[Network],
    runs: Sequence[RunPage] = (),
    studies: Sequence[StudyPage] = (),
) -> tuple[str, ...]:
    """Return the report in a few sentences."""
    searched = tuple(f"Study {study.name}: {study.verdict}" for study in studies[:NAMED])
    if not networks and (runs or studies):
        return (*searched, *map(_run, runs[:NAMED]))
    return (*searched, *_compared(networks, runs))


def _compared(networks: Sequence[Network], runs: Sequence[RunPage]) -> tuple[str, ...]:
    if not networks:
        return ("There is no network to speak of.",)
    if len(networks) == 1:
        return (*_alone(networks[0]), *map(_run, runs[:NAMED]))
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
        return (*words, *_alone(networks[0]), *map(_run, runs[:NAMED]))
    words += _lightest(networks)
    words += _spread(networks)
    trained = [network for network in networks if number(network, "accuracy") is not None]
    x, y = ("macs", "accuracy" if len(trained) > 1 else "memory_access_bytes")
    best = front(networks, x, y)
    label = next(one.label for one in MEASURES if one.key == y)
    rest = len([net for net in networks if number(net, y) is not None]) - len(best)
    if best:
        others = "the other one is" if rest == 1 else f"the other {rest} are"
        left = f"; {others} beaten" if rest else ""
        words.append(f"Nobody beats {names(best)} at {x} and {label} together{left}.")
    words += _guidelines(networks)
    if not trained:
        words.append("Accuracy is not known here: the lightest network need not be the best.")
    return (*words, *map(_run, runs[:NAMED]))


def names(networks: Sequence[Network]) -> str:
    """Return networks by name, those beyond a few as a number."""
    shown = [network.name for network in networks[:NAMED]]
    if len(networks) > NAMED:
        shown.append(f"{len(networks) - NAMED} more")
    if len(shown) == 1:
        return shown[0]
    return f"{', '.join(shown[:-1])} and {shown[-1]}"


def _ranked(networks: Sequence[Network], measure: Measure) -> list[Network]:
    known = [network for network in networks if number(network, measure.key) is not None]
    sign = 1 if measure.better == LESS else -1
    return sorted(known, key=lambda network: sign * (number(network, measure.key) or 0.0))


def _lightest(networks: Sequence[Network]) -> list[str]:
    least = {
        key: min(number(network, key) or 0.0 for network in networks) or 1.0 for key in WEIGHED
    }
    weight = {
        network.id: prod((number(network, key) or 0.0) / least[key] for key in WEIGHED) ** 0.25
        for network in networks
    }
    ranked = sorted(networks, key=lambda network: weight[network.id])
    first, second = ranked[0], ranked[1]
    if weight[second.id] < 1.005 * weight[first.id]:
        return [
            f"{first.name} and {second.name} are the lightest, and equal, by macs, params, memory"
            " access and peak memory taken together."
        ]
    return [
        f"{first.name} is the lightest by macs, params, memory access and peak memory taken"
        f" together, {weight[second.id] / (weight[first.id] or 1.0):.2f} times lighter than"
        f" {second.name}."
    ]


def _spread(networks: Sequence[Network]) -> list[str]:
    words = []
    for key in ("macs", "peak_activation_bytes"):
        measure = next(one for one in MEASURES if one.key == key)
        ranked = _ranked(networks, measure)
        least, most = ranked[0], ranked[-1]
        low, high = number(least, key), number(most, key)
        if low and high and high > low:
            words.append(
                f"{measure.label[0].upper()}{measure.label[1:]} go from"
                f" {written(low, measure.kind)} ({least.name}) to {written(high, measure.kind)}"
                f" ({most.name}), {_times(high, low)}."
                if key == "macs"
                else f"{most.name} needs the most memory for feature maps,"
                f" {written(high, measure.kind)} at {most.totals.peak_node}; {least.name} the"
                f" least, {written(low, measure.kind)}."
            )
    return words


def _guidelines(networks: Sequence[Network]) -> list[str]:
    scored = [network for network in networks if network.scores]
    clean = [net for net in scored if not any(score.broken for score in net.scores)]
    if not scored:
        return []
    if clean:
        rest = len(scored) - len(clean)
        tail = f"; {rest} of {len(scored)} break at least one" if rest else ""
        verb = "keeps" if len(clean) == 1 else "keep"
        return [f"{names(clean)} {verb} all four guidelines of ShuffleNetV2{tail}."]
    if len(scored) == 1:
        broken = [score.code for score in scored[0].scores if score.broken]
        return [f"It breaks {' and '.join(broken)} of ShuffleNetV2's four guidelines."]
    return [f"All {len(scored)} networks break at least one guideline of ShuffleNetV2."]


def _alone(network: Network) -> list[str]:
    """Return what there is to say of a network that stands alone."""
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
            f"{100 * heavy.macs / whole.macs:.0f} % of the macs are at {_stage(heavy.key)},"
            f" {heavy.layers} layers."
        )
    coverage = number(network, "coverage")
    if coverage is not None and network.field:
        seen = "the whole input" if coverage == 1 else f"{100 * coverage:.0f} % of the input"
        words.append(f"A position of its last map sees {seen} (receptive field {network.field}).")
    return [*words, *_guidelines([network])] if network.scores else words


def _stage(key: str) -> str:
    return "vectors" if key == "vector" else f"{key} of the input's size"


def _run(run: RunPage) -> str:
    reached = f" with {100 * run.accuracy:.1f} % right" if run.accuracy is not None else ""
    return f"Run {run.name} ({run.network}) is {run.state}{reached}."


def _times(high: float, low: float) -> str:
    ratio = high / low if low else float("inf")
    return f"{ratio:.2f} times" if ratio < 10 else f"{ratio:,.0f} times"
