"""Read the section of a report on a search from the folder of its study."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from math import ceil, isfinite
from pathlib import Path
from typing import Any

import msgspec

from archscope.errors import OptionError
from archscope.files import decode_json
from archscope.metrics import MACS, METRICS, metric_of
from archscope.records.study import TRAINED, Finalist, Outcome, PriorReport, Trial, data_text
from archscope.report.pages.budget_use import budget_use
from archscope.report.pages.content import (
    Agreement,
    Curve,
    MeasuredAccuracy,
    StudySection,
    TrainingJob,
)
from archscope.report.pages.network_section import identifier
from archscope.report.pages.quality import measured
from archscope.stats import (
    beyond_chance,
    dominated_area,
    holm,
    kruskal_wallis,
    rank_correlation,
)
from archscope.units import PLAIN, format_duration

TRIALS = "trials.jsonl"
BASELINE = ("control", "uniform")
INDEPENDENT = (*BASELINE, "random")
"""Origins of trials drawn uniformly from all feasible networks."""

ASKED = ("spec", "budgets", "sampler", "seed", "control", "prescreen", "objectives",
         "networks", "reason")  # fmt: skip
"""Keys of study.json and summary.json to list, in this order."""

CALLED = {
    "spec": "space", "control": "share of the baseline", "prescreen": "proposals per training",
    "networks": "networks of the space", "reason": "ended because",
}  # fmt: skip
"""What these are called on the page, where it differs."""

FEWEST = 5  # the least values for a correlation or a band


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
    decisions = _decisions(trials)
    prior = _prior(summary, missing)
    finalists = _finalists(summary, missing)
    score = "accuracy" if all(trial.outcome != "predicted" for trial in trials) else "predicted"
    return StudySection(
        id=identifier(f"study-{path.name}", taken),
        name=path.name,
        state="finished" if summary else "not finished",
        conclusion=_conclusion(trials, counts, summary),
        trust=tuple(_told(summary, "reliability", "certificate")),
        facts=_facts({**question, **summary}, trials),
        counts=tuple(counts.most_common()),
        best=_best(trials),
        importance=tuple(
            sorted(((str(key), float(value)) for key, value in importance.items()),
                   key=lambda pair: -pair[1])
        ) if isinstance(importance, dict) else (),
        proxies=_proxies(trials),
        jobs=_jobs(trials),
        decisions=decisions,
        finalists=finalists,
        columns=("trial", "outcome", "origin", score, *_costs(trials), *decisions),
        trials=tuple(
            (trial.number, trial.outcome, trial.drawn_by, trial.accuracy,
             *(trial.costs.get(key) for key in _costs(trials)),
             *(trial.choices.get(key) for key in decisions))
            for trial in trials
            if trial.trained
        ),
        missing=tuple(missing),
        random_band=_random_band(trials),
        budgets=budget_use(trials),
        score=score,
        prior=prior,
        agreement=_agreement(trials),
        guessing=_is_guessing(finalists, trials),
        failed=counts["failed"],
        costs={key: _kind(key) for key in _costs(trials)},
        p_values=_p_values(trials, decisions),
    )  # fmt: skip


def best_accuracy(path: Path) -> MeasuredAccuracy | None:
    """Return the accuracy of the winner, or else of the best trained network."""
    trials = [trial for trial in _trials(path / TRIALS, []) if trial.outcome == "trained"]
    trainer = _object(path / "study.json", []).get("trainer")
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
        raise OptionError(f"cannot read '{file}': {error.strerror}") from None
    trials = []
    for number, line in enumerate(data[: data.rfind(b"\n") + 1].splitlines(), 1):
        try:
            trials.append(decode_json(line, Trial))
        except msgspec.MsgspecError as error:
            missing.append(f"{file.name}, line {number}: {error}")
    return trials


def _object(file: Path, missing: list[str]) -> dict[str, Any]:
    try:
        return decode_json(file.read_bytes(), dict[str, Any])
    except (OSError, msgspec.MsgspecError) as error:
        missing.append(f"{file.name}: {getattr(error, 'strerror', error)}")
        return {}


def _finalists(summary: dict[str, Any], missing: list[str]) -> tuple[Finalist, ...]:
    try:
        return msgspec.convert(summary.get("finalists", ()), tuple[Finalist, ...])
    except msgspec.ValidationError as error:
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
    try:
        return msgspec.convert(summary.get("prior"), PriorReport | None)
    except msgspec.ValidationError as error:
        missing.append(f"summary.json: {error}")
        return None


def _agreement(trials: Sequence[Trial]) -> tuple[Agreement, ...]:
    """Return the prior's predictions for networks with the results of their trainings."""
    return tuple(
        Agreement(trial.number, trial.predicted / 100, trial.accuracy)
        for trial in trials
        if trial.outcome == "trained" and trial.predicted is not None and trial.accuracy is not None
    )


