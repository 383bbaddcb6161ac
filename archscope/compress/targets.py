"""Pruning targets, in the language of budgets: `50%`, `30MMACs`, `1M params`, `8ms@pi5`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from msgspec import structs

from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.space.additive_costs import AdditiveCost
from archscope.space.budget import Budget, BudgetError, budgets
from archscope.space.costs import Costs, costs_of

ITSELF = "it"
"""The name of the pruned network in relative targets: `50% params of it`."""

EXAMPLES = (
    "50%, '60% params', 30MMACs, '1M params', 'peak 64KiB', 'flash 256KiB', '60% of mobilenet_v2',"
    " 5ms@i7-12700h"
)
_OWN_SHARE = re.compile(r"%\s*[A-Za-z ]*\Z")
_OF = re.compile(r"\sof\s")


def targets(
    texts: Sequence[str],
    graph: Graph,
    costs_by_name: Callable[[str], Costs] | None = None,
    dtype: str = "float32",
) -> tuple[Budget, ...]:
    """Return the budgets that a pruned network must keep.

    A share such as `50%` or `60% params` is of the network's own costs;
    `60% of mobilenet_v2` is of those that `costs_by_name` returns. Raises OptionError, also for
    what must be measured, and where the network has no more than that already.
    """
    own = costs_of(graph, dtype)

    def costs(name: str) -> Costs:
        if name == ITSELF:
            return own
        if costs_by_name is None:
            raise OptionError(f"no network can be looked up here: '{name}'")
        return costs_by_name(name)

    whole = [f"{text} of {ITSELF}" if _is_own_share(text) else text for text in texts]
    if not own["params"] and not own["macs"]:
        raise OptionError("nothing to prune: the network has no params and no macs")
    try:
        given = budgets(whole, costs, edge=0)
    except BudgetError as error:
        text, why = error.text.removesuffix(f" of {ITSELF}"), error.why
        # what is measured cannot be a target
        raise BudgetError(text, why.replace("@cpu", "@PROFILE"), EXAMPLES) from None
    except OptionError as error:
        raise OptionError(str(error).replace(f" of {ITSELF}'", "'")) from None
    found = tuple(
        structs.replace(limit, text=limit.text.replace(f" of {ITSELF}", "")) for limit in given
    )
    if not found:
        raise OptionError("pruning needs a target: --budget 50%, or --budget '1M params'")
    for limit in found:
        if limit.measured:
            raise OptionError(
                f"the budget '{limit.text}' is measured, and pruning counts or predicts; make a"
                " profile of this machine by `archscope device calibrate`, and write its name"
                f" instead of '{limit.device}'"
            )
        if limit.most is None:
            raise OptionError(f"the budget '{limit.text}' has no upper end to prune to")
    own = limited_costs(graph, dtype, predictions(found))
    if all(limit.excess(own[limit.cost]) <= 0 for limit in found):
        have = " and ".join(f"{limit.readable(own[limit.cost])} {limit.metric}" for limit in found)
        raise OptionError(f"nothing to prune: the network is already within its budget with {have}")
    return found


def predictions(limits: Sequence[Budget]) -> tuple[AdditiveCost, ...]:
    """Return the costs that profiles predict for budgets. Raises OptionError."""
    made = (limit.extra for limit in limits if limit.predicted_by)
    return tuple(extra for extra in made if extra is not None)


def limited_costs(graph: Graph, dtype: str, predicted: Sequence[AdditiveCost]) -> Costs:
    """Return the costs of a graph that budgets can limit, with predicted ones."""
    costs = costs_of(graph, dtype)
    graph = graph.inference()
    return {**costs, **{extra.name: extra.of_graph(graph) for extra in predicted}}


def _is_own_share(text: str) -> bool:
    return bool(_OWN_SHARE.search(text.strip())) and not _OF.search(text)
