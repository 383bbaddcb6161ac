"""Iterative pruning: remove a part, fine-tune the rest, and repeat.

It costs less accuracy than removing everything at once (Han et al. 2015).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from msgspec import structs

from archscope.compress.importance import Gradients, Scope
from archscope.compress.pruning import Choice, Pruned, prune_to
from archscope.compress.sparsity import Sparsified, check_sparsity, sparsify
from archscope.compress.targets import limited_costs, predictions
from archscope.ir import Graph
from archscope.space.budget import Budget

if TYPE_CHECKING:
    from torch import Tensor

FineTune = Callable[[int, Graph, Mapping[str, "Tensor"]], Mapping[str, "Tensor"]]
"""Trains the network of a step, counted from 1, from its weights, and returns the new ones."""


def prune_in_steps(
    graph: Graph,
    weights: Mapping[str, Tensor],
    limits: tuple[Budget, ...],
    steps: int,
    fine_tune: FineTune,
    choice: Choice,
    source: str = "the weights",
    gradients: Gradients | None = None,
) -> Iterator[Pruned]:
    """Yield the network after each step, with fine-tuned weights; the last keeps the budgets.

    Each step leaves the same share of the costs that budgets limit: with 4 steps to 50 % it is
    84 %. Raises OptionError as `prune` does.
    """
    prune_to(
        graph, weights, limits, choice, source, gradients
    )  # refuses before anything is trained
    own = limited_costs(graph, choice.dtype, predictions(limits))
    for step in range(1, steps + 1):
        goals = tuple(_goal(limit, own[limit.cost], step / steps) for limit in limits)
        pruned = prune_to(graph, weights, goals, choice, source, gradients)
        weights = fine_tune(step, pruned.graph, pruned.weights or {})
        graph = pruned.graph
        yield structs.replace(pruned, weights=dict(weights))


def sparsify_in_steps(
    graph: Graph,
    weights: Mapping[str, Tensor],
    sparsity: float,
    steps: int,
    fine_tune: Callable[[float, Mapping[str, Tensor]], Mapping[str, Tensor]],
    scope: Scope = "global",
    source: str = "the weights",
) -> Iterator[Sparsified]:
    """Yield the sparse weights after each step, fine-tuned; the last have the given sparsity.

    `fine_tune` takes the sparsity and the weights of a step, and keeps their zeros. Each step
    leaves the same share of the weights. Raises OptionError as `sparsify` does.
    """
    check_sparsity(sparsity)
    for step in range(1, steps + 1):
        share = 1 - (1 - sparsity) ** (step / steps) if step < steps else sparsity
        sparse = sparsify(graph, weights, share, scope=scope, source=source)
        weights = fine_tune(share, sparse.weights)
        yield structs.replace(sparse, weights=dict(weights))


def _goal(limit: Budget, own: float, share: float) -> Budget:
    """Return a budget between the network's own cost and the target, on a logarithmic scale."""
    assert limit.most is not None
    if limit.most >= own:
        return limit
    return structs.replace(limit, most=own * (limit.most / own) ** share)
