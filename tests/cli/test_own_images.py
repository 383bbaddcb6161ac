"""Training on a folder of the user's images, and the commands that use the run afterwards."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

from tests.cli.conftest import Run

SPEC = "INPUT 3x8x8 -> CONV 4 -> RELU -> POOL -> FC 2"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def photos(tmp_path: Path) -> str:
    """Return a data set of 24 pictures, light ones and dark ones, of two sizes."""
    random = np.random.default_rng(0)
    for kind, low in (("dark", 0), ("light", 128)):
        for number in range(12):
            path = tmp_path / "my photos" / kind / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            size = (8, 8 + number % 2)
            Image.fromarray(random.integers(low, low + 128, size, dtype=np.uint8)).save(path)
    return "folder:my photos"


def commands(out: str) -> list[list[str]]:
    """Return the commands after `next:`, as a shell divides them."""
    lines = out.partition("next: ")[2].splitlines()
    return [shlex.split(line)[1:] for line in lines]


@pytest.mark.parametrize("seeds", [(), ("--seeds", "2")])
def test_every_next_command_works(run: Run, photos: str, seeds: tuple[str, ...]) -> None:
    name = ("--name", "my net", "--runs-dir", "runs of mine")
    result = run("train", SPEC, "--data", photos, "--epochs", "2", *seeds, *name)
    assert result.code == 0
    assert "note: images of 8x8 to 8x9 are scaled and cut to 8x8, the input" in result.err
    steps = commands(result.out)
    assert [step[0] for step in steps] == ["evaluate", "report", "export"]
    for step in steps:
        assert run(*step).code == 0, step


def test_a_small_data_set_is_said_to_be_small(run: Run, photos: str) -> None:
    result = run("train", SPEC, "--data", photos, "--epochs", "2", "--name", "a")
    (guessing,) = [line for line in result.out.splitlines() if line.startswith(" guessing")]
    assert guessing.split()[1:] == ["50.0", "%"]
    summary = json.loads(Path("runs/a/run.json").read_text(encoding="utf-8"))
    assert summary["data"]["chance"] == 0.5
    assert "better than guessing" in summary["verdict"] or "too few images" in summary["verdict"]
    assert "batch: 8\n" in Path("runs/a/recipe.yaml").read_text(encoding="utf-8")


def test_validation_images_are_evaluated_where_there_are_no_others(run: Run, photos: str) -> None:
    run("train", SPEC, "--data", photos, "--epochs", "1", "--name", "a", "--recipe-set",
        "validation=0.25")  # fmt: skip
    best = json.loads(Path("runs/a/run.json").read_text(encoding="utf-8"))["best"]
    judged = json.loads(run("evaluate", "a", "--format", "json").out)
    assert judged["images"] == 6
    assert judged["scores"] == pytest.approx(best["validation"])
    judged = json.loads(run("evaluate", "a", "--split", "train", "--format", "json").out)
    assert judged["images"] == 18
    assert run("evaluate", "a", "--split", "test").err == (
        "error: data set 'my photos' has no test images; try --split validation or train\n"
    )


def test_images_are_found_from_another_directory(
    run: Run, photos: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run("train", SPEC, "--data", f"{photos},size=8,channels=3", "--epochs", "1", "--name", "a")
    here = run("evaluate", "a").out
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert run("evaluate", "../runs/a").out == here
    monkeypatch.chdir(tmp_path)


def test_a_folder_is_predicted_as_its_images_were_read(run: Run, photos: str) -> None:
    run("train", SPEC, "--data", photos, "--epochs", "1", "--name", "a", "--recipe-set",
        "validation=0")  # fmt: skip
    judged = json.loads(run("evaluate", "a", "--split", "train", "--format", "json").out)
    right = 0
    for kind in ("dark", "light"):
        result = run("predict", "a", f"my photos/{kind}", "--top", "1", "--format", "json")
        found = json.loads(result.out)["images"]
        assert len(found) == 12
        right += sum(row["name"] == kind for row in found)
    assert right / 24 == judged["scores"]["top1"]


def test_enlarging_is_said(run: Run) -> None:
    spec = "INPUT 1x16x16 -> POOL -> FC 10"
    result = run("train", spec, "--data", "digits", "--epochs", "1")
    assert (
        "note: images of 8x8 are enlarged to 16x16, the input of the network: 4 times the pixels;"
        " --input 1x8x8 takes them as they are"
    ) in result.err


def test_runs_of_several_seeds_are_one_network(run: Run, photos: str) -> None:
    train = ("train", SPEC, "--data", photos, "--epochs", "1", "--quiet")
    run(*train, "--seeds", "3", "--name", "several")
    run(*train, "--seed", "7", "--batch", "4", "--name", "other")
    listed = run("runs", "--format", "csv").out.splitlines()
    assert [row.split(",")[0] for row in listed[1:]] == ["other", "several"]
    assert len(json.loads(run("runs", "--format", "json").out)["runs"]) == 4
    table = run("evaluate", "several").out
    assert "several (best weights) on my photos, validation, 3 seeds" in table
    assert " mean " in table and " spread " in table
    scores = json.loads(run("evaluate", "several", "--format", "json").out)["runs"]
    assert [row["run"] for row in scores] == [f"several-seed{seed}" for seed in range(3)]


def test_training_begins_with_the_weights_of_a_file(run: Run, photos: str) -> None:
    train = ("train", SPEC, "--data", photos, "--epochs", "1")
    run(*train, "--name", "first", "--lr", "1e-9", "--seed", "3", "--quiet")
    result = run(*train, "--name", "second", "--lr", "1e-9", "--pretrained", "runs/first")
    assert "note: 4 of 4 weights loaded from 'runs/first/best.safetensors', by name" in result.err
    first, second = (
        json.loads(Path(f"runs/{name}/run.json").read_text(encoding="utf-8"))
        for name in ("first", "second")
    )
    assert second["pretrained"]["weights"] == 4 and second["pretrained"]["new"] == []
    assert first["pretrained"] is None
    weights = (Path(f"runs/{name}/best.safetensors") for name in ("first", "second"))
    one, other = map(load_file, weights)
    assert all(one[name].allclose(other[name], atol=1e-6) for name in one)
    result = run(*train, "--pretrained", "my photos")
    told = "error: expected a file of weights or a run, got the folder 'my photos'\n"
    assert (result.code, result.err.splitlines(keepends=True)[-1]) == (2, told)
