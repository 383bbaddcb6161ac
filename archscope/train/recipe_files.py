"""Recipes as YAML files: found by name, read, changed and written."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any, get_args

import msgspec
from msgspec import structs

from archscope import decoding
from archscope.errors import OptionError, RecordError, SpecError, did_you_mean
from archscope.language.limits import LIMITS
from archscope.language.yaml_items import parse, read_text
from archscope.train.recipe import KNOBS, MetricLoss, Recipe
from archscope.units import parse_duration

FOLDER = Path(__file__).parent / "recipes"


def recipes() -> dict[str, Path]:
    """Return the recipes that ship with archscope, by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}


def read(name: str | Path, changes: Mapping[str, Any] | None = None) -> Recipe:
    """Return a recipe: a file, or one that ships with archscope, with changes on top.

    A file names the knobs that differ from the defaults of `Recipe`. Raises ArchscopeError.
    """
    known = recipes()
    path = known.get(str(name), Path(name))
    if str(name) not in known and not path.is_file():
        hint = did_you_mean(str(name), known) or f"; there are {', '.join(known)}"
        raise OptionError(f"no recipe '{name}'{hint}")
    item = parse(read_text(path, LIMITS), path.as_posix(), LIMITS)
    if not isinstance(item.value, dict):
        raise SpecError(f"expected knobs with values, got {item.kind}", item.at)
    values = {}
    for knob, value in item.value.items():
        if knob == "about":
            continue
        assert item.keys is not None
        at = item.keys[knob]
        _known(knob, SpecError, at)
        try:
            values[knob] = convert(knob, value.plain())
        except OptionError as error:
            raise SpecError(str(error), value.at) from None
    try:
        recipe = Recipe(**values)
    except OptionError as error:
        raise SpecError(str(error), path.as_posix()) from None
    return change(recipe, changes or {})


def read_for(name: str | None, changes: Mapping[str, Any]) -> Recipe:
    """Return the named recipe; without a name, `metric` for a metric loss, else `brief`."""
    embeds = str(changes.get("loss")) in get_args(MetricLoss)
    return read(name or ("metric" if embeds else "brief"), changes)


def change(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """Return a recipe with other values for some knobs. Raises OptionError."""
    for knob in changes:
        _known(knob, OptionError)
    return structs.replace(recipe, **{knob: convert(knob, v) for knob, v in changes.items()})


def convert(knob: str, value: Any) -> Any:
    """Convert a value to the type of its knob. Raises OptionError."""
    if knob == "max_time" and isinstance(value, str):
        value = parse_duration(value)
    if isinstance(value, float) and not isfinite(value):
        raise OptionError(f"{knob}: expected a finite number, got {value}")
    try:
        return decoding.convert(value, KNOBS[knob], knob)
    except RecordError as error:
        raise OptionError(str(error)) from None


def text(recipe: Recipe) -> str:
    """Return a recipe as the YAML file that reads back to it."""
    lines = [
        f"{knob}: {msgspec.json.encode(value).decode()}"
        for knob, value in structs.asdict(recipe).items()
    ]
    return "\n".join(lines) + "\n"


def _known(knob: str, kind: type[Exception], *at: object) -> None:
    if knob not in KNOBS:
        hint = did_you_mean(knob, KNOBS) or f"; there are {', '.join(KNOBS)}"
        raise kind(f"unknown knob '{knob}'{hint}", *at)
