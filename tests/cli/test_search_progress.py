"""The lines that a search prints while it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from archscope.cli.shared.search_progress import SearchProgressLines
from archscope.language import document
from archscope.records.study import Trial, TrialResult
from archscope.search.config import SearchConfig
from archscope.search.evaluation import Trainer
from archscope.space.budget import budgets
from archscope.space.search_space import space

COSTS = {"macs": 1_500_000, "params": 2_000, "access": 4_096}


def ended(number: int, outcome: str, origin: str = "tpe", score: float | None = None) -> Trial:
    result = None
    if outcome in ("trained", "pruned", "failed"):
        scores = {} if score is None else {"top1": score}
        result = TrialResult(
            number, outcome, score, scores, seconds=2.0, reason="no such luck"  # type: ignore[arg-type]
        )  # fmt: skip
    return Trial(number, {}, outcome, origin, costs=COSTS, result=result)  # type: ignore[arg-type]


def test_a_line_for_each_trained_network_and_the_state_below(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    states: list[str] = []
    monkeypatch.setattr("archscope.cli.shared.search_progress.tell", states.append)
    progress = SearchProgressLines(Path("studies/one"))
    networks = space(document("line", text=b"input: [3, 8, 8]\nlayers: [conv: !choice [4, 6]]\n"))
    config = SearchConfig(trials=6, budgets=budgets(["5MMACs"]), trainer=Trainer(data="digits"))
    progress.on_start(config, networks, [ended(0, "trained", score=0.45)])
    progress.on_trial(ended(1, "infeasible"))
    progress.on_trial(ended(2, "trained", "control", 0.5))
    progress.on_trial(ended(3, "pruned", score=0.4))
    progress.on_trial(ended(4, "failed"))
    progress.on_trial(ended(5, "trained", score=0.48))
    lines = [" ".join(line.split()) for line in capsys.readouterr().err.splitlines()]
    assert lines[0] == "searching stdin, 1 decisions"
    assert lines[1].startswith("5MMACs: ")
    assert lines[2] == "trained on digits, a demonstration"
    assert lines[3:] == [
        "resuming studies/one, which has 1 trials",
        "trial 2 50.0 % 1.500 M macs 2,000 params 4.000 KiB access 2.00 s baseline best so far",
        "trial 3 40.0 % 1.500 M macs 2,000 params 4.000 KiB access 2.00 s tpe stopped early",
        "trial 4 failed 1.500 M macs 2,000 params 4.000 KiB access no such luck",
        "trial 5 48.0 % 1.500 M macs 2,000 params 4.000 KiB access 2.00 s tpe",
    ]
    assert states[0].startswith(
        "1 of 6 trained, 2 proposed  best 45.0 %  0 % within the budget  0 known  ETA ?"
    )
    assert states[-1].startswith(
        "5 of 6 trained, 6 proposed  best 50.0 %  80 % within the budget  0 known  ETA "
    )
