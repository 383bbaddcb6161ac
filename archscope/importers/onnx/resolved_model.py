"""A resolved model: its operators as plain data, its constants, and the shapes of its values."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct


class OnnxOperator(Struct, frozen=True):
    """An operator with its attributes as plain data and absent inputs as empty names."""

    kind: str  # the operator type, prefixed by its domain unless that is ONNX's own
    name: str  # of the node in the file
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    version: int
    scopes: tuple[str, ...] = ()  # module paths, outermost first, if the exporter wrote them
    of_integers: bool = False  # whether its first input has integers or truth values


PREPARED = "archscope"
"""The domain of operators that other importers write as patterns prepare them."""


class ResolvedModel(Struct):
    """The operators of a model that depend on inputs, its constants, and the shapes of values."""

    operators: list[OnnxOperator]
    constants: dict[str, Any]  # numpy arrays by name
    initializers: set[str]  # constants that the file holds under this name
    sources: dict[str, frozenset[str]]  # the constants of the file that one is computed from
    shapes: dict[str, tuple[int, ...]]  # with the batch first
    inputs: list[str]
    outputs: list[str]
    batch: int
    dtype: str  # the most frequent type of results
    learned: dict[str, int] = {}  # numbers learned of an initializer, where the file tells
    titles: dict[str, str] = {}  # the file's names of inputs and outputs that were replaced

    def readers(self) -> dict[str, list[OnnxOperator]]:
        """Return the operators that read each value."""
        readers: dict[str, list[OnnxOperator]] = {}
        for operator in self.operators:
            for name in operator.inputs:
                readers.setdefault(name, []).append(operator)
        return readers

    def is_told(self, name: str) -> bool:
        """Return whether the file tells what was learned of a constant."""
        sources = self.sources.get(name, frozenset())
        return bool(sources) and sources <= self.learned.keys()

    def is_fixed(self, name: str) -> bool:
        """Return whether the file tells that nothing was learned of a constant."""
        return self.is_told(name) and not any(self.learned[name] for name in self.sources[name])

    def derive(self, name: str, suffix: str, value: Any) -> str:
        """Store a constant in another form under a name of its own, and return that name."""
        derived = f"{name}{suffix}"
        self.constants[derived] = value
        self.shapes[derived] = tuple(value.shape)
        self.sources[derived] = self.sources.get(name, frozenset())
        if name in self.initializers:
            self.initializers.add(derived)
        return derived


def needed(operators: Sequence[OnnxOperator], outputs: Iterable[str]) -> list[OnnxOperator]:
    """Return the operators that outputs depend on."""
    wanted, kept = set(outputs), []
    for operator in reversed(operators):
        if wanted.intersection(filter(None, operator.outputs)):
            wanted.update(operator.inputs)
            kept.append(operator)
    return kept[::-1]


def scopes_of(node: Any) -> tuple[str, ...]:
    """Return the module paths that torch's exporter writes on an operator, outermost first."""
    for entry in node.metadata_props:
        if entry.key == "pkg.torch.onnx.name_scopes":
            try:
                found = ast.literal_eval(entry.value)
            except (ValueError, SyntaxError):
                return ()
            return tuple(map(str, found)) if isinstance(found, list) else ()
    return ()
