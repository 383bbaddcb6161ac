"""Do the guidelines of ShuffleNetV2 hold on this machine? Its experiments, repeated."""

from __future__ import annotations

import psutil
from msgspec import Struct

from archscope.analysis.cost import costs, total
from archscope.bench.conditions import Conditions
from archscope.bench.experiments import PLATFORM, Experiment, Settings, experiments, paper_ratio
from archscope.bench.machine import Machine, machine
from archscope.bench.measure_networks import FORMAT, conditions_on
from archscope.bench.session import Progress, take_turns
from archscope.bench.timing import Clock, Timing, Turns, clock_of, quartiles, timing

SLOWER, FASTER, EQUAL = "slower", "faster", "no difference beyond the spread"
PAPER_SPREAD = 0.02
"""What the paper's speeds must differ by; it prints no spread, and three digits at most."""


ROUNDS = 9
"""Ratios at least, however slow the machine: quartiles of fewer are anyone's guess."""


class Ratio(Struct, frozen=True):
    """Speed over that of the baseline: median and quartiles over the rounds of turns."""

    median: float
    lower_quartile: float
    upper_quartile: float
    rounds: int

    @property
    def verdict(self) -> str:
        """Slower or faster if the quartiles are on one side of 1."""
        if self.upper_quartile < 1:
            return SLOWER
        return FASTER if self.lower_quartile > 1 else EQUAL


class VariantResult(Struct, frozen=True):
    """One stack: what it costs, how fast it is here, and how fast it was in the paper."""

    name: str
    settings: Settings
    macs: int
    macs_ratio: float  # to the baseline, as the ratios that follow
    memory_access_ratio: float
    timing: Timing
    speed: Ratio | None  # None for the baseline
    paper_gpu: float
    paper_arm: float
    verdict: str  # here, of the speed; "" for the baseline
    paper_verdict: str  # on the platform of the paper that is nearest


class ExperimentResult(Struct, frozen=True):
    """One experiment and what came out."""

    code: str
    about: str
    variants: tuple[VariantResult, ...]
    agreeing: int  # variants with the same verdict as in the paper
    compared: int
    sentence: str


class Guidelines(Struct, frozen=True):
    """All experiments, on this machine and in the paper."""

    format: int
    machine: Machine
    conditions: Conditions
    batch: int
    scale: int
    aligned: bool
    seconds: float  # for each stack
    load: float  # processes that wanted to run in the minute before, on average
    platform: str  # of the paper, which verdicts are held against
    experiments: tuple[ExperimentResult, ...]


def guidelines(
    *,
    scale: int = 2,
    aligned: bool = False,
    batch: int = 1,
    device: str = "auto",
    dtype: str = "float32",
    threads: int | None = 1,
    channels_last: bool = False,
    compiled: bool = False,
    seconds: float = 2.0,
    processor_time: bool = False,
    clock: Clock | None = None,
    progress: Progress = lambda words: None,
) -> Guidelines:
    """Repeat experiments 1 to 4 of arXiv:1807.11164, section 2, `seconds` for each stack.

    `aligned` takes channels for G1 that are multiples of 8, so that it is not the kernels'
    alignment that is measured.

    The stacks of an experiment take turns, and each round of turns gives one ratio of speeds, so
    that a machine that drifts moves both sides of it. One thread unless said, as on the paper's
    ARM; None is torch's own number. Raises OptionError for a scale that the
    paper has not, UnavailableError for a device that is not there.
    """
    place = machine(device)
    conditions = conditions_on(
        place,
        dtype=dtype,
        threads=threads,
        channels_last=channels_last,
        compiled=compiled,
        processor_time=processor_time,
    )
    clock = clock or clock_of(processor_time)
    load = psutil.getloadavg()[0]
    results = []
    for experiment in experiments(place.device, scale, aligned):

        def tell(words: str, code: str = experiment.code) -> None:
            progress(f"{code}: {words}")

        runs = take_turns(
            [(graph, batch) for graph in experiment.graphs],
            place,
            conditions,
            seconds=seconds,
            clock=clock,
            progress=tell,
            least=ROUNDS,
        )
        results.append(_result(experiment, [run.turns for run in runs], batch, place, scale))
    platform = PLATFORM[place.device]
    return Guidelines(
        FORMAT, place, conditions, batch, scale, aligned, seconds, load, platform, tuple(results)
    )


def speed_ratio(variant: Turns, baseline: Turns) -> Ratio:
    """Return the ratio of speeds, round by round, of the fastest run of each turn.

    What else runs on a machine only ever adds time, so the fastest is the least disturbed.
    """
    ratios = [min(theirs) / min(own) for own, theirs in zip(variant, baseline, strict=False)]
    return Ratio(*quartiles(ratios), len(ratios))


def paper_verdict(ratio: float) -> str:
    """Return what a ratio of the paper says."""
    if abs(ratio - 1) < PAPER_SPREAD:
        return EQUAL
    return SLOWER if ratio < 1 else FASTER


def _result(
    experiment: Experiment, turns: list[Turns], batch: int, machine: Machine, scale: int
) -> ExperimentResult:
    cost = [total(costs(graph, batch)) for graph in experiment.graphs]
    code, baseline = experiment.code, experiment.variants[0].name
    platform = PLATFORM[machine.device]
    results = []
    for number, variant in enumerate(experiment.variants):
        paper = {
            one: paper_ratio(code, variant.name, baseline, one, scale) for one in ("GPU", "ARM")
        }
        speed = speed_ratio(turns[number], turns[0]) if number else None
        results.append(
            VariantResult(
                variant.name,
                variant.settings,
                cost[number].macs,
                cost[number].macs / cost[0].macs,
                cost[number].memory_access / cost[0].memory_access,
                timing(turns[number]),
                speed,
                paper["GPU"],
                paper["ARM"],
                speed.verdict if speed else "",
                paper_verdict(paper[platform]) if speed else "",
            )
        )
    others = tuple(results[1:])
    agreeing = sum(other.verdict == other.paper_verdict for other in others)
    sentence = _sentence(code, baseline, others, platform)
    return ExperimentResult(code, experiment.about, tuple(results), agreeing, len(others), sentence)


def _sentence(code: str, baseline: str, variants: tuple[VariantResult, ...], platform: str) -> str:
    """Return what this machine says of a guideline, and where it differs from the paper."""
    agreeing = sum(variant.verdict == variant.paper_verdict for variant in variants)
    differing = [
        f"{variant.name} is {_said(variant.verdict)} here, {_said(variant.paper_verdict)} there"
        for variant in variants
        if variant.verdict != variant.paper_verdict
    ]
    by_verdict = {
        verdict: [variant.name for variant in variants if variant.verdict == verdict]
        for verdict in (SLOWER, EQUAL, FASTER)
    }
    here = "; ".join(f"{', '.join(names)}: {word}" for word, names in by_verdict.items() if names)
    ending = f"; it differs: {'; '.join(differing)}" if differing else ""
    return (
        f"{code}, against {baseline}: {here}. This machine agrees with the paper's {platform} on"
        f" {agreeing} of {len(variants)}{ending}."
    )


def _said(verdict: str) -> str:
    return "no different" if verdict == EQUAL else verdict
