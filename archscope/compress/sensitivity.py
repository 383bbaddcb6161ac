"""The sensitivity of a network to pruning: its accuracy with parts of each group removed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from archscope.compress.groups import Group, channel_groups
from archscope.compress.importance import Gradients, scores
from archscope.compress.pruning import Choice, state_of
from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.space.costs import costs_of

if TYPE_CHECKING:
    from torch import Tensor

SHARES = (0.25, 0.5, 0.75)
Accuracy = Callable[[Graph, Mapping[str, "Tensor"]], float]


class GroupSensitivity(Struct, frozen=True):
    """A group, and the loss and savings for each removed fraction of it."""

    group: Group
    lost: tuple[float, ...]  # of the accuracy, a share
    macs_saved: tuple[float, ...]  # a share of the network's


class Sensitivities(Struct, frozen=True):
    """The accuracy of a network, and its loss with parts of each group removed."""

    accuracy: float
    shares: tuple[float, ...]
    groups: tuple[GroupSensitivity, ...]


def group_sensitivities(
    graph: Graph,
    weights: Mapping[str, Tensor],
    accuracy: Accuracy,
    *,
    choice: Choice | None = None,
    shares: Sequence[float] = SHARES,
    source: str = "the weights",
    gradients: Gradients | None = None,
) -> Sensitivities:
    """Remove a share of each group alone, the least important units, and measure the accuracy.

    There is no training in between (Li et al. 2017). `choice` determines which units go first, and
    groups that its importance does not rank are left out; widths need not be multiples. Raises
    OptionError for weights that do not fit, and for networks without removable channels.
    """
    from archscope.compress import tensors  # loads torch

    choice = choice or Choice()
    groups = channel_groups(graph)
    free = [group for group in groups.groups if group.removable]
    if not free:
        raise OptionError(f"'{graph.name}' has nothing to prune; --groups shows why")
    state = state_of(graph, weights, choice, source) or tensors.fitted_weights(
        graph, weights, source
    )
    found = scores(groups, state, choice.importance, choice.norm, "global", choice.seed, gradients)
    free = [group for group in free if all(unit.root in found for unit in group.units)]
    whole, macs = accuracy(graph, state), costs_of(graph, choice.dtype)["macs"]
    result = []
    for group in free:
        ranked = sorted((unit.root for unit in group.units), key=found.__getitem__)
        lost, saved = [], []
        for share in shares:
            gone = ranked[: min(round(share * len(group.units)), len(group.units) - group.least)]
            narrow = groups.narrow(gone)
            lost.append(whole - accuracy(narrow, tensors.narrowed_weights(groups, state, gone)))
            saved.append(1 - costs_of(narrow, choice.dtype)["macs"] / macs)
        result.append(GroupSensitivity(group, tuple(lost), tuple(saved)))
    return Sensitivities(whole, tuple(shares), tuple(result))
