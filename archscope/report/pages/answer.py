"""Recommend a network of a report, in up to three sentences.

The first recommends one, the second names the cheaper alternative or compares networks with a
study, and the third states how far the numbers can be trusted. All numbers are those of the page's
tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from archscope.metrics import ACCURACY, MACS, PREDICTED, PREDICTED_MS, PUBLISHED
from archscope.records.study import DEMONSTRATIONS, Finalist, missed
from archscope.report.pages.content import MEASURES, NetworkSection, StudySection
from archscope.report.pages.quality import Quality, number, quality
from archscope.report.pages.words import lead, listed, names, percent, points, ratio, written

COSTS = ("latency_seconds", PREDICTED_MS, MACS)
"""The costs that decide between tied networks: the first that is known of all."""

FEW_SEEDS = 5
MATERIAL = 0.02
"""The largest difference of accuracies for which the cheaper of two tied networks is preferred."""


def answer(
    networks: Sequence[NetworkSection], studies: Sequence[StudySection] = ()
) -> tuple[str, ...]:
    """Return the sentences; a report without networks and studies has none."""
    found = quality(networks)
    measured = found is not None and found.measure == ACCURACY
    shown = {network.name for network in networks}
    sentences = [_of_study(study, shown) for study in studies[:1]]
    trust = [_trust_in_study(study, measured) for study in studies[:1]]
    beside = _beside(studies[0], found) if studies else ""
    if beside:
        sentences.append(beside)
    elif found is not None and not studies:
        sentences += [f"Ship {_ship(found)}", _alternative(found)]
    elif not studies and networks:
        sentences += _unknown(networks)
    if found is not None and (measured or not studies):
        trust.append(_trust(found))
    told = " ".join(filter(None, trust))
    return (*sentences, *([told] if told else []))


def _beside(study: StudySection, found: Quality | None) -> str:
    """Return a sentence about the networks of a page that also has a study."""
    if found is not None and found.measure == ACCURACY:
        images = found.networks[0].measured
        return f"{'' if images is None else f'On the {images.on}, '}ship {_ship(found)}"
    if study.prior is not None and study.prior.networks and study.prior.references:
        macs = study.prior.networks[0].costs.get(MACS, 0.0)
        near = min(study.prior.references, key=lambda row: abs(row.costs.get(MACS, 0.0) - macs))
        return (
            f"By the same prior, {near.name} reaches {percent(near.mean / 100)} at"
            f" {written(near.costs.get(MACS), 'count')} macs."
        )
    return ""


def accuracy_text(network: NetworkSection, key: str) -> str:
    """Return an accuracy and what it refers to: `95.8 % of the digits test images (3 seeds)`."""
    value = percent(number(network, key) or 0.0)
    if key == PREDICTED:
        low, high = network.predicted or (None, None)
        span = "" if low is None or high is None else f", {percent(low)} to {percent(high)}"
        return f"{value} predicted top-1 on ImageNet{span}"
    if key == PUBLISHED:
        return f"{value} published top-1 on ImageNet"
    found = network.measured
    if found is None:
        return f"{value} accuracy"
    seeds = len(found.scores)
    spread = "" if found.spread is None else f", mean of {seeds} seeds ± {points(found.spread)}"
    return f"{value} of the {found.on}{spread}"


def _ship(found: Quality) -> str:
    """Return the recommendation: the most accurate network, or the cheapest of those tied."""
    key, cost = found.measure, _cost(found.networks)
    first, chosen = found.tied[0], _chosen(found)
    price = f"{_value(chosen, cost)} {MEASURES[cost].label}"
    if len(found.tied) == 1:
        return (
            f"{first.name}: of {len(found.networks)} networks it is the most accurate,"
            f" {accuracy_text(first, key)}, at {price}."
        )
    others = [network for network in found.tied if network is not chosen]
    told = [] if chosen is first else [f"the best has {percent(number(first, key) or 0.0)}"]
    if found.chance:
        error = "chance" if key == ACCURACY else "error"
        told.append(f"up to {points(found.chance)} may be {error}")
    why = f" ({'; '.join(told)})" if told else ""
    text = f"{chosen.name}: {accuracy_text(chosen, key)}, tied with {names(others)}{why}"
    if _price(chosen, cost) > min(_price(net, cost) for net in others):
        return f"{text}{'; more seeds would tell them apart' if key == ACCURACY else ''}."
    equal = [net for net in others if _price(net, cost) == _price(chosen, cost)]
    if equal:
        return f"{text}, and costs no more than {names(equal)}: {price}."
    return f"{text}, and needs the {_least(cost)}: {_value(chosen, cost)}."


def _alternative(found: Quality) -> str:
    """Return what a cheaper network loses relative to the recommended one.

    Of several, it is the one that loses least per factor of saved cost.
    """
    key, cost = found.measure, _cost(found.networks)
    chosen = _chosen(found)
    most = number(chosen, cost)
    others = [net for net in found.networks if net is not chosen]
    known = [(net, value) for net in others if (value := number(net, cost)) is not None]
    if most is None or not known:
        return ""
    cheaper = [(net, value) for net, value in known if value < most]
    label = MEASURES[cost].label
    if not cheaper:
        least, value = min(known, key=lambda pair: pair[1])
        if value == most:
            return f"{least.name} costs the same: {_value(least, cost)} {label}."
        return f"{least.name}, the next by cost, needs {ratio(value, most)} more {label}."
    best = number(chosen, key) or 0.0

    def loss(pair: tuple[NetworkSection, float]) -> tuple[float, float]:
        network, value = pair
        factor = log(most / value) if value > 0 else float("inf")
        return (best - (number(network, key) or 0.0)) / factor, value

    other, value = min(cheaper, key=loss)
    reached = number(other, key) or 0.0
    return (
        f"Where cost counts more, {other.name} needs {ratio(most, value)} {_fewer(cost)} {label},"
        f" {_value(other, cost)}, and reaches {percent(reached)}, {lead(best, reached)} less."
    )


def _chosen(found: Quality) -> NetworkSection:
    """Return the cheapest of the tied networks that are not materially worse than the best.

    With few seeds, networks are tied even if they differ much; then the best mean is preferred.
    """
    cost, best = _cost(found.networks), number(found.tied[0], found.measure) or 0.0
    close = [net for net in found.tied if best - (number(net, found.measure) or 0.0) <= MATERIAL]
    return min(close, key=lambda network: _price(network, cost))


def _fewer(cost: str) -> str:
    return "fewer" if MEASURES[cost].kind == "count" else "less"


def _least(cost: str) -> str:
    return f"{'fewest' if _fewer(cost) == 'fewer' else 'least'} {MEASURES[cost].label}"


def _cost(networks: Sequence[NetworkSection]) -> str:
    """Return the cost to compare: milliseconds if known of all networks, else macs."""
    return next(
        (key for key in COSTS if all(number(net, key) is not None for net in networks)), MACS
    )


def _price(network: NetworkSection, cost: str) -> tuple[float, float, float]:
    """Return the sort key of networks: the cost, then params and memory access."""
    first, second, third = (number(network, key) for key in (cost, "params", "memory_access_bytes"))
    return (float("inf") if first is None else first, second or 0.0, third or 0.0)


def _value(network: NetworkSection, key: str) -> str:
    return written(number(network, key), MEASURES[key].kind)


def _trust(found: Quality) -> str:
    if found.measure == PUBLISHED:
        return (
            "Published top-1 comes from the source named next to it, with that source's training;"
            " nothing was trained here."
        )
    if found.measure == PREDICTED:
        return (
            "Predicted top-1 is of ImageNet and was not measured; docs/predict.md says how far off"
            " it is."
        )
    known = [net.measured for net in found.networks if net.measured is not None]
    once = sum(len(each.scores) == 1 for each in known)
    told = []
    if once:
        many = f"{once} of {len(known)} networks were" if once < len(known) else "Each network was"
        many = "1 of the networks was" if once == 1 and len(known) > 1 else many
        told.append(f"{many} trained once: another seed may change the order.")
    elif known and min(len(each.scores) for each in known) < FEW_SEEDS:
        told.append("± is the standard deviation between seeds, only a rough estimate from so few.")
    told += _about_images({each.on for each in known})
    return " ".join(told)


def _about_images(images: set[str]) -> list[str]:
    told = []
    if any(on.partition(":")[0].split()[0] in DEMONSTRATIONS for on in images if on):
        told.append("digits is a demonstration data set: it does not tell good networks apart.")
    if any(on.endswith("validation images") for on in images):
        told.append("The validation images chose the best epoch, so this accuracy is optimistic.")
    return told


def _unknown(networks: Sequence[NetworkSection]) -> list[str]:
    known = next(
        (key for key in (ACCURACY, PREDICTED, PUBLISHED) for net in networks
         if number(net, key) is not None), None,
    )  # fmt: skip
    if known is not None and len(networks) == 1:
        (only,) = networks
        return [f"{only.name} reaches {accuracy_text(only, known)}; there is nothing to compare."]
    if known is not None:
        return ["Which to ship is open: no two of these networks have the same input size and"
                " an accuracy on the same images."]  # fmt: skip
    subject = "this network is" if len(networks) == 1 else "these networks are"
    open_ = "" if len(networks) == 1 else "Which to ship is open: "
    text = f"how accurate {subject} is not known here; archscope train measures and --predict"
    return [f"{open_}{text if open_ else text[:1].upper() + text[1:]} predicts it."]


def _of_study(study: StudySection, shown: set[str]) -> str:
    """Return the recommendation of a study: its winner, the cheapest of a tie, or nothing.

    `shown` are the names of the networks of the report.
    """
    name = f"winner of {study.name}"
    here = f" ({name} below)" if name in shown else ""
    if study.prior is not None and study.prior.networks:
        return _of_prior(study, here)
    metric = study.metric
    if not study.finalists:
        best = [value for curve in study.best for value in curve.y if value is not None]
        if not best:
            many = f"{study.failed} training{'' if study.failed == 1 else 's'} failed, and "
            return (
                f"Ship nothing of study {study.name} yet: {many if study.failed else ''}it has"
                " trained no network to its end."
            )
        return (
            f"Ship nothing of study {study.name} yet: its best score is"
            f" {metric.format(max(best, key=metric.gain))}, but"
            " no network was trained again."
        )
    first = study.finalists[0]
    if first.misses:
        return (
            f"Ship nothing of study {study.name}: its best, trial {first.trial} with"
            f" {metric.labelled(first.mean)}, {missed(first)}, and no other that was measured"
            " holds the budget."
        )
    if study.guessing:
        return (
            f"Ship nothing of study {study.name}: its best mean, {percent(first.mean)} (trial"
            f" {first.trial}), is no better than guessing."
        )
    tied = [row for row in study.finalists if row.tied]
    if len(tied) > 1:
        return _tie(study, tied)
    others = [row for row in study.finalists[1:] if not row.misses]
    over = [f"trial {row.trial} {missed(row)}" for row in study.finalists if row.misses]
    if not others:
        nothing = "no other was evaluated" if study.evaluator else "no other was trained again"
        why = listed(over) if over else nothing
    else:
        why = f"the next, trial {others[0].trial}, reached {metric.format(others[0].mean)}"
    return f"Ship trial {first.trial} of study {study.name}{here}: {_score(study, first)}; {why}."


def _tie(study: StudySection, tied: Sequence[Finalist]) -> str:
    """Return that networks are tied, and the cheapest by the first budget, as the search does."""
    cost = study.budgets[0].cost if study.budgets else MACS
    cheapest = min(tied, key=lambda row: (row.costs.get(cost, float("inf")), -row.mean))
    value = cheapest.costs.get(cost)
    means = sorted(row.mean for row in tied)
    span = percent(means[0])
    if percent(means[-1]) != span:
        span = f"{percent(means[0])} to {percent(means[-1])}"
    numbers = listed([str(row.trial) for row in tied])
    kind = study.costs.get(cost, "count")
    price = "" if value is None else f" ({written(value, kind)} {cost})"
    return (
        f"Study {study.name} has no winner: trials {numbers} are tied at {span}, so ship the"
        f" cheapest, trial {cheapest.trial}{price}"
        f"{'' if cheapest is tied[0] else f'; winner.yaml has trial {tied[0].trial}'}."
    )


def _score(study: StudySection, row: Finalist) -> str:
    if study.evaluator:
        return f"{study.metric.labelled(row.mean)} by '{study.evaluator}'"
    text = f"{percent(row.mean)} of the validation images"
    return text if row.spread is None else f"{text}, mean of {len(row.scores)} seeds"


def _of_prior(study: StudySection, here: str) -> str:
    assert study.prior is not None
    first, *others = study.prior.networks
    if first.misses:
        return (
            f"Ship nothing of study {study.name}: its best, {first.name}, {missed(first)}, and no"
            " other that was measured holds the budget."
        )
    close = [row for row in others if row.high >= first.mean and not row.misses]
    text = (
        f"Ship {first.name} of study {study.name}{here}: {percent(first.mean / 100)} predicted"
        f" top-1 ({percent(first.low / 100)} to {percent(first.high / 100)}) at"
        f" {written(first.costs.get(MACS), 'count')} macs"
    )
    if close:
        return f"{text}; {listed([row.name for row in close])} may be as good."
    return f"{text}, the best of the search by the prior."


def _trust_in_study(study: StudySection, measured: bool) -> str:
    if study.prior is not None and study.prior.networks:
        return f"A prior predicts {study.prior.about}; nothing was measured."
    if (
        not measured
        and not study.evaluator
        and study.finalists
        and min(len(row.scores) for row in study.finalists) < FEW_SEEDS
    ):
        return "With so few trainings, the variation between seeds is only a rough estimate."
    return ""
