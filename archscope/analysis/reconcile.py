"""Why tools print different numbers for one network: the reasons, from macs to each count."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct, structs

from archscope.analysis.analyzer import input_shapes
from archscope.analysis.conventions.convention import Convention, Layer, layers
from archscope.analysis.count import COUNTS, convention
from archscope.ir import Graph


class Reason(Struct, frozen=True):
    """What one kind of operator adds to a tool's count, or takes from it, for one reason."""

    op: str
    layers: int
    reason: str
    amount: int


class Run(Struct, frozen=True):
    """The number that the tool itself printed, where it was run."""

    version: str | None  # that is installed, None if none is
    counted: int | None
    equal: bool | None  # None where there is nothing to compare
    note: str = ""
    own: bool = False  # of the user's own module, not of the one that `build` makes


class ToolCount(Struct, frozen=True):
    """The count of one tool, and the reasons for its difference from macs."""

    name: str
    version: str
    about: str
    counted: int | None  # None where it is not known of every layer
    difference: int | None  # from macs, and the sum of the reasons
    reasons: tuple[Reason, ...]
    unknown: tuple[str, ...]  # layers of which the tool's count is not known
    written: tuple[str, ...]  # what the number depends on beside the network
    run: Run | None = None


class Reconciliation(Struct, frozen=True):
    """All numbers for one network at inference, for one image."""

    format: int
    name: str
    input: Any  # the shape, or shapes by name
    macs: int
    unknown: tuple[str, ...]  # layers that may have more macs than are known
    tools: tuple[ToolCount, ...]

    @property
    def agrees(self) -> bool:
        """Whether every tool that was run printed the number of its table."""
        return not any(tool.run and tool.run.equal is False for tool in self.tools)


def reconcile(graph: Graph, names: Iterable[str] = COUNTS) -> Reconciliation:
    """Return what each convention counts of a graph, with the reasons for every difference.

    `names` are of `COUNTS`; macs, from which all differ, is left out. Raises KeyError for others.
    """
    graph = graph.inference()
    met = layers(graph)
    macs = sum(layer.macs for layer in met)
    return Reconciliation(
        1,
        graph.name,
        input_shapes(graph),
        macs,
        tuple(layer.node.name for layer in met if "macs" in layer.unknown),
        tuple(_reckon(convention(name), met, macs) for name in names if name != "macs"),
    )


def _reckon(rule: Convention, met: list[Layer], macs: int) -> ToolCount:
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    unknown = []
    for layer in met:
        differences = rule.differences(layer)
        if differences is None:
            kind = layer.node.op.label if layer.unknown else layer.module
            unknown.append(f"{layer.node.name} ({kind})")
        for reason, amount in differences or ():
            many, summed = sums.get((layer.node.op.name, reason), (0, 0))
            sums[layer.node.op.name, reason] = many + 1, summed + amount
    reasons = [Reason(op, many, reason, amount) for (op, reason), (many, amount) in sums.items()]
    reasons.sort(key=lambda reason: -abs(reason.amount))
    difference = None if unknown else sum(reason.amount for reason in reasons)
    return ToolCount(
        rule.name,
        rule.version,
        rule.about,
        None if difference is None else macs + difference,
        difference,
        tuple(reasons),
        tuple(unknown),
        rule.written,
    )


OTHERWISE = "the module is written otherwise than build writes it"


def with_own_runs(result: Reconciliation, runs: dict[str, Run]) -> Reconciliation:
    """Return a reconciliation of a user's module with what the tools say of that.

    What a tool prints of the module itself takes the place of the number of its table, and what
    the table does not explain of it becomes a reason.
    """
    tools = []
    for tool in result.tools:
        run = runs.get(tool.name)
        if run is not None and run.own and run.counted is not None:
            tool = _of_module(tool, run.counted, result.macs)
        tools.append(structs.replace(tool, run=run))
    return structs.replace(result, tools=tuple(tools))


def _of_module(tool: ToolCount, counted: int, macs: int) -> ToolCount:
    known = tool.counted is not None
    reasons = tool.reasons if known else ()
    rest = counted - macs - sum(reason.amount for reason in reasons)
    if rest:
        why = OTHERWISE if known else "not explained, as some of its layers are unknown"
        reasons = (*reasons, Reason("", 0, why, rest))
    return structs.replace(
        tool, counted=counted, difference=counted - macs, reasons=reasons, unknown=()
    )


def with_runs(result: Reconciliation, runs: dict[str, Run]) -> Reconciliation:
    """Return a reconciliation with what the tools themselves said, by name."""
    return structs.replace(
        result,
        tools=tuple(structs.replace(tool, run=runs.get(tool.name)) for tool in result.tools),
    )
