"""Holes: values that a spec leaves open, which makes it a search space.

    !choice [3, 5, 7]                       one of these
    !int {low: 1, high: 4}                  a whole number, in steps of 1 unless `step` is given
    !float {low: 0.1, high: 10, log: true}  a number

`!choice {of: [3, 5, 7], shared: true}` is drawn once for all instances of its block.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from archscope.errors import LimitError, SpecError, did_you_mean, quoted
from archscope.ir import Source
from archscope.language.limits import LIMITS
from archscope.language.yaml_items import Item

if TYPE_CHECKING:
    from archscope.language.syntax import Value

DRAW = "!"
"""The name, which no spec can use, under which a scope keeps how its holes are filled."""

CHOICE, INT, FLOAT = "choice", "int", "float"
KEYS = {
    CHOICE: ("of", "shared"),
    INT: ("low", "high", "step", "shared"),
    FLOAT: ("low", "high", "step", "log", "shared"),
}
MOST = 100_000  # alternatives of one hole
Read = Callable[[Item, str], "Value"]


class Hole(Struct, frozen=True, gc=False):
    """A value that is left open."""

    kind: str
    label: str  # its name inside what holds it: `kernel`, `rows.2.n`
    at: Source
    alternatives: tuple[Value, ...] = ()
    scalar: bool = True  # whether alternatives stand for themselves, else their indices do
    low: Any = 0
    high: Any = 0
    step: Any = None
    log: bool = False
    shared: bool = False

    def __call__(self, scope: Any) -> Any:
        """Return what fills the hole in a scope. Raises SpecError if nothing does."""
        return scope[DRAW](self, scope)

    def pick(self, choice: Any, scope: Any) -> Any:
        """Return the value that a choice stands for."""
        return choice if self.scalar else self.alternatives[choice](scope)


class Draw:
    """Fills the holes of one instance of a layer or block."""

    __slots__ = ("choices", "path", "shared")

    def __init__(self, choices: dict[str, Any], path: str, shared: str) -> None:
        self.choices, self.path, self.shared = choices, path, shared

    def __call__(self, hole: Hole, scope: Any) -> Any:
        """Return the value of a hole. Raises SpecError if it is open."""
        path = self.shared + hole.label if hole.shared else self.path + hole.label
        if path not in self.choices:
            raise SpecError(
                f"'!{hole.kind}' leaves '{path}' open: this is a search space;"
                f" 'archscope space' shows it, and --set {path}=... closes this hole",
                hole.at,
            )
        return hole.pick(self.choices[path], scope)


def read_hole(item: Item, label: str, read: Read) -> Hole:
    """Return the hole that a tagged item stands for. Raises SpecError."""
    kind = (item.tag or "")[1:]
    rows = item.value
    if kind == CHOICE and isinstance(rows, list):
        rows = {"of": Item(rows, item.at)}
    if not isinstance(rows, dict):
        example = "[3, 5, 7]" if kind == CHOICE else "{low: 1, high: 4}"
        raise SpecError(f"'!{kind}' needs for example {example}, got {item.kind}", item.at)
    for key in rows:
        if key not in KEYS[kind]:
            hint = did_you_mean(key, KEYS[kind]) or f"; it takes {', '.join(KEYS[kind])}"
            raise SpecError(f"'!{kind}' has no '{key}'{hint}", (item.keys or {}).get(key, item.at))
    shared = _flag(rows, "shared")
    if kind == CHOICE:
        choices = _choices(item, rows, label, read)
        scalar = all(
            choice.constant and not isinstance(choice.content, list | dict | None)
            for choice in choices
        )
        return Hole(kind, label, item.at, choices, scalar, shared=shared)
    low, high = (_number(item, rows, key, kind) for key in ("low", "high"))
    if not low < high:
        raise SpecError(f"'low' must be below 'high', got {low} and {high}", item.at)
    step = _number(item, rows, "step", kind) if "step" in rows else 1 if kind == INT else None
    log = _flag(rows, "log")
    if step is not None:
        _check_step(item, low, high, step, kind)
    if log and (low <= 0 or step is not None):
        raise SpecError("'log' needs a 'low' above 0, and no 'step'", item.at)
    return Hole(kind, label, item.at, low=low, high=high, step=step, log=log, shared=shared)


def _choices(item: Item, rows: dict[str, Item], label: str, read: Read) -> tuple[Value, ...]:
    if "of" not in rows:
        raise SpecError("'!choice' needs 'of: [...]'", item.at)
    listed = rows["of"]
    if not isinstance(listed.value, list) or listed.tag is not None:
        raise SpecError(f"'of' must be a list, got {listed.kind}", listed.at)
    if len(listed.value) < 2:
        raise SpecError(
            f"'!choice' needs two alternatives or more, got {len(listed.value)}", item.at
        )
    if len(listed.value) > MOST:
        raise LimitError(f"more alternatives than the limit of {MOST}", item.at)
    choices = []
    seen: set[tuple[type, Any]] = set()
    for index, one in enumerate(listed.value):
        choices.append(read(one, f"{label}.{index}"))
        if not isinstance(one.value, list | dict):
            key = type(one.value), one.value
            if key in seen:
                raise SpecError(f"{quoted(one.value)} stands among the alternatives twice", one.at)
            seen.add(key)
    return tuple(choices)


def _number(item: Item, rows: dict[str, Item], key: str, kind: str) -> Any:
    if key not in rows:
        raise SpecError(f"'!{kind}' needs '{key}'", item.at)
    value, at = rows[key].value, rows[key].at
    good = isinstance(value, int) if kind == INT else isinstance(value, int | float)
    if isinstance(value, bool) or not good or rows[key].tag is not None:
        wanted = "a whole number" if kind == INT else "a number"
        raise SpecError(f"'{key}' must be {wanted}, got {rows[key].kind}", at)
    if not abs(value) <= LIMITS.number:
        raise LimitError(f"a number beyond the limit of {LIMITS.number}", at)
    return value if kind == INT else float(value)


def _flag(rows: dict[str, Item], key: str) -> bool:
    if key not in rows:
        return False
    if not isinstance(rows[key].value, bool):
        raise SpecError(f"'{key}' must be true or false, got {rows[key].kind}", rows[key].at)
    return bool(rows[key].value)


def _check_step(item: Item, low: Any, high: Any, step: Any, kind: str) -> None:
    if step <= 0:
        raise SpecError(f"'step' must be above 0, got {step}", item.at)
    steps = round((high - low) / step)
    if steps > MOST:
        raise LimitError(f"more alternatives than the limit of {MOST}", item.at)
    reached = low + steps * step
    if reached != high if kind == INT else abs(reached - high) > 1e-9 * abs(step):
        below = low + int((high - low) / step) * step
        raise SpecError(
            f"steps of {step} from {low} do not meet {high}; {below} or {below + step} would",
            item.at,
        )
