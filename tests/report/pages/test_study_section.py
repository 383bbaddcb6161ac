"""Study folders: what searches found, computed anew from their trials."""

from __future__ import annotations

import json
import shutil
from itertools import product
from math import ceil
from pathlib import Path

import msgspec
import pytest

from archscope.errors import OptionError
from archscope.records.study import Finalist
from archscope.report.formats import markdown, table
from archscope.report.pages.answer import answer
from archscope.report.pages.html import html
from archscope.report.pages.study_section import read_study
from archscope.report.pages.summary import summary
from archscope.report.pages.text_page import parts
from archscope.report.table import CommandOutput
from archscope.report.tables.studies import study_parts
from tests.report.conftest import collected, make_run, make_study, page_of

ROOT = Path(__file__).parents[3]


def test_a_study(tmp_path: Path) -> None:
    study = read_study(make_study(tmp_path / "first"))
    assert dict(study.counts) == {"trained": 6, "pruned": 2, "infeasible": 2}
    curves = {curve.name: curve.y for curve in study.best}
    assert curves["baseline"] == (pytest.approx(0.54),)
    assert curves["search"] == pytest.approx((0.5, 0.58, 0.58, 0.7, 0.74, 0.78, 0.78))
    assert dict(study.proxies) == {"up": pytest.approx(1), "down": pytest.approx(-1)}
    trained = dict(study.counts)["trained"]
    limit = f"over {trained} networks, correlations within ±{1.96 / (trained - 1) ** 0.5:.2f} may"
    assert any(isinstance(part, str) and limit in part for part in study_parts(study, plot=False))
    assert study.decisions == ("width", "kind"), "what never differs decides nothing"
    assert len(study.trials) == len(study.jobs) == 8
    assert {job.worker for job in study.jobs} == {0}
    assert "trial 7 has the highest score of the search, 78.0 %" in study.conclusion
    assert study.state == "not finished"
    assert dict(study.facts)["data"] == "digits, a demonstration"
    assert summary((), (), [study]) == (f"Study first: {study.conclusion}",)


def test_what_is_broken_is_named(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "first")
    lines = (folder / "trials.jsonl").read_text().splitlines(keepends=True)
    (folder / "trials.jsonl").write_text("".join([lines[0], "nonsense\n", *lines[2:]]))
    (folder / "study.json").unlink()
    study = read_study(folder)
    assert [text.split(":")[0] for text in study.missing[:2]] == ["trials.jsonl, line 2",
                                                                  "study.json"]  # fmt: skip
    assert sum(count for _, count in study.counts) == 9
    (folder / "trials.jsonl").unlink()
    (folder / "study.json").write_text("{}")
    with pytest.raises(OptionError, match="trials"):
        read_study(folder)


def test_a_study_without_an_answer_yet(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "first")
    (folder / "trials.jsonl").write_text("")
    study = read_study(folder)
    assert study.conclusion == "No network has been trained to its end."
    assert study.best == () and study.trials == ()


def make_failed_study(folder: Path) -> Path:
    """A study whose trainings all failed, for one of two reasons."""
    make_study(folder)
    trials = [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()[:-1]]
    for trial in trials:
        reason = "out of memory" if trial["number"] == 1 else "3 channels, not 1"
        trial["verdict"] = {"number": trial["number"], "outcome": "failed", "reason": reason}
        trial["outcome"] = "failed"
    (folder / "trials.jsonl").write_text("".join(f"{json.dumps(trial)}\n" for trial in trials))
    return folder


def test_failed_trainings_say_why(tmp_path: Path) -> None:
    study = read_study(make_failed_study(tmp_path / "first"))
    assert study.conclusion == ("No network has been trained to its end. 9 of 10 trainings failed:"
                                " 3 channels, not 1.")  # fmt: skip
    (told,) = answer((), [study])
    assert told == ("Ship nothing of study first yet: 10 trainings failed, and it has trained no"
                    " network to its end.")  # fmt: skip


