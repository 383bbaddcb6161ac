"""Parse budgets: `300MFLOPs`, `params<=5M`, `peak 4MiB`, `60% of mobilenet_v2`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from msgspec import Struct, structs

from archscope.errors import OptionError, did_you_mean
from archscope.latency import profile as profiles
from archscope.latency.profile import DEVICES, Profile
from archscope.metrics import MACS, METRICS, Metric, cost_metrics, metric_words
from archscope.space.additive_costs import SUMMED, AdditiveCost, LatencyCost
from archscope.space.costs import CostModel, Costs, needs_graph
from archscope.space.search_space import Space
from archscope.units import COUNT, Unit, split_quantity, split_word, unit_hint

EDGE = 0.85
"""The lower edge of a single budget, as a share of it, so that a search stays near the limit."""

MOST = 1e30
"""The largest number in a budget; larger ones cannot be compared."""

EXAMPLES = (
    "300MFLOPs, 300MMACs, '5M params', 'macs<=300M', 'macs 250M..300M', 'peak 4MiB',"
    " 'weights 10MB', 'access 50MiB', '60% of mobilenet_v2', '60% params of resnet50', 8ms@cpu"
)
MINUS = ("-", "\N{MINUS SIGN}", "\N{EN DASH}")
_BOUND = re.compile(r"(.*?)\s*(<=|>=|==|<|>|=)\s*(.*)\Z")
_LEADING = re.compile(r"([A-Za-z][A-Za-z -]*?):?\s+(?=-?[0-9.])")
_DEVICE = re.compile(r"(.*?)\s*@\s*(\S+)\Z")
_SHARE = re.compile(r"%\s*([A-Za-z ]*?)\s*of\s+(\S+)\Z")

CostsByName = Callable[[str], Costs]
"""Returns the costs of a network by its name."""


class BudgetError(OptionError):
    """A budget cannot be understood."""

    def __init__(self, text: str, why: str, examples: str = EXAMPLES) -> None:
        self.text, self.why = text, why
        super().__init__(f"cannot take the budget '{text}': {why}; write for example {examples}")


class Budget(Struct, frozen=True):
    """The upper and perhaps lower limit of a metric."""

    text: str  # as written by the user
    metric: str
    most: float | None
    least: float | None = None
    device: str = ""  # the device that measures it, or the profile that predicts it
    note: str = ""  # how the text was understood

    @property
    def measured(self) -> bool:
        """Whether it must be measured, such as latency on this machine; otherwise it is static."""
        return METRICS[self.metric].is_measured and not self.predicted_by

    @property
    def predicted_by(self) -> str:
        """The latency profile that predicts it; "" if it is measured or counted."""
        return "" if self.device in DEVICES else self.device

    @property
    def cost(self) -> str:
        """The key in `Costs` of the limited metric, including the profile that predicts it."""
        return f"{self.metric}@{self.device}" if self.predicted_by else self.metric

    @property
    def extra(self) -> AdditiveCost | None:
        """The cost that a cost model includes only on request, if any. Raises OptionError."""
        if self.predicted_by:
            return LatencyCost(self.cost, profiles.load(self.predicted_by))
        make = SUMMED.get(self.metric)
        return None if make is None else make()

    @property
    def is_sum(self) -> bool:
        """Whether it is a sum of integers over the segments of a network, as macs are."""
        if (extra := self.extra) is not None:
            return extra.exact
        metric = METRICS[self.metric]
        return not self.measured and not metric.needs_graph and metric.unit.whole

    def excess(self, value: float) -> float:
        """Return the share of the limit by which a value exceeds it; 0 or less is within it."""
        over = -1.0 if self.most is None else (value - self.most) / self.most
        under = -1.0 if self.least is None else (self.least - value) / self.least
        return max(over, under)

    def readable(self, value: float) -> str:
        """Format a value of the metric."""
        unit = METRICS[self.metric].unit
        return unit.format(round(value) if unit.whole else value)

    @property
    def bounds(self) -> str:
        """Both limits in words: `at most 300,000,000 and at least 255,000,000 macs`."""
        metric = METRICS[self.metric]
        limits = (("at most", self.most), ("at least", self.least))
        told = [f"{word} {metric.unit.exact(end)}" for word, end in limits if end is not None]
        return f"{' and '.join(told)} {metric.unit.name or metric.name}"

    def meaning(self, shape: str = "") -> str:
        """Return a line that explains the budget, for an input shape if one is given."""
        metric = METRICS[self.metric]
        about = "" if metric.is_measured else f" ({metric.about})"
        device = f" on {self.device}" if self.device else ""
        image = f", for one image of {shape}" if shape and metric.depends_on_input else ""
        note = f"; {self.note}" if self.note else ""
        return f"{self.text}: {self.bounds}{about}{device}{image}{note}"


def budgets(
    texts: Sequence[str], costs_by_name: CostsByName | None = None, edge: float | None = None
) -> tuple[Budget, ...]:
    """Parse budgets, which must all hold.

    `costs_by_name` resolves `60% of mobilenet_v2`. `edge` is that of `with_edge`, by default 0.85;
    0 means none. Raises OptionError.
    """
    by_cost: dict[str, Budget] = {}
    for text in texts:
        new = budget(text, costs_by_name)
        old = by_cost.get(new.cost)
        by_cost[new.cost] = new if old is None else _both_ends(old, new)
    for limit in by_cost.values():
        if limit.least is not None and limit.most is not None and limit.least > limit.most:
            raise OptionError(
                f"the budget '{limit.text}' is empty: its lower end is above its upper end"
            )
    return with_edge(tuple(by_cost.values()), EDGE if edge is None else edge)


def with_edge(limits: tuple[Budget, ...], edge: float) -> tuple[Budget, ...]:
    """Add a lower end at `edge` of the limit to a single static budget that has none.

    With 0 nothing changes. Raises OptionError unless `edge` is at least 0 and below 1.
    """
    if not 0 <= edge < 1:
        raise OptionError(
            f"the lower edge must be a share of the budget, at least 0 and below 1, got {edge:g}"
        )
    if len(limits) != 1 or not edge:
        return limits
    (limit,) = limits
    if limit.least is not None or limit.most is None or limit.measured:
        return limits
    note = f"{limit.note}; " if limit.note else ""
    note += f"the lower edge is {edge:g} of it"
    return (structs.replace(limit, least=edge * limit.most, note=note),)


def _both_ends(first: Budget, second: Budget) -> Budget:
    """Combine a lower and an upper end in one budget. Raises OptionError for two equal ends."""
    above, below = (first, second) if first.most is None else (second, first)
    if above.most is not None or below.least is not None or first.measured:
        raise OptionError(
            f"two budgets limit {first.cost}: '{first.text}' and '{second.text}';"
            " for a range, write both ends in one: macs 250M..300M"
        )
    return structs.replace(below, text=f"{first.text}, {second.text}", least=above.least)


def budget(text: str, costs_by_name: CostsByName | None = None) -> Budget:
    """Parse a budget. Raises OptionError, with examples."""
    words = " ".join(text.split())
    sign, leading, rest = _parts(words)
    if rest.startswith(MINUS):
        raise BudgetError(words, "a budget is an amount above 0")
    if "%" in rest:
        metric, most, note = _share(words, rest, leading, costs_by_name)
        least, device = None, ""
    else:
        match = _DEVICE.match(rest)
        rest, device = (match[1], match[2]) if match else (rest, "")
        low, dots, high = ("", "", rest) if sign else rest.rpartition("..")
        metric, most, note = _amount(words, high.strip(), leading)
        least = _low_end(words, low.strip(), high.strip(), metric) if dots else None
        if metric.is_measured and not device:
            raise BudgetError(words, f"{metric.name} needs a device: {metric.unit.examples}@cpu")
        if device and not metric.is_measured:
            raise BudgetError(words, f"{metric.name} is counted, not measured on a device")
        note = _how_known(words, device) if device else note
    if ">" in sign:
        return Budget(words, metric.name, None, most, device, note)
    return Budget(words, metric.name, most, least, device, note)


def _how_known(text: str, device: str) -> str:
    """Return the source of latency on a device. Raises OptionError for an unknown device."""
    if device in DEVICES:
        return "measured, not counted"
    known = profiles.files()
    if device not in known and not device.endswith(profiles.SUFFIX):
        there = f" and latency profiles: {', '.join(known)}" if known else ""
        hint = did_you_mean(device, (*DEVICES, *known)) + (
            f"; there is cpu, that of this machine{there}; `archscope device calibrate` makes one"
        )
        raise BudgetError(text, f"the device '{device}' is not known{hint}")
    profile = profiles.load(device)
    least, most = profile.batches
    beyond = "" if least == 1 else f", fitted to batches of {least} to {most} and not to one image"
    return f"predicted for {profiles.words(profile)}{beyond}"


def _parts(words: str) -> tuple[str, Metric | None, str]:
    """Split `peak<=4MiB` and `peak 4MiB` into sign, metric and the rest."""
    match = _BOUND.match(words)
    if match:
        word, sign, rest = match.groups()
        if not word:
            raise BudgetError(words, f"name the metric before '{sign}'")
        metric = _metric(words, word)
        if sign in ("==", "="):
            why = "a budget is not an exact amount; use <=, or a range such as 250M..300M"
            raise BudgetError(words, why)
        return sign, metric, rest
    match = _LEADING.match(words)
    if match:
        return "", _metric(words, match[1]), words[match.end() :]
    return "", None, words


def _metric(text: str, word: str) -> Metric:
    known = metric_words()
    name = word.strip().lower()
    if name not in known:
        raise BudgetError(text, f"no metric '{word.strip()}'{did_you_mean(name, known)}")
    return known[name]


def _share(
    text: str, rest: str, leading: Metric | None, costs_by_name: CostsByName | None
) -> tuple[Metric, float, str]:
    """Return the metric, the amount and the note of `60% params of resnet50`."""
    quantity = split_quantity(rest)
    match = _SHARE.match(quantity[1]) if quantity else None
    if quantity is None or match is None:
        raise BudgetError(text, "a share needs a network: 60% of mobilenet_v2")
    metric = _metric(text, match[1]) if match[1] else leading or METRICS[MACS]
    if metric.is_measured:
        example = f"{metric.unit.examples}@cpu"
        raise BudgetError(text, f"{metric.name} is measured, so it has no share; write {example}")
    if costs_by_name is None:
        raise BudgetError(text, "no network can be looked up here")
    whole = costs_by_name(match[2])[metric.name]
    most = quantity[0] / 100 * whole
    if not most:
        raise BudgetError(text, "the share is 0")
    return metric, most, f"{match[2]} has {metric.unit.format(whole)} {metric.name}"


def _low_end(text: str, low: str, high: str, metric: Metric) -> float:
    """Return the lower end of a range; 250..300MFLOPs and 250M..300MFLOPs are the same."""
    below, above = split_quantity(low), split_quantity(high)
    if below is None or above is None:
        raise BudgetError(text, f"'{low}' is not an amount for the lower end")
    return _amount(text, low if below[1] else low + above[1], metric)[1]


def _amount(text: str, words: str, leading: Metric | None) -> tuple[Metric, float, str]:
    """Return the metric, the amount and the note of `300MFLOPs`, `5M params` or `4MiB peak`."""
    quantity = split_quantity(words)
    if quantity is None:
        raise BudgetError(text, "it has no amount")
    number, letters = quantity
    if not number:
        raise BudgetError(text, "no network costs nothing")
    if number > MOST:
        raise BudgetError(text, f"no network costs more than {MOST:g}")
    if letters in ("B", "bytes"):
        raise BudgetError(text, f"'{letters}' could be bytes or billions; write KiB, MB, or G")
    if re.match(r"[kKMGT]i?b\Z", letters):
        raise BudgetError(text, unit_hint(letters).removeprefix("; "))
    symbol, _, word = letters.partition(" ")
    symbol = re.sub(r"Bytes?\Z", "B", symbol)
    for metric in cost_metrics():
        if metric.unit.name and symbol in metric.unit.factors:
            metric = _metric_in(text, metric.unit, word, leading)
            return metric, number * metric.unit.factors[symbol], ""
    prefix, word = split_word(letters, metric_words())
    expected = _metric(text, word) if word else leading
    if expected is not None and expected.unit.symbol and leading in (None, expected):
        worth = expected.unit.worth(prefix)
        if worth is not None:
            return expected, number * worth, ""
    if prefix not in COUNT.factors:
        raise BudgetError(text, f"unknown unit '{letters}'{_unit_hint(prefix, letters)}")
    counted = _metric(text, word) if word else leading
    if counted is None:
        raise BudgetError(text, f"{words} of what? '{words} params' or '{words}MACs'")
    if leading is not None and counted is not leading:
        raise BudgetError(text, f"it names both {leading.name} and {counted.name}")
    if counted.unit.name:
        unit = counted.unit
        raise BudgetError(text, f"{counted.name} is in {unit.name}, such as {unit.examples}")
    flops = word.lower().startswith("flop")
    note = "one FLOP for each multiply-accumulate, as mobile papers count" if flops else ""
    return counted, number * COUNT.factors[prefix], note


def _metric_in(text: str, unit: Unit, word: str, leading: Metric | None) -> Metric:
    """Return the metric of an amount in a unit: the named one, or the only one."""
    possible = [metric for metric in cost_metrics() if metric.unit.kind == unit.kind]
    metric = _metric(text, word) if word else leading
    if metric is None and len(possible) == 1:
        metric = possible[0]
    if metric is None:
        *names, last = [metric.name for metric in possible]
        raise BudgetError(text, f"{unit.name} of what? say {', '.join(names)} or {last}")
    if leading is not None and metric is not leading:
        raise BudgetError(text, f"it names both {leading.name} and {metric.name}")
    if metric not in possible:
        own = f"in {metric.unit.name}" if metric.unit.name else "a count"
        raise BudgetError(text, f"{metric.name} is {own}, not {unit.name}")
    return metric


def _unit_hint(prefix: str, letters: str) -> str:
    hint = unit_hint(prefix)
    if hint:
        return hint
    return did_you_mean(letters[1:].strip().lower(), metric_words())


def violation(limits: Sequence[Budget], costs: Costs | None) -> float:
    """Return by how much static budgets are exceeded in total; 0 fits, infinity is no network."""
    if costs is None:
        return float("inf")
    return sum(max(0.0, limit.excess(costs[limit.cost])) for limit in limits if not limit.measured)


def limits_need_graph(limits: Sequence[Budget]) -> bool:
    """Return whether testing the budgets needs the graph of a candidate."""
    return any(METRICS[limit.metric].needs_graph and not limit.is_sum for limit in limits)


def cost_model(
    space: Space,
    limits: Sequence[Budget] = (),
    dtype: str = "float32",
    *,
    objectives: Sequence[str] = (),
    profile: Profile | None = None,
) -> CostModel:
    """Return a cost model with the costs of static budgets and objectives.

    It includes the latency that a profile predicts, if one is given.
    """
    extras = {limit.cost: extra for limit in limits if (extra := limit.extra) is not None}
    if profile is not None:
        name = f"latency@{profile.name}"
        extras.setdefault(name, LatencyCost(name, profile))
    extras |= {name: SUMMED[name]() for name in objectives if name in SUMMED}
    graphs = limits_need_graph(limits) or needs_graph(set(objectives) - SUMMED.keys())
    return CostModel(space, dtype, graphs=graphs, extras=[*extras.values()])
