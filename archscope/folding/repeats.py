"""Equal items in a row -> one run, which becomes `repeat`."""

from __future__ import annotations

from archscope.folding.pieces import (
    Chain,
    Item,
    all_chains,
    first_node,
    last_node,
    lines,
    weight,
)  # fmt: skip
from archscope.folding.same_values import Numbers

LONGEST = 6  # items in one turn


def find_runs(chain: Chain) -> None:
    """Replace equal items in a row by runs, in a chain and all inside it."""
    numbers = Numbers()
    joined = in_then(chain)
    for inner in list(all_chains(chain)):
        _find(inner, numbers, start=1 if id(inner) in joined else 0)
        _lead(inner)


def in_then(chain: Chain) -> set[int]:
    """Return which chains inside will be one layer with `then`, so that no run can begin them."""
    return {
        id(part)
        for inner in all_chains(chain)
        for item in inner
        for part in (item.copies or ([] if item.is_block else [item.body]))
    }


def _find(chain: Chain, numbers: Numbers, start: int) -> None:
    keys = [numbers(item) for item in chain]
    while start < len(chain):
        period, turns = _best(chain, keys, start)
        begin = _aligned(chain, keys, start, period, turns) if turns > 1 else None
        if begin is None:
            start += 1
            continue
        start = begin
        end = start + period * turns
        copies = [chain[at : at + period] for at in range(start, end, period)]
        first = copies[0][0]
        run = Item("", first.inputs, chain[end - 1].value, first.entry, copies=copies)
        chain[start:end] = [run]
        keys[start:end] = [numbers(run)]
        start += 1


def _lead(chain: Chain) -> None:
    """Let a run of a block begin with an instance before it that has a shortcut of its own."""
    for place in range(len(chain) - 1, 0, -1):
        first, run = chain[place - 1 : place + 1]
        turns = run.copies if run.is_run else [[run]]
        then = turns[0][0]
        if run.lead or len(turns[0]) != 1 or not first.is_block or first.word != then.word:
            continue
        if first.pinned or first.read or then.pinned or weight(first) <= weight(then):
            continue
        made = Item("", first.inputs, run.value, first.entry, copies=[[first], *turns])
        made.lead, made.sources, made.read = True, first.sources, run.read
        first.sources, then.read = None, False
        chain[place - 1 : place + 1] = [made]


def part_leads(chain: Chain) -> None:
    """Write the first turn of a run apart again, where no block is made of the run."""
    for place in range(len(chain) - 1, -1, -1):
        run = chain[place]
        if not run.lead:
            continue
        first, *turns = run.copies
        first[0].sources = run.sources
        rest = Item("", turns[0][0].inputs, run.value, turns[0][0].entry, copies=turns)
        if len(turns) == 1:
            rest = turns[0][0]
        rest.read = run.read
        chain[place : place + 1] = [first[0], rest]


def _best(chain: Chain, keys: list[int], start: int) -> tuple[int, int]:
    """Return the period and the turns of the run that saves most at a place."""
    best, found = 0, (1, 1)
    for period in range(1, min(LONGEST, (len(keys) - start) // 2) + 1):
        turns = _turns(keys, start, period)
        body = chain[start : start + period]
        if turns < 2 or all(item.is_run for item in body):
            continue
        saved = (turns - 1) * lines(body) - (2 if period > 1 else 1)
        whole = period == 1 and (body[0].is_block or bool(body[0].branches))
        if saved > best or (whole and saved == best == 0):
            best, found = max(saved, 1), (period, turns)
    return found


def _turns(keys: list[int], start: int, period: int) -> int:
    turns, body = 1, keys[start : start + period]
    while keys[start + turns * period : start + (turns + 1) * period] == body:
        turns += 1
    return turns


def _aligned(chain: Chain, keys: list[int], start: int, period: int, turns: int) -> int | None:
    """Return where a run begins best, of the places from which it has as many turns.

    A run cannot begin with another one, whose `repeat` would stand beside its own.
    """
    places = [
        place
        for place in range(start, start + period)
        if _turns(keys, place, period) >= turns and not chain[place].is_run
    ]
    return min(places, key=lambda place: (seam(chain, place), place), default=None)


def seam(chain: Chain, place: int) -> tuple[int, int]:
    """Return how closely two neighbours belong together; blocks begin where it is little."""
    if place == 0 or place == len(chain):
        return (0, 0)
    before = last_node(chain[place - 1]).split(".")
    after = first_node(chain[place]).split(".")
    common = 0
    while common < min(len(before), len(after)) - 1 and before[common] == after[common]:
        common += 1
    item = chain[place]
    heavy = bool(item.branches) or item.is_block or item.word.startswith("conv")
    return (common, 0 if heavy else 1)