def _conclusion(trials: Sequence[Trial], counts: Counter[Outcome], summary: dict[str, Any]) -> str:
    trained = [trial for trial in trials if trial.accuracy is not None]
    if not trained:
        return _failure(trials, counts)
    first = max(trained, key=lambda trial: (trial.accuracy or 0.0, -trial.number))
    many = sum(counts[outcome] for outcome in TRAINED) - counts["failed"]
    done = f"{_were(many)} {'predicted by a prior' if counts['predicted'] else 'trained'}"
    failed = f" and {counts['failed']:,} failed" if counts["failed"] else ""
    text = (
        f"Of {len(trials):,} proposed network{'s' * (len(trials) > 1)}, {done}{failed};"
        f" trial {first.number} has the highest score of the search,"
        f" {100 * (first.accuracy or 0):.1f} % ({first.drawn_by})."
    )
    best = {curve.name: max(filter(None, curve.y), default=0.0) for curve in _best(trials)}
    if len(best) == 2:
        text += (
            f" The baseline, drawn uniformly from all feasible networks, reached"
            f" {100 * best['baseline']:.1f} %, the search {100 * best['search']:.1f} %"
            f"{_areas(trials)}; each is a single run, so another may turn out differently."
        )
    return " ".join([*_told(summary, "verdict"), text])


def _were(many: int) -> str:
    return f"{many:,} {'was' if many == 1 else 'were'}"


def _failure(trials: Sequence[Trial], counts: Counter[Outcome]) -> str:
    """Return that no training has ended, and the most frequent reason of those that failed."""
    text = "No network has been trained to its end."
    for many, words in (
        (counts["infeasible"], "outside a budget"),
        (counts["impossible"], "impossible"),
        (counts["pruned"], "stopped early"),
    ):
        if many:
            text += f" {_were(many)} {words}."
    failed = [trial for trial in trials if trial.outcome == "failed"]
    reasons = Counter(
        trial.result.reason for trial in failed if trial.result and trial.result.reason
    )
    if not reasons:
        return text
    ((reason, many),) = reasons.most_common(1)
    which = "All trainings" if many == len(trials) else f"{many} of {len(trials)} trainings"
    return f"{text} {which} failed: {reason}."


def _areas(trials: Sequence[Trial]) -> str:
    """Return the hypervolumes of the search and of its baseline as a phrase."""
    points = {
        baseline: [
            (trial.costs[MACS], trial.accuracy)
            for trial in trials
            if trial.accuracy is not None and (trial.origin in BASELINE) == baseline
        ]
        for baseline in (False, True)
    }
    every = points[False] + points[True]
    if len(points[True]) < FEWEST:
        return ""
    most, least = max(cost for cost, _ in every), min(score for _, score in every)
    whole = dominated_area(every, most, least)
    if not whole:
        return ""
    own, base = (dominated_area(points[key], most, least) / whole for key in (False, True))
    return (
        f" (hypervolume of score against macs, as a share of that of both: search {own:.2f},"
        f" baseline {base:.2f})"
    )


def _told(summary: dict[str, Any], *keys: str) -> list[str]:
    """Return sentences of a summary: its verdict, and how far that can be trusted."""
    sentences = []
    for key in keys:
        value = summary.get(key)
        text = value.get("sentence") if isinstance(value, dict) else value
        if isinstance(text, str) and text:
            named = text if key == "verdict" else f"{key}: {text}"
            sentences.append(f"{named[:1].upper()}{named[1:]}.")
    return sentences


def _facts(question: dict[str, Any], trials: Sequence[Trial]) -> tuple[tuple[str, str], ...]:
    facts = [
        (
            CALLED.get(key, key),
            ", ".join(map(str, value)) if isinstance(value, list) else str(value),
        )
        for key in ASKED
        if (value := question.get(key)) not in (None, [])
    ]
    trainer = question.get("trainer")
    if isinstance(trainer, dict) and trainer.get("data"):
        facts.append(("data", data_text(str(trainer["data"]))))
    spent = sum(trial.result.seconds for trial in trials if trial.result is not None)
    if spent:
        facts.append(("time of trainings", format_duration(spent)))
    return tuple(facts)


