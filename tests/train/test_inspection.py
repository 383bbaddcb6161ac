"""The inspection of a trained network agrees with the network."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from archscope import datasets, load
from archscope.build import build
from archscope.errors import OptionError
from archscope.records.inspection import Inspection, read_inspection, write_inspection
from archscope.train import train
from archscope.train.inspection import inspect_run
from archscope.train.run_folder import read_weights
from archscope.train.trained_network import evaluate_run
from tests.train.nets import quick

Inspected = tuple[Path, datasets.Dataset, Inspection]

NET = "INPUT 1x8x8 -> CONV 6 -> RELU -> POOL -> FC 16 -> RELU -> FC 4"


def opened(png: str) -> Image.Image:
    return Image.open(BytesIO(base64.b64decode(png)))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Inspected:
    folder = tmp_path_factory.mktemp("runs") / "first"
    dataset = datasets.load("synthetic:images=160,test=40,shape=1x8x8")
    train(load(NET), dataset, quick(epochs=1), run_dir=folder)
    assert dataset.test is not None
    return folder, dataset, inspect_run(folder, dataset, dataset.test, "cpu")


def test_it_agrees_with_the_evaluation(run: Inspected) -> None:
    folder, dataset, inspection = run
    assert dataset.test is not None
    evaluation = evaluate_run(folder, dataset, dataset.test, device="cpu")
    assert inspection.confusion == evaluation.confusion
    wrong = sum(sum(row) for row in inspection.confusion) - sum(
        row[place] for place, row in enumerate(inspection.confusion)
    )
    assert len(inspection.wrong) == min(wrong, 12)
    sure = [one.probability for one in inspection.wrong]
    assert sure == sorted(sure, reverse=True)
    assert all(one.label != one.guess for one in inspection.wrong)
    assert len({sample.label for sample in inspection.samples}) == len(inspection.samples) == 3


def test_filters_are_the_weights(run: Inspected) -> None:
    folder, _, inspection = run
    weight = next(weight for weight in read_weights(folder).values() if weight.ndim == 4)
    assert inspection.filters and "6 of 6" in inspection.filters.about
    sheet = opened(inspection.filters.png)
    assert sheet.size == (6 * 4 - 1, 3) and sheet.mode == "LA"
    for place, one in enumerate(weight):
        wanted = (one[0] / one.abs().max() * 127.5 + 127.5).round()
        seen = [[sheet.getpixel((4 * place + x, y)) for x in range(3)] for y in range(3)]
        assert [[pixel[0] for pixel in row] for row in seen] == wanted.tolist()
    assert sheet.getpixel((3, 0)) == (0, 0), "nothing is to be seen between filters"


def test_dead_units_and_gradients(run: Inspected) -> None:
    _, _, inspection = run
    layers = {layer.name: layer for layer in inspection.layers}
    assert {layer.op for layer in inspection.layers if layer.dead is not None} == {"relu"}
    assert all(
        layer.gradient and layer.gradient > 0 for layer in inspection.layers if layer.op != "relu"
    )
    assert sum(layer.op == "linear" for layer in inspection.layers) == 2
    assert all(0 <= (layer.dead or 0) <= 1 for layer in layers.values())


def test_feature_maps_are_of_layers_of_each_size(
    run: Inspected,
) -> None:
    _, _, inspection = run
    graph = build(load(NET)).graph
    sizes = {}
    for node in graph.nodes:
        if node.inputs and len(node.out) == 3 and max(node.out[1:]) > 1:
            sizes[node.out[1:]] = node.name
    for sample in inspection.samples:
        assert opened(sample.png).size == (8, 8)
        assert [sheet.layer for sheet in sample.maps] == list(sizes.values())
        for sheet, (height, width) in zip(sample.maps, sizes, strict=True):
            assert opened(sheet.png).size == (6 * (width + 1) - 1, height)


def test_inspecting_twice_gives_the_same(run: Inspected) -> None:
    folder, dataset, inspection = run
    assert dataset.test is not None
    assert inspect_run(folder, dataset, dataset.test, "cpu") == inspection
    write_inspection(folder, inspection)
    assert read_inspection(folder) == inspection


def test_other_classes_are_refused(run: Inspected) -> None:
    folder, _, _ = run
    other = datasets.load("digits")
    assert other.test is not None
    with pytest.raises(OptionError, match="knows 4 classes"):
        inspect_run(folder, other, other.test)
