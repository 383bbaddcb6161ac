"""A search from question to winner: the study, its folder, its judges, and its end."""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from archscope.analysis import analyze
from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.language import graph
from archscope.language.document import Document
from archscope.linter import lint
from archscope.linter.records import record
from archscope.metrics import ACCURACY
from archscope.records.study import Finalist, Trial
from archscope.search.anchors import anchors
from archscope.search.evaluation import Trainer
from archscope.search.executor import Crew
from archscope.search.finalists import best, finalists, front
from archscope.search.local_executor import LocalJudge
from archscope.search.study import Plan, Study
from archscope.search.study_folder import Folder
from archscope.sources import document
from archscope.space.bound_spec import bound_text
from archscope.space.budget import Budget
from archscope.space.search_space import Space, space
from archscope.stats import rank_correlation

DEFAULT = "mobile"
FEWEST = 8  # trained networks that tell which decisions matter


class Question(Struct, frozen=True, kw_only=True):
    """Everything that a search was asked, apart from where it runs."""

    spec: str = DEFAULT
    budgets: tuple[Budget, ...] = ()
    sampler: str = "tpe"
    trials: int = 24
    seed: int = 0
    lag: int = 4
    control: float = 0.2
    prescreen: int = 1
    eta: int = 3
    objectives: tuple[str, ...] = (ACCURACY,)
    start: tuple[str, ...] = ()
    resolution: int | None = 32  # of the images that candidates are trained on; None: the spec's
    trainer: Trainer


class Watch:
    """Who wants to know how a search goes; a subclass says what it shows."""

    def begin(self, question: Question, space: Space, known: int) -> None:
        """Hear what is asked, and how many trials are there from before."""

    def trial(self, trial: Trial, study: Study) -> None:
        """Hear of a trial."""

    def finals(self, done: int, of: int) -> None:
        """Hear how many of the last trainings are done."""

    def close(self) -> None:
        """Hear that it is over, however it ended."""


class Found(Struct, frozen=True):
    """What a search came to."""

    folder: str
    space: str
    networks: str  # how many there are, as a number in words of digits
    outcomes: dict[str, int]
    seconds: float
    finalists: tuple[Finalist, ...]
    winner: Finalist | None
    front: tuple[Trial, ...]
    correlations: dict[str, float]  # Spearman's, of each proxy with the score
    importance: dict[str, float]  # of each decision for the score, the most important first
    reason: str  # why it ended


def search(
    question: Question,
    path: Path,
    *,
    crew: Crew = LocalJudge,
    storage: str | None = None,
    max_time: float | None = None,
    trial_time: float | None = None,
    trial_bytes: int | None = None,
    top: int = 3,
    seeds: int = 2,
    stretch: int = 2,
    watch: Watch | None = None,
) -> Found:
    """Search a space for the best network inside budgets, and keep all of it in a folder.

    A folder that holds the same question is gone on with. Trials end after `question.trials` paid
    ones or `max_time` seconds; then the `top` best are trained `stretch` times as long with
    `seeds` seeds. `crew` says where. Raises ArchscopeError; KeyboardInterrupt leaves a
    study that can go on.
    """
    watch = watch or Watch()
    began = time.perf_counter()
    read = document(question.spec)
    deploy = space(read)
    if not deploy.decisions:
        raise OptionError(
            f"'{question.spec}' leaves nothing open to search; 'archscope space {question.spec}"
            " --vary width,kernel,depth' makes a space of it"
        )
    trained = _trained_space(read, question, deploy)
    folder = Folder(path, deploy, _asked(question), storage)
    judge = crew(question.trainer, seconds=trial_time, bytes_=trial_bytes)
    at_once = True
    try:
        plan = _plan(question, deploy)
        study = Study(
            deploy,
            plan,
            judge,
            shown=lambda trial: _told(folder, watch, trial, study),
            trained_as=lambda choices: trained.graph(choices),
            promise=_promise(question) if question.prescreen > 1 else None,
        )
        before = list(folder.trials)
        watch.begin(question, deploy, len(before))
        study.shown = lambda trial: None
        study.replay(before)
        study.shown = lambda trial: _told(folder, watch, trial, study)
        study.run(
            question.trials,
            lambda: max_time is not None and time.perf_counter() - began > max_time,
        )
        reason = _reason(study, question, max_time, began)
        at_once = False
        judge.close()
        last = finalists(
            best(study.trials, top), question.trainer, trained.graph,
            seeds=seeds, stretch=stretch, crew=crew, folder=path / "finals",
            progress=watch.finals,
        )  # fmt: skip
        found = _found(folder, deploy, study, last, time.perf_counter() - began, reason)
        _export(folder, deploy, found)
        return found
    finally:
        if at_once:
            judge.close(at_once=True)
        watch.close()
        folder.leave()


def _told(folder: Folder, watch: Watch, trial: Trial, study: Study) -> None:
    if trial.number >= len(folder.trials):
        folder.add(trial)
        watch.trial(trial, study)


