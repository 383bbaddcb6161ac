"""Names for the blocks and parameters that folding creates, after their contents."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import count, product
from keyword import iskeyword

from archscope.folding.pieces import Chain, Piece, all_pieces, inner_first, is_depthwise, weight
from archscope.language.syntax import LOOP_NAMES, MODIFIERS
from archscope.ops import OPS

SHORT = {"batchnorm": "bn"}
LETTERS = "bcdefghijklmnopqrstuvwxyz"  # the first of several has none
LONGEST = 4  # words of a name
RESERVED = {"x", "in", "input", "gather", "features", "new", *LOOP_NAMES, *MODIFIERS}


def name_blocks(chain: Chain) -> None:
    """Name all blocks after their contents, inner blocks first."""
    names: set[str] = set()
    for word, instances in inner_first(chain).items():
        body = max(instances, key=weight).body
        described = "tower" if "tower" in word else _described(body)
        name = distinct(described, {*names, *OPS, *RESERVED})
        names.add(name)
        for instance in instances:
            instance.word = name


def distinct(name: str, taken: Collection[str]) -> str:
    """Return the name, with letters appended if it is taken."""
    return next(candidate for candidate in lettered(name) if candidate not in taken)


def lettered(name: str) -> Iterator[str]:
    """Yield the name, and without end: `name_b`, `name_c` ... `name_bb`, `name_bc` ..."""
    yield name
    for length in count(1):
        yield from (f"{name}_{''.join(end)}" for end in product(LETTERS, repeat=length))


def parameter_name(name: str, taken: Collection[str]) -> str:
    """Return a name for a parameter of a block."""
    return distinct(f"{name}_" if iskeyword(name) else name, {*taken, *RESERVED})


def _described(pieces: Chain) -> str:
    runs = [piece for piece in pieces if piece.is_run]
    merges = [piece for piece in pieces if piece.branches]
    if any(piece.word == "channel_shuffle" for piece in pieces):
        return "stage" if runs else "shuffle_unit"
    if runs:
        dense = [run for run in runs if run.grows or run.copies[0][0].word == "concat"]
        return "dense_block" if dense else "stage"
    if merges == pieces[:1] and len(pieces) <= 2:
        return _merged(merges[0], pieces)
    if any(piece.is_block and piece.body[0].branches for piece in pieces):
        return "stage" if len(pieces) > 2 else "block"
    convs = [piece for piece in all_pieces(pieces) if piece.word.startswith("conv") and piece.node]
    depthwise = [is_depthwise(piece) for piece in convs]
    if any(depthwise) and len(convs) > 1:
        inverted = sum(depthwise) == 1 and not depthwise[0] and not depthwise[-1]
        return "inverted_residual" if inverted else "separable"
    if merges:
        return "block"
    words = [SHORT.get(piece.word, piece.word) for piece in pieces]
    if any(depthwise) and "depthwise" not in words[0]:
        words.insert(0, "depthwise")
    name = "_".join(words)
    return name if name.count("_") < LONGEST else "block"


def _merged(merge: Piece, pieces: Chain) -> str:
    longest = max(merge.branches, key=len)
    inside = [*all_pieces(longest)]
    if merge.word == "mul" and len(pieces) == 1:
        squeezes = any(piece.word == "global_avgpool" for piece in inside)
        return "squeeze_excite" if squeezes else "gate"
    if merge.word == "add":
        convs = [piece for piece in longest if piece.word.startswith(("conv", "bn_relu_conv"))]
        known = {} if any(map(is_depthwise, inside)) else {2: "basic", 3: "bottleneck"}
        return known.get(len(convs), "residual")
    if merge.word != "concat":
        return "block"
    if not all(merge.branches):
        return "dense_layer"
    return "inception" if len(merge.branches) > 2 else "parallel"
