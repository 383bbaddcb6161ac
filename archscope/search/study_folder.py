"""The folder of a study: its configuration, every trial, and its winner.

study.json    the configuration: space, budgets, strategy, data, recipe
study.db      the trials as Optuna keeps them; optuna-dashboard opens it
trials.jsonl  the trials, one per line, as they ended; broken lines are in trials.damaged.jsonl
pilot.json    how to train candidates, as chosen by the pilot
latency.json  ratios of the latency measured here to that predicted
winner.yaml   the best network as a plain spec
winner.json   its analysis
summary.json  the result
weights/      of the trained candidates, with --inherit
finals/       the run folders of the final trainings
lock          held by the process that runs the study
"""

from __future__ import annotations

import json
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import optuna
from optuna.trial import TrialState, create_trial

from archscope.decoding import decode_json
from archscope.errors import OptionError, RecordError, reason_of
from archscope.files import (
    append_bytes,
    locked,
    make_folder,
    refusal,
    write_json,
    write_text,
)
from archscope.metrics import ACCURACY
from archscope.records.score_metric import metric_of_study
from archscope.records.study import PROFILES, Trial
from archscope.records.trial_file import DAMAGED, repair_trials
from archscope.search.distributions import plain_distribution
from archscope.search.learner import state_of
from archscope.search.storage import opened
from archscope.search.strategy import directions
from archscope.space.search_space import Space, checked_choices

LATER: dict[str, Any] = {
    "prior": "", "judge": "training", "inherit": False, "set": {}, "input": None, "measure": True,
    "metric": "", "direction": "maximize",
}  # fmt: skip
"""Values of keys that studies of earlier versions lack."""

TRIALS = "trials.jsonl"
LISTED = 5  # damaged lines to list in a message
Record = TypeVar("Record")

LENGTH = 60
"""The longest value of a configuration to show in full in a message."""


