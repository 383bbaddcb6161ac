"""Teachers, and several things to learn at once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from archscope import load
from archscope.datasets import Images
from archscope.datasets.images import dataset
from archscope.errors import OptionError
from archscope.ir import Graph, Output
from archscope.records.run_folder import read_summary
from archscope.train import resume, train
from archscope.train.tasks.distillation import Distillation, DistillationTargets, attention
from archscope.train.tasks.multitask import MultiTask
from archscope.train.trained_network import load_classifier
from tests.nets import Net
from tests.train.nets import images, quick, small

STUDENT = "INPUT 1x8x8 -> CONV 3 -> RELU -> POOL -> FC 4"


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    train(small(), images(), quick(epochs=6, learning_rate=0.01), run_dir=tmp_path / "teacher")
    return tmp_path / "teacher"


def lesson(teacher: Path, **options: object) -> Distillation:
    return Distillation(
        load(STUDENT),
        4,
        quick(),
        load_classifier(teacher, device="cpu"),
        name=str(teacher),
        **options,
    )


def test_the_loss_of_a_student_is_hintons(teacher: Path) -> None:
    task = lesson(teacher, temperature=3.0, alpha=0.6)
    random = torch.Generator().manual_seed(0)
    ours, theirs = (torch.randn(5, 4, generator=random) for _ in range(2))
    labels = torch.tensor([0, 1, 2, 3, 0])
    soft = (theirs / 3).softmax(1)
    distance = (soft * (soft.log() - (ours / 3).log_softmax(1))).sum(1).mean()
    expected = 0.4 * functional.cross_entropy(ours, labels) + 0.6 * 9 * distance
    assert task.loss(ours, DistillationTargets(labels, theirs, ())).item() == pytest.approx(
        expected.item()
    )


def test_a_teacher_sees_images_as_it_learnt_them(teacher: Path) -> None:
    """Its outputs on a student's batch are those on the pixels, normalised its own way."""
    from archscope.datasets import Statistics, fit
    from archscope.train.device import Arithmetic
    from archscope.train.loader import TrainingLoader

    data, task = images(), lesson(teacher)
    other = Statistics((0.3,), (0.7,))  # the student's: quite another way
    loader = TrainingLoader(
        data.train, data.train.take(torch.arange(0)), quick(), 0, other, fit((1, 8, 8), data),
        Arithmetic("cpu", "float32", False),
    )  # fmt: skip
    from archscope.build import build

    task.begin(build(load(STUDENT)), loader)
    pixels = data.test.images[:8] if data.test is not None else torch.empty(0)
    seen = task.targets(other.normalise(pixels), torch.zeros(8, dtype=torch.int64))
    with torch.no_grad():
        expected = task.teacher.network(task.teacher.statistics.normalise(pixels))
    torch.testing.assert_close(seen.logits, expected, rtol=1e-4, atol=1e-4)


def test_a_student_learns_from_a_teacher_alone(teacher: Path) -> None:
    recipe = quick(epochs=6, learning_rate=0.01)
    task = lesson(teacher, alpha=1.0)
    summary = train(load(STUDENT), images(), recipe, task=task).summary
    assert summary.task["kind"] == "distillation"
    assert summary.test is not None
    assert summary.test["top1"] > 0.7