def _best(trials: Sequence[Trial]) -> tuple[Curve, ...]:
    """Return the best score so far of the search and of its baseline, by trained networks."""
    curves = []
    for name in ("search", "baseline"):
        accuracies = [
            trial.accuracy
            for trial in trials
            if trial.trained and (trial.origin in BASELINE) == (name == "baseline")
        ]
        values = tuple(accumulate(accuracies, _better))
        if values and values[-1] is not None:
            steps = tuple(map(float, range(1, len(values) + 1)))
            curves.append(Curve(name, steps, values))
    return tuple(curves)


def _better(best: float | None, accuracy: float | None) -> float | None:
    return max((value for value in (best, accuracy) if value is not None), default=None)


def _random_band(trials: Sequence[Trial]) -> tuple[Curve, ...]:
    """Return the 95 % band of the best of n networks drawn uniformly, for each n.

    The networks of the baseline represent all feasible ones: of m equally likely networks, the best
    of n draws is no better than the k-th with probability (k / m) ** n. Trainings that were stopped
    early rank below all others, without a value.
    """
    trained = [trial for trial in trials if trial.trained]
    baseline = [trial.accuracy for trial in trained if trial.origin in BASELINE]
    if len(baseline) < FEWEST:
        return ()
    known = sorted(accuracy for accuracy in baseline if accuracy is not None)
    drawn = [*[None] * (len(baseline) - len(known)), *known]
    most = max(len(baseline), len(trained) - len(baseline))
    steps = tuple(map(float, range(1, most + 1)))

    def level(chance: float) -> tuple[float | None, ...]:
        return tuple(
            drawn[min(ceil(len(drawn) * chance ** (1 / step) - 1e-9), len(drawn)) - 1]
            for step in steps
        )

    return Curve("low", steps, level(0.025)), Curve("high", steps, level(0.975))


def _jobs(trials: Sequence[Trial]) -> tuple[TrainingJob, ...]:
    """Return the trainings, with workers numbered in the order in which they began."""
    jobs = [
        (trial, trial.result)
        for trial in trials
        if trial.result and trial.trained and trial.outcome != "predicted"
    ]
    began = sorted((result.started, result.worker) for _, result in jobs)
    workers = list(dict.fromkeys(worker for _, worker in began))
    return tuple(
        TrainingJob(
            trial.number, workers.index(result.worker), result.started, result.seconds,
            trial.outcome,
        )
        for trial, result in jobs
    )  # fmt: skip


def _decisions(trials: Sequence[Trial]) -> tuple[str, ...]:
    """Return the decisions that differ between trained networks."""
    values: dict[str, set[str]] = {}
    for trial in trials:
        if trial.trained:
            for key, value in trial.choices.items():
                values.setdefault(key, set()).add(str(value))
    return tuple(key for key, seen in values.items() if len(seen) > 1)


def _p_values(trials: Sequence[Trial], decisions: Sequence[str]) -> dict[str, float]:
    """Return the chance that a decision would split the scores so clearly without mattering.

    Only networks that were drawn independently are tested. A sampler repeats what did well, so that
    in its trials also decisions without effect go together with high scores. Where a decision is
    inactive, its scores are left out.
    """
    found: dict[str, float] = {}
    drawn = [
        trial for trial in trials if trial.accuracy is not None and trial.origin in INDEPENDENT
    ]
    if len(drawn) < FEWEST:
        return found
    for decision in decisions:
        groups: dict[str, list[float]] = {}
        for trial in drawn:
            if trial.accuracy is not None and decision in trial.choices:
                groups.setdefault(str(trial.choices[decision]), []).append(trial.accuracy)
        chance = kruskal_wallis([*groups.values()])
        if chance is not None:
            found[decision] = chance
    return holm(found)


def _kind(cost: str) -> str:
    """Return the format of a cost; a plain number if its metric is a plug-in's that is gone."""
    return metric_of(cost).unit.kind if cost.partition("@")[0] in METRICS else PLAIN.kind


def _costs(trials: Sequence[Trial]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key for trial in trials for key in trial.costs))


def _proxies(trials: Sequence[Trial]) -> tuple[tuple[str, float], ...]:
    """Return Spearman's rank correlation of each proxy with the accuracy."""
    pairs: dict[str, list[tuple[float, float]]] = {}
    for trial in trials:
        if trial.accuracy is not None and trial.result is not None:
            for key, value in trial.result.proxies.items():
                if isfinite(value):
                    pairs.setdefault(key, []).append((value, trial.accuracy))
    found = (
        (key, rank_correlation(*zip(*points, strict=True)))
        for key, points in pairs.items()
        if len(points) >= FEWEST
    )
    return tuple((key, agreement) for key, agreement in found if agreement is not None)