class StudyFolder:
    """A study on disk, locked by one process at a time."""

    def __init__(
        self, path: Path, space: Space, config: dict[str, Any], storage: str | None = None
    ) -> None:
        """Open a study to resume it, or create one; `config` is the content of study.json.

        Raises OptionError if the folder has another configuration, is in use, or cannot be read or
        written.
        """
        self.path, self.space = path, space
        self.notes: list[str] = []  # sentences about damage and repairs
        self.distributions = {
            decision.path: plain_distribution(decision) for decision in space.decisions
        }
        make_folder(path)
        self.lock = locked(path / "lock", f"the study '{path}' is in use")
        try:
            self._check_config(config)
            self.trials = self._read_trials()
            self.objectives = config.get("objectives", [ACCURACY])
            self.metric = metric_of_study(config)
            self.optuna_study = self._open_storage(storage)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Unlock the folder."""
        self.lock.release()

    def add(self, trial: Trial) -> None:
        """Append a trial. Raises OptionError if it cannot be written."""
        append_bytes(self.path / TRIALS, msgspec.json.encode(trial) + b"\n")
        self.trials.append(trial)
        try:
            self._add_to_storage(self.optuna_study, trial)
        except Exception as error:  # depends on the kind of storage
            reason = str(error).partition("\n")[0]
            raise OptionError(
                f"Optuna's storage of '{self.path}' takes no more trials: {reason}"
            ) from None

    def read(self, name: str, kind: type[Record]) -> Record | None:
        """Read a file of the folder; None if it does not exist. Raises OptionError if broken."""
        file = self.path / name
        if not file.exists():
            return None
        try:
            return decode_json(file.read_bytes(), kind)
        except (OSError, RecordError) as error:
            raise OptionError(f"cannot read '{file}': {reason_of(error)}") from None

    def write_json(self, name: str, value: Any) -> None:
        """Write a file of the folder. Raises OptionError if it cannot be written."""
        write_json(self.path / name, value)

    def write_text(self, name: str, text: str) -> Path:
        """Write a file of the folder and return its path. Raises OptionError if that fails."""
        write_text(self.path / name, text)
        return self.path / name

    def _check_config(self, config: dict[str, Any]) -> None:
        """Write the configuration of a new study, or compare it with the existing one."""
        file = self.path / "study.json"
        log = self.path / TRIALS
        if not file.exists() or not log.exists() or not log.stat().st_size:  # nothing depends on it
            self.write_json(file.name, config)
            return
        try:
            before = decode_json(file.read_bytes(), dict[str, Any])
        except (OSError, RecordError) as error:
            raise OptionError(f"cannot read '{file}': {reason_of(error)}") from None
        now = msgspec.json.decode(msgspec.json.encode(config))
        self._check_profiles(before.get(PROFILES), now.pop(PROFILES, {}))
        for key, value in now.items():
            if before.get(key, LATER.get(key)) != value:
                raise OptionError(
                    f"the study '{self.path}' was begun with another {key}:"
                    f" {_short(before.get(key))}, now {_short(value)}; give it another --name"
                )

    def _check_profiles(self, before: Any, now: dict[str, str]) -> None:
        """Raise OptionError for a latency profile that is not what it was, by its checksum.

        Studies of earlier versions do not say by which profile they were begun.
        """
        kept = before if isinstance(before, dict) else {}
        for name, checksum in now.items():
            if (known := kept.get(name, checksum)) != checksum:
                raise OptionError(
                    f"the study '{self.path}' was begun with another latency profile '{name}':"
                    f" checksum {known}, now {checksum}; give it another --name"
                )

    def _read_trials(self) -> list[Trial]:
        """Return the trials so far; damaged lines are moved to another file and run again."""
        found = repair_trials(self.path / TRIALS)
        if found.damaged:
            places = ", ".join(str(place) for place, _ in found.damaged[:LISTED])
            more = " and more" if len(found.damaged) > LISTED else ""
            self.notes.append(
                f"'{self.path / TRIALS}' is damaged in line {places}{more}, which is in {DAMAGED}"
                " now; the other trials are kept"
            )
        for trial in found.trials:
            try:
                checked_choices(self.space, {**trial.choices, **trial.idle}, partial=True)
            except OptionError as error:
                raise OptionError(
                    f"trial {trial.number} in '{self.path / TRIALS}' is of another space: {error};"
                    " give the study another --name"
                ) from None
        return list(found.trials)

    def _open_storage(self, storage: str | None) -> optuna.Study:
        """Open the stored Optuna study, with all trials so far.

        The file in the folder is only a copy of the trials: if it is damaged, it is recreated.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        if storage is not None:
            if self.notes:  # it has the trials whose lines are damaged, and they come again
                with suppress(Exception):  # `_filled` says what is wrong with it
                    optuna.delete_study(study_name=self.path.name, storage=opened(storage))
            return self._filled(storage)
        file = self.path / "study.db"
        url = f"sqlite:///{file.resolve().as_posix()}"
        if not self.notes:
            with suppress(OptionError):
                return self._filled(url)
        self.notes.append(f"'{file}' does not have these trials; it is made anew from {TRIALS}")
        try:
            for path in (file, file.with_name("study.db-journal")):
                path.unlink(missing_ok=True)
        except OSError as error:
            raise refusal(file, error) from None
        return self._filled(url)

    def _filled(self, storage: str) -> optuna.Study:
        """Open the study in a storage, and add missing trials. Raises OptionError."""
        try:
            study = optuna.create_study(
                study_name=self.path.name,
                storage=opened(storage),
                directions=directions(self.objectives, self.metric),
                load_if_exists=True,
            )
            if self.metric.name in self.objectives and not self.metric.is_share:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                    study.set_metric_names(self.objectives)
            stored = len(study.get_trials(deepcopy=False))
        except OptionError:
            raise
        except Exception as error:
            reason = str(error).partition("\n")[0]
            raise OptionError(f"cannot open the storage '{storage}': {reason}") from None
        if stored > len(self.trials):  # impossible, as trials are written to the folder first
            raise OptionError(
                f"the storage '{storage}' has another study '{self.path.name}', with {stored}"
                f" trials; '{self.path}' has {len(self.trials)}; give it another --name"
            )
        for trial in self.trials[stored:]:
            self._add_to_storage(study, trial)
        return study

    def _add_to_storage(self, study: optuna.Study, trial: Trial) -> None:
        state = state_of(trial.outcome, trial.values)
        attributes: dict[str, Any] = {
            "outcome": trial.outcome, "origin": trial.origin, "digest": trial.digest, **trial.costs,
        }  # fmt: skip
        curve: tuple[float, ...] = ()
        if trial.result is not None:
            result, curve = trial.result, trial.result.curve
            attributes |= {"seconds": result.seconds, "reason": result.reason, **result.scores}
        study.add_trial(
            create_trial(
                state=state,
                values=list(trial.values) if state == TrialState.COMPLETE else None,
                params=trial.choices,
                distributions=self.distributions,
                user_attrs=attributes,
                intermediate_values=dict(enumerate(curve, 1)) or None,
                constraints=dict(trial.excess) or None,
            )
        )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < LENGTH else f"{text[: LENGTH - 3]}..."