def test_feature_pairs_draw_attention_together(teacher: Path) -> None:
    graph = load(STUDENT)
    node = next(node.name for node in graph.nodes if node.op.name == "relu")
    other = next(node.name for node in small().nodes if node.op.name == "relu")
    distances = []
    for pairs in ([], [(node, other)]):
        task = lesson(teacher, pairs=pairs)
        result = train(graph, images(), quick(epochs=6, learning_rate=0.01), task=task)
        x = torch.randn(16, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        maps: list[Tensor] = []
        for network, name in ((result.network, node), (task.teacher.network, other)):
            seen: dict[str, Tensor] = {}

            def probe(at: str, value: Tensor, seen: dict[str, Tensor] = seen) -> Tensor:
                seen[at] = value.clone()
                return value

            with torch.no_grad():
                network.eval().run((x,), probe)
            maps.append(attention(seen[name]))
        distances.append((maps[0] - maps[1]).square().mean().item())
    assert distances[1] < 0.8 * distances[0]


def test_a_student_resumes(teacher: Path, tmp_path: Path) -> None:
    asked = iter(range(100))
    train(load(STUDENT), images(), quick(), task=lesson(teacher), run_dir=tmp_path / "whole")
    train(
        load(STUDENT), images(), quick(), task=lesson(teacher), run_dir=tmp_path / "stopped",
        stop=lambda: next(asked) >= 3,
    )  # fmt: skip
    resume(tmp_path / "stopped", images(), task=lesson(teacher))
    whole, stopped = read_summary(tmp_path / "whole"), read_summary(tmp_path / "stopped")
    assert whole.test == stopped.test


@pytest.mark.parametrize(
    "student, options, message",
    [
        ("INPUT 1x16x16 -> FC 4", {}, "takes images of 1x8x8, the student of 1x16x16"),
        (STUDENT, {"alpha": 1.5}, "alpha from 0 to 1, got 4.0 and 1.5"),
        (STUDENT, {"temperature": 0}, "a temperature above 0"),
        (STUDENT, {"pairs": [("rel", "relu")]}, "the student has no node 'rel'"),
        (STUDENT, {"pairs": [("linear", "linear1")]}, "must be maps of one size"),
    ],
)
def test_lessons_that_cannot_be(
    teacher: Path, student: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        task = Distillation(
            load(student),
            4,
            quick(),
            load_classifier(teacher, device="cpu"),
            name="teacher",
            **options,
        )
        task.check(load(student))


def heads() -> Graph:
    net = Net(x=(1, 8, 8))
    trunk = net("relu", net("conv", "x", out=6, kernel=3))
    flat = net("flatten", trunk)
    net("linear", flat, name="kind", out=4)
    net("linear", flat, name="place", out=2)
    return net.graph(Output("kind", "kind"), Output("place", "place", weight=0.5))


def test_several_tasks_are_learnt_at_once() -> None:
    data = images(images=200, test=0)
    rows = torch.arange(200)
    means = data.train.images.float().mean((1, 2, 3)) / 255
    tables = {"kind": data.train.labels, "place": torch.stack([means, 1 - means], 1)}
    indexed = dataset(
        "rows", Images(data.train.images, rows), None, tuple(map(str, range(200))), ""
    )
    task = MultiTask(tables, heads())
    assert task.measures == ("loss", "kind_top1", "place_loss")
    recipe = quick(epochs=8, learning_rate=0.01, validation=0)
    summary = train(heads(), indexed, recipe, task=task).summary
    assert summary.last is not None
    assert summary.last.train["kind_top1"] > 0.8
    assert summary.last.train["place_loss"] < 0.02
    with pytest.raises(OptionError, match="output 'place' of 'net' has no table"):
        MultiTask({"kind": data.train.labels}, heads()).check(heads())
    with pytest.raises(OptionError, match="its table needs 3"):
        MultiTask({**tables, "place": torch.zeros(200, 3)}, heads()).check(heads())


def test_losses_of_several_tasks_are_summed_by_weight() -> None:
    tables = {"kind": torch.tensor([0, 3, 1]), "place": torch.rand(3, 2)}
    task = MultiTask(tables, heads())
    outputs = {"kind": torch.randn(2, 4), "place": torch.randn(2, 2)}
    rows = torch.tensor([2, 0])
    expected = functional.cross_entropy(
        outputs["kind"], tables["kind"][rows]
    ) + 0.5 * functional.smooth_l1_loss(outputs["place"], tables["place"][rows])
    targets = task.targets(torch.empty(0), rows)
    assert task.loss(outputs, targets).item() == pytest.approx(expected.item())
