"""The statements of a module's `forward`, with variables named after their values."""

from __future__ import annotations

import builtins
import keyword
from collections.abc import Mapping

from archscope.exporters.source.constructor import JOINS, is_join
from archscope.exporters.source.line_breaking import STEP, Chain, Group, Text, statement
from archscope.exporters.source.scopes import Path, Scope, Step
from archscope.ir import Call
from archscope.module_names import attribute_name

TAKEN = {"self", "torch", "nn", "x", "dict", *dir(builtins), *keyword.kwlist}

SHORT = 60  # a longer sum gets a line of its own


def member(path: Path) -> str:
    """Return the expression for the submodule at a path."""
    text = "self"
    for name in map(attribute_name, path):
        text += f".{name}" if is_plain(name) else f'.get_submodule("{name}")'
    return text


def is_plain(name: str) -> bool:
    """Return whether an attribute can be written with a dot."""
    return name.isascii() and name.isidentifier() and not keyword.iskeyword(name)


def arguments(scope: Scope, names: Mapping[str, str]) -> list[str]:
    """Return the arguments of `forward`: `x`, or the inputs of the network by their names."""
    if len(scope.inputs) == 1:
        return ["x"]
    found: list[str] = []
    for number, value in enumerate(scope.inputs):
        name = names.get(value, f"x{number}")
        found.append(_free(name, set(found)))
    return found


class ForwardWriter:
    """Writes the statements of one `forward`."""

    def __init__(self, scope: Scope, outputs: Mapping[str, str], inputs: Mapping[str, str]) -> None:
        self.scope, self.outputs = scope, outputs  # names of outputs by value
        self.steps = _used(scope)
        self.reads: dict[str, list[int]] = {}
        for place, step in enumerate(self.steps):
            for name in step.inputs:
                self.reads.setdefault(name, []).append(place)
        for name in scope.outputs:
            self.reads.setdefault(name, []).append(len(self.steps))
        self.arguments = arguments(scope, inputs)
        self.held: dict[str, str] = dict(zip(scope.inputs, self.arguments, strict=True))
        self.inline: dict[str, Text] = {}

    def body(self, indent: str, *, returning: bool) -> list[str]:
        """Return the statements, ending in `return` if `returning`."""
        lines: list[str] = []
        training = False
        for place, step in enumerate(self.steps):
            last = place == len(self.steps) - 1
            if last and returning and step.outputs == self.scope.outputs:
                return lines + statement(indent, self._expression(step), "return ")
            deeper = indent + STEP if step.training else indent
            written = self._assign(place, step, deeper)
            if step.training and not training and written:
                lines.append(f"{indent}if self.training:")
            training = step.training if written else training
            lines += written
        if returning:
            lines.append(f"{indent}return {', '.join(map(self.value, self.scope.outputs))}")
        return lines

    def value(self, name: str) -> str:
        """Return the expression that holds a value at this point."""
        return str(self._text(name))

    def _text(self, name: str) -> Text:
        return self.inline.get(name, self.held.get(name, name))

    def _expression(self, step: Step) -> Text:
        inputs = [self._text(name) for name in step.inputs]
        if not is_join(step):
            return Group(f"{member(step.path)}(", tuple(inputs), ")")
        assert isinstance(step.part, Call)
        sign = JOINS[step.part.target]
        if sign:
            terms = (f"({text})" if isinstance(text, Chain) else str(text) for text in inputs)
            return Chain(tuple(terms), sign)
        axis = step.part.args[0] if step.part.args else 1
        return Group("torch.cat(", (Group("(", tuple(inputs), ")", True), f"dim={axis}"), ")")

    def _assign(self, place: int, step: Step, indent: str) -> list[str]:
        expression = self._expression(step)
        short = len(str(expression)) <= SHORT
        if short and is_join(step) and self._goes_on(place, step):
            self.inline[step.outputs[0]] = expression
            return []
        dead = [n for n in step.inputs if n in self.held and max(self.reads[n]) <= place]
        free = [self.held.pop(name) for name in dict.fromkeys(dead)]
        for name in step.inputs:  # the values in the expression are consumed by it
            self.inline.pop(name, None)
        # Names of values that are not read any more can be reused.
        read = {value for value, places in self.reads.items() if places[-1] > place}
        self.held = {value: name for value, name in self.held.items() if value in read}
        for value in step.outputs:
            self.held[value] = self._name(place, step, value, free)
        left = ", ".join(self.held[value] for value in step.outputs)
        return statement(indent, expression, f"{left} = ")

    def _goes_on(self, place: int, step: Step) -> bool:
        """Return whether the next step is the only reader of a step's result."""
        return (
            self.reads[step.outputs[0]] == [place + 1]
            and place + 1 < len(self.steps)
            and self.steps[place + 1].training == step.training
        )

    def _name(self, place: int, step: Step, value: str, free: list[str]) -> str:
        live = set(self.held.values())
        if len(step.inputs) == 1 and len(step.outputs) == 1 and free and free[0] not in live:
            return free[0]
        if "x" not in live and len(step.outputs) == 1 and not step.training:
            return "x"
        meaning = self._meaning(step, value)
        return _free(meaning if meaning not in live or meaning != "y" else step.path[-1], live)

    def _meaning(self, step: Step, value: str) -> str:
        """Return a name for a value, after the last step of the chain that processes it."""
        while True:
            if value in self.outputs:
                return self.outputs[value]
            readers = self.reads.get(value, [])
            if len(readers) != 1 or readers[0] == len(self.steps):
                break
            reader = self.steps[readers[0]]
            if is_join(reader) and len(reader.inputs) == 2 and self.scope.path:
                return "y"  # the other operand of a sum with `x`
            if reader.inputs != (value,) or len(reader.outputs) != 1:
                break
            step, value = reader, reader.outputs[0]
        return step.path[-1] if len(step.outputs) == 1 else value.rpartition(".")[2]


def _used(scope: Scope) -> list[Step]:
    """Return the steps that the outputs depend on."""
    wanted = set(scope.outputs)
    steps: list[Step] = []
    for step in reversed(scope.steps):
        if not wanted.isdisjoint(step.outputs):
            wanted.update(step.inputs)
            steps.insert(0, step)
    return steps


def _free(name: str, taken: set[str]) -> str:
    """Return an unused identifier that starts with a name."""
    if not is_plain(name) and not keyword.iskeyword(name):
        name = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in name)
        name = f"x{name}" if not name or not name.isidentifier() else name
    while name in TAKEN or name in taken:
        name += "_"
    return name
