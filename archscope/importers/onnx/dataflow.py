"""What patterns of ONNX operators look at: who gives and who reads each value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archscope.importers.onnx.resolve import Trace
from archscope.importers.onnx.step import Step, with_

FLAT, TURNED = "|flat", "|turned"
"""Marks behind the names of weights that are kept in another shape."""


class Web:
    """The operators of a trace by what they give and read."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.givers = {name: step for step in trace.steps for name in step.outputs if name}
        self.readers = trace.readers()

    def giver(self, name: str, *kinds: str) -> Step | None:
        """Return what gives a value, if it is of one of these kinds."""
        step = self.givers.get(name)
        return step if step is not None and (not kinds or step.kind in kinds) else None

    def private(self, name: str, readers: int = 1) -> bool:
        """Return whether a value is read so many times, and is no output."""
        return name not in self.trace.outputs and len(self.readers.get(name, ())) == readers

    def inner(self, name: str, *kinds: str, readers: int = 1) -> Step | None:
        """Return what gives a value that nothing outside the pattern reads."""
        return self.giver(name, *kinds) if self.private(name, readers) else None

    def number(self, name: str) -> float | None:
        """Return the one number of a constant."""
        value = self.trace.constants.get(name)
        if value is None or value.size != 1 or value.dtype.kind not in "fiu":
            return None
        return float(value.reshape(()))

    def split(self, step: Step) -> tuple[str, float] | None:
        """Return the value and the number that an operator on two inputs takes."""
        for value, other in (step.inputs, step.inputs[::-1]):
            found = self.number(other)
            if found is not None and value not in self.trace.constants:
                return value, found
        return None

    def derived(self, name: str, mark: str, value: Any) -> str:
        """Keep a constant that is another one in a different shape, and return its name."""
        made = f"{name}{mark}"
        self.trace.constants[made] = value
        self.trace.shapes[made] = tuple(value.shape)
        self.trace.roots[made] = self.trace.roots.get(name, frozenset())
        if name in self.trace.named:
            self.trace.named.add(made)
        return made

    def channels(self, name: str, shape: tuple[int, ...]) -> str | None:
        """Return the flat constant that holds one number for each channel of such a shape."""
        value = self.trace.constants.get(name)
        if value is None or len(shape) < 2 or value.size != shape[1] or value.ndim > len(shape):
            return None
        if (1,) * (len(shape) - value.ndim) + tuple(value.shape) != (
            1,
            shape[1],
            *(1 for _ in shape[2:]),
        ):
            return None
        return self.derived(name, FLAT, value.reshape(-1))

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a value, with the batch."""
        return self.trace.shapes[name]


Found = tuple[list[Step], list[Step]]
"""The operators of a pattern, and what stands for them."""
Pattern = Callable[[Web, Step], Found | None]


def one(old: list[Step], kind: str, inputs: tuple[str, ...], **attributes: Any) -> Found:
    """Return one operator in place of several; the last of them names it."""
    return old, [with_(old[-1], kind=kind, inputs=inputs, attributes=attributes)]
