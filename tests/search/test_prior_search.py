"""Searches that use a prior as the evaluator."""

from __future__ import annotations

from pathlib import Path

import pytest

from archscope.errors import OptionError
from archscope.language import document
from archscope.records.study import Trial
from archscope.search import priors
from archscope.search.config import SearchConfig
from archscope.search.evaluation import Trainer
from archscope.search.prior_model import BEST, PriorModel
from archscope.search.prior_search import PriorSearch, PriorSearchResult
from archscope.search.study_folder import StudyFolder
from archscope.space.budget import budgets
from archscope.space.search_space import space
from tests.search.test_prior_model import UNITS

MODEL: list[PriorModel] = []


def run(folder: Path, budget: str, trials: int = 8) -> tuple[PriorSearchResult, list[Trial]]:
    networks = space(document("units.yaml", text=UNITS.encode()))
    if not MODEL:
        MODEL.append(PriorModel(priors.load("imagenet"), networks))
    config = SearchConfig(
        spec="units.yaml", budgets=budgets((budget,), lambda name: {}), prior="imagenet",
        judge="prior", trials=trials, trainer=Trainer(data="digits"),
    )  # fmt: skip
    opened = StudyFolder(folder, networks, config.record())
    try:
        seen: list[Trial] = []

        def on_trial(trial: Trial) -> None:
            if trial.number >= len(opened.trials):
                opened.add(trial)
            seen.append(trial)

        return PriorSearch(config, networks, MODEL[0], opened).run(on_trial, top=3), seen
    finally:
        opened.release()


def test_first_network_is_the_proved_best_and_the_answer(tmp_path: Path) -> None:
    found, trials = run(tmp_path / "study", "macs 4M")
    assert trials[0].origin == f"anchor: {BEST}"
    assert found.winner.trial == 0
    assert found.prior.proved
    assert found.prior.bound == pytest.approx(found.prior.networks[0].mean)
    assert [row.mean for row in found.prior.networks] == sorted(
        (row.mean for row in found.prior.networks), reverse=True
    )
    assert all(trial.costs["macs"] <= 4e6 for trial in trials if trial.trained)
    assert {trial.outcome for trial in trials if trial.trained} == {"predicted"}


def test_resumed_study_is_one_that_never_stopped(tmp_path: Path) -> None:
    whole, trials = run(tmp_path / "whole", "macs 4M", 9)
    run(tmp_path / "parts", "macs 4M", 5)
    resumed, again = run(tmp_path / "parts", "macs 4M", 9)
    assert [(trial.choices, trial.values) for trial in again] == [
        (trial.choices, trial.values) for trial in trials
    ]
    assert resumed.prior == whole.prior


def test_references_stand_by_the_same_yardstick_or_are_refused(tmp_path: Path) -> None:
    found, _ = run(tmp_path / "study", "macs 4M")
    assert {row.name for row in found.prior.references} == {
        "mobilenet_v2", "mnasnet_a1", "efficientnet_b0",
    }  # fmt: skip
    assert "joins branches" in found.prior.refused["shufflenet_v2_x1_5"]


def test_budget_that_nothing_fits_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"no network .* is within macs 1K$"):
        run(tmp_path / "study", "macs 1K")
    with pytest.raises(OptionError, match=r"are below its lower end of 850.0 G; .*both ends"):
        run(tmp_path / "large", "macs 1T")
