"""Overlays: the user's own values, shown as the colours of a drawing.

The file is JSON: `{node: number}`, or `{network: {node: number}}` for several networks, either
alone or as `values` next to a `title` and a `unit` for the legend. A node is a layer or a block.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import isfinite
from pathlib import Path
from statistics import fmean
from typing import Any

import msgspec
from msgspec import Struct, structs

from archscope.decoding import decode_json
from archscope.drawing.tree import TreeNode
from archscope.errors import OptionError, RecordError, did_you_mean, reason_of

FAINTEST = 0.2
"""Intensity of the lowest value, so that it differs from a box without a value."""

Values = dict[str, float]


class Overlay(Struct, frozen=True, omit_defaults=True):
    """The values for one network, with its legend."""

    title: str
    unit: str
    values: Values  # by the name of a layer or a block
    span: tuple[float, float] | None = None  # of the colours; None: lowest to highest value
    sizes: dict[str, str] = {}  # text in place of the output shape, by layer

    @property
    def ends(self) -> tuple[float, float]:
        """The values with the palest and the warmest colour."""
        return self.span or (min(self.values.values()), max(self.values.values()))

    def text(self, value: float) -> str:
        """Format a value with its unit, to four digits."""
        return f"{value:.4g} {self.unit}".rstrip()

    def value(self, node: TreeNode) -> float | None:
        """Return the value of a box; for a block without a value, the mean of its members.

        None if there is none.
        """
        if node.name in self.values:
            return self.values[node.name]
        inside = [value for child in node.children if (value := self.value(child)) is not None]
        return fmean(inside) if inside else None

    def intensity(self, node: TreeNode) -> float:
        """Return the intensity of a box's colour, from `FAINTEST` to 1, or 0 without a value."""
        value = self.value(node)
        if value is None:
            return 0.0
        low, high = self.ends
        return FAINTEST + (1 - FAINTEST) * ((value - low) / (high - low) if high > low else 1.0)


class OverlayFile(Struct, frozen=True):
    """The content of a file of values."""

    path: str
    title: str
    unit: str
    networks: dict[str, Values]  # by the name of the network; "" for all networks

    def of_one(self, network: str, nodes: Collection[str]) -> Overlay:
        """Return the overlay of a network; the file may have more. Raises OptionError."""
        kept = {name: self.networks[name] for name in ("", network) if name in self.networks}
        file = structs.replace(self, networks=kept or self.networks)
        return file.of({network: nodes})[network]

    def of(self, nodes: Mapping[str, Collection[str]]) -> dict[str, Overlay]:
        """Return the overlay of each network by name; `nodes` has the names of its boxes.

        Raises OptionError for an unknown network or node.
        """
        found = {}
        everywhere = {node for names in nodes.values() for node in names}
        for name, values in self.networks.items():
            if name and name not in nodes:
                hint = did_you_mean(name, nodes) or f"; networks are {_listed(nodes)}"
                raise self._unknown(f"network '{name}', which is not drawn{hint}")
            known = nodes[name] if name else everywhere
            for node in values:
                if node not in known:
                    where = f"'{name}'" if name else _listed(nodes)
                    hint = did_you_mean(node, known)
                    raise self._unknown(f"node '{node}', which is not in {where}{hint}")
            for network in [name] if name else nodes:
                here = {node: value for node, value in values.items() if node in nodes[network]}
                if here:
                    found[network] = Overlay(self.title, self.unit, here)
        return found

    def _unknown(self, what: str) -> OptionError:
        return OptionError(f"--overlay: '{self.path}' has {what}")


def read_overlay(path: Path) -> OverlayFile:
    """Read a file of values. Raises OptionError, which names the place of a wrong value."""
    try:
        content = decode_json(path.read_bytes())
    except (OSError, RecordError) as error:
        raise OptionError(f"--overlay: cannot read '{path}': {reason_of(error)}") from None
    title, unit = path.stem, ""
    if isinstance(content, dict) and isinstance(content.get("values"), dict):
        unknown = set(content) - {"title", "unit", "values"}
        if unknown:
            raise _mistake(path, "title, unit and values", f"the key '{min(unknown)}'")
        title, unit = (content.get(key, value) for key, value in (("title", title), ("unit", "")))
        if not isinstance(title, str) or not isinstance(unit, str):
            raise _mistake(path, "texts as title and unit", repr((title, unit)))
        content = content["values"]
    if not isinstance(content, dict) or not content:
        raise _mistake(path, "{node: number} or {network: {node: number}}", _short(content))
    nested = all(isinstance(value, dict) for value in content.values())
    networks = content if nested else {"": content}
    for name, values in networks.items():
        if not values:
            raise _mistake(path, f"numbers for '{name}'", "no values")
        for node, value in values.items():
            if not _is_number(value):
                where = f"'{name}', '{node}'" if name else f"'{node}'"
                raise _mistake(path, f"a number for {where}", _short(value))
    found = {
        name: {node: float(value) for node, value in values.items()}
        for name, values in networks.items()
    }
    return OverlayFile(path.as_posix(), title, unit, found)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return isfinite(value)
    except OverflowError:  # from a large integer
        return False


def node_names(node: TreeNode) -> set[str]:
    """Return the names of the boxes below a node."""
    below = {name for child in node.children for name in node_names(child)}
    return below | {child.name for child in node.children}


def _mistake(path: Path, wanted: str, given: str) -> OptionError:
    return OptionError(f"--overlay: '{path}': expected {wanted}, got {given}")


def _short(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 40 else f"{text[:37]}..."


def _listed(names: Collection[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in list(names)[:4])
    return f"{shown}{' and others' if len(names) > 4 else ''}"
