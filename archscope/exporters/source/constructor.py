"""Group the scopes of a network into classes, and list what each constructor creates.

A constructor creates layers, blocks, and runs of consecutive blocks, which become a loop.
"""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct
from torch import nn

from archscope.exporters.source.calls import arguments
from archscope.exporters.source.scopes import Path, Scope, Step
from archscope.ir import Call

JOINS = {"archscope.nn.Add": "+", "archscope.nn.Mul": "*", "archscope.nn.Concat": ""}
"""Modules without state that are written as expressions."""
METHODS = frozenset(dir(nn.Sequential()))


class Layer(Struct, frozen=True):
    """A torch module."""

    path: Path
    call: Call


class Block(Struct, frozen=True):
    """An instance of a class."""

    path: Path
    scope: Scope
    number: int  # of the class


class Run(Struct, frozen=True):
    """Instances of the same class with consecutive numbers, each reading the previous one."""

    base: str
    start: int
    scopes: tuple[Scope, ...]
    number: int


Part = Layer | Block | Run


class ScopeClass(Struct, frozen=True):
    """Scopes that differ only in numbers, so that one class can represent all of them."""

    number: int
    sequential: bool
    instances: list[tuple[Scope, tuple[Part, ...]]]


def scope_classes(root: Scope, unrolled: Collection[Path] = ()) -> list[ScopeClass]:
    """Return the classes of a network, each after those it uses; the network is the last.

    In the scopes at `unrolled`, consecutive blocks are written separately.
    """
    classifier = _Classifier(unrolled)
    classifier.place(root)
    return classifier.found


def is_join(step: Step) -> bool:
    """Return whether a step is written as an expression, such as a sum."""
    return isinstance(step.part, Call) and step.part.target in JOINS and len(step.inputs) > 1


class _Classifier:
    def __init__(self, unrolled: Collection[Path]) -> None:
        self.unrolled = unrolled
        self.found: list[ScopeClass] = []
        self.known: dict[object, int] = {}

    def place(self, scope: Scope) -> int:
        """Return the index of the class of a scope, a new one if none has the same structure."""
        parts: list[Part] = []
        for step in scope.steps:
            if not step.new or is_join(step):
                continue
            if isinstance(step.part, Scope):
                parts.append(Block(step.path, step.part, self.place(step.part)))
            else:
                parts.append(Layer(step.path, step.part))
        sequential = is_sequential(scope)
        if sequential and scope.path not in self.unrolled:
            parts = _runs(parts)
        key = sequential, tuple(map(_form, parts)), None if sequential else _wires(scope)
        if key not in self.known:
            self.known[key] = len(self.found)
            self.found.append(ScopeClass(len(self.found), sequential, []))
        number = self.known[key]
        self.found[number].instances.append((scope, tuple(parts)))
        return number


def is_sequential(scope: Scope) -> bool:
    """Return whether each step of a scope reads only the previous step."""
    value = scope.inputs
    for step in scope.steps:
        plain = step.new and not step.training and not is_join(step)
        if not plain or step.inputs != value or len(step.outputs) != 1 or len(step.path) != 1:
            return False
        if step.path[0] in METHODS or len(value) != 1:
            return False
        value = step.outputs
    return value == scope.outputs


def _runs(parts: list[Part]) -> list[Part]:
    """Return the parts of a sequence, with consecutive blocks of the same class as runs."""
    found: list[Part] = []
    for part in parts:
        base, number = _numbered(part.path[-1]) if isinstance(part, Block) else ("", None)
        if not isinstance(part, Block) or number is None:
            found.append(part)
            continue
        last = found[-1] if found else None
        if (
            isinstance(last, Run)
            and (last.base, last.number) == (base, part.number)
            and last.start + len(last.scopes) == number
        ):
            found[-1] = Run(base, last.start, (*last.scopes, part.scope), part.number)
        else:
            found.append(Run(base, number, (part.scope,), part.number))
    return found


def _numbered(name: str) -> tuple[str, int | None]:
    """Split a name into its stem and number: `unit12` is `unit`, 12; `unit01` has no number."""
    base = name.rstrip("0123456789")
    digits = name[len(base) :]
    return (base, int(digits)) if digits and str(int(digits)) == digits else (name, None)


def _form(part: Part) -> object:
    """Return a key that a part has in all scopes of the same class."""
    if isinstance(part, Layer):
        names = tuple((argument.name, argument.positional) for argument in arguments(part.call))
        return part.path, part.call.target, names
    if isinstance(part, Block):
        return part.path, part.number
    return part.base, part.start, part.number


def _wires(scope: Scope) -> object:
    """Return a key of the inputs of each step, independent of the scope's path."""
    local: dict[str, object] = {name: number for number, name in enumerate(scope.inputs)}
    wires: list[object] = [len(scope.inputs)]
    for place, step in enumerate(scope.steps):
        join = step.part.target if isinstance(step.part, Call) and is_join(step) else None
        inputs = tuple(local[name] for name in step.inputs)
        wires.append((step.path, join, inputs, step.training, step.new))
        local.update({name: (place, number) for number, name in enumerate(step.outputs)})
    wires.append(tuple(local[name] for name in scope.outputs))
    return tuple(wires)