def _trained_space(read: Document, question: Question, deploy: Space) -> Space:
    """Return the space at the resolution and with the classes of the images trained on."""
    from archscope.datasets import load

    trainer = question.trainer
    data = load(trainer.data, None if trainer.folder is None else Path(trainer.folder))
    given = {"classes": len(data.classes)} if "classes" in read.let else {}
    (entry, *more) = deploy.graph(deploy.defaults).inputs
    if more:
        raise OptionError(f"'{deploy.name}' has several inputs; a search trains on one image")
    shape = entry.out
    if question.resolution is not None:
        shape = (shape[0], *[question.resolution] * (len(shape) - 1))
    return space(read, set=given, input=shape)


def _plan(question: Question, deploy: Space) -> Plan:
    return Plan(
        budgets=question.budgets,
        sampler=question.sampler,
        seed=question.seed,
        lag=question.lag,
        control=question.control,
        anchors=tuple(anchors(deploy, question.budgets, question.start, question.seed)),
        objectives=question.objectives,
        prescreen=question.prescreen,
        eta=question.eta if len(question.objectives) == 1 else 0,
    )


def _asked(question: Question) -> dict[str, Any]:
    """Return the question as `study.json` keeps it; more trials of the same are the same."""
    rows = structs.asdict(question)
    rows.pop("trials")
    rows["budgets"] = [budget.text for budget in question.budgets]
    rows["trainer"] = structs.asdict(question.trainer)
    return rows


def _promise(question: Question) -> Callable[[Graph], dict[str, float]]:
    from archscope.datasets import load
    from archscope.search.proxies import PRESCREEN, proxy_scores

    trainer = question.trainer
    data = load(trainer.data, None if trainer.folder is None else Path(trainer.folder))

    def promise(graph: Graph) -> dict[str, float]:
        scores = proxy_scores(graph, data, trainer.seed, trainer.adapt)
        return {name: scores[name] for name in PRESCREEN}

    return promise


def _reason(study: Study, question: Question, max_time: float | None, began: float) -> str:
    if study.paid >= question.trials:
        return "all trials are done"
    if max_time is not None and time.perf_counter() - began > max_time:
        return f"the time of {max_time:g} s is over"
    return "every network inside the budget that could be found has been judged"


def _found(
    folder: Folder, deploy: Space, study: Study, last: list[Finalist], seconds: float, reason: str
) -> Found:
    from archscope.space.counting import TooManyError, plan

    try:
        many = f"{plan(deploy).count:,}"
    except TooManyError:
        many = "more than can be counted"
    return Found(
        folder=folder.path.as_posix(),
        space=deploy.name,
        networks=many,
        outcomes=dict(Counter(trial.outcome for trial in study.trials)),
        seconds=seconds,
        finalists=tuple(last),
        winner=last[0] if last else None,
        front=tuple(front(study.trials)),
        correlations=correlations(study.trials),
        importance=importance(folder),
        reason=reason,
    )


def correlations(trials: Sequence[Trial]) -> dict[str, float]:
    """Return Spearman's rank correlation of each proxy with the score, over trained networks."""
    judged = [
        trial.result for trial in trials
        if trial.outcome == "trained" and trial.result and trial.result.proxies
    ]  # fmt: skip
    if len(judged) < 4:
        return {}
    scores = [trial.score or 0.0 for trial in judged]
    found = {}
    for name in judged[0].proxies:
        value = rank_correlation([trial.proxies[name] for trial in judged], scores)
        if value is not None:
            found[name] = value
    return found


def importance(folder: Folder) -> dict[str, float]:
    """Return how much each decision matters for the score, as PED-ANOVA sees it.

    Watanabe et al. 2023, arXiv:2304.10255. Empty where there are too few trials to tell.
    """
    import optuna

    judged = [trial for trial in folder.record.get_trials(deepcopy=False) if trial.values]
    if len(judged) < FEWEST or len(judged[0].values) > 1:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = optuna.importance.get_param_importances(folder.record)
        except (ValueError, RuntimeError):
            return {}
    return {name: float(share) for name, share in found.items()}


def _export(folder: Folder, deploy: Space, found: Found) -> None:
    """Write the winner as a plain spec, with what is known of it."""
    import msgspec

    folder.write("summary.json", msgspec.json.format(msgspec.json.encode(found)).decode())
    if found.winner is None:
        return
    about = (
        f"found in '{deploy.name}' by archscope search; validation accuracy"
        f" {found.winner.mean:.4f} over {len(found.winner.scores)} seeds"
    )
    text = bound_text(deploy, found.winner.choices, name=f"{folder.path.name}_winner", about=about)
    path = folder.write("winner.yaml", text)
    read = document(path)
    made = graph(read)
    result = structs.replace(analyze(made), findings=tuple(map(record, lint(made, read))))
    folder.write("winner.json", msgspec.json.format(msgspec.json.encode(result)).decode())
