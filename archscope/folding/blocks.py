"""Find repeated sequences of layers, and turn them into blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterator

from archscope.folding.candidates import Candidates, Signature
from archscope.folding.naming import name_blocks
from archscope.folding.piece_ids import StructureIds
from archscope.folding.pieces import (
    Chain,
    Key,
    Piece,
    all_chains,
    all_pieces,
    instance,
    instances_in,
    lines,
    mark_all_sources,
    weight,
)  # fmt: skip
from archscope.folding.repeats import cohesion, find_runs, in_then, split_first_turns
from archscope.folding.shared_weights import find_siamese

MOST = 60  # blocks
HEADING = 3  # lines of a block beside its layers
NORMS = ("batchnorm",)


def find_blocks(chain: Chain, entry: tuple[str, ...]) -> None:
    """Replace repeated sequences by instances of blocks, those that save the most lines first.

    `entry` is the input of the first layer if it has no `from`.
    """
    find_siamese(chain)
    words: dict[Signature, str] = {}
    ids: dict[Key, int] = {}
    for allowed in (_is_conv_with_norm, _is_block):
        while len(words) < MOST:
            mark_all_sources(chain, entry)  # inputs inside a block are implicit outside
            if allowed is _is_block:
                find_runs(chain)
            structure_ids = StructureIds(chain, ids)
            best = _best(chain, allowed, structure_ids, words)
            if best is None:
                break
            signature, scoped = best
            word = words.setdefault(signature, f"#{len(words)}")  # the same block where not aligned
            _replace(chain, signature, scoped, structure_ids, word)
    split_first_turns(chain)
    _inline(chain)
    mark_all_sources(chain, entry)
    name_blocks(chain)


def _is_conv_with_norm(pieces: Chain) -> bool:
    """Return whether pieces are a convolution with norm and activation, in any order."""
    if any(piece.branches or piece.body or piece.copies for piece in pieces):
        return False
    words = [piece.word for piece in pieces]
    convs = sum(word.startswith("conv") and word != "concat" for word in words)
    norms = sum(word in NORMS for word in words)
    light = sum(not piece.args and piece.word not in NORMS for piece in pieces)
    return len(pieces) <= 3 and convs == norms == 1 and convs + norms + light == len(pieces)


def _is_block(pieces: Chain) -> bool:
    return len(pieces) > 1 or bool(pieces[0].branches) or pieces[0].is_run


def representatives(chain: Chain) -> Iterator[Chain]:
    """Yield each chain that is written: for each block, that of the largest instance only."""
    instances = instances_in(chain).values()
    todo = [chain, *(max(pieces, key=weight).body for pieces in instances)]
    while todo:
        inner = todo.pop(0)
        yield inner
        for piece in inner:
            todo += piece.branches
            if piece.is_run:
                todo.append(piece.copies[0])
            elif piece.body and not piece.is_block:
                todo.append(piece.body)


def _best(
    chain: Chain,
    allowed: Callable[[Chain], bool],
    structure_ids: StructureIds,
    words: Container[Signature],
) -> tuple[Signature, bool] | None:
    """Return the signature that saves the most lines as a block, and whether it is scoped.

    A signature is scoped if most of its occurrences are a whole module of the original network;
    then only such occurrences become instances.
    """
    places: dict[Signature, list[tuple[Chain, int]]] = {}
    for inner in representatives(chain):
        ends: dict[Signature, int] = {}
        for start, signature in Candidates(inner, structure_ids):
            if len(signature) == len(inner) and signature in words:
                continue  # it may be the body of that block
            if ends.get(signature, 0) <= start:
                ends[signature] = start + len(signature)
                places.setdefault(signature, []).append((inner, start))
    best: tuple[float, ...] = ()
    found = None
    for signature, spots in places.items():
        inner, start = spots[0]
        pieces = inner[start : start + len(signature)]
        if len(spots) < 2 or not allowed(pieces) or _repeats_itself(signature):
            continue
        # The modifiers of an instance are as long as those of its layers.
        size = lines(pieces) - (pieces[0].sources is not None) - pieces[-1].read
        if best and (len(spots) - 1) * size - len(spots) - HEADING < best[0]:
            continue
        scopes = sum(_is_scope(*spot, len(signature)) for spot in spots)
        scoped = 3 * scopes >= 2 * len(spots)
        times = scopes if scoped else len(spots)
        saved = (times - 1) * size - times - HEADING
        heavy = sum(cohesion(*spot)[1] for spot in spots) / len(spots)
        rank = (saved, scopes / times, -heavy)
        if times > 1 and saved > 0 and rank > best:
            best, found = rank, (signature, scoped)
    return found


def _is_scope(chain: Chain, start: int, size: int) -> bool:
    """Return whether pieces share a longer module path with each other than with neighbours."""
    end = start + size
    around = max(cohesion(chain, start)[0], cohesion(chain, end)[0])
    return all(cohesion(chain, place)[0] > around for place in range(start + 1, end))


def _repeats_itself(signature: Signature) -> bool:
    """Return whether a signature is a repetition of a shorter one."""
    return any(
        len(signature) % size == 0 and signature == signature[:size] * (len(signature) // size)
        for size in range(1, len(signature) // 2 + 1)
    )


def _replace(
    chain: Chain, signature: Signature, scoped: bool, structure_ids: StructureIds, word: str
) -> None:
    """Make every sequence with this signature an instance of a block."""
    own = {id(piece.body) for piece in all_pieces(chain) if piece.word == word}
    for alike in [*_alike_chains(chain)]:
        if id(alike[0]) in own:
            continue
        size, free, starts = len(signature), 0, []
        found = [Candidates(inner, structure_ids).find(signature) for inner in alike]
        for start in sorted(set.intersection(*map(set, found))):
            scopes = sum(_is_scope(inner, start, size) for inner in alike)
            if start >= free and (not scoped or 2 * scopes >= len(alike)):
                starts.append(start)
                free = start + size
        for start in reversed(starts):
            for inner in alike:
                inner[start : start + size] = [instance(word, inner[start : start + size])]


def _alike_chains(chain: Chain) -> Iterator[list[Chain]]:
    """Yield the chains at each place of a block's instances and a run's iterations.

    They are written once, so what is replaced in one of them is replaced in all.
    """

    def at_each_place(chains: list[Chain]) -> Iterator[list[Chain]]:
        chains = [inner for inner in chains if inner]  # branches of a sum may be empty
        if len({len(inner) for inner in chains}) != 1:
            yield from ([inner] for inner in chains)
            return
        yield chains
        for pieces in zip(*chains, strict=True):
            if pieces[0].is_run:
                yield from at_each_place([copy for piece in pieces for copy in piece.copies])
            elif not pieces[0].is_block:
                yield from at_each_place([piece.body for piece in pieces])
            for branches in zip(*(piece.branches for piece in pieces), strict=False):
                yield from at_each_place([*branches])

    yield from at_each_place([chain])
    for instances in instances_in(chain).values():
        yield from at_each_place([piece.body for piece in instances])


def _inline(chain: Chain) -> None:
    """Dissolve blocks that are used only once.

    Blocks whose layers are read by name are kept: the names are local to the block.
    """
    kept = {
        piece.word
        for piece in all_pieces(chain)
        if any(part.sources is not None or part.grows for part in piece.body[1:])
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
            uses.update(piece.word for piece in inner if piece.is_block)
            uses.update(piece.copies[0][0].word for piece in inner if _is_unit(piece))
        once = {word for word, count in uses.items() if count == 1 and word not in kept}
        if not once:
            return
        for inner in list(all_chains(chain)):
            for at in range(len(inner) - 1, -1, -1):
                piece = inner[at]
                if piece.is_block and piece.word in once:
                    piece.body[0].sources, piece.body[-1].read = piece.sources, piece.read
                    inner[at : at + 1] = piece.body


def _begins_with_run(piece: Piece) -> bool:
    while piece.is_block:
        piece = piece.body[0]
    return piece.is_run


def _is_unit(run: Piece) -> bool:
    """Return whether a run repeats a block that is kept even if it is only used here.

    Its body has branches, or its first iteration has other numbers.
    """
    if not run.is_run or len(run.copies[0]) != 1 or not run.copies[0][0].is_block:
        return False
    return run.first_differs or any(piece.branches for piece in run.copies[0][0].body)
