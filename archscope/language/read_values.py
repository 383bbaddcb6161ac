"""Read items to values. A hole is a value left open, which makes the spec a search space.

    !choice [3, 5, 7]                       one of these
    !int {low: 1, high: 4}                  a whole number, in steps of 1 unless `step` is given
    !float {low: 0.1, high: 10, log: true}  a number

`!choice {of: [3, 5, 7], shared: true}` is drawn once for all instances of its block.
"""

from __future__ import annotations

from typing import Any

from archscope.errors import LimitError, SpecError, did_you_mean, quoted
from archscope.language.expression import Expression
from archscope.language.limits import LIMITS
from archscope.language.value import CHOICE, FLOAT, INT, Hole, Value
from archscope.language.yaml_items import Item

KEYS = {
    CHOICE: ("of", "shared"),
    INT: ("low", "high", "step", "shared"),
    FLOAT: ("low", "high", "step", "log", "shared"),
}
MOST = 100_000  # alternatives of one hole


def value_of(item: Item, label: str | None = None) -> Value:
    """Read the value of an item. Raises SpecError.

    With a label, its name inside the item that contains it, the value may have holes.
    """
    if item.tag is not None and label is not None:
        return Value(_hole(item, label), item.at, False)
    item.refuse_hole()

    def inside(part: Item, key: object) -> Value:
        return value_of(part, None if label is None else f"{label}.{key}")

    content = item.value
    if isinstance(content, str):
        if content.startswith("="):
            expression = Expression(content, item.at)
            return Value(expression, item.at, False, expression.cost)
        if len(content) > LIMITS.text:
            raise LimitError(f"text longer than the limit of {LIMITS.text} characters", item.at)
    if isinstance(content, list):
        values = [inside(part, i) for i, part in enumerate(content)]
        if all(value.constant for value in values):
            return Value([value.content for value in values], item.at, True)
        return Value(values, item.at, False, sum(value.cost for value in values))
    if isinstance(content, dict):
        rows = {key: inside(part, key) for key, part in content.items()}
        if all(value.constant for value in rows.values()):
            return Value({key: value.content for key, value in rows.items()}, item.at, True)
        return Value(rows, item.at, False, sum(value.cost for value in rows.values()))
    return Value(content, item.at, True)


def _hole(item: Item, label: str) -> Hole:
    """Read the hole of a tagged item. Raises SpecError."""
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
        alternatives = _alternatives(item, rows, label)
        scalar = all(
            value.constant and not isinstance(value.content, list | dict | None)
            for value in alternatives
        )
        return Hole(kind, label, item.at, alternatives, scalar, shared=shared)
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


def _alternatives(item: Item, rows: dict[str, Item], label: str) -> tuple[Value, ...]:
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
    alternatives = []
    seen: set[tuple[bool, Any]] = set()
    for index, part in enumerate(listed.value):
        alternatives.append(value_of(part, f"{label}.{index}"))
        if not isinstance(part.value, list | dict):
            key = isinstance(part.value, bool), part.value  # 8 and 8.0 are one, 1 and true are not
            if key in seen:
                raise SpecError(
                    f"{quoted(part.value)} is listed twice among the alternatives", part.at
                )
            seen.add(key)
    return tuple(alternatives)


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
