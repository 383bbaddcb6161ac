"""Costs as polynomials in the batch size and the sides of the input: `macs = a*H*W*N + b*N`.

Strides round sizes, so costs are polynomials only for sides that differ by multiples of the total
stride, such as 32. For these, each size is linear in the side of the input, and each cost is a
polynomial of degree at most 2 in each side: attention multiplies positions by positions.
Polynomials are interpolated through exact analyses, and kept if they agree with further exact
analyses, at much larger, unequal and smaller sides, and at the sides of the given network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import product
from math import comb, lcm

from msgspec import structs

from archscope.analysis.cost import costs, total
from archscope.analysis.memory import alive_of
from archscope.analysis.polynomials import Formula, Point, Side, Symbolic, Term
from archscope.axes import Resample, Window
from archscope.errors import ArchscopeError
from archscope.ir import Graph, Shape

SIDES = {0: (), 1: ("L",), 2: ("H", "W"), 3: ("D", "H", "W")}
DEGREE = 2
BEYOND = ((3, 3, 3), (7, 4, 5), (4, 9, 6))
"""Steps along each axis to the larger sides at which polynomials are checked."""

Powers = tuple[int, ...]
"""The exponent of each side."""
Polynomial = dict[Powers, Fraction]
Make = Callable[[dict[str, Shape]], Graph]
"""Builds the network for other input shapes."""


def symbolic(graph: Graph, make: Make) -> Symbolic:
    """Return the costs of a network as polynomials; `make` builds it for other input shapes."""
    shapes = {node.name: node.out for node in graph.inputs}
    start, *others = {shape[1:] for shape in shapes.values()}
    if others or not start or len(start) not in SIDES:
        sampler = _Sampler(graph, shapes, (), make)
        return _fixed(sampler, (), "inputs have no sides, or different ones")
    sampler = _Sampler(graph, shapes, start, make)
    reason = ""
    for steps in dict.fromkeys(_steps(graph, len(start))):
        try:
            found = _polynomials(sampler, steps)
        except ArchscopeError as error:
            reason = f"it takes no other sides: {error}"
            continue
        if "macs" in found:
            return _result(sampler, steps, found)
        reason = "not a polynomial"
    return _fixed(sampler, start, reason)


class _Sampler:
    """Analyzes a network at different sides, caching the results."""

    def __init__(self, graph: Graph, shapes: Mapping[str, Shape], start: Point, make: Make) -> None:
        self.shapes, self.start, self.make = shapes, start, make
        self.known: dict[Point, dict[str, int]] = {start: _measured(graph)}
        self.alive: dict[Point, list[int]] = {start: alive_of(graph)}
        self.lacking = {fact for node in graph.nodes for fact in node.op.unknown}

    def __call__(self, sides: Point) -> dict[str, int]:
        """Return the costs of one image with these sides. Raises ArchscopeError."""
        if sides not in self.known:
            shapes = {name: (shape[0], *sides) for name, shape in self.shapes.items()}
            graph = self.make(shapes)
            self.known[sides] = _measured(graph)
            self.alive[sides] = alive_of(graph)
        return self.known[sides]

    def away(self, steps: Point, counts: Sequence[int]) -> Point:
        """Return the sides that are `counts` steps away from those of the network."""
        moves = zip(self.start, steps, counts, strict=False)
        return tuple(side + step * count for side, step, count in moves)


PEAK = "peak_activations"
FIXED = "weights read"
"""The part of memory access that does not depend on the number of images."""


def _measured(graph: Graph) -> dict[str, int]:
    """Return the costs of one image, with the memory access of weights as a separate item."""
    once, twice = total(costs(graph)), total(costs(graph, 2))
    each = twice.memory_access - once.memory_access
    return {
        "params": once.params,
        "macs": once.macs,
        "elementwise": once.elementwise,
        "activations": once.activations,
        "memory_access": each,
        FIXED: once.memory_access - each,
    }


def _steps(graph: Graph, rank: int) -> list[Point]:
    """Return candidate steps of the sides for which no size is rounded, the likeliest first.

    The second also allows for resizes and attention windows, the third for windows of half a map.
    """
    strides: dict[str, Point] = {}
    blocks: Point = (1,) * rank
    for node in graph.nodes:
        before = [strides[name] for name in node.inputs if len(strides[name]) == rank]
        own = tuple(map(lcm, *before)) if len(before) > 1 else (before or [(1,) * rank])[0]
        windows = node.facts.window or ()
        if len(windows) == len(own) == rank:
            slid = (w.stride if isinstance(w, Window) else 1 for w in windows)
            taken = (w.step if isinstance(w, Resample) else 1 for w in windows)
            blocks = tuple(lcm(b, o * t) for b, o, t in zip(blocks, own, taken, strict=True))
            own = tuple(o * s for o, s in zip(own, slid, strict=True))
        strides[node.name] = own if len(node.out) == rank + 1 else ()
    whole = tuple(map(lcm, *(s for s in strides.values() if s), (1,) * rank))
    return [whole, tuple(map(lcm, whole, blocks)), tuple(2 * step for step in whole)]


def _polynomials(sampler: _Sampler, steps: Point) -> dict[str, Polynomial]:
    """Return the costs that are polynomials, by name. Raises ArchscopeError for invalid sides."""
    axes = [range(DEGREE + 1)] * len(steps)
    grid = {counts: sampler(sampler.away(steps, counts)) for counts in product(*axes)}
    beyond = [sampler.away(steps, counts) for counts in BEYOND]
    found = {}
    for name in next(iter(grid.values())):
        polynomial = _interpolated([costs[name] for costs in grid.values()], sampler.start, steps)
        if all(_value(polynomial, point) == sampler(point)[name] for point in beyond):
            found[name] = polynomial
    return found


def _peak(sampler: _Sampler, steps: Point, least: Point) -> Polynomial | None:
    """Return the peak of feature maps, if the same node has it for all sides from `least` on.

    This holds if its difference from every other node has no negative coefficient, as a polynomial
    in the sides beyond `least`.
    """
    axes = [range(DEGREE + 1)] * len(steps)
    points = [sampler.away(steps, counts) for counts in product(*axes)]
    beyond = [sampler.away(steps, counts) for counts in BEYOND]
    tables = [sampler.alive[point] for point in (*points, *beyond)]
    if len(set(map(len, tables))) > 1:
        return None
    needs = set(zip(*tables, strict=True))  # by node, at each point; many are equal
    most = max(needs, key=lambda values: (values[len(points) - 1], values))
    polynomial = _interpolated(most[: len(points)], sampler.start, steps)
    for values in needs:
        own = _interpolated(values[: len(points)], sampler.start, steps)
        exact = zip(beyond, values[len(points) :], strict=True)
        less = {
            powers: polynomial.get(powers, Fraction(0)) - own.get(powers, Fraction(0))
            for powers in {*polynomial, *own}
        }
        if any(_value(own, point) != value for point, value in exact):
            return None
        if any(value < 0 for value in _moved(less, least).values()):
            return None
    return polynomial


def _moved(polynomial: Polynomial, start: Point) -> Polynomial:
    """Return the polynomial in terms of the distance of the sides from `start`."""
    moved: Polynomial = {}
    for powers, coefficient in polynomial.items():
        for lower in product(*(range(power + 1) for power in powers)):
            value = coefficient
            for power, kept, first in zip(powers, lower, start, strict=True):
                value *= comb(power, kept) * first ** (power - kept)
            moved[lower] = moved.get(lower, Fraction(0)) + value
    return moved


def _interpolated(grid: Sequence[int], start: Point, steps: Point) -> Polynomial:
    """Return the polynomial through values on a grid, by Lagrange's formula along each axis."""
    axes = [range(DEGREE + 1)] * len(steps)
    values = {at: Fraction(value) for at, value in zip(product(*axes), grid, strict=True)}
    for axis, (first, step) in enumerate(zip(start, steps, strict=True)):
        places = [Fraction(first + step * count) for count in range(DEGREE + 1)]
        basis = [_lagrange(places, count) for count in range(DEGREE + 1)]
        turned: dict[Point, Fraction] = {}
        for counts, value in values.items():
            for power, coefficient in enumerate(basis[counts[axis]]):
                key = (*counts[:axis], power, *counts[axis + 1 :])
                turned[key] = turned.get(key, Fraction(0)) + value * coefficient
        values = turned
    return {powers: value for powers, value in values.items() if value}


