"""The files of a study, and its behaviour if they are damaged."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import optuna
import pytest

from archscope.errors import OptionError
from archscope.files import is_locked
from archscope.language import document
from archscope.latency.profile import keep
from archscope.records.study import Trial, TrialResult
from archscope.search.config import SearchConfig
from archscope.search.evaluation import Trainer
from archscope.search.progress import SearchProgress, open_study
from archscope.search.study_folder import StudyFolder
from archscope.space.budget import budgets
from archscope.space.search_space import Space, space
from tests.latency.stubs import stub

SPACE = space(document("line", text=b"input: [3, 8, 8]\nlayers: [conv: !choice [4, 6]]\n"))
(PATH,) = SPACE.by_path
CONFIG = SearchConfig(spec="line", budgets=budgets(["5MMACs"]), trainer=Trainer(data="digits"))
TRIALS = (
    Trial(0, {PATH: 4}, "infeasible", "tpe", excess={"5MMACs": 0.5}, costs={"macs": 7e6}),
    Trial(1, {PATH: 6}, "trained", "control", values=(0.5,),
          result=TrialResult(1, "trained", 0.5, {"top1": 0.5}, (0.4, 0.5))),
    Trial(2, {PATH: 6}, "known", "tpe", values=(0.5,), same_as=1),
    Trial(3, {PATH: 6}, "failed", "tpe", result=TrialResult(3, "failed", reason="no such luck")),
)  # fmt: skip


def opened(path: Path, networks: Space = SPACE, config: SearchConfig = CONFIG) -> StudyFolder:
    return StudyFolder(path, networks, config.record())


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = opened(tmp_path / "one")
    for trial in TRIALS:
        folder.add(trial)
    folder.release()
    return tmp_path / "one"


def test_keys_on_disk_are_those_of_the_first_release(study: Path) -> None:
    config = json.loads((study / "study.json").read_text())
    assert list(config) == [
        "spec", "set", "input", "budgets", "sampler", "seed", "lag", "control", "prescreen", "eta",
        "objectives", "start", "prior", "judge", "inherit", "measure", "resolution", "trainer",
    ]  # fmt: skip
    assert config["budgets"] == ["5MMACs"] and config["trainer"]["data"] == "digits"
    rows = [json.loads(line) for line in (study / "trials.jsonl").read_text().splitlines()]
    assert list(rows[1]) == [
        "number", "genes", "outcome", "origin", "idle", "excess", "costs", "digest", "values",
        "same_as", "verdict", "predicted",
    ]  # fmt: skip
    assert list(rows[1]["verdict"]) == [
        "number", "outcome", "score", "scores", "curve", "proxies", "seconds", "reason", "cached",
        "worker", "started", "losses", "validated", "chance", "speed",
    ]  # fmt: skip


def test_optuna_stores_the_trials(study: Path) -> None:
    storage = f"sqlite:///{study / 'study.db'}"
    stored = optuna.load_study(study_name="one", storage=storage).trials
    assert [trial.state.name for trial in stored] == ["PRUNED", "COMPLETE", "COMPLETE", "FAIL"]
    assert [trial.params for trial in stored] == [trial.choices for trial in TRIALS]
    assert stored[1].intermediate_values == {1: 0.4, 2: 0.5}
    assert stored[3].user_attrs["reason"] == "no such luck"


@pytest.mark.parametrize("rest", [b"", b'{"number": 4, "gen', b'{"number": 4}\n', b"\xff\n"])
def test_what_is_not_a_whole_trial_is_removed(study: Path, rest: bytes) -> None:
    with (study / "trials.jsonl").open("ab") as file:
        file.write(rest)
    folder = opened(study)
    folder.release()
    assert folder.trials == list(TRIALS)
    lines = (study / "trials.jsonl").read_bytes().splitlines()
    assert [msgspec.json.decode(line, type=Trial) for line in lines] == list(TRIALS)


def damage(study: Path, place: int, line: bytes) -> None:
    file = study / "trials.jsonl"
    lines = file.read_bytes().splitlines()
    lines[place : place + 1] = [line] if line else []
    file.write_bytes(b"".join(line + b"\n" for line in lines))


@pytest.mark.parametrize(
    "place, line", [(0, b"\xff"), (1, b"null"), (2, b'{"number": 2}'), (3, b"{")]
)
def test_a_damaged_line_is_moved_aside_and_no_other_trial_is_lost(
    study: Path, place: int, line: bytes
) -> None:
    damage(study, place, line)
    folder = opened(study)
    folder.release()
    left = [trial for number, trial in enumerate(TRIALS) if number != place]
    assert folder.trials == left
    assert f"damaged in line {place + 1}, which is in trials.damaged.jsonl" in folder.notes[0]
    assert (study / "trials.damaged.jsonl").read_bytes() == line + b"\n"
    assert len((study / "trials.jsonl").read_bytes().splitlines()) == len(left)
    storage = f"sqlite:///{study / 'study.db'}"
    assert len(optuna.load_study(study_name="one", storage=storage).trials) == len(left)
    again = opened(study)
    again.release()
    assert again.trials == left and again.notes == []


def test_a_number_that_comes_twice_is_damage_and_a_line_that_is_gone_is_not(study: Path) -> None:
    damage(study, 2, (study / "trials.jsonl").read_bytes().splitlines()[0])
    folder = opened(study)
    folder.release()
    assert folder.trials == [TRIALS[0], TRIALS[1], TRIALS[3]]
    damage(study, 0, b"")
    folder = opened(study)
    folder.release()
    assert folder.trials == [TRIALS[1], TRIALS[3]]


@pytest.mark.parametrize("content", [b"", b"garbage" * 100, b"\0" * 5000])
def test_a_damaged_copy_of_the_trials_is_made_anew(study: Path, content: bytes) -> None:
    (study / "study.db").write_bytes(content)
    folder = opened(study)
    folder.release()
    assert folder.trials == list(TRIALS)
    assert not content or "made anew from trials.jsonl" in folder.notes[0]
    test_optuna_stores_the_trials(study)


def test_a_storage_that_is_full_is_one_error_and_loses_no_trial(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise OSError("database or disk is full\nand more")

    folder = opened(study)
    monkeypatch.setattr(folder.optuna_study, "add_trial", full)
    new = msgspec.structs.replace(TRIALS[0], number=4)
    with pytest.raises(OptionError, match=r"takes no more trials: database or disk is full$"):
        folder.add(new)
    folder.release()
    again = opened(study)
    again.release()
    assert again.trials == [*TRIALS, new] and not again.notes


def test_trials_of_another_space_are_one_error(study: Path) -> None:
    other = space(document("line", text=b"input: [3, 8, 8]\nlayers: [conv: !choice [4, 8]]\n"))
    with pytest.raises(OptionError, match=r"trial 1 in '.*trials.jsonl' is of another space: "):
        opened(study, other)
    assert not is_locked(study / "lock")


def test_a_study_without_trials_takes_any_configuration(tmp_path: Path) -> None:
    opened(tmp_path / "one").release()
    changed = msgspec.structs.replace(CONFIG, seed=1)
    opened(tmp_path / "one", config=changed).release()
    assert json.loads((tmp_path / "one" / "study.json").read_text())["seed"] == 1


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"null", b"5", b"\xff"])
def test_a_damaged_configuration_is_one_error_and_frees_the_lock(
    study: Path, content: bytes
) -> None:
    (study / "study.json").write_bytes(content)
    with pytest.raises(OptionError, match=r"^cannot read '.*study\.json': "):
        opened(study)
    assert not is_locked(study / "lock")


def test_another_configuration_needs_another_folder(study: Path) -> None:
    with pytest.raises(OptionError, match="begun with another seed: 0, now 1; give it another"):
        opened(study, config=msgspec.structs.replace(CONFIG, seed=1))
    opened(study, config=msgspec.structs.replace(CONFIG, trials=1000)).release()


def test_another_latency_profile_of_the_same_name_needs_another_folder(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHSCOPE_DATA", str(tmp_path / "data"))
    first, second = (stub(seed=seed, name="board") for seed in (0, 1))
    keep(first)
    timed = msgspec.structs.replace(CONFIG, budgets=budgets(["8ms@board"]))
    folder = opened(tmp_path / "timed", config=timed)
    folder.add(TRIALS[0])
    folder.release()
    kept = json.loads((tmp_path / "timed" / "study.json").read_text())
    assert kept["profiles"] == {"board": first.checksum}
    opened(tmp_path / "timed", config=timed).release()
    keep(second)
    with pytest.raises(OptionError, match=(
        f"another latency profile 'board': checksum {first.checksum}, now {second.checksum}; give"
    )):  # fmt: skip
        opened(tmp_path / "timed", config=timed)
    del kept["profiles"]  # as earlier versions wrote it
    (tmp_path / "timed" / "study.json").write_text(json.dumps(kept))
    opened(tmp_path / "timed", config=timed).release()


def test_a_trial_that_cannot_be_written_is_one_error(study: Path) -> None:
    folder = opened(study)
    (study / "trials.jsonl").unlink()
    (study / "trials.jsonl").mkdir()
    with pytest.raises(OptionError, match=r"^cannot write '.*trials\.jsonl': is a directory$"):
        folder.add(TRIALS[0])
    folder.release()


@pytest.mark.parametrize("trials", [0, 1])
def test_an_error_before_the_first_trial_leaves_no_folder(tmp_path: Path, trials: int) -> None:
    path = tmp_path / "studies" / "new"
    with (
        pytest.raises(OptionError, match="no images"),
        open_study(path, SPACE, CONFIG, None, SearchProgress()) as folder,
    ):
        for trial in TRIALS[:trials]:
            folder.add(trial)
        raise OptionError("no images")
    assert path.exists() == path.parent.exists() == bool(trials)


def test_an_error_leaves_a_folder_that_was_there(tmp_path: Path) -> None:
    with (
        pytest.raises(OptionError, match="no images"),
        open_study(tmp_path, SPACE, CONFIG, None, SearchProgress()),
    ):
        raise OptionError("no images")
    assert (tmp_path / "study.json").is_file()
