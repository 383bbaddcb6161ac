"""The callbacks of a search, and the folder of a study that calls them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree

from archscope.errors import ArchscopeError
from archscope.records.study import Predicted, Trial
from archscope.search.config import SearchConfig
from archscope.search.pilot import Pilot
from archscope.search.study_folder import StudyFolder
from archscope.search.time_plan import TimePlan
from archscope.space.search_space import Space


class SearchProgress:
    """Callbacks that do nothing, for subclasses to override."""

    def on_start(self, config: SearchConfig, space: Space, resumed: Sequence[Trial]) -> None:
        """Handle the start; `resumed` are the trials of an earlier run."""

    def on_note(self, note: str) -> None:
        """Handle a note to the user, such as one about a damaged folder."""

    def on_pilot(self, pilot: Pilot) -> None:
        """Handle the choices of the pilot."""

    def on_plan(self, plan: TimePlan) -> None:
        """Handle the plan of the trainings."""

    def on_trial(self, trial: Trial) -> None:
        """Handle the end of a trial; trials come in the order of their numbers."""

    def on_answer(self, network: Predicted, verdict: str) -> None:
        """Handle the answer of a prior, before the brief trainings."""

    def on_final(self, done: int, total: int) -> None:
        """Handle the end of a final training."""

    def close(self) -> None:
        """Handle the end of the search, including by an error."""


@contextmanager
def open_study(
    path: Path, space: Space, config: SearchConfig, storage: str | None, progress: SearchProgress
) -> Iterator[StudyFolder]:
    """Open the folder of a study, and tell its notes; release it at the end of the block.

    A new folder is removed again if an error in the input ends the search before its first trial.
    Raises OptionError as `StudyFolder` does.
    """
    new = not path.exists()
    unused = False
    folder = StudyFolder(path, space, config.record(), storage)
    try:
        for note in folder.notes:
            progress.on_note(note)
        yield folder
    except ArchscopeError:
        unused = new and not folder.trials
        raise
    finally:
        progress.close()
        folder.release()
        if unused:
            rmtree(path, ignore_errors=True)
            with suppress(OSError):  # unless it has other studies
                path.parent.rmdir()


def keep_new(folder: StudyFolder, progress: SearchProgress) -> Callable[[Trial], None]:
    """Return a callback that stores and shows the trials that a folder does not have."""
    resumed = {trial.number for trial in folder.trials}

    def on_trial(trial: Trial) -> None:
        if trial.number not in resumed:
            folder.add(trial)
            progress.on_trial(trial)

    return on_trial
