"""Recurrent layers and cells: a hidden unit goes with its gates and with all that reads it.

Without its outgoing weights, a unit does not influence the others at any later position. All layers
and directions of an operator lose the same units, as they have one width.
"""

from __future__ import annotations

from msgspec import structs

from archscope.compress.channels import Axes, Channels, Flow, Tracker
from archscope.compress.operators.dispatch import Counter, Ins, flow, narrowed
from archscope.ir import Node, Op
from archscope.ops.recurrent import LSTM, Recurrent
from archscope.ops.recurrent_cell import LSTMCell, RecurrentCell


@flow.register
def _(op: Recurrent, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    state = tracker.new(op.width)
    hidden = _hidden(op, node, state, tracker)
    for first, units in zip(ins[1:], (state, hidden), strict=False):
        tracker.unite(units * op.directions, first)
    out, rows = state * op.directions, hidden * op.gates
    weights: dict[str, Axes] = {}
    filters: dict[str, int] = {}
    for place in range(op.layers):
        for end in ("", "_reverse")[: op.directions]:
            last = f"l{place}{end}"
            weights[f"weight_ih_{last}"] = (rows, out if place else ins[0])
            weights[f"weight_hh_{last}"] = (rows, state)
            if op.bias:
                weights |= {f"bias_{part}_{last}": (rows,) for part in ("ih", "hh")}
            filters |= {f"weight_{part}_{last}": 0 for part in ("ih", "hh")}
            if hidden is not state:
                weights[f"weight_hr_{last}"] = (state, hidden)
                filters = {**filters, f"weight_hr_{last}": 0}
    return Flow(ins, out, weights, filters, counts={"state": state, "hidden": hidden})


def _hidden(op: Recurrent, node: Node, state: Channels, tracker: Tracker) -> Channels:
    """Return the units behind the state: others only if they are projected to it."""
    if op.width == op.hidden:
        return state
    return tracker.whole(op.hidden, f"'{node.name}' ({op.name}) projects all its cells")


@narrowed.register
def _(op: Recurrent, flow: Flow, kept: Counter) -> Op:
    state = kept(flow.counts["state"])
    if isinstance(op, LSTM) and op.projection:
        return structs.replace(op, projection=state)
    return structs.replace(op, hidden=state)


@flow.register
def _(op: RecurrentCell, node: Node, ins: Ins, tracker: Tracker) -> Flow:
    hidden = tracker.new(op.hidden)
    for state in ins[1:]:
        tracker.unite(hidden, state)
    rows = hidden * op.gates
    weights: dict[str, Axes] = {"weight_ih": (rows, ins[0]), "weight_hh": (rows, hidden)}
    if op.bias:
        weights |= {"bias_ih": (rows,), "bias_hh": (rows,)}
    out = hidden * 2 if isinstance(op, LSTMCell) else hidden
    filters = {"weight_ih": 0, "weight_hh": 0}
    return Flow(ins, out, weights, filters, counts={"hidden": hidden})


@narrowed.register
def _(op: RecurrentCell, flow: Flow, kept: Counter) -> Op:
    return structs.replace(op, hidden=kept(flow.counts["hidden"]))
