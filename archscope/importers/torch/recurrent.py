"""Recurrent layers of which a model reads more than the sequence, or that start from states.

torch stacks the last states of all layers and directions, (layers * directions, N, hidden), before
the batch. Here each of them is a part of the sequence of its layer, so that stacked layers become
one after another; states that are read together are stacked again.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct, structs

from archscope.importers.aten.names import name_of
from archscope.importers.torch.aten import RESHAPES
from archscope.ir import Op
from archscope.ops.dropout import Dropout
from archscope.ops.foreign import Foreign, Recognised, Tensor
from archscope.ops.layout import Permute, Select
from archscope.ops.merge import Concat
from archscope.ops.parameter import Parameter
from archscope.ops.recurrent import starts_from_zeros, weight_names
from archscope.ops.reshape import Reshape, Slice
from archscope.ops.scale import MulScalar
from archscope.ops.stack import Stack

Rows = tuple[Tensor, ...]
"""States of one layer and direction each, (N, hidden), or (N, rows, hidden)."""


class Results(Struct, frozen=True):
    """What a recurrent module returns: its sequence (channels first), its states, its cells."""

    sequence: Tensor | None
    states: Rows
    cells: Rows


class Adder(Struct, frozen=True):
    """Adds layers for one node of a program."""

    recognise: Callable[[Foreign], Recognised | None]
    append: Callable[[tuple[int, ...], Recognised], Tensor]
    known: Callable[[Tensor], Tensor]  # a value as a layer
    fits: Callable[[Recognised], bool]  # whether the weights of a layer exist

    def apply(self, x: Tensor, op: Op) -> Tensor:
        """Return the result of an operator on one value."""
        out = (x.shape[0], *op.shape(x.shape[1:]))
        return self.append(out, Recognised(op, (x,)))


class StackedStates:
    """Last states that stand by themselves until an operator reads them together."""

    def __init__(self) -> None:
        self.rows: dict[str, Rows] = {}  # by the name of what torch returns

    def find(self, value: object) -> Rows | None:
        """Return the states that a value stacks, None for another value."""
        return self.rows.get(value.name) if isinstance(value, Tensor) else None

    def stacked(self, name: str, rows: Rows) -> Tensor:
        """Record states as one value, (rows, N, hidden)."""
        self.rows[name] = rows
        return Tensor(name, (len(rows), *rows[0].shape))

    def part(self, name: str, foreign: Foreign) -> Tensor | None:
        """Return the states that a view takes from stacked ones, None for other operators."""
        rows = self.find(foreign.get("self", foreign.get("input")))
        if rows is None:
            return None
        kind = name_of(foreign.target)
        if kind in ("select", "unbind", "slice") and foreign.args["dim"] == 0:
            if kind != "slice":
                place: int = foreign.args["index" if kind == "select" else "result"]
                return rows[place]
            places = slice(foreign.get("start"), foreign.get("end"), foreign.get("step"))
            return self.stacked(name, rows[places])
        flat = foreign.target in RESHAPES or kind == "squeeze"
        return rows[0] if flat and len(rows) == 1 and foreign.out == rows[0].shape else None

    def together(self, value: Tensor, adder: Adder) -> Tensor:
        """Return stacked states as a layer."""
        rows = self.rows[value.name]
        images, *size = rows[0].shape
        op: Op = Stack() if len(rows) > 1 else Reshape(size=(1, *size))
        made = adder.append((images, len(rows), *size), Recognised(op, rows))
        return structs.replace(made, shape=value.shape)

    def results(self, foreign: Foreign, read: set[int], adder: Adder) -> Results | None:
        """Return what a recurrent module gives of its results that are read, None if unknown.

        `foreign` has the channels of its input in front.
        """
        args, directions = foreign.args, 1 + foreign.args["bidirectional"]
        first = self._first(foreign, directions, adder)
        if first is None:
            return None
        x, sequence = args["input"], None
        states: list[Tensor] = []
        cells: list[Tensor] = []
        each = len(args["params"]) // args["num_layers"]
        for place in range(args["num_layers"]):
            last = place == args["num_layers"] - 1
            needed = "sequence_and_cell" if 2 in read else "sequence"
            own = {
                **args, "input": x, "params": args["params"][place * each : (place + 1) * each],
                "num_layers": 1, "result": 0, "states": first[place],
                "needed": "state" if last and read == {1} else needed,
            }  # fmt: skip
            found = _layer(Foreign(foreign.target, own, ()), adder)
            if found is None:
                return None
            states += found.states
            cells += found.cells
            sequence = found.sequence
            if sequence is not None and not last:
                x = (
                    adder.apply(sequence, Dropout(p=args["dropout"]))
                    if args["dropout"]
                    else sequence
                )
        return Results(sequence, tuple(states), tuple(cells))

    def _first(self, foreign: Foreign, directions: int, adder: Adder) -> list[Rows] | None:
        """Return the first state, and cell, of each layer; none for zeros, None if unknown."""
        layers = foreign.args["num_layers"]
        if starts_from_zeros(foreign):
            return [()] * layers
        if len(foreign.args["input"].shape) > 3:
            return None
        given = foreign.args["hx"] if isinstance(foreign.args["hx"], tuple) else None
        parts = [
            None if value.constant and value.value == 0
            else self._rows(value, layers * directions, foreign.args["input"], adder)
            for value in given or (foreign.args["hx"],)
        ]  # fmt: skip
        known = next((rows for rows in parts if rows), None)
        if known is None or any(rows == () for rows in parts):
            return None
        zeros = MulScalar(factor=0.0)
        rows = [part or tuple(adder.apply(row, zeros) for row in known) for part in parts]
        found = []
        for place in range(0, layers * directions, directions):
            both = [part[place : place + directions] for part in rows]
            found.append(tuple(_joined(part, adder) for part in both))
        return found

    def _rows(self, value: Tensor, count: int, x: Tensor, adder: Adder) -> Rows:
        """Return the states that a first state stacks, () if unknown."""
        rows, images = self.find(value), x.shape[0]
        if rows is not None:
            return rows if len(rows) == count else ()
        if value.constant:
            hidden = value.shape[-1]
            held = structs.replace(value, shape=(count, 1, hidden))
            op = Parameter(size=(count, hidden), fixed=not value.learned)
            layer = Recognised(op, (x,), {"weight": held})
            if not adder.fits(layer):
                return ()
            whole = adder.append((images, count, hidden), layer)
        else:
            whole = adder.known(value)
        if whole.shape[:2] != (images, count):
            return ()
        if count == 1:
            return (adder.apply(whole, Reshape(size=whole.shape[2:])),)
        return tuple(adder.apply(whole, Select(index=i, axis=0)) for i in range(count))


def _joined(rows: Rows, adder: Adder) -> Tensor:
    """Return the states of both directions, concatenated."""
    if len(rows) == 1:
        return rows[0]
    images, hidden = rows[0].shape
    return adder.append((images, len(rows) * hidden), Recognised(Concat(), rows))


def _layer(foreign: Foreign, adder: Adder) -> Results | None:
    """Return the results of a single layer, without those that it does not need."""
    args, x = foreign.args, foreign.args["input"]
    directions = 1 + args["bidirectional"]
    weights = dict(zip(weight_names(foreign), args["params"], strict=True))
    width = weights["weight_hh_l0"].shape[1]  # of a state, which may be projected
    images, _, *between, steps = x.shape
    axis = len(between) + 1
    needed: str = args["needed"]
    length = {"state": (), "sequence": (steps,), "sequence_and_cell": (steps + 1,)}[needed]
    out = (images, directions * width, *between, *length)
    found = adder.recognise(Foreign(foreign.target, args, out))
    if found is None:
        return None
    made = adder.append(out, found)

    def of_directions(at: list[Tensor]) -> Rows:
        parts = at
        if directions == 2:
            halves = (Slice(start=0, stop=width), Slice(start=width, stop=2 * width))
            parts = [adder.apply(x, half) for x, half in zip(at, halves, strict=True)]
        order = Permute(order=(*range(1, axis), 0))
        return tuple(adder.apply(part, order) for part in parts) if between else tuple(parts)

    if needed == "state":
        return Results(None, of_directions([made] * directions), ())
    sequence = made
    cells: Rows = ()
    if needed == "sequence_and_cell":
        sequence = adder.apply(made, Slice(start=0, stop=steps, axis=1))
        cell = adder.apply(made, Select(index=steps, axis=1))
        cells = of_directions([cell] * directions)
    places = (steps - 1, 0)[:directions]  # of the last step in each direction
    ends = [adder.apply(sequence, Select(index=place, axis=axis)) for place in places]
    return Results(sequence, of_directions(ends), cells)
