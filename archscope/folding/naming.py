"""What blocks and their parameters are called when nobody has named them."""

from __future__ import annotations

from collections.abc import Collection
from keyword import iskeyword

from archscope.folding.pieces import Chain, Item, all_chains, instances_in, is_depthwise, weight
from archscope.language.syntax import LOOP_NAMES, MODIFIERS
from archscope.ops import OPS

SHORT = {"batchnorm": "bn"}
LONGEST = 4  # words of a name
RESERVED = {"x", "in", "input", "gather", "features", "new", *LOOP_NAMES, *MODIFIERS}


def name_blocks(chain: Chain) -> None:
    """Name all blocks by what is in them, inner ones first."""
    instances = instances_in(chain)
    names: dict[str, str] = {}

    def name(word: str) -> None:
        if word in names:
            return
        body = max(instances[word], key=weight).body
        for inner in all_chains(body):
            for item in inner:
                if item.word in instances:
                    name(item.word)
        described = "tower" if "tower" in word else _described(body)
        names[word] = distinct(described, {*names.values(), *OPS, *RESERVED})
        for instance in instances[word]:
            instance.word = names[word]

    for word in instances:
        name(word)


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
    inside = [item for chain in all_chains(items) for item in chain]
    runs = [item for item in items if item.is_run]
    merges = [item for item in items if item.branches]
    if any(item.word == "channel_shuffle" for item in items):
        return "stage" if runs else "shuffle_unit"
    if runs:
        dense = [run for run in runs if run.grows or run.copies[0][0].word == "concat"]
        return "dense_block" if dense else "stage"
    if merges == items[:1] and len(items) <= 2:
        return _merged(merges[0], items)
    if any(item.is_block and item.body[0].branches for item in items):
        return "stage" if len(items) > 2 else "block"
    convs = [item for item in inside if item.word.startswith("conv") and item.node]
    depthwise = [is_depthwise(item) for item in convs]
    if any(depthwise) and len(convs) > 1:
        inverted = sum(depthwise) == 1 and not depthwise[0] and not depthwise[-1]
        return "inverted_residual" if inverted else "separable"
    if merges:
        return "block"
    words = [SHORT.get(item.word, item.word) for item in items]
    if any(depthwise) and "depthwise" not in words[0]:
        words.insert(0, "depthwise")
    name = "_".join(words)
    return name if name.count("_") < LONGEST else "block"


def _merged(merge: Item, items: Chain) -> str:
    longest = max(merge.branches, key=len)
    words = [item.word for chain in all_chains(longest) for item in chain]
    if merge.word == "mul" and len(items) == 1:
        return "squeeze_excite" if "global_avgpool" in words else "gate"
    if merge.word == "add":
        convs = [item for item in longest if item.word.startswith(("conv", "bn_relu_conv"))]
        depthwise = any(is_depthwise(item) for chain in all_chains(longest) for item in chain)
        return (
            "residual" if depthwise else {2: "basic", 3: "bottleneck"}.get(len(convs), "residual")
        )
    if merge.word != "concat":
        return "block"
    if not all(merge.branches):
        return "dense_layer"
    return "inception" if len(merge.branches) > 2 else "parallel"