def _lagrange(places: Sequence[Fraction], chosen: int) -> list[Fraction]:
    """Return the coefficients of the polynomial that is 1 at one place and 0 at the others."""
    result = [Fraction(1)]
    for index, place in enumerate(places):
        if index != chosen:
            scale = 1 / (places[chosen] - place)
            shifted = [Fraction(0), *result]
            lower = [*(-place * value for value in result), Fraction(0)]
            result = [(a + b) * scale for a, b in zip(shifted, lower, strict=True)]
    return result


def _value(polynomial: Polynomial, sides: Point) -> Fraction:
    total = Fraction(0)
    for powers, coefficient in polynomial.items():
        for side, power in zip(sides, powers, strict=True):
            coefficient *= side**power
        total += coefficient
    return total


def _result(sampler: _Sampler, steps: Point, found: dict[str, Polynomial]) -> Symbolic:
    down = _steps_down(sampler, steps, found)
    sides = tuple(
        Side(name, step, start % step, start - step * down)
        for name, start, step in zip(SIDES[len(steps)], sampler.start, steps, strict=True)
    )
    made = _worded(sampler, sides, found, "not a polynomial")
    peak = _peak(sampler, steps, tuple(side.least for side in sides))
    if peak is None:
        reason = "not of one layer for all sides"
        return structs.replace(made, unknown={**made.unknown, PEAK: reason})
    terms = [((*powers, 1), value) for powers, value in peak.items()]
    names = [side.name for side in sides]
    formulas = {**made.formulas, PEAK: _formula(terms, [*names, "N"])}
    return structs.replace(made, formulas=formulas)


