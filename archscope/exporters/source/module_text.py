"""Write the Python file of a network: imports, modules that torch lacks, and classes."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from typing import Any

from archscope import __version__
from archscope.analysis import analyze
from archscope.exporters.source.calls import NONE
from archscope.exporters.source.class_parameters import Assignment, SourceClass, classes
from archscope.exporters.source.forward import ForwardWriter, is_plain, member
from archscope.exporters.source.helpers import helpers
from archscope.exporters.source.line_breaking import (
    STEP,
    WIDTH,
    Group,
    Text,
    literal,
    prefixed,
    statement,
)
from archscope.exporters.source.scopes import scopes
from archscope.folding.expressions import Parameter
from archscope.ir import Graph, text_of
from archscope.module_names import attribute_name

BODY = 2 * STEP
PLACED = 3  # this many arguments are positional, the others keywords


def write(graph: Graph) -> str:
    """Return Python source of a torch module that computes a graph.

    The file needs nothing but torch. Its class is `__all__`; the names of its weights are those
    of `archscope.build.build(graph)`. Raises GraphError for what cannot be built.
    """
    return _ModuleWriter(graph).text()


class _ModuleWriter:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.classes = classes(scopes(graph))
        self.names = self._class_names()

    def text(self) -> str:
        blocks = [self._class(number) for number in range(len(self.classes))]
        sources, imports = helpers(self.carried)
        body = [*sources, *("\n".join(block) for block in blocks)]
        head = [self._about(), "", "from __future__ import annotations", ""]
        head += _imports(imports, "\n".join(body))
        head += ["", f'__all__ = ["{self.names[-1]}"]']
        parts = ["\n".join(head), *body]
        return "\n\n\n".join(parts) + "\n"

    def _about(self) -> str:
        """Return the docstring of the file: the network and its costs."""
        graph, own = self.graph, analyze(self.graph)
        inputs = ", ".join(
            text_of(node.out) if len(graph.inputs) == 1 else f"{node.name} {text_of(node.out)}"
            for node in graph.inputs
        )
        more = ""
        if any(output.train_only for output in graph.outputs):
            whole = analyze(graph, training=True).totals.params
            more = f" ({whole:,} with the heads that serve only training)"
        facts = [
            f"input     {inputs}, batch first",
            f"params    {own.totals.params:,}{more}",
            f"macs      {own.totals.macs:,} multiply-accumulates for one image at inference",
        ]
        about = f"{graph.name}: {graph.about}" if graph.about else graph.name
        lines = textwrap.wrap(" ".join(about.split()).rstrip(".") + ".", 96)
        lines += ["", *facts]
        if graph.paper:
            lines.append(f"paper     {' '.join(graph.paper.split())}")
        lines += ["", f"Written by archscope {__version__}."]
        text = "\n".join(lines).replace("\\", "\\\\").replace('"', "'")
        return f'"""{text}\n"""'

    def _class_names(self) -> list[str]:
        """Return a name for each class, after the scopes it represents."""
        taken = {"Tensor", "Any"}
        targets = [part.target for made in self.classes for part in made.assignments]
        self.carried = {t for t in targets if isinstance(t, str) and not t.startswith("nn.")}
        carried = {target.rpartition(".")[2] for target in self.carried}
        taken |= carried | {f"_{name}" for name in carried}
        root = _camel(self.graph.name) or "Network"
        root = f"Net{root}" if not root[0].isalpha() else root
        while root in taken:
            root += "Network"
        taken.add(root)
        names = []
        for made in self.classes[:-1]:
            base = name = _class_name(made.scopes.instances[0][0].path)
            number = 2
            while name in taken:
                name, number = f"{base}{number}", number + 1
            taken.add(name)
            names.append(name)
        return [*names, root]

    def _class(self, number: int) -> list[str]:
        made = self.classes[number]
        base = "nn.Sequential" if made.scopes.sequential else "nn.Module"
        lines = [f"class {self.names[number]}({base}):", *self._docstring(made), ""]
        if made.assignments:
            lines += self._constructor(made)
        if not made.scopes.sequential:
            lines += [""] if made.assignments else []
            lines += self._forward(made)
        return lines

    def _docstring(self, made: SourceClass) -> list[str]:
        instances = made.scopes.instances
        path = ".".join(instances[0][0].path)
        text = f"{len(instances)} blocks, the first of them {path}."
        if not path:
            text = "The network."
        elif len(instances) == 1:
            text = f"Block {path}."
        if len(text) <= WIDTH - 10:
            return [f'{STEP}"""{text}"""']
        return [
            f'{STEP}"""{len(instances)} blocks, the first of them:',
            "",
            f"{STEP}{path}",
            f'{STEP}"""',
        ]

    def _constructor(self, made: SourceClass) -> list[str]:
        parameters = ["self", *map(_declared, _in_order(made.parameters))]
        lines = statement(STEP, Group("def __init__(", tuple(parameters), ") -> None:"))
        counted = self._counted(made)
        if counted is not None:
            return lines + statement(BODY, Group("super().__init__(", counted, ")"))
        lines.append(f"{BODY}super().__init__()")
        holders: set[tuple[str, ...]] = set()
        for assignment in made.assignments:
            for depth in range(1, len(assignment.path)):
                if assignment.path[:depth] not in holders:
                    holders.add(assignment.path[:depth])
                    lines += _hang(assignment.path[:depth], "nn.Module()")
            lines += (
                self._loop(assignment)
                if assignment.count
                else _hang(assignment.path, self._call(assignment))
            )
        return lines

    def _counted(self, made: SourceClass) -> tuple[Text, ...] | None:
        """Return the parts of a sequence, if they have the names that torch gives: 0, 1, 2."""
        items: list[Text] = []
        if not made.scopes.sequential:
            return None
        for place, assignment in enumerate(made.assignments):
            if not assignment.count and assignment.path == (str(place),):
                items.append(self._call(assignment))
                continue
            item = f"*({self._call(assignment)} for i in range({assignment.count}))"
            last = place == len(made.assignments) - 1
            named = assignment.base or assignment.variable or assignment.start != place
            if not assignment.count or named or not last or len(item) > WIDTH - 20:
                return None
            grows = re.search(r"\bi \*", item)
            items.append(item if grows else item.replace(" for i in ", " for _ in "))
        return tuple(items)

    def _call(self, assignment: Assignment) -> Text:
        if isinstance(assignment.target, str):
            target = assignment.target
            name = target if target.startswith("nn.") else target.rpartition(".")[2]
            texts = [prefixed(word and f"{word}=", text) for word, text in assignment.arguments]
            return Group(f"{name}(", tuple(texts), ")")
        given = dict(assignment.arguments)
        words: list[Text] = []
        for place, parameter in enumerate(_in_order(self.classes[assignment.target].parameters)):
            if parameter.name in given:
                by_place = place < PLACED and parameter.default is NONE and place == len(words)
                keyword = "" if by_place else f"{parameter.name}="
                words.append(prefixed(keyword, given[parameter.name]))
        return Group(f"{self.names[assignment.target]}(", tuple(words), ")")

    def _loop(self, assignment: Assignment) -> list[str]:
        """Return consecutive blocks as a loop."""
        lines: list[str] = []
        if assignment.variable:
            whole = assignment.iterated
            if isinstance(whole, Group):
                whole = assignment.variable.replace("each", "fixed")
                lines += statement(BODY, assignment.iterated, f"{whole} = ")
            lines.append(f"{BODY}for i, {assignment.variable} in enumerate({whole}):")
        else:
            lines.append(f"{BODY}for i in range({assignment.count}):")
        offset = f"i + {assignment.start}" if assignment.start else "i"
        call = self._call(assignment)
        name = f'f"{assignment.base}{{{offset}}}"'
        added = Group("self.add_module(", (name, call), ")")
        return lines + statement(BODY + STEP, added)

    def _forward(self, made: SourceClass) -> list[str]:
        scope = made.scopes.instances[0][0]
        outputs: dict[str, str] = {}
        inputs: dict[str, str] = {}
        if not scope.path:
            inputs = {node.name: node.name for node in self.graph.inputs}
            if len(self.graph.outputs) > 1:
                outputs = {
                    value: output.name
                    for value, output in zip(scope.outputs, self.graph.outputs, strict=True)
                }
        flow = ForwardWriter(scope, outputs, inputs)
        kept = [output for output in self.graph.outputs if not output.train_only]
        heads = not scope.path and len(self.graph.outputs) > 1
        result = "Tensor"
        if heads:
            result = "dict[str, Tensor]"
            if len(kept) == 1:
                result = "Tensor | dict[str, Tensor]"
        elif len(scope.outputs) > 1:
            result = f"tuple[{', '.join(['Tensor'] * len(scope.outputs))}]"
        words = ["self", *(f"{name}: Tensor" for name in flow.arguments)]
        lines = statement(STEP, Group("def forward(", tuple(words), f") -> {result}:"))
        lines += flow.body(BODY, returning=not heads)
        if heads:
            values = dict(zip((o.name for o in self.graph.outputs), scope.outputs, strict=True))
            if len(kept) < len(values):
                lines.append(f"{BODY}if self.training:")
                lines += statement(BODY + STEP, self._dictionary(flow, values), "return ")
            some = {output.name: values[output.name] for output in kept}
            only = flow.value(*some.values()) if len(kept) == 1 else self._dictionary(flow, some)
            lines += statement(BODY, only, "return ")
        return lines

    def _dictionary(self, flow: ForwardWriter, values: dict[str, str]) -> Group:
        items = tuple(f"{literal(name)}: {flow.value(value)}" for name, value in values.items())
        return Group("{", items, "}", True)


