"""The costs of networks that budgets refer to, as in `60% of mobilenet_v2`."""

from __future__ import annotations

from collections.abc import Callable

from archscope.errors import ArchscopeError, OptionError
from archscope.ir import Graph, text_of
from archscope.sources import load
from archscope.space.budget import CostsByName
from archscope.space.costs import Costs, costs_of
from archscope.space.sampling import example
from archscope.space.search_space import Space


def costs_in(find: Callable[[], Space], dtype: str = "float32") -> CostsByName:
    """Return a function from a network's name to its costs at the input of a space."""
    return costs_at(lambda: example(find()), dtype)


def costs_at(find: Callable[[], Graph], dtype: str = "float32") -> CostsByName:
    """Return a function from a network's name to its costs at the input of another network.

    A network that cannot take that input is an error: its costs at another input would not be
    comparable. If that network has several inputs, each is taken at its own.
    """

    def costs(name: str) -> Costs:
        graph = find()
        shapes = [entry.out for entry in graph.inputs]
        shape = shapes[0] if len(shapes) == 1 else None
        load(name)  # report errors at its own input first
        try:
            return costs_of(load(name, input=shape), dtype)
        except ArchscopeError as error:
            at = text_of(shape) if shape else "its inputs"
            raise OptionError(
                f"'{name}' cannot take {at}, the input of '{graph.name}', so a share of its cost"
                f" is no budget; give an amount instead ({error})"
            ) from None

    return costs
