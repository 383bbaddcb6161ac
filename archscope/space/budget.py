"""Budgets as people write them: `300MFLOPs`, `params<=5M`, `peak 4MiB`, `60% of mobilenet_v2`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from msgspec import Struct, structs

from archscope.errors import OptionError, did_you_mean
from archscope.space.costs import ACCESS, IN_BYTES, MACS, PARAMS, PEAK, WEIGHTS, Costs
from archscope.units import format_bytes, format_count

LATENCY = "latency"
EDGE = 0.85
"""How far below a single budget networks may lie, so that a search stays near its limit."""
EXAMPLES = (
    "300MFLOPs, 300MMACs, '5M params', 'macs<=300M', 'macs 250M..300M', 'peak 4MiB',"
    " 'weights 10MB', 'access 50MiB', '60% of mobilenet_v2', '60% params of resnet50', 8ms@cpu"
)
WORDS = {
    "macs": MACS, "mac": MACS, "flops": MACS, "flop": MACS, "mult-adds": MACS, "madds": MACS,
    "params": PARAMS, "param": PARAMS, "parameters": PARAMS,
    "weights": WEIGHTS, "weight": WEIGHTS, "model size": WEIGHTS,
    "peak": PEAK, "peak memory": PEAK, "peak activation": PEAK, "peak activations": PEAK,
    "access": ACCESS, "memory access": ACCESS, "traffic": ACCESS,
    "latency": LATENCY,
}  # fmt: skip
ABOUT = {
    MACS: "multiply-accumulates of convolutions and matrix products",
    PARAMS: "learnable numbers",
    WEIGHTS: "of weights and buffers",
    ACCESS: "read and written: inputs, weights and outputs of every operator",
    PEAK: "of feature maps alive at once",
    LATENCY: "for one image",
}
WHATEVER_INPUT = (PARAMS, WEIGHTS)
PREFIXES = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_NUMBER = r"[0-9]*\.?[0-9]+(?:[eE][0-9]+)?"
_AMOUNT = re.compile(rf"({_NUMBER})\s*([A-Za-z]*)\Z")
_SHARE = re.compile(rf"({_NUMBER})\s*%\s*([A-Za-z ]*?)\s*of\s+(\S+)\Z")
_LATENCY = re.compile(rf"({_NUMBER})\s*(us|ms|s)\s*@\s*(\S+)\Z")
_BOUND = re.compile(r"(.*?)\s*(<=|>=|==|<|>|=)\s*(.*)\Z")

Look = Callable[[str], Costs]


class Budget(Struct, frozen=True):
    """The most, and perhaps the least, that a network may cost of one thing."""

    text: str  # as it was written
    metric: str
    most: float | None
    least: float | None = None
    device: str = ""  # where latency is measured
    note: str = ""  # what the words were taken to mean

    @property
    def measured(self) -> bool:
        """Whether it takes a run to know: latency does, all else is static."""
        return self.metric == LATENCY

    def excess(self, value: float) -> float:
        """Return by which share of the limit a value is beyond it; 0 or less is inside."""
        over = -1.0 if self.most is None else (value - self.most) / self.most
        under = -1.0 if self.least is None else (self.least - value) / self.least
        return max(over, under)

    def readable(self, value: float) -> str:
        """Return an amount as people read it."""
        if self.metric in IN_BYTES:
            return format_bytes(round(value))
        return f"{value:g} ms" if self.metric == LATENCY else format_count(round(value))

    def meaning(self, at: str = "") -> str:
        """Return one line that says what is limited, at which input."""
        exact = self.metric != LATENCY
        bounds = [
            f"{word} {limit:,.0f}" if exact else f"{word} {limit:g}"
            for word, limit in (("at most", self.most), ("at least", self.least))
            if limit is not None
        ]
        unit = "bytes" if self.metric in IN_BYTES else "ms" if not exact else self.metric
        where = f" on {self.device}" if self.device else ""
        place = f", for one image of {at}" if at and self.metric not in WHATEVER_INPUT else ""
        note = f"; {self.note}" if self.note else ""
        kind = f" ({ABOUT[self.metric]})" if exact else ""
        return f"{self.text}: {' and '.join(bounds)} {unit}{kind}{where}{place}{note}"


def budgets(
    texts: Sequence[str], look: Look | None = None, edge: float | None = None
) -> tuple[Budget, ...]:
    """Return the budgets that texts say; together they must all hold.

    `look` returns the costs of a network by name, for `60% of mobilenet_v2`. A single static
    budget without a lower edge gets one at `edge` of its limit, 0.85 unless said; 0 is none.
    Raises OptionError.
    """
    if edge is not None and not 0 <= edge < 1:
        raise OptionError(f"the lower edge must be a share of the budget from 0 to 1, got {edge:g}")
    by_metric: dict[str, Budget] = {}
    for text in texts:
        one = budget(text, look)
        old = by_metric.get(one.metric)
        by_metric[one.metric] = one if old is None else _both(old, one)
    found = list(by_metric.values())
    for one in found:
        if one.least is not None and one.most is not None and one.least > one.most:
            raise OptionError(f"the budget '{one.text}' leaves nothing between its ends")
    edge = EDGE if edge is None else edge
    if len(found) == 1 and edge:
        (one,) = found
        if one.least is None and one.most is not None and not one.measured:
            note = f"{one.note}; " if one.note else ""
            note += f"the lower edge is {edge:g} of it"
            return (structs.replace(one, least=edge * one.most, note=note),)
    return tuple(found)


def _both(first: Budget, second: Budget) -> Budget:
    """Return one budget for a lower and an upper end. Raises OptionError for two of a kind."""
    above, below = (first, second) if first.most is None else (second, first)
    if above.most is not None or below.least is not None or first.measured:
        raise OptionError(
            f"two budgets limit {first.metric}: '{first.text}' and '{second.text}';"
            " say both ends at once: macs 250M..300M"
        )
    return structs.replace(below, text=f"{first.text}, {second.text}", least=above.least)


def budget(text: str, look: Look | None = None) -> Budget:
    """Return the budget that one text says. Raises OptionError with examples."""
    words = " ".join(text.split())
    match = _BOUND.match(words)
    if match:
        return _bound(words, match[1].strip(), match[2], match[3], look)
    match = _LATENCY.match(words)
    if match:
        return _latency(words, match)
    if "%" in words:
        metric, rest = _leading(words)
        return _share(words, rest, metric, look)
    if ".." in words:
        metric, rest = _leading(words)
        return _range(words, rest, metric)
    if re.match(rf"{_NUMBER}\s*(?:us|ms|s)\Z", words):
        raise _refuse(words, "latency needs a device: 8ms@cpu")
    metric, rest = _leading(words)
    metric, amount, note = _amount(words, rest, metric)
    return Budget(words, metric, amount, note=note)


def _refuse(text: str, why: str) -> OptionError:
    return OptionError(f"cannot take the budget '{text}': {why}; write for example {EXAMPLES}")


def _leading(words: str) -> tuple[str | None, str]:
    """Part `peak 4MiB` into its metric and the rest."""
    match = re.match(r"([A-Za-z][A-Za-z -]*?):?\s+(?=[0-9.])", words)
    if not match:
        return None, words
    return _metric(words, match[1]), words[match.end() :]


def _metric(text: str, word: str) -> str:
    name = word.strip().lower()
    if name not in WORDS:
        raise _refuse(text, f"'{word.strip()}' is no cost{did_you_mean(name, WORDS)}")
    return WORDS[name]


def _bound(text: str, left: str, sign: str, right: str, look: Look | None) -> Budget:
    if not left:
        raise _refuse(text, f"say what should be {sign}")
    metric = _metric(text, left)
    if sign in ("==", "="):
        raise _refuse(text, "an exact amount is no budget; use <=, or a range such as 250M..300M")
    if "%" in right:
        found = _share(text, right, metric, look)
        amount, note, device = found.most, found.note, ""
    elif metric == LATENCY:
        match = _LATENCY.match(right)
        if not match:
            raise _refuse(text, "latency needs a device: latency<=8ms@cpu")
        found = _latency(text, match)
        amount, note, device = found.most, "", found.device
    else:
        _, amount, note = _amount(text, right, metric)
        device = ""
    if "<" in sign:
        return Budget(text, metric, amount, device=device, note=note)
    return Budget(text, metric, None, amount, device=device, note=note)


def _latency(text: str, match: re.Match[str]) -> Budget:
    factor = {"us": 0.001, "ms": 1.0, "s": 1000.0}[match[2]]
    amount = float(match[1]) * factor
    if not amount:
        raise _refuse(text, "nothing takes no time")
    return Budget(text, LATENCY, amount, device=match[3], note="measured, not counted")


def _share(text: str, rest: str, metric: str | None, look: Look | None) -> Budget:
    match = _SHARE.match(rest)
    if not match:
        raise _refuse(text, "a share needs a network: 60% of mobilenet_v2")
    said = _metric(text, match[2]) if match[2] else metric or MACS
    if said == LATENCY:
        raise _refuse(text, "latency is no share of a count; write 8ms@cpu")
    if look is None:
        raise _refuse(text, "no network can be looked up here")
    whole = getattr(look(match[3]), said)
    most = float(match[1]) / 100 * whole
    if not most:
        raise _refuse(text, "nothing is left of it")
    shown = format_bytes(whole) if said in IN_BYTES else format_count(whole)
    return Budget(text, said, most, note=f"{match[3]} has {shown} {said}")


def _range(text: str, rest: str, metric: str | None) -> Budget:
    low, _, high = rest.partition("..")
    said, most, note = _amount(text, high.strip(), metric)
    below = _AMOUNT.match(low.strip())
    if not below:
        raise _refuse(text, f"'{low}' is no amount")
    # 250..300MFLOPs and 250M..300MFLOPs are the same.
    unit = below[2] or high.strip().lstrip("0123456789.eE ")
    _, least, _ = _amount(text, below[1] + unit, said)
    return Budget(text, said, most, least, note=note)


def _amount(text: str, words: str, metric: str | None) -> tuple[str, float, str]:
    """Return the metric and the amount of `300MFLOPs`, `5M params` or `4MiB peak`."""
    match = re.match(rf"({_NUMBER})\s*(.*)\Z", words)
    if not match:
        raise _refuse(text, "it has no amount")
    number, unit = float(match[1]), match[2].strip()
    if not number:
        raise _refuse(text, "no network costs nothing")
    size = re.match(r"([kKMGT]i?)?B(?:ytes?)?(?:\s+(.*))?\Z", unit) if unit != "B" else None
    if unit in ("B", "bytes"):
        raise _refuse(text, f"'{unit}' could be bytes or billions; write KiB, MB, or G")
    if size:
        return _bytes(text, number, size[1] or "", size[2], metric)
    if re.match(r"[kKMGT]i?b\Z", unit):
        raise _refuse(text, f"'{unit}' is bits; bytes are {unit[:-1]}B")
    count = re.match(r"([A-Za-z]?)\s*([A-Za-z][A-Za-z-]+(?: [a-z]+)?)?\Z", unit)
    if not count:
        raise _refuse(text, f"unknown unit '{unit}'")
    prefix, word = count[1], count[2]
    if word is None and prefix and prefix not in PREFIXES:
        hint = "; 'm' would be a thousandth, a million is 'M'" if prefix == "m" else ""
        raise _refuse(text, f"unknown unit '{unit}'{hint}")
    if word is not None and prefix + word.lower() in WORDS:
        prefix, word = "", prefix + word  # `5params`
    if word is not None and (word.lower() not in WORDS or prefix not in PREFIXES):
        hint = did_you_mean(word.lower(), WORDS)
        if prefix == "m" and word.lower() in WORDS:
            hint = "; 'm' would be a thousandth, a million is 'M'"
        raise _refuse(text, f"unknown unit '{unit}'{hint}")
    said = WORDS[word.lower()] if word is not None else metric
    if said is None:
        amount = words or text
        raise _refuse(text, f"{amount} of what? '{amount} params' or '{amount}MACs'")
    if metric is not None and said != metric:
        raise _refuse(text, f"it says {metric} and {said}")
    if said in IN_BYTES:
        raise _refuse(text, f"{said} is in bytes, such as 4MiB")
    if said == LATENCY:
        raise _refuse(text, "latency needs a device: 8ms@cpu")
    flops = word is not None and word.lower().startswith("flop")
    note = "one FLOP for each multiply-accumulate, as mobile papers count" if flops else ""
    return said, number * PREFIXES[prefix], note


def _bytes(
    text: str, number: float, prefix: str, word: str | None, metric: str | None
) -> tuple[str, float, str]:
    said = _metric(text, word) if word else metric
    if said is None:
        raise _refuse(text, "bytes of what? say peak, weights or access")
    if metric is not None and said != metric:
        raise _refuse(text, f"it says {metric} and {said}")
    if said not in IN_BYTES:
        raise _refuse(text, f"{said} is a count, not bytes")
    factor = BINARY[prefix] if prefix in BINARY else PREFIXES[prefix]
    return said, number * factor, ""


def violation(budgets: Sequence[Budget], costs: Costs | None) -> float:
    """Return the sum of what is beyond the static budgets; 0 fits, no network is infinity."""
    if costs is None:
        return float("inf")
    return sum(
        max(0.0, one.excess(getattr(costs, one.metric))) for one in budgets if not one.measured
    )


def needs_peak(budgets: Sequence[Budget]) -> bool:
    """Return whether any budget is about peak memory, for which a graph must be made."""
    return any(one.metric == PEAK for one in budgets)
