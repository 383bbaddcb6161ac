"""Override values of `let` and shapes of inputs, as `--set` and `--input` do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archscope.errors import OptionError, did_you_mean, quoted, shortened
from archscope.ir import Shape, Source
from archscope.language.checks import SHAPE, shape_of
from archscope.language.document import Document
from archscope.language.value import Value


def settings(document: Document, given: Mapping[str, Any]) -> dict[str, Value]:
    """Check values that override those of `let`, by name. Raises OptionError."""
    for name, value in given.items():
        if name not in document.let:
            known = shortened(", ".join(document.let)) or "none"
            hint = did_you_mean(str(name), document.let) or f"; the spec lets you set {known}"
            raise OptionError(f"cannot set {quoted(name)}: no such name in 'let'{hint}")
        if not isinstance(value, bool | int | float | str | list | tuple | dict | None):
            raise OptionError(
                f"cannot set '{name}': expected a number, text, a list or a mapping,"
                f" got {quoted(value)}"
            )
    at = Source("--set", 1, 1)
    return {
        # A tuple would be read as a shape.
        name: Value(list(value) if isinstance(value, tuple) else value, at, True)
        for name, value in given.items()
    }


def input_shapes(document: Document, given: Shape | Mapping[str, Shape]) -> dict[str, Shape]:
    """Check shapes that override those of inputs, and return them by name. Raises OptionError."""
    names = ", ".join(document.inputs)
    if not isinstance(given, Mapping):
        if len(document.inputs) != 1:
            raise OptionError(
                f"the spec has several inputs; give a shape by name: {shortened(names)}"
            )
        given = {names: given}
    shapes = {}
    for name, content in given.items():
        if name not in document.inputs:
            hint = did_you_mean(str(name), document.inputs) or f"; it has {shortened(names)}"
            raise OptionError(f"the spec has no input {quoted(name)}{hint}")
        shape = shape_of(content)
        if shape is None:
            raise OptionError(f"the shape of '{name}' must be {SHAPE}, got {quoted(content)}")
        _check_axes(name, document.inputs[name].content, shape)
        shapes[name] = shape
    return shapes


def _check_axes(name: str, declared: Any, shape: Shape) -> None:
    """Raise OptionError for a shape whose number of axes differs from that in the spec.

    An input that is an expression, `input: =shape`, allows any number.
    """
    if not isinstance(declared, list | tuple) or len(declared) == len(shape):
        return
    sizes = [getattr(size, "content", size) for size in declared]
    known = [str(size) if isinstance(size, int) else "?" for size in sizes]
    missing = known[: max(0, len(known) - len(shape))]
    write = "x".join((*missing, *map(str, shape[-len(known) :])))
    raise OptionError(
        f"{quoted(shape)} has {len(shape)} axes, '{name}' of the spec has {len(known)}:"
        f" {'x'.join(known)}, channels first; write {write}"
    )
