"""Search spaces without training: decisions, counting, cost tables, budgets and sampling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archscope import language
from archscope.ir import Graph, Shape
from archscope.language import LIMITS, Limits
from archscope.language.document import Document


def graph(
    document: Document,
    *,
    set: Mapping[str, Any] | None = None,
    input: Shape | Mapping[str, Shape] | None = None,
    limits: Limits = LIMITS,
) -> Graph:
    """Return the graph of a document, like `language.graph`. Raises ArchscopeError.

    `set` may also fill the holes of a search space, by the paths of its decisions.
    """
    given = set or {}
    holes = {name: value for name, value in given.items() if name not in document.let}
    if not document.open or not holes:
        return language.graph(document, set=given, input=input, limits=limits)
    from archscope.space.search_space import checked_choices, space  # networks can do without

    choices = checked_choices(space(document, limits=limits), holes, partial=True)
    named = {name: value for name, value in given.items() if name in document.let}
    return language.graph(document, set=named, input=input, choices=choices, limits=limits)