def test_its_winner_stands_among_the_networks(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "studies" / "first")
    shutil.copy(ROOT / "specs" / "lenet5.yaml", folder / "winner.yaml")
    last = [
        Finalist(7, {}, {}, 0.78, (0.8, 0.82), 0.81, 0.014, 0.8, 0.82, tied=True),
        Finalist(6, {}, {}, 0.74, (0.7,), 0.7, None, 0.7, 0.7),
    ]
    found = {"importance": {"width": 0.2, "kind": 0.8}, "finalists": last, "networks": "1,234"}
    (folder / "summary.json").write_bytes(msgspec.json.encode(found))
    inputs = collected(str(tmp_path / "studies"))
    (winner,) = inputs.networks()
    assert winner.name == "winner of first"
    assert winner.values["accuracy"] == 0.81, "of the longer training, not of the search"
    assert inputs.studies[0].importance == (("kind", 0.8), ("width", 0.2))
    assert inputs.studies[0].state == "finished"
    assert dict(inputs.studies[0].facts)["networks of the space"] == "1,234"
    text = html(page_of(winner, inputs=inputs), charts="")
    assert "80.0 % to 82.0 %" in text and "the winner" in text and "behind" in text


def line(number: int, origin: str, accuracy: float | None) -> str:
    outcome = "pruned" if accuracy is None else "trained"
    verdict = {"number": number, "outcome": outcome,
               "scores": {} if accuracy is None else {"top1": accuracy}}  # fmt: skip
    return json.dumps({"number": number, "genes": {}, "outcome": outcome, "origin": origin,
                       "verdict": verdict})  # fmt: skip


def test_the_band_is_that_of_all_draws(tmp_path: Path) -> None:
    """All sequences of draws from five networks, one cut short, are written out and counted."""
    folder = make_study(tmp_path / "first")
    control: list[float | None] = [0.5, None, 0.7, 0.6, 0.8]
    lines = [line(place, "control", value) for place, value in enumerate(control)]
    (folder / "trials.jsonl").write_text("\n".join(lines) + "\n")
    low, high = read_study(folder).random_band
    assert low.x == (1.0, 2.0, 3.0, 4.0, 5.0)
    values = sorted(value or 0.0 for value in control)
    for draws in range(1, 6):
        best = sorted(max(drawn) for drawn in product(values, repeat=draws))
        for edge, share in ((low, 0.025), (high, 0.975)):
            wanted = best[ceil(share * len(best) - 1e-9) - 1]
            assert (edge.y[draws - 1] or 0.0) == wanted
    (folder / "trials.jsonl").write_text("\n".join(lines[:4]) + "\n")
    assert read_study(folder).random_band == (), "four say too little"


def test_use_of_the_budget(tmp_path: Path) -> None:
    (use,) = read_study(make_study(tmp_path / "first")).budgets
    assert (use.budget, use.inside, use.beyond) == ("5MMACs", (0.8,) * 8, (1.5,) * 2)


def test_studies_in_words(tmp_path: Path) -> None:
    inputs = collected(str(make_study(tmp_path / "first")))
    text = table.render(CommandOutput(parts(page_of(inputs=inputs), plot=True)))
    assert "study first, not finished: 6 trained, 2 pruned, 2 infeasible" in text
    assert "baseline" in text and "rank correlation" in text and "missing: summary.json" in text
    assert "| search |" not in markdown.render(
        CommandOutput(parts(page_of(inputs=inputs), plot=False))
    )


def test_the_winners_trainings_are_runs(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "first")
    for trial, seed in ((7, 1), (7, 2), (6, 1)):
        make_run(folder / "finals" / f"trial{trial}-seed{seed}")
    (folder / "finals" / "trial7-seed2" / "run.json").write_text("{")
    last = [Finalist(trial, {}, {}, 0.8, (0.8,), 0.8, None, 0.8, 0.8) for trial in (7, 6)]
    (folder / "summary.json").write_bytes(msgspec.json.encode({"finalists": last}))
    inputs = collected(str(folder))
    assert [run.name for run in inputs.runs] == ["trial7-seed1"]
    assert ["trial7-seed2" in problem.source for problem in inputs.problems] == [True]
    assert inputs.networks() == ()


def test_2000_trials_stay_under_25_megabytes(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "large")
    choices = {f"stage{stage}.layer{layer}.kernel": 3 for stage in range(5) for layer in range(6)}
    proxies = {f"proxy{number}": 0.123456789 for number in range(7)}
    with (folder / "trials.jsonl").open("w") as file:
        for number in range(2000):
            trial = {
                "number": number, "genes": {key: (number + place) % 3 * 2 + 3
                                            for place, key in enumerate(choices)},
                "outcome": "trained", "origin": "control" if number % 5 == 0 else "tpe",
                "costs": {"macs": 1e8 + number, "params": 1e6 + number, "access": 1e7 + number},
                "excess": {"300MMACs": -1 / (number + 2)},
                "verdict": {"number": number, "outcome": "trained",
                            "scores": {"top1": number % 997 / 1000}, "seconds": 2.5,
                            "started": 1.25 * number, "worker": number % 2, "proxies": proxies},
            }  # fmt: skip
            file.write(json.dumps(trial) + "\n")
    inputs = collected(str(folder))
    assert len(inputs.studies[0].trials) == 2000
    assert len(html(page_of(inputs=inputs))) < 8_000_000


