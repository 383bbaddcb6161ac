"""The folder of a study: its configuration, every trial, and its winner.

study.json    the configuration: space, budgets, strategy, data, recipe
study.db      the trials as Optuna keeps them; optuna-dashboard opens it
trials.jsonl  the trials, one a line, as they ended
winner.yaml   the best network as a plain spec
winner.json   its analysis
summary.json  the result
finals/       the run folders of the last trainings
lock          held by the process that runs the study
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import optuna
from optuna.trial import TrialState, create_trial

from archscope.errors import OptionError
from archscope.files import append_bytes, locked, make_folder, write_json, write_text
from archscope.metrics import ACCURACY
from archscope.records.study import Trial
from archscope.search.distributions import plain_distribution
from archscope.search.learner import directions, state_of
from archscope.search.storage import opened
from archscope.space.search_space import Space

LATER = {"prior": "", "judge": "training"}
"""Values that stand for keys which studies of earlier versions do not have."""

LENGTH = 60
"""The longest value of a configuration that a message shows whole."""


class StudyFolder:
    """A study on disk, locked by one process at a time."""

    def __init__(
        self, path: Path, space: Space, config: dict[str, Any], storage: str | None = None
    ) -> None:
        """Open a study to resume it, or create one; `config` is what study.json keeps.

        Raises OptionError if the folder has another configuration, is in use, or cannot be read
        or written.
        """
        self.path = path
        self.distributions = {
            decision.path: plain_distribution(decision) for decision in space.decisions
        }
        make_folder(path)
        self.lock = locked(path / "lock", f"the study '{path}' is in use")
        try:
            self._check_config(config)
            self.trials = self._read_trials()
            self.storage = storage or f"sqlite:///{(path / 'study.db').resolve().as_posix()}"
            self.optuna_study = self._open_storage(config.get("objectives", [ACCURACY]))
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Unlock the folder."""
        self.lock.release()

    def add(self, trial: Trial) -> None:
        """Append a trial. Raises OptionError if it cannot be written."""
        append_bytes(self.path / "trials.jsonl", msgspec.json.encode(trial) + b"\n")
        self.trials.append(trial)
        self._add_to_storage(self.optuna_study, trial)

    def write_json(self, name: str, value: Any) -> None:
        """Write a file of the folder. Raises OptionError if it cannot be written."""
        write_json(self.path / name, value)

    def write_text(self, name: str, text: str) -> Path:
        """Write a file of the folder and return it. Raises OptionError if it cannot be written."""
        write_text(self.path / name, text)
        return self.path / name

    def _check_config(self, config: dict[str, Any]) -> None:
        """Write the configuration of a new study, or compare it with that of an old one."""
        file = self.path / "study.json"
        if not file.exists():
            self.write_json(file.name, config)
            return
        try:
            before = msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
        except (OSError, msgspec.MsgspecError) as error:
            raise OptionError(f"cannot read '{file}': {error}") from None
        for key, value in msgspec.json.decode(msgspec.json.encode(config)).items():
            if before.get(key, LATER.get(key)) != value:
                raise OptionError(
                    f"the study '{self.path}' was begun with another {key}:"
                    f" {_short(before.get(key))}, now {_short(value)}; give it another --name"
                )

    def _read_trials(self) -> list[Trial]:
        """Return the trials so far; a line that was cut short, and all after it, is removed."""
        file = self.path / "trials.jsonl"
        if not file.exists():
            return []
        trials = []
        whole = 0
        try:
            data = file.read_bytes()
            for line in data.splitlines(keepends=True):
                if not line.endswith(b"\n"):
                    break
                try:
                    trials.append(msgspec.json.decode(line, type=Trial))
                except msgspec.MsgspecError:
                    break
                whole += len(line)
            if whole < len(data):
                with file.open("rb+") as rest:
                    rest.truncate(whole)
        except OSError as error:
            raise OptionError(f"cannot read '{file}': {error.strerror}") from None
        return trials

    def _open_storage(self, objectives: list[str]) -> optuna.Study:
        """Return the study as Optuna stores it, with all trials so far."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            study = optuna.create_study(
                study_name=self.path.name,
                storage=opened(self.storage),
                directions=directions(objectives),
                load_if_exists=True,
            )
        except OptionError:
            raise
        except Exception as error:
            raise OptionError(f"cannot open the storage '{self.storage}': {error}") from None
        stored = len(study.get_trials(deepcopy=False))
        if stored > len(self.trials):  # trials are written to the folder first
            raise OptionError(
                f"the storage '{self.storage}' has another study '{self.path.name}', with {stored}"
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
