"""Explain why tools print different numbers for a network, as differences from macs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct, structs

from archscope.analysis.analyzer import input_shapes
from archscope.analysis.conventions.convention import Convention, Layer, layers
from archscope.analysis.count import COUNTS, convention
from archscope.ir import Graph


class Reason(Struct, frozen=True):
    """What one kind of operator adds to or subtracts from a tool's count, for one reason."""

    op: str
    layers: int
    reason: str
    amount: int


class Run(Struct, frozen=True):
    """The number that the tool itself printed, if it was run."""

    version: str | None  # the installed version, if any
    counted: int | None
    equal: bool | None  # None if there is nothing to compare
    note: str = ""
    own: bool = False  # run on the user's own module, not on the one that `build` makes


class ToolCount(Struct, frozen=True):
    """The count of a tool, and the reasons for its difference from macs."""

    name: str
    version: str
    about: str
    counted: int | None  # None if the count of a layer is unknown
    difference: int | None  # from macs; the sum of the reasons
    reasons: tuple[Reason, ...]
    unknown: tuple[str, ...]  # layers whose count is unknown
    written: tuple[str, ...]  # what the number depends on besides the network
    run: Run | None = None


class Reconciliation(Struct, frozen=True):
    """All numbers for one network at inference, for one image."""

    format: int
    name: str
    input: Any  # the shape, or shapes by name
    macs: int
    unknown: tuple[str, ...]  # layers with possibly more macs than known
    tools: tuple[ToolCount, ...]

    @property
    def agrees(self) -> bool:
        """Whether every tool that was run printed the reproduced number."""
        return not any(tool.run and tool.run.equal is False for tool in self.tools)


def reconcile(graph: Graph, names: Iterable[str] = COUNTS) -> Reconciliation:
    """Return the count of each convention for a graph, with the reasons for its differences.

    `names` are keys of `COUNTS`; macs, the reference, is left out. Raises KeyError for other names.
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
    """Replace the reproduced counts of a user's module by what the tools print for it.

    The part that the tables do not explain becomes a reason of its own.
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
    """Return a reconciliation with the numbers that the tools printed, by name."""
    return structs.replace(
        result,
        tools=tuple(structs.replace(tool, run=runs.get(tool.name)) for tool in result.tools),
    )
