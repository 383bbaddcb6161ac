"""The records of a page, and the registry of its sentences."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from typing import Any

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