def _hang(path: tuple[str, ...], call: Text) -> list[str]:
    """Return the statement that assigns a module to a path."""
    holder, name = member(path[:-1]), attribute_name(path[-1])
    if is_plain(name):
        return statement(BODY, call, f"{holder}.{name} = ")
    return statement(BODY, Group(f"{holder}.add_module(", (literal(name), call), ")"))


def _in_order(parameters: Iterable[Parameter]) -> list[Parameter]:
    return sorted(parameters, key=lambda parameter: parameter.default is not NONE)


def _declared(parameter: Parameter) -> str:
    kind = " | ".join(dict.fromkeys(_annotation(value) for value in parameter.values))
    default = "" if parameter.default is NONE else f" = {literal(parameter.default)}"
    return f"{parameter.name}: {kind}{default}"


def _annotation(value: Any) -> str:
    if isinstance(value, tuple):
        return f"tuple[{' | '.join(dict.fromkeys(map(_annotation, value)))}, ...]"
    return "None" if value is None else type(value).__name__


def _imports(lines: set[str], body: str) -> list[str]:
    """Return the lines of imports that a text needs, sorted as isort does."""
    names = {"Tensor", "nn"} if re.search(r"\bTensor\b", body) else {"nn"}
    own: set[str] = {"import torch"} if re.search(r"\btorch\.", body) else set()
    standard: set[str] = set()
    for line in lines:
        if line.startswith("from torch import "):
            names.add(line.rpartition(" ")[2])
        elif "torch" in line:
            own.add(line)
        else:
            standard.add(line)
    own.add(f"from torch import {', '.join(sorted(names, key=_isort))}")

    def order(line: str) -> tuple[bool, str]:
        return line.startswith("from"), line

    blank = [""] if standard else []
    return [*sorted(standard, key=order), *blank, *sorted(own, key=order)]


def _isort(name: str) -> tuple[bool, str]:
    return not name[0].isupper(), name


def _camel(name: str) -> str:
    words = re.findall(r"[A-Za-z0-9]+", name)
    return "".join(word[0].upper() + word[1:] for word in words)


def _class_name(path: tuple[str, ...]) -> str:
    """Return a class name for a block: `stage0.conv_bn12` is a ConvBn."""
    for name in reversed(path):
        found = _camel(name.rstrip("0123456789_"))
        if found and found[0].isalpha() and found not in ("None", "True", "False"):
            return found if name == path[-1] else f"{found}Part"
    return "Block"
