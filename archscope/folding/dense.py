"""Fold dense connectivity, where each layer reads all layers before it, as in DenseNet.

Each concatenation takes the inputs of the previous one and one more value. The block carries
these values along under one name, `features`.
"""

from __future__ import annotations

from collections import Counter

from archscope.folding.piece_ids import StructureIds, ValueIds
from archscope.folding.pieces import Chain, Piece

LEAST = 2  # growing concatenations, apart from the last


def find_dense(pieces: dict[str, Piece], reads: Counter[str]) -> None:
    """Replace sequences of growing concatenations among pieces, given by value, by blocks."""
    words: dict[object, str] = {}
    structure_ids = StructureIds([], {})
    grown = {piece.inputs: piece for piece in pieces.values() if _is_open(piece)}
    longer = {inputs[:-1]: piece for inputs, piece in grown.items()}
    for start in [piece for inputs, piece in grown.items() if len(inputs) == 2]:
        concats = [start]
        while concats[-1].inputs in longer:
            concats.append(longer[concats[-1].inputs])
        parts = _parts(concats, pieces, reads)
        if len(concats) > LEAST and parts is not None:
            key = tuple((*map(structure_ids, part),) for part in parts[:2])
            word = words.setdefault(key, f"#dense{len(words)}")
            _join(concats, parts, pieces, reads, word)


def _is_open(piece: Piece) -> bool:
    grows = piece.word == "concat" and not getattr(piece.node and piece.node.op, "axis", 0)
    return grows and not piece.branches and len(piece.inputs) > 1


def _parts(
    concats: list[Piece], pieces: dict[str, Piece], reads: Counter[str]
) -> list[Chain] | None:
    """Return the pieces before the first new value, then the layers, each with its concat."""
    entry, *new = concats[-1].inputs
    parts: list[Chain] = []
    for place, value in enumerate(new):
        start = entry if place == 0 else concats[place - 1].value
        way: Chain = []
        if reads[value] != len(concats) - place:
            return None
        while value != start:
            piece = pieces.get(value)
            if piece is None or piece.pinned or len(piece.inputs) != 1:
                return None
            if way and reads[value] != 1:
                return None
            way.insert(0, piece)
            value = piece.inputs[0]
        if place and (reads[start] != 1 or pieces[start].pinned):
            return None
        parts.append([pieces[start], *way] if place else way)
    value_ids = ValueIds()
    keys = {tuple(map(value_ids, part[1:])) for part in parts[1:]}
    return parts if parts[0] and len(keys) == 1 else None


def _join(
    concats: list[Piece],
    parts: list[Chain],
    pieces: dict[str, Piece],
    reads: Counter[str],
    word: str,
) -> None:
    first, *layers = parts
    last = concats[-1]
    grows = Piece("", last.inputs, layers[-1][-1].value, None, copies=layers, grows=True)
    made = Piece(word, last.inputs[:1], last.value, first[0].entry, body=[*first, grows, last])
    made.output, last.output = last.output, None
    made.share = last.share
    for piece in [piece for part in parts for piece in part]:
        del pieces[piece.value]
    pieces[last.value] = made  # in the place of the last concat
    reads[last.inputs[0]] -= len(concats)
