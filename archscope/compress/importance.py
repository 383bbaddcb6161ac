"""The importance of each unit of channels; the least important are removed first.

`magnitude` is the norm of filters, Li et al. 2017; `bn-scale` the scales of batch norms, Liu et
al. 2017 (network slimming); `taylor` the change of the loss, to first order, Molchanov et al. 2019;
`random` is the control that any other must beat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import TYPE_CHECKING, Literal, get_args

from archscope.compress.groups import ChannelGroups
from archscope.errors import OptionError
from archscope.ir import Graph

if TYPE_CHECKING:
    from torch import Tensor

Importance = Literal["magnitude", "bn-scale", "taylor", "random"]
IMPORTANCES: tuple[str, ...] = get_args(Importance)
Norm = Literal["l1", "l2"]
NORMS: tuple[str, ...] = get_args(Norm)

Scope = Literal["global", "layer"]
SCOPES: tuple[str, ...] = get_args(Scope)

Gradients = Callable[[Graph, Mapping[str, "Tensor"]], Iterable[Mapping[str, "Tensor"]]]
"""Returns the gradients of the loss for a network and its weights, batch by batch."""

Scores = dict[int, float]
"""The importance of units by their roots; units without one are not removed."""


def scores(
    groups: ChannelGroups,
    weights: Mapping[str, Tensor],
    importance: Importance,
    norm: Norm,
    scope: Scope,
    seed: int,
    gradients: Gradients | None = None,
) -> Scores:
    """Return the scores of all units that can be removed, comparable within the scope.

    `layer` scores a unit by its rank in its own group, so that all groups lose equal shares.
    `gradients` are for `taylor`. Raises OptionError if the importance does not apply to the
    network.
    """
    units = [unit for group in groups.groups if group.removable for unit in group.units]
    if importance == "random":
        random = Random(seed)  # noqa: S311  (no secret)
        found = {unit.root: random.random() for unit in units}
    else:
        from archscope.compress import tensors  # loads torch

        if importance == "bn-scale":
            found = tensors.scales(groups, weights)
        elif importance == "taylor":
            if gradients is None:
                raise OptionError("the importance taylor needs images for gradients")
            found = tensors.taylor(groups, weights, gradients(groups.graph, weights))
        else:
            found = tensors.magnitudes(groups, weights, squared=norm == "l2")
        found = {unit.root: found[unit.root] for unit in units if unit.root in found}
    if not found:
        raise OptionError(
            f"'{groups.graph.name}' has no batch norm with a scale whose channels can be removed;"
            " use another importance, such as magnitude"
        )
    return found if scope == "global" else _places(groups, found)


def _places(groups: ChannelGroups, found: Scores) -> Scores:
    """Return the rank of each unit in its group, as a fraction."""
    places: Scores = {}
    for group in groups.groups:
        ranked = sorted(
            (unit.root for unit in group.units if unit.root in found), key=found.__getitem__
        )
        places |= {root: (place + 1) / len(ranked) for place, root in enumerate(ranked)}
    return places