def _steps_down(sampler: _Sampler, steps: Point, found: dict[str, Polynomial]) -> int:
    """Return by how many steps all sides may be smaller, separately and together."""
    down = 0
    most = min((side - 1) // step for side, step in zip(sampler.start, steps, strict=True))
    rank = len(steps)
    while down < most:
        less = -(down + 1)
        corners = [counts for counts in product((less, DEGREE), repeat=rank) if less in counts]
        try:
            exact = all(_agrees(found, sampler, sampler.away(steps, each)) for each in corners)
        except ArchscopeError:
            return down
        if not exact:
            return down
        down += 1
    return down


def _agrees(found: dict[str, Polynomial], sampler: _Sampler, sides: Point) -> bool:
    """Return whether all polynomials give the exact costs at these sides."""
    exact = sampler(sides)
    costs = ((polynomial, exact[name]) for name, polynomial in found.items() if name in exact)
    return all(_value(polynomial, sides) == value for polynomial, value in costs)


def _fixed(sampler: _Sampler, start: Point, reason: str) -> Symbolic:
    """Return the costs at the network's own sides only, as polynomials in N."""
    none = (0,) * len(start)
    found = {
        name: {none: Fraction(value)} if value else {}
        for name, value in sampler.known[sampler.start].items()
    }
    sides = (Side(name, 0, side, side) for name, side in zip(SIDES[len(start)], start, strict=True))
    found[PEAK] = {none: Fraction(max(sampler.alive[sampler.start]))}
    made = _worded(sampler, tuple(sides), found, "")
    return structs.replace(made, unknown={"sides": reason, **made.unknown}, tried=(sampler.start,))


def _worded(
    sampler: _Sampler, sides: tuple[Side, ...], found: dict[str, Polynomial], reason: str
) -> Symbolic:
    names = [side.name for side in sides]
    formulas, unknown = {}, {}
    for name in (*sampler.known[sampler.start], *({PEAK} & found.keys())):
        if name == FIXED:
            continue
        if name in sampler.lacking:
            unknown[name] = "operators that are not recognised"
            continue
        parts = (name, FIXED) if name == "memory_access" else (name,)
        if not all(part in found for part in parts):
            unknown[name] = reason
            continue
        batch = 0 if name == "params" else 1
        terms = [((*powers, batch), value) for powers, value in found[name].items()]
        if name == "memory_access":
            terms += [((*powers, 0), value) for powers, value in found[FIXED].items()]
        formulas[name] = _formula(terms, [*names, "N"])
    tried = (point for point in sampler.known if _agrees(found, sampler, point))
    return Symbolic(sides, formulas, unknown, tuple(tried))


def _formula(terms: list[tuple[Powers, Fraction]], names: list[str]) -> Formula:
    terms = sorted(terms, key=lambda term: (-sum(term[0]), [-power for power in term[0]]))
    made = tuple(
        Term(str(value), {n: p for n, p in zip(names, powers, strict=True) if p})
        for powers, value in terms
    )
    text = ""
    for term, (_, value) in zip(made, terms, strict=True):
        factors = [str(abs(value))] if abs(value) != 1 or not term.powers else []
        factors += [n if p == 1 else f"{n}^{p}" for n, p in term.powers.items()]
        sign = "-" if value < 0 else "+"
        text += f" {sign} " if text else ("-" if value < 0 else "")
        text += "*".join(factors)
    return Formula(text or "0", made)
