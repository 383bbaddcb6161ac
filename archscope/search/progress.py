"""What a search calls while it runs."""

from __future__ import annotations

from collections.abc import Sequence

from archscope.records.study import Trial
from archscope.search.config import SearchConfig
from archscope.space.search_space import Space


class SearchProgress:
    """Callbacks that do nothing; subclasses show what they like."""

    def on_start(self, config: SearchConfig, space: Space, resumed: Sequence[Trial]) -> None:
        """Handle the start; `resumed` are the trials of an earlier run."""

    def on_trial(self, trial: Trial) -> None:
        """Handle a trial that has ended; they come in the order of their numbers."""

    def on_final(self, done: int, total: int) -> None:
        """Handle the end of one of the last trainings."""

    def close(self) -> None:
        """Handle the end of the search, however it ends."""
