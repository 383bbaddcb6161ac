"""Whole trainings through the Python interface."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from msgspec.json import encode
from torch import nn
from torch.nn import functional

from archscope import load
from archscope.analysis import analyze
from archscope.build import build
from archscope.datasets import Images, split, statistics
from archscope.errors import ArchscopeError, OptionError, UnavailableError
from archscope.records.run_folder import all_runs, read_summary
from archscope.records.training import Scores
from archscope.train import Callback, Epoch, Interval, RunResult, train
from archscope.train.run_folder import (
    read_epoch,
    read_graph,
    read_recipe,
    read_weights,
)
from archscope.train.trained_network import evaluate_run
from tests.train.nets import DROPPING, HEADS, images, quick, small


class Rows(Callback):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.intervals: list[Interval] = []
        self.epochs: list[Epoch] = []

    def on_interval(self, row: Interval) -> None:
        self.intervals.append(row)

    def on_epoch(self, row: Epoch) -> None:
        self.epochs.append(row)


def weights(result: RunResult) -> dict[str, torch.Tensor]:
    return result.network.state_dict()


def test_it_learns() -> None:
    result = train(small(), images(), quick(epochs=8, learning_rate=0.01)).summary
    assert result.state == "finished"
    assert result.reason == "epochs"
    assert result.test is not None
    assert result.test["top1"] > 0.9


def test_steps_are_those_of_a_loop_written_by_hand() -> None:
    """The same batches, fed to torch's own optimizer in ten lines, give the same weights."""
    dataset, rows = images(), Rows()
    recipe = quick(
        epochs=2, validation=0, schedule="constant", warmup=0, optimizer="momentum",
        learning_rate=0.05, weight_decay=0, clip=None,
    )  # fmt: skip
    result = train(small(), dataset, recipe, seed=3, progress=rows)
    taught, held = split(dataset.train, 0, 3)
    assert not len(held)
    normal = statistics(taught)
    torch.manual_seed(3)
    module = build(small())
    optimizer = torch.optim.SGD(module.parameters(), 0.05, 0.9)
    losses = []
    from archscope.datasets import Augment, Batches, fit

    batches = Batches(taught, 32, 3, Augment(), normal, fit((1, 8, 8), dataset))
    for epoch in range(2):
        for x, y in batches.epoch(epoch):
            optimizer.zero_grad()
            loss = functional.cross_entropy(module(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    ours = [row.train["loss"] for row in rows.epochs]
    assert ours == pytest.approx([sum(losses[:5]) / 5, sum(losses[5:]) / 5])
    for name, theirs in module.state_dict().items():
        torch.testing.assert_close(weights(result)[name], theirs)


def test_the_same_seed_gives_the_same_numbers() -> None:
    graph, recipe = load_text(DROPPING), quick(mixup=0.3, crop=1, flip=True, cutout=2)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, two = (train(graph, images(), recipe, seed=7) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before), "they are the caller's"
    assert scores(one) == scores(two)
    assert all(torch.equal(weights(two)[name], one_) for name, one_ in weights(one).items())
    assert scores(train(graph, images(), recipe, seed=8)) != scores(one)


def scores(result: RunResult) -> tuple[Any, ...]:
    summary = result.summary
    assert summary.best is not None
    return summary.best.train, summary.best.validation, summary.test


def load_text(text: str) -> Any:
    from archscope.language import document, graph

    return graph(document("-", text=text.encode()))


def test_parts_of_a_batch_add_up() -> None:
    recipe = quick(validation=0, optimizer="sgd", learning_rate=0.1)
    whole = train(small(), images(), recipe)
    parts = train(
        small(), images(), quick(validation=0, optimizer="sgd", learning_rate=0.1, accumulate=4)
    )
    for name, one in weights(whole).items():
        torch.testing.assert_close(weights(parts)[name], one)


@pytest.mark.parametrize("batch, steps", [(32, 5), (100, 2), (512, 1)])
def test_an_epoch_has_every_image_in_any_batch(batch: int, steps: int) -> None:
    recipe = quick(validation=0, epochs=1, batch=batch, log_every=1)
    result = train(small(), images(images=150), recipe)
    assert result.summary.steps == steps


def test_parts_of_a_batch_that_differ_in_size_add_up() -> None:
    knobs = {"validation": 0, "optimizer": "sgd", "learning_rate": 0.1, "batch": 48}
    few = images(images=130)  # steps of 43 and 44 images
    whole, parts = (train(small(), few, quick(accumulate=one, **knobs)) for one in (1, 3))
    for name, one in weights(whole).items():
        torch.testing.assert_close(weights(parts)[name], one)


def test_the_run_folder_holds_everything(tmp_path: Path) -> None:
    graph, recipe = small(), quick()
    result = train(graph, images(), recipe, run_dir=tmp_path / "runs" / "one", seed=4)
    folder = tmp_path / "runs" / "one"
    assert {path.name for path in folder.iterdir()} == {
        ".lock", "spec.yaml", "recipe.yaml", "environment.json", "analysis.json", "run.json",
        "steps.csv", "epochs.csv", "best.safetensors", "last.safetensors", "state.pt",
    }  # fmt: skip
    assert all_runs(tmp_path / "runs") == [folder]
    assert encode(read_summary(folder)) == encode(result.summary)
    assert read_recipe(folder) == recipe
    again = read_graph(folder)
    assert analyze(again).totals == analyze(graph).totals
    network = build(again)
    network.load_state_dict(read_weights(folder))
    assert result.summary.best == read_epoch(folder)
    heading, *rows = (folder / "steps.csv").read_text(encoding="utf-8").splitlines()
    assert heading.split(",") == [
        "epoch", "step", "train_loss", "train_top1", "learning_rate", "gradient",
        "images_per_second", "seconds",
    ]  # fmt: skip
    assert [row.split(",")[:2] for row in rows] == [["1", "2"], ["1", "4"], ["2", "6"], ["2", "8"]]
    assert "validation_top1" in (folder / "epochs.csv").read_text(encoding="utf-8")


def test_test_images_are_looked_at_once_and_with_the_best_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from archscope.train import training_run

    looks = []
    real = training_run.evaluate

    def counted(*args: Any, **kwargs: Any) -> Scores:
        looks.append({name: one.clone() for name, one in args[0].state_dict().items()})
        return real(*args, **kwargs)

    monkeypatch.setattr(training_run, "evaluate", counted)  # the loop validates with its own
    result = train(small(), images(), quick(epochs=4))
    assert len(looks) == 1
    assert all(torch.equal(looks[0][name], one) for name, one in weights(result).items())


def test_report_ends_a_training() -> None:
    told: list[tuple[int, Scores]] = []

    def report(epoch: int, validation: Scores) -> bool:
        told.append((epoch, validation))
        return epoch == 2

    summary = train(small(), images(), quick(epochs=5), report=report).summary
    assert (summary.state, summary.reason, summary.epochs) == ("finished", "report", 2)
    assert [epoch for epoch, _ in told] == [1, 2]
    assert summary.test is not None


def test_patience_ends_a_training() -> None:
    recipe = quick(epochs=20, learning_rate=1e-12, patience=3, schedule="constant")
    summary = train(small(), images(), recipe).summary
    assert summary.reason == "patience"
    assert summary.best is not None
    assert summary.epochs == summary.best.epoch + 3


def test_time_ends_a_training_and_leaves_scores() -> None:
    summary = train(small(), images(), quick(epochs=1000, max_time=1e-6)).summary
    assert (summary.state, summary.reason, summary.steps) == ("finished", "time", 1)
    assert summary.test is not None
    clock = train(small(), images(), quick(epochs=None, max_time=1e-6)).summary
    assert (clock.reason, clock.steps) == ("time", 1)


@pytest.mark.parametrize("optimizer, rate", [("sgd", 1e30), ("adam", 1e4)])
def test_divergence_is_a_state(tmp_path: Path, optimizer: str, rate: float) -> None:
    recipe = quick(epochs=6, optimizer=optimizer, learning_rate=rate, clip=None, log_every=1)
    summary = train(small(), images(), recipe, run_dir=tmp_path / "run").summary
    assert summary.state == "diverged"
    assert "the loss is" in summary.reason
    assert read_summary(tmp_path / "run").state == "diverged"
    assert summary.test is None


@pytest.mark.parametrize("loss", ["cross-entropy", "hinge", "l1", "l2", "smooth-l1"])
def test_every_loss_trains(loss: str) -> None:
    recipe = quick(epochs=6, learning_rate=0.01, loss=loss, l1=1e-5)
    summary = train(small(), images(), recipe).summary
    assert summary.test is not None
    assert summary.test["top1"] > 0.5


def test_heads_count_by_their_weights() -> None:
    graph, rows = load_text(HEADS), Rows()
    summary = train(
        graph, images(), quick(epochs=1, validation=0, log_every=1), progress=rows
    ).summary
    torch.manual_seed(0)
    network = build(graph)
    from archscope.datasets import Augment, Batches, fit

    dataset = images()
    batches = Batches(
        dataset.train, 32, 0, Augment(), statistics(dataset.train), fit((1, 8, 8), dataset)
    )
    x, y = next(batches.epoch(0))
    outputs = network.train()(x)
    main = graph.main.name
    expected = functional.cross_entropy(outputs[main], y) + 0.3 * functional.cross_entropy(
        outputs["aside"], y
    )
    assert rows.intervals[0].train["loss"] == pytest.approx(expected.item())
    assert summary.state == "finished"


def test_averaged_weights_are_those_that_are_kept() -> None:
    plain, averaged = (train(small(), images(), quick(ema=ema)) for ema in (0.0, 0.9))
    assert scores(plain)[0].keys() == scores(averaged)[0].keys()
    assert plain.summary.last is not None
    assert averaged.summary.last is not None
    assert plain.summary.last.train == averaged.summary.last.train, "averages change no step"
    assert plain.summary.last.validation != averaged.summary.last.validation


def test_bfloat16_and_channels_last_train_on_a_cpu() -> None:
    result = train(small(), images(), quick(epochs=6, learning_rate=0.01, precision="bfloat16"))
    assert result.summary.test is not None
    assert result.summary.test["top1"] > 0.5
    assert all(weight.dtype == torch.float32 for weight in weights(result).values())


def test_deterministic_algorithms_are_set_and_put_back() -> None:
    seen = []

    class Settings(Callback):
        def on_step(self) -> None:
            seen.append(torch.are_deterministic_algorithms_enabled())

    train(small(), images(), quick(epochs=1), deterministic=True, progress=Settings())
    assert seen
    assert all(seen)
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize(
    "spec, knobs, message",
    [
        ("INPUT 1x8x8 -> FC 7", {}, r"output 'output' of 'pattern' is 7, but the data have 4"
         r" classes; many specs take --set classes=4"),
        ("INPUT 1x8x8 -> CONV 4", {}, "is 4x8x8, but the data have 4 classes"),
        ("INPUT 3x8x8 -> FC 4", {}, "has 1 channel, the spec takes 3 channels"),
        ("siamese", {}, r"takes 2 inputs \(.*\), and classification feeds one"),
        ("INPUT 1x8x8 -> FC 4", {"precision": "float16"}, "float16 needs a GPU"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_one_error_and_leaves_nothing(
    tmp_path: Path, spec: str, knobs: dict[str, Any], message: str
) -> None:
    with pytest.raises(ArchscopeError, match=message):
        train(load(spec), images(), quick(**knobs), run_dir=tmp_path / "run", device="cpu")
    assert not list(tmp_path.iterdir())


def test_devices_are_checked() -> None:
    with pytest.raises(OptionError, match="expected a device: auto, cpu, cuda or cuda:1"):
        train(small(), images(), quick(), device="gpu")
    with pytest.raises(ArchscopeError, match="there is no device 'cuda:77'"):
        train(small(), images(), quick(), device="cuda:77")


def test_a_run_is_never_written_over(tmp_path: Path) -> None:
    train(small(), images(), quick(epochs=1), run_dir=tmp_path / "run")
    before = (tmp_path / "run" / "run.json").read_bytes()
    with pytest.raises(OptionError, match="already exists"):
        train(small(), images(), quick(epochs=1), run_dir=tmp_path / "run")
    assert (tmp_path / "run" / "run.json").read_bytes() == before


def test_full_memory_names_the_batch_that_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    room = 100_000
    monkeypatch.setattr("archscope.train.out_of_memory._room", lambda where: room)

    def full(*args: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(nn.Conv2d, "forward", full)
    with pytest.raises(ArchscopeError, match="out of memory with a batch of 32") as caught:
        train(small(), images(), quick(), run_dir=tmp_path / "run")
    fits = analyze(small(), optimizer="adam", training=True, memory_bytes=room).largest_batch
    assert fits is not None
    assert f"room for {fits.training} images at most" in str(caught.value)
    assert read_summary(tmp_path / "run").state == "failed"


def test_a_run_of_float16_is_evaluated_on_a_cpu_in_float32(tmp_path: Path) -> None:
    """Only training needs the scaling of a GPU."""
    run, data = tmp_path / "run", images()
    train(small(), data, quick(), run_dir=run)
    assert data.test is not None
    plain = evaluate_run(run, data, data.test).scores
    recipe = run / "recipe.yaml"
    text = re.sub("precision: .*", "precision: float16", recipe.read_text())
    recipe.write_text(text)
    assert read_recipe(run).precision == "float16"
    assert evaluate_run(run, data, data.test).scores == plain
    with pytest.raises(OptionError, match="precision float16 needs a GPU"):
        train(small(), data, read_recipe(run))


def test_images_that_a_device_has_no_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Images, device: str) -> Images:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Images, "to", full)
    with pytest.raises(ArchscopeError, match=r"out of memory: cpu has no room for \d+ images of"):
        train(small(), images(), quick(), run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_operation_without_a_deterministic_algorithm(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "max_unpool2d_cuda does not have a deterministic implementation, but you set 'torch.use"

    def refuse(*args: Any) -> None:
        raise RuntimeError(text)

    monkeypatch.setattr(nn.Conv2d, "forward", refuse)
    with pytest.raises(UnavailableError, match="max_unpool2d_cuda has no deterministic algorithm"):
        train(small(), images(), quick(), deterministic=True)
    assert not torch.are_deterministic_algorithms_enabled()


def test_deterministic_algorithms_change_nothing_on_a_cpu() -> None:
    plain, exact = (train(small(), images(), quick(), deterministic=one) for one in (False, True))
    assert scores(plain) == scores(exact)
