from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from archscope.bench import known_roofline, roofline
from archscope.bench.machine import Machine
from archscope.bench.roofline import Roofline
from tests.bench.conftest import roofline_of

PLACE = Machine("cpu", "test", 2, "0")


def test_what_is_kept_is_recalled_for_that_machine_only(own_cache: Path) -> None:
    roof = roofline_of(PLACE)
    assert roofline.recall(PLACE, "float32", 1) is None
    roofline.keep(roof)
    assert roofline.recall(PLACE, "float32", 1) == roof
    assert roofline.recall(PLACE, "float32", 2) is None
    assert roofline.recall(PLACE, "bfloat16", 1) is None
    assert roofline.recall(msgspec.structs.replace(PLACE, torch="1"), "float32", 1) is None
    assert len(list(own_cache.rglob("*.json"))) == 1


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", '{"machine": 1}'])
def test_a_file_that_is_broken_is_as_none(text: str) -> None:
    roofline.keep(roofline_of(PLACE))
    roofline.CACHE.path((PLACE, "float32", 1)).write_text(text, encoding="utf-8")
    assert roofline.recall(PLACE, "float32", 1) is None


def test_a_file_of_another_machine_is_as_none() -> None:
    roofline.keep(roofline_of(PLACE))
    other = msgspec.structs.replace(PLACE, name="other")
    path = roofline.CACHE.path((other, "float32", 1))
    path.parent.mkdir(exist_ok=True)
    roofline.CACHE.path((PLACE, "float32", 1)).rename(path)
    assert roofline.recall(other, "float32", 1) is None


def test_a_folder_that_cannot_be_written_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ARCHSCOPE_CACHE", str(tmp_path / "file" / "folder"))
    roofline.keep(roofline_of(PLACE))


def test_measured_once_and_again_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Roofline] = []

    def counted(place: Machine, dtype: str, threads: int, **words: object) -> Roofline:
        made.append(roofline_of(place, threads, gmacs=float(len(made) + 1)))
        return made[-1]

    monkeypatch.setattr(roofline, "measure_roofline", counted)
    assert known_roofline(PLACE, threads=1) == known_roofline(PLACE, threads=1)
    assert len(made) == 1
    assert known_roofline(PLACE, threads=1, refresh=True).gmacs_per_second == 2.0
    assert known_roofline(PLACE, threads=1).gmacs_per_second == 2.0
    known_roofline(PLACE, threads=2)
    assert [roof.threads for roof in made] == [1, 1, 2]
