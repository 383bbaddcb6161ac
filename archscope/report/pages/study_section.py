"""Read the section of a report on a search from the folder of its study."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from archscope.decoding import convert, decode_json
from archscope.errors import OptionError, RecordError, reason_of
from archscope.metrics import ACCURACY
from archscope.records.score_metric import ScoreMetric, metric_of_study
from archscope.records.study import Finalist, PriorReport, Trial, data_text
from archscope.report.pages.budget_use import budget_use
from archscope.report.pages.content import MeasuredAccuracy, StudySection
from archscope.report.pages.network_section import identifier
from archscope.report.pages.quality import measured
from archscope.report.pages.study_charts import (
    best_curves,
    cost_keys,
    cost_kind,
    p_values,
    prior_agreement,
    proxy_correlations,
    random_band,
    training_jobs,
    varied_decisions,
)
from archscope.report.pages.study_conclusion import conclusion_of, sentences_of
from archscope.stats import beyond_chance
from archscope.units import format_duration

TRIALS = "trials.jsonl"
ASKED = ("spec", "budgets", "sampler", "seed", "control", "prescreen", "objectives",
         "evaluator", "direction", "networks", "reason")  # fmt: skip
"""Keys of study.json and summary.json to list, in this order."""

CALLED = {
    "spec": "space", "control": "share of the baseline", "prescreen": "proposals per training",
    "networks": "networks of the space", "reason": "ended because",
}  # fmt: skip
"""What these are called on the page, where it differs."""


def is_study(path: Path) -> bool:
    """Return whether a folder is a study."""
    return (path / TRIALS).is_file() or (path / "study.json").is_file()


def read_study(path: Path, taken: Sequence[str] = ()) -> StudySection:
    """Read the section of a study; broken files are listed in `missing`.

    The study may still be running: an incomplete last line is ignored. Raises OptionError if the
    trials cannot be read.
    """
    missing: list[str] = []
    trials = _trials(path / TRIALS, missing)
    question = _object(path / "study.json", missing)
    summary = _object(path / "summary.json", missing) if (path / "summary.json").exists() else {}
    if not summary:
        missing.append("summary.json, as the search has not come to its end")
    counts = Counter(trial.outcome for trial in trials)
    importance = summary.get("importance")
    decisions = varied_decisions(trials)
    prior = _prior(summary, missing)
    finalists = _finalists(summary, missing)
    evaluator = str(question.get("evaluator") or "")
    metric = metric_of_study(question)
    score = metric.name
    if any(trial.outcome == "predicted" for trial in trials):
        score = "predicted"
    return StudySection(
        id=identifier(f"study-{path.name}", taken),
        name=path.name,
        state="finished" if summary else "not finished",
        conclusion=conclusion_of(trials, counts, summary, evaluator, metric),
        trust=tuple(sentences_of(summary, "reliability", "certificate")),
        facts=_facts({**question, **summary}, trials, metric),
        counts=tuple(counts.most_common()),
        best=best_curves(trials, metric),
        importance=tuple(
            sorted(((str(key), float(value)) for key, value in importance.items()),
                   key=lambda pair: -pair[1])
        ) if isinstance(importance, dict) else (),
        proxies=proxy_correlations(trials),
        jobs=training_jobs(trials),
        decisions=decisions,
        finalists=finalists,
        columns=("trial", "outcome", "origin", score, *cost_keys(trials), *decisions),
        trials=tuple(
            (trial.number, trial.outcome, trial.drawn_by, trial.accuracy,
             *(trial.costs.get(key) for key in cost_keys(trials)),
             *(trial.choices.get(key) for key in decisions))
            for trial in trials
            if trial.trained
        ),
        missing=tuple(missing),
        random_band=random_band(trials, metric),
        budgets=budget_use(trials),
        score=score,
        metric=metric,
        evaluator=evaluator,
        prior=prior,
        agreement=prior_agreement(trials),
        guessing=_is_guessing(finalists, trials),
        failed=counts["failed"],
        costs={key: cost_kind(key) for key in cost_keys(trials)},
        p_values=p_values(trials, decisions),
    )  # fmt: skip


def best_accuracy(path: Path) -> MeasuredAccuracy | None:
    """Return the accuracy of the winner, or else of the best trained network."""
    trials = [trial for trial in _trials(path / TRIALS, []) if trial.outcome == "trained"]
    question = _object(path / "study.json", [])
    if question.get("evaluator"):
        return None  # scores of a user's function need not be accuracies
    trainer = question.get("trainer")
    data = (
        _images(str(trainer["data"]))
        if isinstance(trainer, dict) and trainer.get("data")
        else "its"
    )
    images = {trial.number: trial.result.validated for trial in trials if trial.result}
    last = _finalists(_object(path / "summary.json", []), [])
    if last:
        found = last[0].trial, last[0].scores
    else:
        scored = [trial for trial in trials if trial.accuracy is not None]
        best = max(scored, key=lambda trial: trial.accuracy or 0.0, default=None)
        if best is None:
            return None
        found = best.number, (best.accuracy or 0.0,)
    return measured(found[1], images.get(found[0], 0), f"{data} validation images")


def _images(data: str) -> str:
    """Return the name of the images of `--data`, as in runs: photos for `folder:my/photos`."""
    source, _, options = data.partition(":")
    path = options.partition(",")[0]
    return Path(path).name if source == "folder" and path else source


def _trials(file: Path, missing: list[str]) -> list[Trial]:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise OptionError(f"cannot read '{file}': {reason_of(error)}") from None
    trials = []
    for number, line in enumerate(data[: data.rfind(b"\n") + 1].splitlines(), 1):
        try:
            trials.append(decode_json(line, Trial))
        except RecordError as error:
            missing.append(f"{file.name}, line {number}: {error}")
    return trials


def _object(file: Path, missing: list[str]) -> dict[str, Any]:
    try:
        return decode_json(file.read_bytes(), dict[str, Any])
    except (OSError, RecordError) as error:
        missing.append(f"{file.name}: {reason_of(error)}")
        return {}


def _finalists(summary: dict[str, Any], missing: list[str]) -> tuple[Finalist, ...]:
    try:
        return convert(summary.get("finalists", ()), tuple[Finalist, ...], "finalists")
    except RecordError as error:
        missing.append(f"summary.json: {error}")
        return ()


def _is_guessing(finalists: Sequence[Finalist], trials: Sequence[Trial]) -> bool:
    """Return whether the best mean is no better than guessing, as the study's conclusion does."""
    if not finalists:
        return False
    first = finalists[0]
    result = next((trial.result for trial in trials if trial.number == first.trial), None)
    if result is None or not result.validated:
        return False
    seen = result.validated * len(first.scores)
    return not beyond_chance(first.mean, seen, result.chance, len(finalists))


def _prior(summary: dict[str, Any], missing: list[str]) -> PriorReport | None:
    found = summary.get("prior")
    try:
        return None if found is None else convert(found, PriorReport, "prior")
    except RecordError as error:
        missing.append(f"summary.json: {error}")
        return None


def _facts(
    question: dict[str, Any], trials: Sequence[Trial], metric: ScoreMetric
) -> tuple[tuple[str, str], ...]:
    facts = [
        (
            CALLED.get(key, key),
            ", ".join(metric.name if word == ACCURACY else str(word) for word in value)
            if isinstance(value, list)
            else str(value),
        )
        for key in ASKED
        if (value := question.get(key)) not in (None, [], "")
    ]
    trainer = question.get("trainer")
    if isinstance(trainer, dict) and trainer.get("data"):
        facts.append(("data", data_text(str(trainer["data"]))))
    spent = sum(trial.result.seconds for trial in trials if trial.result is not None)
    if spent:
        facts.append(("time of trainings", format_duration(spent)))
    return tuple(facts)
