"""Prune channels: create a smaller graph, and its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from archscope.analysis.cost import DTYPES
from archscope.compress.groups import ChannelGroups, channel_groups
from archscope.compress.importance import (
    IMPORTANCES,
    NORMS,
    SCOPES,
    Gradients,
    Importance,
    Norm,
    Scope,
    scores,
)
from archscope.compress.selection import Selector
from archscope.compress.targets import limited_costs, targets
from archscope.errors import OptionError, check_known
from archscope.folding.fold import readable, unfolded
from archscope.ir import Graph
from archscope.module_names import module_path
from archscope.space.budget import Budget
from archscope.space.costs import Costs, costs_of

if TYPE_CHECKING:
    from torch import Tensor


class Pruned(Struct, frozen=True):
    """A pruned network, whose nodes keep their names."""

    graph: Graph
    weights: dict[str, Tensor] | None  # its state dict; None if none was given
    groups: ChannelGroups  # of the whole network
    removed: frozenset[int]  # the removed units, by their roots
    limits: tuple[Budget, ...]
    before: Costs
    after: Costs

    def spec(self) -> tuple[str, dict[str, Tensor] | None]:
        """Return a spec, short if the widths are regular, and the weights of its network."""
        folded = readable(self.graph)
        if costs_of(folded.graph) != costs_of(self.graph):  # another order has another peak
            folded = unfolded(self.graph)
        if self.weights is None:
            return folded.text, None
        paths = {module_path(old): module_path(new) for old, new in folded.names.items()}
        return folded.text, {
            f"{paths[path]}.{name}": tensor
            for (path, _, name), tensor in (
                (key.rpartition("."), tensor) for key, tensor in self.weights.items()
            )
        }


class Choice(Struct, frozen=True, kw_only=True):
    """How units are chosen for removal; see `prune`. Raises OptionError for unknown words."""

    importance: Importance = "magnitude"
    norm: Norm = "l1"
    scope: Scope = "global"
    lanes: int = 8
    min_width: int = 1
    seed: int = 0
    dtype: str = "float32"

    def __post_init__(self) -> None:
        check_known("importance", self.importance, IMPORTANCES)
        check_known("norm", self.norm, NORMS)
        check_known("scope", self.scope, SCOPES)
        check_known("dtype", self.dtype, DTYPES)
        for word, value in (("lanes", self.lanes), ("min_width", self.min_width)):
            if value < 1:
                raise OptionError(f"'{word}' must be at least 1, got {value}")


def prune(
    graph: Graph,
    weights: Mapping[str, Tensor] | None = None,
    *,
    budget: str | Sequence[str],
    importance: Importance = "magnitude",
    norm: Norm = "l1",
    scope: Scope = "global",
    lanes: int = 8,
    min_width: int = 1,
    seed: int = 0,
    dtype: str = "float32",
    source: str = "the weights",
    costs_by_name: Callable[[str], Costs] | None = None,
    gradients: Gradients | None = None,
) -> Pruned:
    """Remove whole channels until a network is within its budgets, the least important first.

    `budget` is one or several of `50%` (of its macs), `60% params`, `30MMACs`, `peak 64KiB`, and
    `8ms@pi5` for a latency that the profile `pi5` predicts;
    `costs_by_name` resolves `60% of mobilenet_v2`. Without weights those of a seeded
    initialisation are compared, which tells the cost, not the accuracy. Widths that change become
    multiples of `lanes` and at least `min_width`. `scope` compares units in the whole network, or
    removes equal shares of each group (`layer`). `gradients` are for the importance `taylor`.
    Errors refer to the weights as `source`.

    Raises OptionError for weights of another network, a budget that cannot be kept, and a network
    without removable channels.
    """
    choice = Choice(
        importance=importance, norm=norm, scope=scope, lanes=lanes, min_width=min_width, seed=seed,
        dtype=dtype,
    )  # fmt: skip
    if not isinstance(budget, str | Sequence):
        raise OptionError(f"'budget' must be a text such as '50%', or several, got {budget!r}")
    limits = targets([budget] if isinstance(budget, str) else budget, graph, costs_by_name, dtype)
    return prune_to(graph, weights, limits, choice, source, gradients)


def prune_to(
    graph: Graph,
    weights: Mapping[str, Tensor] | None,
    limits: tuple[Budget, ...],
    choice: Choice,
    source: str = "the weights",
    gradients: Gradients | None = None,
) -> Pruned:
    """Remove channels until a network is within the given budgets; see `prune`."""
    groups = channel_groups(graph)
    if not any(group.removable for group in groups.groups):
        raise OptionError(
            f"'{graph.name}' has nothing to prune: all its channels reach inputs or outputs, or"
            " only go together; --groups shows them"
        )
    state = state_of(graph, weights, choice, source)
    found = scores(
        groups, state, choice.importance, choice.norm, choice.scope, choice.seed, gradients
    )
    if weights is None and choice.importance == "bn-scale":
        raise OptionError(
            "the importance bn-scale needs trained weights: untrained batch norms all have the"
            " scale 1"
        )
    selector = Selector(groups, found, limits, choice.lanes, choice.min_width, choice.dtype)
    chosen = selector.select()
    sliced = None
    if weights is not None:
        from archscope.compress import tensors  # loads torch

        sliced = tensors.narrowed_weights(groups, state, chosen.removed)
    before = limited_costs(graph, choice.dtype, selector.predicted)
    return Pruned(chosen.graph, sliced, groups, chosen.removed, limits, before, chosen.costs)


def state_of(
    graph: Graph, weights: Mapping[str, Tensor] | None, choice: Choice, source: str
) -> Mapping[str, Tensor]:
    """Return the weights that importance uses, none for `random`. Raises OptionError."""
    if weights is None and choice.importance == "random":
        return {}
    from archscope.compress import tensors  # loads torch

    if weights is None:
        return tensors.seeded_weights(graph, choice.seed)
    return tensors.fitted_weights(graph, weights, source)
