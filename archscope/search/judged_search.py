"""Search by whatever judges the networks: a prior, or trainings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from archscope.search.config import SearchConfig
from archscope.search.judging import Judge
from archscope.search.prior_search import PriorSearchResult, search_by_prior
from archscope.search.result import SearchResult
from archscope.search.search import search


def judged_search(
    config: SearchConfig,
    path: Path,
    judge: Judge,
    *,
    seeds: int = 2,
    stretch: int = 2,
    **options: Any,
) -> SearchResult | PriorSearchResult:
    """Search a space for the best network within budgets, and store everything in a folder.

    `options` are those that `search` and `search_by_prior` share; `seeds` and `stretch` are of the
    final trainings of `search`. Raises what these raise.
    """
    if judge.model is not None and judge.by == "prior":
        return search_by_prior(config, path, judge.model, **options)
    return search(config, path, prior=judge.model, seeds=seeds, stretch=stretch, **options)
