"""The folder of a study: what it was asked, every trial, and its winner.

study.json    the question: space, budgets, plan, data, recipe
space.yaml    the space, whole
study.db      the trials as Optuna keeps them; optuna-dashboard opens it
trials.jsonl  the trials, one a line, as they were told
winner.yaml   the best network as a plain spec, winner/ its last training
summary.json  what came of it
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import optuna
from optuna.trial import TrialState, create_trial

from archscope.errors import OptionError
from archscope.files import locked, refusal, write_text
from archscope.language.value import CHOICE, INT
from archscope.records.study import Trial
from archscope.search.storage import opened
from archscope.search.study import directions
from archscope.space.decisions import Decision
from archscope.space.search_space import Space

STATES = {
    "trained": TrialState.COMPLETE, "known": TrialState.COMPLETE, "pruned": TrialState.PRUNED,
    "infeasible": TrialState.PRUNED, "impossible": TrialState.PRUNED, "failed": TrialState.FAIL,
    "passed": TrialState.FAIL,
}  # fmt: skip


class Folder:
    """A study on disk, held by one process at a time."""

    def __init__(
        self, path: Path, space: Space, question: dict[str, Any], storage: str | None = None
    ) -> None:
        """Open a study to go on with it, or begin one.

        Raises OptionError if the folder is of another question, in use, or cannot be written.
        """
        self.path = path
        self.distributions = {
            decision.path: _distribution(decision) for decision in space.decisions
        }
        new = not (path / "study.json").exists()
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise refusal(path, error) from None
        self.lock = locked(path / "lock", f"the study '{path}' is in use")
        asked = json.loads(msgspec.json.encode(question))  # as it will be read again
        if new:
            self.write("study.json", json.dumps(asked, indent=2))
        else:
            self._compare(json.loads((path / "study.json").read_text(encoding="utf-8")), asked)
        self.trials = self._read()
        self.storage = storage or f"sqlite:///{(path / 'study.db').resolve().as_posix()}"
        self.record = self._optuna(question)

    def leave(self) -> None:
        """Let other processes in."""
        self.lock.release()

    def _compare(self, before: dict[str, Any], asked: dict[str, Any]) -> None:
        for key, value in asked.items():
            if before.get(key) != value:
                raise OptionError(
                    f"the study '{self.path}' was begun with another {key}:"
                    f" {_short(before.get(key))}, now {_short(value)}; give it another --name"
                )

    def _read(self) -> list[Trial]:
        """Return the trials that are there; a last line that was cut short is dropped."""
        file = self.path / "trials.jsonl"
        if not file.exists():
            return []
        trials = []
        whole = 0
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
            with file.open("rb+") as open_:
                open_.truncate(whole)
        return trials

    def _optuna(self, question: dict[str, Any]) -> optuna.Study:
        """Return the study as Optuna keeps it, brought up to the trials that are there."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        objectives = question.get("objectives", ["accuracy"])
        try:
            record = optuna.create_study(
                study_name=self.path.name,
                storage=opened(self.storage),
                directions=directions(objectives),
                load_if_exists=True,
            )
        except OptionError:
            raise
        except Exception as error:
            raise OptionError(f"cannot open the storage '{self.storage}': {error}") from None
        there = len(record.get_trials(deepcopy=False))
        if there > len(self.trials):  # trials are written to the folder first
            raise OptionError(
                f"the storage '{self.storage}' has another study '{self.path.name}', with {there}"
                f" trials; '{self.path}' has {len(self.trials)}; give it another --name"
            )
        for trial in self.trials[there:]:
            self._add(record, trial)
        return record

    def add(self, trial: Trial) -> None:
        """Keep a trial."""
        with (self.path / "trials.jsonl").open("ab") as file:
            file.write(msgspec.json.encode(trial) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self.trials.append(trial)
        self._add(self.record, trial)

    def _add(self, record: optuna.Study, trial: Trial) -> None:
        """Tell Optuna's storage of a trial."""
        state = STATES[trial.outcome]
        if state == TrialState.COMPLETE and not trial.values:
            state = TrialState.FAIL
        verdict = trial.result
        attributes: dict[str, Any] = {
            "outcome": trial.outcome, "origin": trial.origin, "digest": trial.digest, **trial.costs,
        }  # fmt: skip
        if verdict is not None:
            attributes |= {"seconds": verdict.seconds, "reason": verdict.reason, **verdict.scores}
        record.add_trial(
            create_trial(
                state=state,
                values=list(trial.values) if state == TrialState.COMPLETE else None,
                params=trial.choices,
                distributions=self.distributions,
                user_attrs=attributes,
                intermediate_values=dict(enumerate(verdict.curve, 1)) if verdict else None,
                constraints=dict(trial.excess) or None,
            )
        )

    def write(self, name: str, text: str) -> Path:
        """Write a file whole."""
        path = self.path / name
        write_text(path, text if text.endswith("\n") else f"{text}\n")
        return path


def _distribution(decision: Decision) -> optuna.distributions.BaseDistribution:
    """Return what Optuna is told that a decision can be."""
    if decision.kind == CHOICE:
        return optuna.distributions.CategoricalDistribution(decision.alternatives)
    if decision.kind == INT:
        return optuna.distributions.IntDistribution(decision.low, decision.high, step=decision.step)
    return optuna.distributions.FloatDistribution(
        decision.low, decision.high, log=decision.log, step=decision.step
    )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 60 else f"{text[:57]}..."
