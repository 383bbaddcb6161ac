"""The experiments of ShuffleNetV2 repeated on this machine: do its guidelines hold here?"""

from __future__ import annotations

from typing import Any

import psutil
from msgspec import Struct, field

from archscope.analysis.cost import costs, total
from archscope.bench.conditions import Conditions
from archscope.bench.guideline_experiments import (
    PLATFORM,
    Experiment,
    Settings,
    experiments,
    paper_ratio,
)
from archscope.bench.interleaved import Progress, run_interleaved
from archscope.bench.machine import Machine, this_machine
from archscope.bench.measure_networks import FORMAT, conditions_on
from archscope.bench.timing import Clock, Timing, Turns, clock_of, quartiles, timing

SLOWER, FASTER, EQUAL = "slower", "faster", "no difference beyond the spread"
PAPER_SPREAD = 0.02
"""The least difference between speeds of the paper, which prints no spread and few digits."""

ROUNDS = 9
"""The least number of ratios, however slow the machine, that gives meaningful quartiles."""


class SpeedRatio(Struct, frozen=True):
    """The speed relative to the baseline: median and quartiles over the rounds of turns."""

    median: float
    lower_quartile: float
    upper_quartile: float
    rounds: int

    @property
    def outcome(self) -> str:
        """Slower or faster if both quartiles are on the same side of 1."""
        if self.upper_quartile < 1:
            return SLOWER
        return FASTER if self.lower_quartile > 1 else EQUAL


class VariantResult(Struct, frozen=True):
    """The costs of one stack, its speed here, and its speed in the paper."""

    name: str
    settings: Settings
    macs: int
    macs_ratio: float  # to the baseline, as the ratios that follow
    memory_access_ratio: float
    timing: Timing
    speed: SpeedRatio | None  # None for the baseline
    paper_gpu: float
    paper_arm: float
    outcome: str = field(name="verdict")  # of the speed here; "" for the baseline
    paper_outcome: str = field(name="paper_verdict")  # on the nearest platform of the paper


class ExperimentResult(Struct, frozen=True):
    """The results of one experiment."""

    code: str
    about: str
    variants: tuple[VariantResult, ...]
    agreeing: int  # variants with the same outcome as in the paper
    compared: int
    sentence: str


class Guidelines(Struct, frozen=True):
    """The results of all experiments, on this machine and in the paper."""

    format: int
    machine: Machine
    conditions: Conditions
    batch: int
    scale: int
    aligned: bool
    seconds: float  # for each stack
    load: float  # processes that wanted to run in the minute before, on average
    platform: str  # of the paper, with which outcomes are compared
    experiments: tuple[ExperimentResult, ...]


def guidelines(
    *,
    scale: int = 2,
    aligned: bool = False,
    batch: int = 1,
    device: str = "auto",
    threads: int | None = 1,
    seconds: float = 2.0,
    clock: Clock | None = None,
    progress: Progress = lambda words: None,
    **others: Any,
) -> Guidelines:
    """Repeat experiments 1 to 4 of arXiv:1807.11164, section 2, for `seconds` per stack.

    `aligned` uses multiples of 8 as the channels of G1, so that the alignment of kernels is not
    measured. The stacks of an experiment run in turns, and each round gives one ratio of speeds,
    so that a machine that becomes slower affects both sides of it. One thread by default, as on
    the paper's ARM; None lets torch choose. The others are fields of `Conditions`.

    Raises OptionError for a scale that the paper does not have, UnavailableError for a device
    that does not exist here.
    """
    place = this_machine(device)
    conditions = conditions_on(place, threads, **others)
    clock = clock or clock_of(conditions.device, conditions.processor_time)
    load = psutil.getloadavg()[0]
    results = []
    for experiment in experiments(place.device, scale, aligned):

        def tell(words: str, code: str = experiment.code) -> None:
            progress(f"{code}: {words}")

        jobs = [(graph, batch) for graph in experiment.graphs]
        runs = run_interleaved(
            jobs, conditions, seconds=seconds, clock=clock, progress=tell, min_turns=ROUNDS
        )
        results.append(_result(experiment, [run.turns for run in runs], batch, place, scale))
    platform = PLATFORM[place.device]
    return Guidelines(
        FORMAT, place, conditions, batch, scale, aligned, seconds, load, platform, tuple(results)
    )


def speed_ratio(variant: Turns, baseline: Turns) -> SpeedRatio:
    """Return the ratio of speeds, round by round, of the fastest run of each turn.

    Other work on the machine only ever adds time, so the fastest run is disturbed least.
    """
    ratios = [min(theirs) / min(own) for own, theirs in zip(variant, baseline, strict=False)]
    return SpeedRatio(*quartiles(ratios), len(ratios))


def paper_outcome(ratio: float) -> str:
    """Return the outcome that a ratio of the paper stands for."""
    if abs(ratio - 1) < PAPER_SPREAD:
        return EQUAL
    return SLOWER if ratio < 1 else FASTER


def _result(
    experiment: Experiment, turns: list[Turns], batch: int, machine: Machine, scale: int
) -> ExperimentResult:
    cost = [total(costs(graph, batch)) for graph in experiment.graphs]
    code, baseline = experiment.code, experiment.variants[0].name
    nearest = PLATFORM[machine.device]
    results = []
    for number, variant in enumerate(experiment.variants):
        paper = {
            platform: paper_ratio(code, variant.name, baseline, platform, scale)
            for platform in ("GPU", "ARM")
        }
        speed = speed_ratio(turns[number], turns[0]) if number else None
        result = VariantResult(
            name=variant.name,
            settings=variant.settings,
            macs=cost[number].macs,
            macs_ratio=cost[number].macs / cost[0].macs,
            memory_access_ratio=cost[number].memory_access / cost[0].memory_access,
            timing=timing(turns[number]),
            speed=speed,
            paper_gpu=paper["GPU"],
            paper_arm=paper["ARM"],
            outcome=speed.outcome if speed else "",
            paper_outcome=paper_outcome(paper[nearest]) if speed else "",
        )
        results.append(result)
    others = tuple(results[1:])
    agreeing = sum(other.outcome == other.paper_outcome for other in others)
    sentence = _sentence(code, baseline, others, nearest)
    return ExperimentResult(code, experiment.about, tuple(results), agreeing, len(others), sentence)


def _sentence(code: str, baseline: str, variants: tuple[VariantResult, ...], platform: str) -> str:
    """Return the outcomes in words, and where they differ from the paper."""
    differing = [
        f"{variant.name} is {_adjective(variant.outcome)} here,"
        f" {_adjective(variant.paper_outcome)} there"
        for variant in variants
        if variant.outcome != variant.paper_outcome
    ]
    by_outcome = {
        outcome: [variant.name for variant in variants if variant.outcome == outcome]
        for outcome in (SLOWER, EQUAL, FASTER)
    }
    here = "; ".join(f"{', '.join(names)}: {word}" for word, names in by_outcome.items() if names)
    ending = f"; it differs: {'; '.join(differing)}" if differing else ""
    return (
        f"{code}, against {baseline}: {here}. This machine agrees with the paper's {platform} on"
        f" {len(variants) - len(differing)} of {len(variants)}{ending}."
    )


def _adjective(outcome: str) -> str:
    return "no different" if outcome == EQUAL else outcome
