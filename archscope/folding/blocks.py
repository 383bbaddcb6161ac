"""Items that come in a row more than once -> blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterator

from archscope.folding.candidates import Gram, Rows
from archscope.folding.naming import name_blocks
from archscope.folding.pieces import (
    Chain,
    Item,
    Key,
    all_chains,
    instance,
    lines,
    say_all_sources,
    weight,
)
from archscope.folding.repeats import find_runs, in_then, part_leads, seam
from archscope.folding.same_structure import Shapes
from archscope.folding.towers import find_towers

MOST = 60  # blocks
HEADING = 3  # lines of a block beside its layers
NORMS = ("batchnorm",)


def find_blocks(chain: Chain, entry: tuple[str, ...]) -> None:
    """Replace what comes more than once by instances of blocks, what saves most lines first.

    `entry` is what the first layer reads if it does not say so.
    """
    find_towers(chain)
    words: dict[Gram, str] = {}
    ids: dict[Key, int] = {}
    for allowed in (_is_idiom, _is_any):
        while len(words) < MOST:
            say_all_sources(chain, entry)  # what a block reads inside goes without saying outside
            if allowed is _is_any:
                find_runs(chain)
            shapes = Shapes(chain, ids)
            best = _best(chain, allowed, shapes, words)
            if best is None:
                break
            gram, aligned = best
            word = words.setdefault(gram, f"#{len(words)}")  # the same block where not aligned
            _replace(chain, gram, aligned, shapes, word)
    part_leads(chain)
    _inline(chain)
    say_all_sources(chain, entry)
    name_blocks(chain)


def _is_idiom(items: Chain) -> bool:
    """Return whether items are a convolution with its norm and activation, in any order."""
    if any(item.branches or item.body or item.copies for item in items):
        return False
    words = [item.word for item in items]
    convs = sum(word.startswith("conv") and word != "concat" for word in words)
    norms = sum(word in NORMS for word in words)
    light = sum(not item.args and item.word not in NORMS for item in items)
    return len(items) <= 3 and convs == norms == 1 and convs + norms + light == len(items)


def _is_any(items: Chain) -> bool:
    return len(items) > 1 or bool(items[0].branches) or items[0].is_run


def representatives(chain: Chain) -> Iterator[Chain]:
    """Yield each chain that will be written: one for all instances of a block."""
    fullest: dict[str, Item] = {}
    for inner in all_chains(chain):
        for item in inner:
            if item.is_block:
                known = fullest.get(item.word)
                if known is None or weight(item) > weight(known):
                    fullest[item.word] = item
    todo = [chain, *(item.body for item in fullest.values())]
    while todo:
        one = todo.pop(0)
        yield one
        for item in one:
            todo += item.branches
            if item.is_run:
                todo.append(item.copies[0])
            elif item.body and not item.is_block:
                todo.append(item.body)


def _best(
    chain: Chain, allowed: Callable[[Chain], bool], shapes: Shapes, words: Container[Gram]
) -> tuple[Gram, bool] | None:
    """Return the shapes of the row that saves most lines as a block, and whether it is aligned.

    A row is aligned that is mostly all of a scope, so that it should be so everywhere.
    """
    places: dict[Gram, list[tuple[Chain, int]]] = {}
    for inner in representatives(chain):
        ends: dict[Gram, int] = {}
        for start, gram in Rows(inner, shapes):
            if len(gram) == len(inner) and gram in words:
                continue  # it may be the body of that block
            if ends.get(gram, 0) <= start:
                ends[gram] = start + len(gram)
                places.setdefault(gram, []).append((inner, start))
    best: tuple[float, ...] = ()
    found = None
    for gram, spots in places.items():
        inner, start = spots[0]
        items = inner[start : start + len(gram)]
        if len(spots) < 2 or not allowed(items) or _repeats_itself(gram):
            continue
        # What stands beside an instance is as long as what stood beside its layers.
        size = lines(items) - (items[0].sources is not None) - items[-1].read
        if best and (len(spots) - 1) * size - len(spots) - HEADING < best[0]:
            continue
        scopes = sum(_is_scope(*spot, len(gram)) for spot in spots)
        aligned = 3 * scopes >= 2 * len(spots)
        times = scopes if aligned else len(spots)
        saved = (times - 1) * size - times - HEADING
        heavy = sum(seam(*spot)[1] for spot in spots) / len(spots)
        rank = (saved, scopes / times, -heavy)
        if times > 1 and saved > 0 and rank > best:
            best, found = rank, (gram, aligned)
    return found


def _is_scope(chain: Chain, start: int, size: int) -> bool:
    """Return whether items belong more closely together than to their neighbours."""
    end = start + size
    around = max(seam(chain, start)[0], seam(chain, end)[0])
    return all(seam(chain, place)[0] > around for place in range(start + 1, end))


def _repeats_itself(gram: Gram) -> bool:
    """Return whether keys are a shorter row of keys several times."""
    return any(
        len(gram) % size == 0 and gram == gram[:size] * (len(gram) // size)
        for size in range(1, len(gram) // 2 + 1)
    )


def _replace(chain: Chain, gram: Gram, aligned: bool, shapes: Shapes, word: str) -> None:
    """Make every row of these shapes an instance of a new block."""
    own = {id(item.body) for inner in all_chains(chain) for item in inner if item.word == word}
    for inner in [inner for inner in all_chains(chain) if id(inner) not in own]:
        size, free, starts = len(gram), 0, []
        for start in Rows(inner, shapes).find(gram):
            if start >= free and (not aligned or _is_scope(inner, start, size)):
                starts.append(start)
                free = start + size
        for start in reversed(starts):
            inner[start : start + size] = [instance(word, inner[start : start + size])]


def _inline(chain: Chain) -> None:
    """Put blocks that would be asked for only once in the place where they are.

    Not those in which layers have names, which would not be seen there.
    """
    kept = {
        item.word
        for inner in all_chains(chain)
        for item in inner
        if any(one.sources is not None or one.grows for one in item.body[1:])
    }
    joined = in_then(chain)
    kept |= {
        inner[0].word
        for inner in all_chains(chain)
        if id(inner) in joined and inner and inner[0].is_block and _begins_with_run(inner[0])
    }
    while True:
        uses: Counter[str] = Counter()
        for inner in representatives(chain):
            uses.update(item.word for item in inner if item.is_block)
            uses.update(item.copies[0][0].word for item in inner if _is_unit(item))
        once = {word for word, count in uses.items() if count == 1 and word not in kept}
        if not once:
            return
        for inner in list(all_chains(chain)):
            for at in range(len(inner) - 1, -1, -1):
                item = inner[at]
                if item.is_block and item.word in once:
                    item.body[0].sources, item.body[-1].read = item.sources, item.read
                    inner[at : at + 1] = item.body


def _begins_with_run(item: Item) -> bool:
    while item.is_block:
        item = item.body[0]
    return item.is_run


def _is_unit(run: Item) -> bool:
    """Return whether a run repeats one block that is better kept: it has branches, or a lead."""
    if not run.is_run or len(run.copies[0]) != 1 or not run.copies[0][0].is_block:
        return False
    return run.lead or any(item.branches for item in run.copies[0][0].body)
