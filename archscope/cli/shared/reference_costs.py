"""The costs of networks that budgets name, as `60% of mobilenet_v2` does."""

from __future__ import annotations

from collections.abc import Callable

from archscope.errors import ArchscopeError, OptionError
from archscope.ir import Graph, text_of
from archscope.sources import load
from archscope.space.budget import CostsByName
from archscope.space.costs import Costs, costs_of
from archscope.space.search_space import Space


def costs_in(find: Callable[[], Space], dtype: str = "float32") -> CostsByName:
    """Return what looks networks up for the budgets of a space, at the input of that space."""

    def default() -> Graph:
        space = find()
        return space.graph(space.defaults)

    return costs_at(default, dtype)


def costs_at(find: Callable[[], Graph], dtype: str = "float32") -> CostsByName:
    """Return what looks networks up for the budgets of a network, at the input of that network.

    A network that cannot take the input is refused: at another one, its costs are no measure of
    those of the first. With several inputs, it is taken as it is.
    """

    def costs(name: str) -> Costs:
        graph = find()
        shapes = [entry.out for entry in graph.inputs]
        shape = shapes[0] if len(shapes) == 1 else None
        load(name)  # what is wrong with it at its own input is said first
        try:
            return costs_of(load(name, input=shape), dtype)
        except ArchscopeError as error:
            at = text_of(shape) if shape else "its inputs"
            raise OptionError(
                f"'{name}' cannot take {at}, the input of '{graph.name}', so a share of it is no"
                f" budget there; write an amount ({error})"
            ) from None

    return costs
