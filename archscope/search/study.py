"""A study: asks for networks, judges those that are worth it, and learns.

What lies beyond the budget is told as pruned and costs nothing; what equals an earlier network is
told its value and costs nothing. Everything happens in an order that depends on the seed alone:
trial n is asked when all but the last `lag` paid trials before it are told, in turn, whatever
finishes first. So the same seed gives the same study for any number of workers, and a study
that goes on equals one that never stopped.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from typing import Any

import optuna
from msgspec import Struct, structs
from optuna.study import StudyDirection
from optuna.trial import TrialState

from archscope.analysis.canonical import canonical
from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.language.write import to_yaml
from archscope.metrics import ACCURACY, METRICS
from archscope.records.study import Job, Outcome, Trial, TrialResult
from archscope.search.distributions import distributions, parameters, suggest
from archscope.search.executor import Judge
from archscope.search.samplers import EVOLUTION, TPE, UNIFORM, check_sampler, optuna_sampler
from archscope.space.budget import Budget, violation
from archscope.space.costs import CostModel, Costs, needs_graph
from archscope.space.decisions import Choices
from archscope.space.sampling import Sampler, mutate, repair
from archscope.space.search_space import Space

ASKS = 50
"""Free answers for one paid trial; after so many, a feasible network is constructed."""

NEW = 300
"""Networks looked at for one that is new, before the space counts as exhausted."""

POPULATION, TOURNAMENT = 25, 5
"""Of regularised evolution (Real et al. 2018, arXiv:1802.01548)."""


class Exhausted(Exception):  # noqa: N818
    """No network inside the budget is left that has not been judged."""


class Plan(Struct, frozen=True, kw_only=True):
    """How a study goes about it; with the space and the judge this decides everything."""

    budgets: tuple[Budget, ...] = ()
    sampler: str = TPE
    seed: int = 0
    lag: int = 4  # paid trials whose answers a new one does not wait for
    control: float = 0.0  # share of the paid trials drawn evenly from all that fit
    anchors: tuple[tuple[str, dict[str, Any]], ...] = ()  # networks to begin with, by name
    objectives: tuple[str, ...] = (ACCURACY,)
    prescreen: int = 1  # feasible networks drawn for each that is trained
    eta: int = 0  # one of so many goes on at each rung of the learning curve; 0: all do
    unique: bool = True  # whether equal networks are told from memory


Promise = Callable[[Graph], dict[str, float]]
"""What a network promises without training: a score for each proxy, more is better."""

Measure = Callable[[str, Graph], float]
"""Returns a measured metric of a network, such as latency."""


class _Open(Struct):
    """A paid trial without its answer."""

    number: int
    asked: Any  # the trial of the model
    trial: Trial
    twins: list[tuple[Any, Trial]]  # equal networks that were asked for meanwhile


class Study:
    """Asks and tells. `trials` has all answers so far, in the order of their numbers."""

    def __init__(
        self,
        space: Space,
        plan: Plan,
        judge: Judge,
        *,
        shown: Callable[[Trial], None] = lambda trial: None,
        trained_as: Callable[[dict[str, Any]], Graph] | None = None,
        promise: Promise | None = None,
        measure: Measure = lambda name, graph: METRICS[name].measure(graph),
    ) -> None:
        """Take a space and who judges.

        `shown` is told every trial, in order. `trained_as` gives the network that is trained in
        place of the one whose costs count, such as the same at a lower resolution.
        """
        check_sampler(plan.sampler)
        self.space, self.plan, self.judge, self.shown = space, plan, judge, shown
        self.trained_as = trained_as or space.graph
        self.promise, self.measure = promise, measure
        self.evaluate = CostModel(space, graphs=needs_graph(limited_by(plan)))
        self.model = _model(plan.objectives)
        self.distributions = distributions(space)
        self.trials: list[Trial] = []
        self.open: list[_Open] = []
        self.answers: dict[int, TrialResult] = {}
        self.known: dict[str, Trial] = {}
        self.measured: dict[tuple[str, str], float] = {}  # by digest and metric
        self.asked = 0  # numbers given
        self.paid = 0
        self.done: list[Trial] = []  # answered, but after one that is not
        self.anchors = list(plan.anchors)

    def run(self, paid: int, stop: Callable[[], bool] = lambda: False) -> None:
        """Go on until so many trials are paid for, `stop` says so, or nothing is left.

        What is in work then is waited for and told.
        """
        try:
            while self.paid < paid and not stop():
                while len(self.open) >= self.plan.lag:
                    self._settle()
                self._submit(self._next())
        except Exhausted:
            pass
        finally:
            while self.open:
                self._settle()

    def replay(self, trials: Iterable[Trial]) -> None:
        """Take up the trials of an earlier run as if they had happened here."""
        group: list[tuple[Any, Trial]] = []  # draws of which one is trained
        for trial in trials:
            while len(self.open) >= self.plan.lag:
                self._settle()
            asked = self._enqueue({**trial.choices, **trial.idle})
            suggest(asked, self.space)
            self.asked = trial.number + 1
            self._skip_anchor(trial)
            self._constrain(asked, trial.excess)
            if trial.outcome != "passed" and not trial.trained:
                self._free_again(asked, trial)
                continue
            group.append((asked, trial))
            if self._is_drawn(trial) and len(group) < self.plan.prescreen:
                continue
            for one, member in sorted(group, key=lambda pair: pair[1].trained):
                self._take_up(one, member)
            group = []

    def _take_up(self, asked: Any, trial: Trial) -> None:
        """Tell a trial that was passed over, or leave a paid one open as it was then."""
        if not trial.trained:
            self._tell(asked, (), "passed")
            self._record(trial)
            return
        assert trial.result is not None
        self.answers[trial.number] = trial.result
        self.open.append(_Open(trial.number, asked, trial, []))
        self.known[trial.digest] = trial
        self.paid += 1

    def _is_drawn(self, trial: Trial) -> bool:
        """Return whether a trial is one of several draws of which one is trained."""
        return trial.origin in (self.plan.sampler, "repair") and self.plan.sampler != UNIFORM

    def _skip_anchor(self, trial: Trial) -> None:
        if self.anchors and trial.origin == f"anchor: {self.anchors[0][0]}":
            self.anchors.pop(0)

    def _free_again(self, asked: Any, trial: Trial) -> None:
        if trial.outcome == "known":
            twin = next((one for one in self.open if one.number == trial.same_as), None)
            if twin is not None:
                twin.twins.append((asked, trial))
                return
            self._tell(asked, trial.values, "trained" if trial.values else "failed")
        else:
            self._tell(asked, (), trial.outcome)
        self._record(trial)

    # Asking.

    def _next(self) -> tuple[Any, Trial]:
        """Return the next network that is worth its training."""
        while self.anchors:
            name, choices = self.anchors.pop(0)
            found = self._look(self._enqueue(choices), f"anchor: {name}")
            if found is not None:
                return found
        number = self.paid
        if _due(number, self.plan.control) or self.plan.sampler == UNIFORM:
            origin = UNIFORM if self.plan.sampler == UNIFORM else "control"
            return self._constructed(origin)
        if self.plan.prescreen > 1 and self.promise is not None:
            return self._screened(self.promise)
        return self._drawn()

    def _drawn(self) -> tuple[Any, Trial]:
        """Return what the sampler draws, or a constructed network if it finds none that fits."""
        random = self._random()
        for _ in range(ASKS):
            if self.plan.sampler == EVOLUTION:
                choices = self._child(random)
                if choices is None:
                    break
                asked = self._enqueue(choices)
            else:
                seed = self._seed(self.asked)
                self.model.sampler = optuna_sampler(self.plan.sampler, seed, self.distributions)
                asked = self.model.ask()
            found = self._look(asked, self.plan.sampler)
            if found is not None:
                return found
        nearest = self._repaired()
        return nearest if nearest is not None else self._constructed("repair")

    def _repaired(self) -> tuple[Any, Trial] | None:
        """Return the last infeasible draw moved inside the budget, if it is new there."""
        last = next((t for t in reversed(self.trials) if t.outcome == "infeasible"), None)
        if last is None:
            return None
        random = self._random()
        found = repair(self.space, self.plan.budgets, last.choices, self.evaluate, random)
        if found is None:
            return None
        return self._look(self._enqueue(found.choices), "repair")

    def _constructed(self, origin: str) -> tuple[Any, Trial]:
        """Return a network drawn evenly from all that fit. Raises Exhausted if none is new."""
        sampler = Sampler(self.space, self.plan.budgets, self._seed(self.asked), self.evaluate)
        for _ in range(NEW):
            try:
                choices = sampler.feasible().choices
            except OptionError:
                if self.paid:
                    break
                raise
            if self.plan.unique and canonical(self.space.graph(choices)) in self.known:
                continue
            found = self._look(self._enqueue(choices), origin)
            if found is not None:
                return found
        raise Exhausted

    def _screened(self, promise: Promise) -> tuple[Any, Trial]:
        """Return the most promising of several draws, by the mean rank of the proxies."""
        drawn = []
        for _ in range(self.plan.prescreen):
            asked, trial = self._drawn()
            self.known[trial.digest] = trial  # so that it is drawn once
            drawn.append((asked, trial, promise(self.trained_as(trial.choices))))
        best = _best([promised for _, _, promised in drawn])
        for place, (asked, trial, _) in enumerate(drawn):
            if place != best:
                del self.known[trial.digest]
                self._tell(asked, (), "passed")
                self._record(structs.replace(trial, outcome="passed"))
        return drawn[best][0], drawn[best][1]

    def _child(self, random: Random) -> dict[str, Any] | None:
        """Return a changed copy of the best of a few recent networks."""
        judged = [trial for trial in self.trials if trial.values and trial.trained][-POPULATION:]
        if len(judged) < TOURNAMENT:
            return None
        parent = max(random.sample(judged, TOURNAMENT), key=lambda one: one.values[0])
        return mutate(self.space, parent.choices, random)

    def _enqueue(self, choices: Choices) -> Any:
        full = {**self.space.defaults, **choices}
        self.model.enqueue_trial(parameters(self.space, full))
        return self.model.ask()

    def _look(self, asked: Any, origin: str) -> tuple[Any, Trial] | None:
        """Return a trial that must be paid for; others are answered here, for free."""
        drawn = suggest(asked, self.space)
        choices = self.space.masked(drawn)
        idle = {path: value for path, value in drawn.items() if choices[path] != value}
        number, self.asked = self.asked, self.asked + 1
        trial = Trial(number, choices, "infeasible", origin, idle)
        costs = self.evaluate(choices)
        if costs is None:
            self._answer(asked, structs.replace(trial, outcome="impossible"))
            return None
        trial = structs.replace(trial, costs=costs, excess=_excess(self.plan.budgets, costs))
        if violation(self.plan.budgets, costs) > 0:
            self._answer(asked, trial)
            return None
        graph = self.space.graph(choices)
        digest = canonical(graph)
        trial = self._with_measured(structs.replace(trial, digest=digest), graph)
        if any(beyond > 0 for beyond in trial.excess.values()):
            self._answer(asked, trial)
            return None
        twin = self.known.get(digest) if self.plan.unique else None
        if twin is None:
            self._constrain(asked, trial.excess)
            return asked, trial
        trial = structs.replace(trial, outcome="known", same_as=twin.number)
        waiting = next((one for one in self.open if one.number == twin.number), None)
        if waiting is not None:
            self._constrain(asked, trial.excess)
            waiting.twins.append((asked, trial))
            return None
        self._answer(asked, structs.replace(trial, values=twin.values))
        return None

    def _with_measured(self, trial: Trial, graph: Graph) -> Trial:
        """Return a trial with the metrics that must be measured, each once for equal networks."""
        costs, excess = dict(trial.costs), dict(trial.excess)
        for name in limited_by(self.plan):
            if not METRICS[name].is_measured:
                continue
            key = trial.digest, name
            if key not in self.measured:
                self.measured[key] = self.measure(name, graph)
            costs[name] = self.measured[key]
        for budget in self.plan.budgets:
            if budget.measured:
                excess[budget.text] = budget.excess(costs[budget.metric])
        return structs.replace(trial, costs=costs, excess=excess)

    # Telling.

    def _submit(self, found: tuple[Any, Trial]) -> None:
        asked, trial = found
        self.known[trial.digest] = trial
        self.open.append(_Open(trial.number, asked, trial, []))
        self.paid += 1
        graph = self.trained_as(trial.choices)
        job = Job(trial.number, to_yaml(graph), trial.digest, self._rungs())
        self.judge.submit(job, graph)

    def _settle(self) -> None:
        """Wait for the answer of the oldest open trial, and tell it."""
        oldest = self.open[0]
        while oldest.number not in self.answers:
            verdict = self.judge.collect()
            self.answers[verdict.number] = verdict
        verdict = self.answers.pop(oldest.number)
        self.open.pop(0)
        values = self._values(oldest.trial, verdict)
        trial = structs.replace(
            oldest.trial, outcome=verdict.outcome, values=values, result=verdict
        )
        for epoch, score in enumerate(verdict.curve, 1):
            if len(self.plan.objectives) == 1:
                oldest.asked.report(score, epoch)
        self._tell(oldest.asked, values, verdict.outcome)
        self.known[trial.digest] = trial
        self._record(trial)
        for asked, twin in oldest.twins:
            self._tell(asked, values, "trained" if values else "failed")
            self._record(structs.replace(twin, values=values))

    def _values(self, trial: Trial, verdict: TrialResult) -> tuple[float, ...]:
        if verdict.score is None or verdict.outcome == "failed":
            return ()
        costs = {**trial.costs, ACCURACY: verdict.score}
        return tuple(costs[name] for name in self.plan.objectives)

    def _answer(self, asked: Any, trial: Trial) -> None:
        """Tell a free answer at once."""
        self._constrain(asked, trial.excess)
        if trial.outcome == "known":
            self._tell(asked, trial.values, "trained" if trial.values else "failed")
        else:
            self._tell(asked, trial.values, trial.outcome)
        self._record(trial)

    def _tell(self, asked: Any, values: Sequence[float], outcome: Outcome) -> None:
        if outcome == "trained" and values:
            self.model.tell(asked, list(values))
        elif outcome in ("infeasible", "impossible", "pruned"):
            self.model.tell(asked, state=TrialState.PRUNED)
        else:  # a sampler learns nothing from it
            self.model.tell(asked, state=TrialState.FAIL)

    def _constrain(self, asked: Any, excess: Mapping[str, float]) -> None:
        for name, beyond in excess.items():
            asked.set_constraint(name, beyond)

    def _record(self, trial: Trial) -> None:
        """Keep a trial, and show it once all before it are there."""
        self.done.append(trial)
        self.done.sort(key=lambda one: one.number)
        while self.done and self.done[0].number == len(self.trials):
            self.trials.append(self.done.pop(0))
            self.shown(self.trials[-1])

    def _rungs(self) -> tuple[tuple[int, float], ...]:
        """Return the scores that a new network must reach to go on: those of the best 1/eta.

        A rung stands after 1, eta, eta^2 ... epochs (ASHA, Li et al. 2018, arXiv:1810.05934), and
        knows the trials that are told by now: the same ones for any number of workers.
        """
        eta = self.plan.eta
        if eta < 2:
            return ()
        curves = [t.result.curve for t in self.trials if t.result is not None]
        rungs = []
        epoch = 1
        while any(len(curve) > epoch for curve in curves):
            reached = sorted((c[epoch - 1] for c in curves if len(c) >= epoch), reverse=True)
            if len(reached) >= eta:
                rungs.append((epoch, reached[len(reached) // eta - 1]))
            epoch *= eta
        return tuple(rungs)

    def _seed(self, number: int) -> int:
        digest = hashlib.sha256(f"{self.plan.seed}/{number}".encode()).digest()
        return int.from_bytes(digest[:4], "big")

    def _random(self) -> Random:
        return Random(self._seed(self.asked))  # noqa: S311 nothing secret is drawn


def _model(objectives: Sequence[str]) -> optuna.Study:
    """Return the study in memory that samplers learn from."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return optuna.create_study(directions=directions(objectives))


def directions(objectives: Sequence[str]) -> list[StudyDirection]:
    """Return whether more or less of each objective is better."""
    return [
        StudyDirection.MAXIMIZE if METRICS[name].better == "more" else StudyDirection.MINIMIZE
        for name in objectives
    ]


def limited_by(plan: Plan) -> list[str]:
    """Return the metrics that a plan limits or optimises."""
    return list(dict.fromkeys([*(budget.metric for budget in plan.budgets), *plan.objectives]))


def _due(number: int, share: float) -> bool:
    """Return whether the control takes the paid trial of this number, evenly spread."""
    return int((number + 1) * share + 1e-9) > int(number * share + 1e-9)


def _excess(budgets: Sequence[Budget], costs: Costs) -> dict[str, float]:
    return {
        budget.text: budget.excess(costs[budget.metric])
        for budget in budgets
        if not budget.measured
    }


def _best(promises: Sequence[Mapping[str, float]]) -> int:
    """Return the place of the network with the best mean rank over all proxies."""
    ranks = [0.0] * len(promises)
    for proxy in promises[0]:
        for place, one in enumerate(promises):
            ranks[place] += sum(other[proxy] > one[proxy] for other in promises)
    return min(range(len(promises)), key=lambda place: ranks[place])
