"""Studies and their results as tables and lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import sqrt
from shlex import quote
from typing import Any

from archscope.records.score_metric import TRAINED_SCORE, ScoreMetric
from archscope.records.study import Finalist
from archscope.report.pages.content import StudySection
from archscope.report.sparkline import bar, sparkline
from archscope.report.table import (
    BYTES,
    COUNT,
    NAME,
    PICTURE,
    RATIO,
    SHARE,
    Column,
    Part,
    Table,
    table_of,
)
from archscope.report.tables.latency import device_latency_fields, device_latency_lines
from archscope.stats import Z95
from archscope.units import format_duration

LISTED = 8  # decisions, the most important ones
LOWEST = 1 / 8  # height of the worst score in a sparkline of scores that have no natural zero

PEERS = {"mobile": ("shufflenet_v2_x1_5", "mobilenet_v2"), "resnet": ("resnet18", "resnet50")}
"""Hand-designed networks to compare the winners of the shipped spaces with."""


def found_parts(found: Any) -> list[Part]:
    """Return the tables and lines of a `SearchResult`: finalists, Pareto front, proxies."""
    counts = ", ".join(f"{count:,} {outcome}" for outcome, count in found.outcomes.items())
    facts = [f"{found.networks} networks", counts, found.reason, format_duration(found.seconds)]
    parts: list[Part] = [f"{found.space}: {'; '.join(filter(None, facts))}\n"]
    parts.append(f"{found.pilot.about}\n")
    if found.finalists:
        parts.append(_finalists(found.finalists, found.metric))
        names = [f"trial {row.trial}" for row in found.finalists]
        parts += [f"{line}\n" for line in device_latency_lines(found.finalists, names)]
    ranked = f"reliability: {found.reliability.sentence}"
    told = [found.verdict, ranked]
    if found.certificate is not None:
        told.append(f"certificate: {found.certificate.sentence}")
    parts.append("".join(f"{_sentence(text)}\n" for text in told))
    if found.front:
        parts.append(_front(found.front, found.metric))
    if found.correlations:
        parts += _proxies(found.correlations.items(), found.outcomes.get("trained", 0))
    if found.winner is not None:
        parts.append(_next_steps(found))
    return parts


def _next_steps(found: Any) -> str:
    """Return the file of the best network, and commands to try next."""
    winner, run = f"{found.folder}/winner.yaml", found.winner.best_run
    tied = f"trial {found.winner.trial}, the best mean of those tied"
    lines = [f"{f'{tied}: ' if found.winner.tied else 'winner: '}{winner}"]
    if run:
        lines.append(
            f"weights: {run}/best.safetensors, for the spec.yaml beside them: the network with the"
            " classes and the size of the images trained on"
        )
    steps = [
        f"analyze {quote(winner)}",
        f"lint {quote(winner)}",
        f"compare {' '.join((quote(winner), *PEERS.get(found.space, ())))}",
        *([f"evaluate {quote(run)}"] if run else []),
        f"report {quote(found.folder)}",
        *([f"export {quote(run)} --pixels 255 -o {quote(f'{run}/model.onnx')}"] if run else []),
    ]
    commands = "\n      ".join(f"archscope {step}" for step in steps)
    return "\n".join([*lines, f"next: {commands}"])


def _sentence(text: str) -> str:
    """Capitalise a text and add a full stop."""
    return f"{text[:1].upper()}{text[1:]}."


def study_parts(study: StudySection, plot: bool) -> list[Table | str]:
    """Return a study in a report; `plot` adds sparklines and bars, for a terminal."""
    counts = ", ".join(f"{count:,} {outcome}" for outcome, count in study.counts)
    lines = [f"study {study.name}, {study.state}: {counts or 'no networks yet'}"]
    lines += [f"missing: {name}" for name in study.missing]
    parts: list[Table | str] = ["\n".join(lines) + "\n"]
    if study.best and plot:
        parts.append(_best_so_far(study))
    if study.finalists:
        parts.append(_finalists(study.finalists, study.metric, study.guessing))
    if study.importance:
        parts.append(_importance(study, plot))
    if study.proxies:
        parts += _proxies(study.proxies, dict(study.counts).get("trained", 0))
    return parts


def quality_table(found: Any) -> Table:
    """Return one row for each sampler of `search.benchmark.compare_samplers`."""
    return table_of(
        found,
        (Column("sampler", NAME), lambda result: result.sampler),
        (Column("seeds", COUNT), lambda result: result.seeds),
        *(
            field
            for mark in found[0].regret
            for field in (
                (Column(f"regret@{mark}", RATIO), lambda result, mark=mark: result.regret[mark]),
                (Column("±", RATIO, f"sd@{mark}"), lambda result, mark=mark: result.spread[mark]),
            )
        ),
        (Column("from", RATIO, "interval_from"), lambda result: result.low),
        (Column("to", RATIO, "interval_to"), lambda result: result.high),
        (Column("hypervolume", RATIO), lambda result: result.hypervolume),
        (Column("proposed", RATIO, "asks_per_trial"), lambda result: result.proposals),
    )


def _finalists(finalists: Sequence[Finalist], metric: ScoreMetric, guessing: bool = False) -> Table:
    kind = metric.kind
    best = "no better than guessing" if guessing else "winner"
    first = finalists[0]
    return table_of(
        finalists,
        (Column("trial", COUNT), lambda row: row.trial),
        (Column(metric.name, kind), lambda row: row.mean),
        (Column("spread", kind), lambda row: row.spread),
        (Column("from", kind, "interval_from"), lambda row: row.low),
        (Column("to", kind, "interval_to"), lambda row: row.high),
        (Column("seeds", COUNT), lambda row: len(row.scores)),
        (Column("macs", COUNT), lambda row: row.costs.get("macs")),
        (Column("params", COUNT), lambda row: row.costs.get("params")),
        *device_latency_fields(finalists),
        (
            Column("", NAME, "tied"),
            lambda row: (
                "over budget"
                if row.misses
                else "tied"
                if row.tied and not guessing
                else best
                if row is first
                else ""
            ),
        ),
        title="the best, trained again" if any(row.runs for row in finalists) else "the best",
    )


def _front(front: Sequence[Any], metric: ScoreMetric) -> Table:
    score = "validation accuracy" if metric == TRAINED_SCORE else metric.name
    return table_of(
        front,
        (Column("trial", COUNT), lambda trial: trial.number),
        (Column(metric.name, metric.kind, "score"), lambda trial: trial.accuracy),
        (Column("macs", COUNT), lambda trial: trial.costs["macs"]),
        (Column("params", COUNT), lambda trial: trial.costs["params"]),
        (Column("access", BYTES), lambda trial: trial.costs["access"]),
        (Column("from", NAME, "origin"), lambda trial: trial.drawn_by),
        title=f"Pareto front of {score} and macs",
    )


def _proxies(correlations: Iterable[tuple[str, float]], networks: int) -> list[Table | str]:
    """Return the correlations of proxies, and which of them chance could explain.

    The limit is that of independent networks; those that a sampler chose are not.
    """
    rows = tuple(sorted(correlations, key=lambda proxy: -proxy[1]))
    columns = Column("proxy", NAME), Column("rank correlation", RATIO)
    limit = min(Z95 / sqrt(max(networks - 1, 1)), 1.0)
    return [
        Table("proxies against the validation accuracy (Spearman)", columns, rows),
        f"over {networks} networks, correlations within ±{limit:.2f} may be chance, and larger ones"
        " where a sampler chose the networks\n",
    ]


def _best_so_far(study: StudySection) -> Table:
    metric = study.metric
    gains = [metric.gain(y) for curve in study.best for y in curve.y if y is not None]
    worst, best = min(gains, default=0.0), max(gains, default=0.0)

    def height(score: float | None) -> float:
        if score is None or metric.is_share:
            return score or 0.0
        above = (metric.gain(score) - worst) / (best - worst) if best > worst else 1.0
        return LOWEST + (1 - LOWEST) * above

    return table_of(
        study.best,
        (Column("networks", NAME), lambda curve: curve.name),
        (Column("trained", COUNT), lambda curve: len(curve.x)),
        (Column("best so far", PICTURE), lambda curve: sparkline([*map(height, curve.y)])),
        (Column(study.score, metric.kind), lambda curve: curve.y[-1]),
    )


def _importance(study: StudySection, plot: bool) -> Table:
    columns = (Column("decision", NAME), Column("importance", SHARE), Column("", PICTURE, "bar"))
    most = study.importance[0][1] or 1.0
    width = 3 if plot else 2
    rows = tuple(
        (name, value, bar(value / most))[:width] for name, value in study.importance[:LISTED]
    )
    return Table("", columns[:width], rows)
