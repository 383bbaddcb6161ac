"""What blocks and their parameters are called when nobody has named them."""

from __future__ import annotations

from collections.abc import Collection
from keyword import iskeyword

from archscope.ops import OPS
from archscope.spec.fold_item import Chain, Item, all_chains, is_depthwise
from archscope.spec.syntax import LOOP_NAMES, MODIFIERS

SHORT = {"batchnorm": "bn"}
LONGEST = 4  # words of a name
RESERVED = {"x", "in", "input", *LOOP_NAMES, *MODIFIERS}


def block_name(items: Chain, taken: Collection[str]) -> str:
    """Return a name for a block of these items."""
    return distinct(_described(items), {*taken, *OPS, *RESERVED})


def distinct(name: str, taken: Collection[str]) -> str:
    """Return the name, or with a letter behind it, so that it is none of those taken."""
    if name not in taken:
        return name
    letters = "bcdefghijklmnopqrstuvwxyz"
    made = (f"{name}_{a}{b}" for a in ("", *letters) for b in letters)
    return next(one for one in made if one not in taken)


def parameter_name(name: str, taken: Collection[str]) -> str:
    """Return a name for a parameter of a block."""
    return distinct(f"{name}_" if iskeyword(name) else name, {*taken, *RESERVED})


def _described(items: Chain) -> str:
    runs = [item for item in items if item.is_run]
    if runs:
        words = {item.word for run in runs for one in all_chains(run.copies[0]) for item in one}
        return "dense_block" if "concat" in words else "stage"
    merges = [item for item in items if item.branches]
    if merges:
        return _merged(merges[0], items)
    words = [SHORT.get(item.word, item.word) for item in items]
    if _depthwise(items):
        words.insert(0, "depthwise")
    name = "_".join(words).rstrip("0123456789")
    return name if name.count("_") < LONGEST else "block"


def _depthwise(items: Chain) -> bool:
    """Return whether each channel is convolved alone."""
    return any(is_depthwise(item) for item in items)


def _merged(merge: Item, items: Chain) -> str:
    longest = max(merge.branches, key=len)
    words = [item.word for chain in all_chains(longest) for item in chain]
    if merge.word == "mul":
        return "squeeze_excite" if "global_avgpool" in words else "gate"
    if merge.word == "add":
        inner = [item for item in longest if "conv" in item.word]
        return {2: "basic", 3: "bottleneck"}.get(len(inner), "residual")
    if any(item.word == "channel_shuffle" for item in items):
        return "shuffle_unit"
    if not all(merge.branches):
        return "dense_layer"
    return "inception" if len(merge.branches) > 2 else "parallel"
