"""What a search found, as tables."""

from __future__ import annotations

from typing import Any

from archscope.report.table import BYTES, COUNT, NAME, RATIO, SHARE, Column, Table
from archscope.units import format_duration

PEERS = {"mobile": ("shufflenet_v2_x1_5", "mobilenet_v2"), "resnet": ("resnet18", "resnet50")}
"""Networks made by hand that winners of our spaces are compared with."""


def found_parts(found: Any) -> list[Any]:
    """Return the tables and lines of a `search.Found`: finalists, Pareto front, proxies."""
    counts = ", ".join(f"{count:,} {outcome}" for outcome, count in found.outcomes.items())
    parts: list[Any] = [
        f"{found.space}: {found.networks} networks; {counts}; {found.reason};"
        f" {format_duration(found.seconds)}\n"
    ]
    if found.finalists:
        parts.append(_finalists(found))
    if found.front:
        parts.append(_front(found))
    if found.correlations:
        parts.append(_proxies(found))
    if found.winner is not None:
        winner = f"{found.folder}/winner.yaml"
        run = found.winner.best_run
        parts.append(
            f"winner: {winner}\n"
            f"weights: {run}/best.safetensors, for the spec.yaml beside them: the winner with the"
            " classes and the size of the images trained on\n"
            f"next: archscope analyze {winner}\n"
            f"      archscope lint {winner}\n"
            f"      archscope compare {' '.join((winner, *PEERS.get(found.space, ())))}\n"
            f"      archscope evaluate {run}\n"
            f"      archscope report {found.folder}"
        )
    return parts


def quality_table(found: Any) -> Table:
    """Return one row for each sampler of `search.benchmark.compare_samplers`."""
    marks = list(found[0].regret)
    columns = (
        Column("sampler", NAME), Column("seeds", COUNT),
        *(Column(f"regret@{mark}", RATIO) for mark in marks),
        Column("from", RATIO, "interval_from"), Column("to", RATIO, "interval_to"),
        Column("hypervolume", RATIO), Column("proposed", RATIO, "asks_per_trial"),
    )  # fmt: skip
    rows = tuple(
        (
            result.sampler, result.seeds, *(result.regret[mark] for mark in marks),
            result.low, result.high, result.hypervolume, result.proposals,
        )
        for result in found
    )  # fmt: skip
    return Table("", columns, rows)


def _finalists(found: Any) -> Table:
    columns = (
        Column("trial", COUNT), Column("accuracy", SHARE), Column("spread", SHARE),
        Column("from", SHARE, "interval_from"), Column("to", SHARE, "interval_to"),
        Column("seeds", COUNT), Column("macs", COUNT), Column("params", COUNT),
        Column("", NAME, "tied"),
    )  # fmt: skip
    rows = tuple(
        (
            one.trial, one.mean, one.spread, one.low, one.high, len(one.scores),
            one.costs["macs"], one.costs["params"],
            "winner" if place == 0 else "tied with the winner" if one.tied else "",
        )
        for place, one in enumerate(found.finalists)
    )  # fmt: skip
    return Table("the best, trained again", columns, rows)


def _front(found: Any) -> Table:
    columns = (
        Column("trial", COUNT), Column("score", SHARE), Column("macs", COUNT),
        Column("params", COUNT), Column("access", BYTES), Column("from", NAME, "origin"),
    )  # fmt: skip
    rows = tuple(
        (
            one.number, one.verdict.score, one.costs["macs"], one.costs["params"],
            one.costs["access"], one.origin,
        )
        for one in found.front
    )  # fmt: skip
    return Table("what no other beats in both score and macs", columns, rows)


def _proxies(found: Any) -> Table:
    rows = tuple(sorted(found.correlations.items(), key=lambda one: -one[1]))
    columns = Column("proxy", NAME), Column("rank correlation", RATIO)
    return Table("proxies against the trained score (Spearman)", columns, rows)
