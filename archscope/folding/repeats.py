"""Find consecutive equal pieces, and turn them into runs, which are written as `repeat`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from archscope.folding.piece_ids import ValueIds
from archscope.folding.pieces import (
    Chain,
    Piece,
    all_pieces,
    first_node,
    last_node,
    lines,
    weight,
)  # fmt: skip

LONGEST = 6  # pieces in an iteration


def find_runs(chain: Chain) -> None:
    """Replace consecutive equal pieces by runs, in a chain and in all chains inside it.

    All instances of a block get the same runs, or none, as they have one text.
    """
    value_ids = ValueIds()
    joined = in_then(chain)
    for alike in _alike(chain):
        _find(alike, value_ids, start=1 if any(id(inner) in joined for inner in alike) else 0)
        _join_first_turn(alike)


def _alike(chain: Chain) -> list[list[Chain]]:
    """Return all chains, those that are at the same place of a block together, outer ones first."""
    groups: dict[tuple[object, ...], list[Chain]] = {}

    def visit(inner: Chain, place: tuple[object, ...]) -> None:
        groups.setdefault(place, []).append(inner)
        for number, piece in enumerate(inner):
            here = (*place, number)
            for branch, part in enumerate(piece.branches):
                visit(part, (*here, branch))
            for part in piece.copies:
                visit(part, (*here, "copies"))
            if piece.body:
                visit(piece.body, (piece.word,) if piece.is_block else (*here, "body"))

    visit(chain, ())
    filled = ([inner for inner in group if inner] for group in groups.values())
    return [group for group in filled if len({*map(len, group)}) == 1]


def in_then(chain: Chain) -> set[int]:
    """Return the ids of the chains that are written as one layer with `then`.

    Such a chain cannot start with a run.
    """
    return {
        id(part)
        for piece in all_pieces(chain)
        for part in (piece.copies or ([] if piece.is_block else [piece.body]))
    }


def _find(alike: list[Chain], value_ids: ValueIds, start: int) -> None:
    chain = alike[0]
    keys = [(*map(value_ids, pieces),) for pieces in zip(*alike, strict=True)]
    while start < len(chain):
        period, turns = _best(chain, keys, start)
        begin = _aligned(chain, keys, start, period, turns) if turns > 1 else None
        if begin is None:
            start += 1
            continue
        start = begin
        end = start + period * turns
        for inner in alike:
            copies = [inner[at : at + period] for at in range(start, end, period)]
            first = copies[0][0]
            run = Piece("", first.inputs, inner[end - 1].value, first.entry, copies=copies)
            inner[start:end] = [run]
        keys[start:end] = [(*(value_ids(inner[start]) for inner in alike),)]
        start += 1


def _join_first_turn(alike: list[Chain]) -> None:
    """Extend runs by the instance before them, if it only has an additional shortcut layer."""
    for place in range(len(alike[0]) - 1, 0, -1):
        if not all(_is_first_turn(*inner[place - 1 : place + 1]) for inner in alike):
            continue
        for inner in alike:
            first, run = inner[place - 1 : place + 1]
            turns = run.copies if run.is_run else [[run]]
            made = Piece("", first.inputs, run.value, first.entry, copies=[[first], *turns])
            made.first_differs, made.sources, made.read = True, first.sources, run.read
            first.sources, turns[0][0].read = None, False
            inner[place - 1 : place + 1] = [made]


def _is_first_turn(first: Piece, run: Piece) -> bool:
    turn = run.copies[0] if run.is_run else [run]
    then = turn[0]
    if run.first_differs or len(turn) != 1 or not first.is_block or first.word != then.word:
        return False
    return not (first.pinned or first.read or then.pinned) and weight(first) > weight(then)


def split_first_turns(chain: Chain) -> None:
    """Take the first iteration out of runs that did not become part of a block."""
    for place in range(len(chain) - 1, -1, -1):
        run = chain[place]
        if not run.first_differs:
            continue
        first, *turns = run.copies
        first[0].sources = run.sources
        rest = Piece("", turns[0][0].inputs, run.value, turns[0][0].entry, copies=turns)
        if len(turns) == 1:
            rest = turns[0][0]
        rest.read = run.read
        chain[place : place + 1] = [first[0], rest]


def _best(chain: Chain, keys: Sequence[object], start: int) -> tuple[int, int]:
    """Return the period and iterations of the run that saves the most lines from a start."""
    best, found = 0, (1, 1)
    for period in range(1, min(LONGEST, (len(keys) - start) // 2) + 1):
        turns = _turns(keys, start, period)
        body = chain[start : start + period]
        if turns < 2 or all(piece.is_run for piece in body):
            continue
        saved = (turns - 1) * lines(body) - (2 if period > 1 else 1)
        whole = period == 1 and (body[0].is_block or bool(body[0].branches))
        if saved > best or (whole and saved == best == 0):
            best, found = max(saved, 1), (period, turns)
    return found


def _turns(keys: Sequence[object], start: int, period: int) -> int:
    turns, body = 1, keys[start : start + period]
    while keys[start + turns * period : start + (turns + 1) * period] == body:
        turns += 1
    return turns


def _aligned(
    chain: Chain, keys: Sequence[object], start: int, period: int, turns: int
) -> int | None:
    """Return the best start of a run, of those with the same number of iterations.

    A run cannot start with another one, whose `repeat` would be next to its own.
    """
    places = [
        place
        for place in range(start, start + period)
        if _turns(keys, place, period) >= turns and not chain[place].is_run
    ]
    return min(places, key=lambda place: (cohesion(chain, place), place), default=None)


def cohesion(chain: Chain, place: int) -> tuple[int, int]:
    """Return how closely a piece belongs to the previous one; blocks start where it is low.

    It is the depth of the module that contains both, then whether the piece is a light operator.
    """
    if place == 0 or place == len(chain):
        return (0, 0)
    before = last_node(chain[place - 1]).split(".")
    after = first_node(chain[place]).split(".")
    pairs = zip(before[:-1], after[:-1], strict=False)
    common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    piece = chain[place]
    heavy = bool(piece.branches) or piece.is_block or piece.word.startswith("conv")
    return (common, 0 if heavy else 1)
