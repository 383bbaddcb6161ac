"""Correct latency budgets by measurements on the machine that a search runs on.

A profile is off by a few percent, and by much the same for all networks of a space. So if a budget
is for this machine, networks inside it are measured before the search, and the budget is corrected
by the ratio; at the end the best networks are measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from msgspec import Struct, structs

from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.latency.host import is_this_machine
from archscope.latency.predict import predict
from archscope.latency.profile import Profile, load
from archscope.records.study import DeviceLatency, Finalist, Predicted, Trial
from archscope.search.config import SearchConfig
from archscope.search.prior_model import PriorModel
from archscope.search.progress import SearchProgress
from archscope.search.study_folder import StudyFolder
from archscope.space.budget import Budget
from archscope.space.sampling import Sampler
from archscope.space.search_space import Space

ROUNDS, NETWORKS = 3, 3
"""The most rounds of measuring networks within the budgets, and the networks per round."""

CLOSE = 0.03
"""The change of a ratio that needs no further round; measurements are not more repeatable."""

GROUPS = 4
"""The most times that further networks are measured if too few so far hold the budgets."""

LISTED = 3  # better networks that miss a budget, to name in a sentence
RATIOS = "latency.json"

Measure = Callable[[Profile, Sequence[Graph]], list[float]]
"""Measures the milliseconds of networks under the conditions of a profile."""


class Ratios(Struct, frozen=True):
    """The ratios of measured to predicted latency, by cost; stored in latency.json."""

    ratios: dict[str, float]
    networks: int = 0  # number of measured networks

    def held(self, budgets: Sequence[Budget]) -> tuple[Budget, ...]:
        """Return corrected budgets, for predictions that will measure inside the given ones."""
        return tuple(_scaled(budget, self.ratios.get(budget.cost, 1.0)) for budget in budgets)

    def notes(self, budgets: Sequence[Budget]) -> list[str]:
        """Return a sentence for each corrected budget."""
        return [
            f"networks within '{budget.text}' took up to {ratio:.2f} times as long as predicted"
            f" ({self.networks} measured here), so it is held to"
            f" {budget.readable(held.most or held.least or 0)} predicted"
            for budget, held in zip(budgets, self.held(budgets), strict=True)
            if (ratio := self.ratios.get(budget.cost, 1.0)) != 1.0
        ]


def _scaled(budget: Budget, ratio: float) -> Budget:
    ends = (None if end is None else end / ratio for end in (budget.most, budget.least))
    most, least = ends
    return structs.replace(budget, most=most, least=least)


def profiles_here(budgets: Sequence[Budget]) -> dict[str, Profile]:
    """Return the profiles of budgets that belong to this machine and can be measured, by cost."""
    known = {budget.cost: load(budget.predicted_by) for budget in budgets if budget.predicted_by}
    return {cost: profile for cost, profile in known.items() if is_this_machine(profile)}


def measured_ratios(
    space: Space,
    budgets: Sequence[Budget],
    model: PriorModel | None = None,
    *,
    seed: int = 0,
    measure: Measure | None = None,
) -> Ratios:
    """Return by what factor networks within budgets are slower here than predicted.

    The networks are the best by a prior, or drawn; that of the largest factor counts, as a budget
    is a limit. With the corrected budgets, others are measured until the ratios are stable. There
    is no ratio for budgets of other machines, nor for correct predictions.
    """
    here = profiles_here(budgets)
    found, seen = Ratios({}), 0
    for _ in range(ROUNDS if here else 0):
        graphs = _inside(space, found.held(budgets), model, seed)
        if not graphs:
            break
        seen += len(graphs)
        ratios = {}
        for cost, profile in here.items():
            times = (measure or _measure)(profile, graphs)
            predicted = [predict(profile, graph).milliseconds for graph in graphs]
            ratios[cost] = max(a / b for a, b in zip(times, predicted, strict=True))
        before = found.ratios
        if all(abs(ratio / before.get(cost, 1.0) - 1) <= CLOSE for cost, ratio in ratios.items()):
            found = Ratios({cost: max(ratio, ratios[cost]) for cost, ratio in before.items()})
            break
        found = Ratios(ratios, seen)
    return structs.replace(found, networks=seen)


def _inside(
    space: Space, budgets: Sequence[Budget], model: PriorModel | None, seed: int
) -> list[Graph]:
    """Return some networks within budgets, or none if none was found."""
    best = None if model is None else model.best(budgets, keep=NETWORKS)
    if model is not None and best is not None and len(best.rows):
        return [space.graph(model.encoding.choices(row)) for row in best.rows]
    static = [budget for budget in budgets if not budget.measured]
    try:
        sampler = Sampler(space, static, seed)
        return [space.graph(sampler.feasible().choices) for _ in range(NETWORKS)]
    except OptionError:
        return []


def held_config(
    config: SearchConfig,
    folder: StudyFolder,
    space: Space,
    model: PriorModel | None,
    progress: SearchProgress,
) -> SearchConfig:
    """Return a configuration with corrected budgets.

    The measurements are stored in the folder, so that a resumed study uses the same.
    """
    if not config.measure or not profiles_here(config.budgets):
        return config
    ratios = folder.read(RATIOS, Ratios)
    if ratios is None and not folder.trials:
        ratios = measured_ratios(space, config.budgets, model, seed=config.seed)
        folder.write_json(RATIOS, ratios)
    ratios = ratios or Ratios({})
    for note in ratios.notes(config.budgets):
        progress.on_note(note)
    return structs.replace(config, budgets=ratios.held(config.budgets))


def device_latencies(
    budgets: Sequence[Budget],
    graphs: Sequence[Graph],
    *,
    measured: bool = True,
    measure: Measure | None = None,
) -> list[tuple[DeviceLatency, ...]]:
    """Return the latency of each network on the device of each latency budget.

    It is always predicted, and also measured if the device is this machine, unless `measured` is
    false.
    """
    here = profiles_here(budgets) if measured else {}
    measure = measure or _measure
    predicted = [budget for budget in budgets if budget.predicted_by]
    times: Mapping[str, list[float]] = {
        cost: measure(profile, graphs) if graphs else [] for cost, profile in here.items()
    }
    return [
        tuple(
            _latency(budget, graph, times[budget.cost][place] if budget.cost in times else None)
            for budget in predicted
        )
        for place, graph in enumerate(graphs)
    ]


def holding(
    ranked: Sequence[Trial],
    many: int,
    latencies_of: Callable[[Sequence[Trial]], Sequence[tuple[DeviceLatency, ...]]],
) -> tuple[list[Trial], list[str]]:
    """Return the `many` best networks that hold their latency budgets when measured.

    `ranked` are measured in groups of `many`, at most `GROUPS` times. Also returns a sentence for
    each better network that does not. If none of them holds its budgets, the best are returned, so
    that the study can say by how much they miss them.
    """
    held: list[Trial] = []
    missing: dict[int, str] = {}
    for place in range(0, min(len(ranked), GROUPS * many), max(many, 1)):
        group = ranked[place : place + many]
        for trial, latencies in zip(group, latencies_of(group), strict=True):
            over = " and ".join(latency.place for latency in latencies if latency.misses)
            if over:
                missing[trial.number] = f"trial {trial.number} {over}, so it was not trained again"
            else:
                held.append(trial)
        if len(held) >= many:
            break
    if not held:
        return [*ranked[:many]], []
    chosen = held[:many]
    before = ranked[: ranked.index(chosen[-1])]
    notes = [missing[trial.number] for trial in before if trial.number in missing]
    if len(notes) > LISTED:
        notes = [f"{len(notes)} better networks miss a latency budget and were not trained again"]
    return chosen, notes


Row = TypeVar("Row", Finalist, Predicted)


def with_latencies(
    rows: Sequence[Row], latencies: Sequence[tuple[DeviceLatency, ...]]
) -> list[Row]:
    """Return networks with their latencies; those that hold the budgets come first."""
    found = [
        structs.replace(row, latency=latency, misses=any(each.misses for each in latency))
        for row, latency in zip(rows, latencies, strict=True)
    ]
    return sorted(found, key=lambda row: row.misses)


def _latency(budget: Budget, graph: Graph, measured: float | None) -> DeviceLatency:
    found = predict(load(budget.predicted_by), graph)
    return DeviceLatency(
        cost=budget.cost,
        budget=budget.text,
        predicted=found.milliseconds,
        low=found.low,
        high=found.high,
        measured=measured,
        excess=None if measured is None else _excess(budget, measured),
        unlike=found.unlike,
        notes=found.notes,
    )


def _excess(budget: Budget, measured: float) -> float:
    """Return by which share of a budget's upper limit a time exceeds it; negative is within.

    A time below the lower limit of a range exceeds that.
    """
    beyond = budget.excess(measured)
    return beyond if beyond > 0 or budget.most is None else measured / budget.most - 1


def _measure(profile: Profile, graphs: Sequence[Graph]) -> list[float]:
    from archscope.bench.as_profiled import milliseconds_as_profiled  # imports torch

    return milliseconds_as_profiled(profile, graphs)
