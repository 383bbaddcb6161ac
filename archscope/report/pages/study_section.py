"""A study folder -> what the report says of a search. Its files are text; no search is loaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import ceil, isfinite
from pathlib import Path
from typing import Any

import msgspec

from archscope.errors import OptionError
from archscope.records.study import PAID, Finalist, Outcome, Trial
from archscope.report.pages.content import BudgetUse, Curve, StudyPage, Work
from archscope.report.pages.network_section import identifier
from archscope.stats import rank_correlation

TRIALS = "trials.jsonl"
CONTROL = ("control", "uniform")
FEWEST = 5  # pairs that a correlation is told of


def is_study(path: Path) -> bool:
    """Return whether a folder holds a search."""
    return (path / TRIALS).is_file() or (path / "study.json").is_file()


def read_study(path: Path, taken: Sequence[str] = ()) -> StudyPage:
    """Return the page of a study; what is broken in its folder is named in `missing`.

    A study may still be at work: a last line that is half written is left. Raises OptionError if
    there are no trials to be read.
    """
    missing: list[str] = []
    trials = _trials(path / TRIALS, missing)
    question = _object(path / "study.json", missing)
    summary = _object(path / "summary.json", missing) if (path / "summary.json").exists() else {}
    if not summary:
        missing.append("summary.json, as the search has not come to its end")
    counts = Counter(trial.outcome for trial in trials)
    importance = summary.get("importance")
    decisions = _decisions(trials)
    return StudyPage(
        id=identifier(f"study-{path.name}", taken),
        name=path.name,
        state="finished" if summary else "not finished",
        verdict=_verdict(trials, counts),
        facts=_facts({**question, **summary}, trials),
        counts=tuple(counts.most_common()),
        best=_best(trials),
        importance=tuple(
            sorted(((str(key), float(value)) for key, value in importance.items()),
                   key=lambda one: -one[1])
        ) if isinstance(importance, dict) else (),
        proxies=_proxies(trials),
        work=_work(trials),
        decisions=decisions,
        finalists=_finalists(summary, missing),
        columns=("trial", "outcome", "origin", "accuracy", *_costs(trials), *decisions),
        trials=tuple(
            (trial.number, trial.outcome, trial.origin, trial.accuracy,
             *(trial.costs.get(key) for key in _costs(trials)),
             *(trial.choices.get(key) for key in decisions))
            for trial in trials
            if trial.paid
        ),
        missing=tuple(missing),
        chance=_chance(trials),
        budgets=_budgets(trials),
    )  # fmt: skip


def best_accuracy(path: Path) -> float | None:
    """Return the mean accuracy of the winner, else that of the best network in the search."""
    last = _finalists(_object(path / "summary.json", []), [])
    if last:
        return last[0].mean
    found = [trial.accuracy for trial in _trials(path / TRIALS, []) if trial.accuracy is not None]
    return max(found, default=None)


def _trials(file: Path, missing: list[str]) -> list[Trial]:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise OptionError(f"cannot read '{file}': {error.strerror}") from None
    trials = []
    for number, line in enumerate(data[: data.rfind(b"\n") + 1].splitlines(), 1):
        try:
            trials.append(msgspec.json.decode(line, type=Trial))
        except msgspec.MsgspecError as error:
            missing.append(f"{file.name}, line {number}: {error}")
    return trials


def _object(file: Path, missing: list[str]) -> dict[str, Any]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    except OSError as error:
        missing.append(f"{file.name}: {error.strerror}")
    except msgspec.MsgspecError as error:
        missing.append(f"{file.name}: {error}")
    return {}


def _finalists(summary: dict[str, Any], missing: list[str]) -> tuple[Finalist, ...]:
    try:
        return msgspec.convert(summary.get("finalists", ()), tuple[Finalist, ...])
    except msgspec.ValidationError as error:
        missing.append(f"summary.json: {error}")
        return ()


def _verdict(trials: Sequence[Trial], counts: Counter[Outcome]) -> str:
    judged = [trial for trial in trials if trial.accuracy is not None]
    if not judged:
        return "No network has been trained to its end."
    first = max(judged, key=lambda trial: (trial.accuracy or 0.0, -trial.number))
    paid = sum(counts[outcome] for outcome in PAID)
    words = (
        f"Of {len(trials)} networks asked about, {paid} were paid for; trial {first.number} is the"
        f" best with {100 * (first.accuracy or 0):.1f} % ({first.origin})."
    )
    arms = {curve.name: max(filter(None, curve.y), default=0.0) for curve in _best(trials)}
    if len(arms) == 2:
        words += (
            f" The control arm, drawn evenly from all that fit, reached"
            f" {100 * arms['control']:.1f} %, the search {100 * arms['search']:.1f} %, in one run"
            " each, which proves nothing about another."
        )
    return words


def _facts(question: dict[str, Any], trials: Sequence[Trial]) -> tuple[tuple[str, str], ...]:
    facts = [
        (key, ", ".join(map(str, value)) if isinstance(value, list) else str(value))
        for key in (
            "spec",
            "budgets",
            "sampler",
            "seed",
            "control",
            "prescreen",
            "objectives",
            "networks",
            "reason",
        )
        if (value := question.get(key)) not in (None, [])
    ]
    trainer = question.get("trainer")
    if isinstance(trainer, dict) and trainer.get("data"):
        facts.append(("data", str(trainer["data"])))
    spent = sum(trial.verdict.seconds for trial in trials if trial.verdict is not None)
    facts.append(("training", f"{spent:,.1f} s"))
    return tuple(facts)


def _best(trials: Sequence[Trial]) -> tuple[Curve, ...]:
    """Return the best so far of each arm, by the trainings that this arm was paid."""
    curves = []
    for name in ("search", "control"):
        paid = [
            trial
            for trial in trials
            if trial.paid and (trial.origin in CONTROL) == (name == "control")
        ]
        most: float | None = None
        values = []
        for trial in paid:
            if trial.accuracy is not None:
                most = trial.accuracy if most is None else max(most, trial.accuracy)
            values.append(most)
        if most is not None:
            curves.append(Curve(name, tuple(map(float, range(1, len(paid) + 1))), tuple(values)))
    return tuple(curves)


def _chance(trials: Sequence[Trial]) -> tuple[Curve, ...]:
    """Return where the best of n networks drawn evenly would lie 95 times in 100, for each n.

    The networks of the control arm stand for all that fit: of m of them, each as likely, the best
    of n draws is no better than the k-th with probability (k / m) ** n. Those that were cut short
    stand below all others, at no known place.
    """
    paid = [trial for trial in trials if trial.paid]
    control = [trial.accuracy for trial in paid if trial.origin in CONTROL]
    if len(control) < FEWEST:
        return ()
    known = sorted(accuracy for accuracy in control if accuracy is not None)
    drawn = [*[None] * (len(control) - len(known)), *known]
    most = max(len(control), len(paid) - len(control))
    steps = tuple(map(float, range(1, most + 1)))

    def level(chance: float) -> tuple[float | None, ...]:
        return tuple(
            drawn[min(ceil(len(drawn) * chance ** (1 / step) - 1e-9), len(drawn)) - 1]
            for step in steps
        )

    return Curve("low", steps, level(0.025)), Curve("high", steps, level(0.975))


def _budgets(trials: Sequence[Trial]) -> tuple[BudgetUse, ...]:
    """Return how much of each budget the networks take that were asked about."""
    shares: dict[str, tuple[list[float], list[float]]] = {}
    for trial in trials:
        for budget, excess in trial.excess.items():
            if isfinite(excess):
                shares.setdefault(budget, ([], []))[excess > 0].append(round(1 + excess, 4))
    return tuple(BudgetUse(key, tuple(one), tuple(other)) for key, (one, other) in shares.items())


def _work(trials: Sequence[Trial]) -> tuple[Work, ...]:
    """Return the trainings, their workers numbered in the order in which they began."""
    done = [(trial, trial.verdict) for trial in trials if trial.verdict and trial.paid]
    began = sorted((verdict.started, verdict.worker) for _, verdict in done)
    workers = list(dict.fromkeys(worker for _, worker in began))
    return tuple(
        Work(one.number, workers.index(said.worker), said.started, said.seconds, one.outcome)
        for one, said in done
    )


def _decisions(trials: Sequence[Trial]) -> tuple[str, ...]:
    """Return the decisions that some trainings took differently."""
    values: dict[str, set[str]] = {}
    for trial in trials:
        if trial.paid:
            for key, value in trial.choices.items():
                values.setdefault(key, set()).add(str(value))
    return tuple(key for key, seen in values.items() if len(seen) > 1)


def _costs(trials: Sequence[Trial]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key for trial in trials for key in trial.costs))


def _proxies(trials: Sequence[Trial]) -> tuple[tuple[str, float], ...]:
    """Return Spearman's rank correlation of each proxy with the accuracy that came of it."""
    pairs: dict[str, list[tuple[float, float]]] = {}
    for trial in trials:
        if trial.accuracy is not None and trial.verdict is not None:
            for key, value in trial.verdict.proxies.items():
                if isfinite(value):
                    pairs.setdefault(key, []).append((value, trial.accuracy))
    found = []
    for key, points in pairs.items():
        if len(points) < FEWEST:
            continue
        agreement = rank_correlation(*zip(*points, strict=True))
        if agreement is not None:
            found.append((key, agreement))
    return tuple(found)
