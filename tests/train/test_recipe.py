from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from archscope.errors import ArchscopeError
from archscope.train import Recipe, recipe_files
from archscope.train.recipe import KNOBS, batch_of, meaning


def test_the_course_is_adam_at_a_ten_thousandth_in_batches_of_200_for_one_epoch() -> None:
    course = recipe_files.read("course")
    assert (course.optimizer, course.learning_rate) == ("adam", 1e-4)
    assert (course.batch, course.epochs, course.schedule) == (200, 1, "constant")


def test_brief_is_the_default() -> None:
    assert recipe_files.read("brief") == Recipe()


@pytest.mark.parametrize("name", recipe_files.recipes())
def test_what_is_written_reads_back(name: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    recipe = recipe_files.change(recipe_files.read(name), {"max_time": "1m30s"})
    path.write_text(recipe_files.text(recipe), encoding="utf-8")
    assert recipe_files.read(path) == recipe
    assert recipe.max_time == 90


def test_every_knob_is_explained_with_the_reason_of_its_default() -> None:
    assert list(KNOBS) == [field.name for field in structs.fields(Recipe)]
    for knob in KNOBS:
        assert "Default" in meaning(knob), knob


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"epochs": 0}, "epochs: expected a whole number of at least 1, got 0"),
        ({"epochs": 1.5}, "epochs: expected a whole number or nothing, got 1.5"),
        ({"optimzer": "sgd"}, "unknown knob 'optimzer', did you mean 'optimizer'?"),
        ({"optimizer": "adm"}, "optimizer: expected one of adagrad, adam, adamw, momentum,"
         " nesterov, rmsprop, sgd, got 'adm', did you mean 'adam'?"),
        ({"max_time": "soon"}, "expected a time such as 500ms, 90s, 5m or 1h30m, got 'soon'"),
        ({"learning_rate": float("nan")}, "learning_rate: expected a finite number, got nan"),
        ({"learning_rate": -1}, "learning_rate: expected a number above 0, got -1"),
        ({"flip": "yes"}, "flip: expected true or false, got 'yes'"),
        ({"validation": 1}, "validation: expected a number below 1, got 1"),
        ({"epochs": None}, "a recipe without epochs needs max_time"),
        ({"batch": 10, "accumulate": 3}, "accumulate must divide the batch of 10, got 3"),
        ({"loss": "hinge", "mixup": 0.2}, "mixup blends labels, which the loss hinge does not"
         " support"),
        ({"patience": 1, "validation": 0}, "patience needs validation images;"
         " set validation above 0"),
    ],
)  # fmt: skip
def test_refusals(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ArchscopeError) as caught:
        recipe_files.change(Recipe(), changes)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "text, message",
    [
        ("epochs: 3\nbach: 32\n", "2:1: unknown knob 'bach', did you mean 'batch'?"),
        ("epochs: 3\nbatch: many\n", "2:8: batch: expected a whole number or nothing, got 'many'"),
        ("- epochs\n", "1:1: expected knobs with values, got a list"),
        ("epochs: null\n", " a recipe without epochs needs max_time"),
    ],
)
def test_a_file_is_refused_at_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ArchscopeError) as caught:
        recipe_files.read(path)
    assert str(caught.value) == f"{path}:{message}"


def test_a_metric_loss_has_its_own_recipe_unless_another_is_named() -> None:
    assert recipe_files.read_for(None, {}) == recipe_files.read("brief")
    assert recipe_files.read_for(None, {"loss": "hinge"}).turns == "none"
    triplet = recipe_files.read_for(None, {"loss": "triplet", "epochs": 2})
    assert triplet == recipe_files.read("metric", {"loss": "triplet", "epochs": 2})
    assert recipe_files.read("metric").metric
    assert recipe_files.read_for("brief", {"loss": "triplet"}) == Recipe(loss="triplet")


def test_an_unknown_recipe_has_a_neighbour() -> None:
    with pytest.raises(ArchscopeError, match=r"no recipe 'breif', did you mean 'brief'\?"):
        recipe_files.read("breif")


@pytest.mark.parametrize(
    ("images", "processes", "changes", "batch"),
    [
        (216, 1, {}, 8), (12, 1, {}, 8), (800, 1, {}, 20), (60_000, 1, {}, 32),
        (216, 1, {"batch": 100}, 100), (216, 2, {"accumulate": 3}, 6), (800, 3, {}, 18),
        (216, 1, {"loss": "triplet"}, 32), (12, 16, {}, 16),
    ],
)  # fmt: skip
def test_the_batch_follows_the_images(
    images: int, processes: int, changes: dict[str, Any], batch: int
) -> None:
    assert batch_of(Recipe(**changes), images, processes) == batch