def test_its_sentences_say_what_the_search_has_shown(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "studies" / "first")
    shutil.copy(ROOT / "specs" / "lenet5.yaml", folder / "winner.yaml")
    tied = [Finalist(n, {}, {}, 0.8, (0.8,), 0.8, None, 0.8, 0.8, tied=True) for n in (7, 6)]
    found = {
        "finalists": tied, "tied": [7, 6], "verdict": "no winner: trials 7 and 6 are tied",
        "reliability": {"sentence": "two seeds rank 4 networks with a correlation of 0.20"},
        "certificate": {"sentence": "by an additive model a gap of 1.0 points"},
    }  # fmt: skip
    (folder / "summary.json").write_bytes(msgspec.json.encode(found))
    inputs = collected(str(tmp_path / "studies"))
    (study,) = inputs.studies
    assert "trial 7 has the highest score of the search, 78.0 %" in study.conclusion
    assert study.conclusion.startswith("No winner: trials 7 and 6 are tied. Of 10 proposed")
    assert study.trust[0].startswith("Reliability: two seeds rank")
    assert study.trust[1] == "Certificate: by an additive model a gap of 1.0 points."
    assert inputs.networks()[0].name == "trial 7 of first, tied"
    page = html(page_of(*inputs.networks(), inputs=inputs), charts="")
    assert "the winner" not in page and ">tied<" in page


def priced(number: int, macs: float, least: float, most: float, **choices: object) -> str:
    outcome = "trained" if least <= macs <= most else "infeasible"
    result = {"number": number, "outcome": outcome, "scores": {"top1": macs / 1e7}}
    return json.dumps({
        "number": number, "genes": choices, "outcome": outcome, "origin": "tpe",
        "costs": {"params": 1e6 - macs / 7, "macs": macs},
        "excess": {"5MMACs": max(macs / most - 1, 1 - macs / least)},
        "verdict": result if outcome == "trained" else None,
    })  # fmt: skip


def test_a_budget_with_a_lower_limit(tmp_path: Path) -> None:
    """Networks near the lower limit use as much as they cost, not as much as they are off."""
    folder = make_study(tmp_path / "first")
    costs = (4_200_000, 4_010_000, 4_800_000, 4_990_000, 3_000_000, 6_000_000)
    lines = [priced(place, macs, 4e6, 5e6) for place, macs in enumerate(costs)]
    (folder / "trials.jsonl").write_text("\n".join(lines) + "\n")
    (use,) = read_study(folder).budgets
    assert (use.cost, use.limit, use.least) == ("macs", pytest.approx(5e6), pytest.approx(0.8))
    assert use.inside == (0.84, 0.802, 0.96, 0.998)
    assert use.beyond == (0.6, 1.2)
    (folder / "trials.jsonl").write_text("\n".join(lines[1:3]) + "\n")
    assert read_study(folder).budgets == (), "one network at each limit determines neither"


def test_decisions_that_matter(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "first")
    lines = [
        json.loads(priced(place, 1e6 * (1 + place % 2) + place, 0.1, 5e6, width=place % 2,
                          luck=place // 2 % 3))
        for place in range(30)
    ]  # fmt: skip

    def tested(**origin: str) -> dict[str, float]:
        text = "".join(f"{json.dumps({**line, **origin})}\n" for line in lines)
        (folder / "trials.jsonl").write_text(text)
        return read_study(folder).p_values

    for origin in ("control", "uniform", "random"):
        found = tested(origin=origin)
        assert found["width"] < 1e-4 and found["luck"] > 0.5
    assert tested(origin="surrogate") == {}, "its networks depend on earlier scores"


def test_why_no_training_ended(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "first")
    lines = [priced(place, 6e6 + place, 0.1, 5e6) for place in range(3)]
    (folder / "trials.jsonl").write_text("\n".join([*lines, line(3, "tpe", None)]) + "\n")
    assert read_study(folder).conclusion == (
        "No network has been trained to its end. 3 were outside a budget. 1 was stopped early."
    )
