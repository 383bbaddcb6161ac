"""The keywords of the language, and checks of the kinds of items."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from keyword import iskeyword

from archscope.errors import SpecError, did_you_mean
from archscope.ir import Source
from archscope.language.expression import UNQUOTED
from archscope.language.limits import LIMITS
from archscope.language.yaml_items import Item

MODIFIERS = (
    "then", "repeat", "each", "when", "else", "name", "from", "share", "params", "weight_macs",
    "output", "split",
)  # fmt: skip
FILE_KEYS = (
    "name", "about", "paper", "reference", "input", "inputs", "use", "extends", "let", "blocks",
    "layers",
)  # fmt: skip
BLOCK_KEYS = ("inputs", "with", "layers", "about")
HEAD_KEYS = ("name", "weight", "train_only")
SYNONYMS = {
    "dense": "linear", "fc": "linear", "fully_connected": "linear", "bn": "batchnorm",
    "gap": "global_avgpool", "swish": "silu", "deconv": "conv_transpose",
    "skip": "identity", "shortcut": "identity", "cat": "concat", "sum": "add", "join": "concat",
    "plus": "add_scalar", "subtract_from": "rsub", "power": "pow", "take": "index_select",
    "overwrite": "slice_scatter", "attach": "concat_learned",
}  # fmt: skip
"""Other names of our operators that 'did you mean' would not find by their spelling."""
FORMER_NAMES = {"times": "mul_scalar"}
"""Names that operators had in versions before 0.2, which specs may still use."""
PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*\Z")
WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
LOOP_NAMES = ("i", "first", "last")


def mapping(item: Item, what: str, path: str) -> dict[str, Item]:
    """Return the items of a mapping. Raises SpecError for anything else."""
    item.refuse_hole()
    if not isinstance(item.value, dict):
        raise SpecError(f"{what} must be a mapping, got {item.kind}", item.at, path)
    return item.value


def listing(item: Item, what: str, path: str) -> list[Item]:
    """Return the items of a list. Raises SpecError for anything else."""
    item.refuse_hole()
    if not isinstance(item.value, list):
        raise SpecError(f"{what} must be a list, got {item.kind}", item.at, path)
    return item.value


def name_of(item: Item, what: str, path: str, pattern: re.Pattern[str] = WORD) -> str:
    """Return a name. Raises SpecError for anything that cannot be one."""
    item.refuse_hole()
    name = item.value
    if not isinstance(name, str) or not pattern.match(name) or len(name) > LIMITS.text:
        raise SpecError(
            f"{what} must be a word of letters, digits and '_', got {item.kind}", item.at, path
        )
    return name


def values_of(item: Item, what: str, path: str, reserved: Iterable[str] = ()) -> dict[str, Item]:
    """Return the items of a mapping whose keys can be used in expressions. Raises SpecError."""
    rows = mapping(item, what, path)
    for key in rows:
        if not WORD.match(key) or iskeyword(key) or key in ("x", *reserved):
            raise SpecError(
                f"'{key}' cannot name a value, expected a word that expressions do not know"
                f" yet{unquoted(key)}",
                key_at(item, key),
                path,
            )
    return rows


def unquoted(key: str) -> str:
    """Return a hint if a key is the rest of an expression that YAML has split."""
    return UNQUOTED if {*key} & {*")]}"} else ""


def key_at(item: Item, key: str) -> Source:
    """Return the location of a key of a mapping."""
    return (item.keys or {}).get(key, item.at)


def check_keys(item: Item, known: Collection[str], inside: str = "", path: str = "") -> None:
    """Raise SpecError for an unknown key of a mapping."""
    for key in item.value:
        if key not in known:
            message = f"unknown key '{key}'{inside}{did_you_mean(key, known)}"
            raise SpecError(message, key_at(item, key), path)
