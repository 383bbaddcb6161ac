"""Items that come in a row more than once -> blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterator

from msgspec import Struct

from archscope.spec.fold_item import Chain, Item, Key, all_chains, instance, lines, weight
from archscope.spec.fold_names import name_blocks
from archscope.spec.fold_runs import find_runs, part_leads, seam
from archscope.spec.fold_shape import Shapes
from archscope.spec.fold_towers import find_towers

LONGEST = 12  # items of a block, before it has blocks of its own
HEADING = 3  # lines of a block beside its layers
NORMS = ("batchnorm",)


def find_blocks(chain: Chain) -> None:
    """Replace what comes more than once by instances of blocks, what saves most lines first."""
    find_towers(chain)
    words: dict[Key, str] = {}
    for allowed in (_is_idiom, _is_any):
        while True:
            if allowed is _is_any:
                find_runs(chain)
            shapes = Shapes(chain)
            best = _best(chain, allowed, shapes, words)
            if best is None:
                break
            gram, aligned = best
            word = words.setdefault(gram, f"#{len(words)}")  # the same block where not aligned
            _replace(chain, gram, aligned, shapes, word)
    part_leads(chain)
    _inline(chain)
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


class _Row(Struct, eq=False):
    """A row of items that comes more than once."""

    items: Chain
    begins: list[tuple[int, int]] = []  # the seams before it
    scopes: int = 0  # how often it is all of a scope

    @property
    def aligned(self) -> bool:
        """Whether it is mostly all of a scope, so that it should be so everywhere."""
        return 3 * self.scopes >= 2 * len(self.begins)


def _best(
    chain: Chain, allowed: Callable[[Chain], bool], shapes: Shapes, words: Container[Key]
) -> tuple[Key, bool] | None:
    """Return the shapes of the row that saves most lines as a block, and whether it is aligned."""
    rows: dict[Key, _Row] = {}
    for inner in representatives(chain):
        keys = [shapes(item) for item in inner]
        seams = [seam(inner, place) for place in range(len(inner) + 1)]
        ends: dict[Key, int] = {}
        for start in range(len(inner)):
            for end in range(start + 1, min(start + LONGEST, len(inner)) + 1):
                item = inner[end - 1]
                if item.pinned or item.grows or not (item.word or item.is_run):
                    break
                if end - start > 1 and (item.sources is not None or inner[end - 2].read):
                    break
                gram = tuple(keys[start:end])
                if len(gram) == len(inner) and gram in words:
                    continue  # it may be the body of that block
                if ends.get(gram, 0) > start:
                    continue
                ends[gram] = end
                if gram not in rows:
                    rows[gram] = _Row(inner[start:end])
                rows[gram].begins.append(seams[start])
                rows[gram].scopes += _is_scope(seams, start, end)
    best: tuple[float, ...] = ()
    found = None
    for gram, row in rows.items():
        times = row.scopes if row.aligned else len(row.begins)
        if times < 2 or not allowed(row.items) or _repeats_itself(gram):
            continue
        # What stands beside an instance is as long as what stood beside its layers.
        size = lines(row.items) - (row.items[0].sources is not None) - row.items[-1].read
        saved = (times - 1) * size - times - HEADING
        heavy = sum(light for _, light in row.begins) / len(row.begins)
        rank = (saved, row.scopes / times, -heavy)
        if saved > 0 and rank > best:
            best, found = rank, (gram, row.aligned)
    return found


def _is_scope(seams: list[tuple[int, int]], start: int, end: int) -> bool:
    """Return whether items belong more closely together than to their neighbours."""
    inside = min([common for common, _ in seams[start + 1 : end]], default=99)
    return inside > max(seams[start][0], seams[end][0])


def _repeats_itself(gram: Key) -> bool:
    """Return whether keys are a shorter row of keys several times."""
    return any(
        len(gram) % size == 0 and gram == gram[:size] * (len(gram) // size)
        for size in range(1, len(gram) // 2 + 1)
    )


def _replace(chain: Chain, gram: Key, aligned: bool, shapes: Shapes, word: str) -> None:
    """Make every row of these shapes an instance of a new block."""
    own = {id(item.body) for inner in all_chains(chain) for item in inner if item.word == word}
    for inner in [inner for inner in all_chains(chain) if id(inner) not in own]:
        keys = tuple(map(shapes, inner))
        start = 0
        while start + len(gram) <= len(inner):
            end = start + len(gram)
            items = inner[start:end]
            if keys[start:end] == gram and _joined(items):
                seams = [seam(inner, place) for place in range(start, end + 1)]
                if not aligned or _is_scope(seams, 0, len(gram)):
                    inner[start:end] = [instance(word, items)]
                    keys = (*keys[:start], ("block", word), *keys[end:])
            start += 1


def _joined(items: Chain) -> bool:
    """Return whether items read only one another, but for the first, and only the last is read."""
    inside = all(item.sources is None for item in items[1:])
    return inside and not any(item.read for item in items[:-1])


def _inline(chain: Chain) -> None:
    """Put blocks that would be asked for only once in the place where they are."""
    while True:
        uses: Counter[str] = Counter()
        for inner in representatives(chain):
            uses.update(item.word for item in inner if item.is_block)
            uses.update(item.copies[0][0].word for item in inner if _is_unit(item))
        once = {word for word, count in uses.items() if count == 1 and "dense" not in word}
        if not once:
            return
        for inner in list(all_chains(chain)):
            for at in range(len(inner) - 1, -1, -1):
                item = inner[at]
                if item.is_block and item.word in once:
                    item.body[0].sources, item.body[-1].read = item.sources, item.read
                    inner[at : at + 1] = item.body


def _is_unit(run: Item) -> bool:
    """Return whether a run repeats one block that is better kept: it has branches, or a lead."""
    if not run.is_run or len(run.copies[0]) != 1 or not run.copies[0][0].is_block:
        return False
    return run.lead or any(item.branches for item in run.copies[0][0].body)
