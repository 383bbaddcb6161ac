"""Inspection of a trained network: its filters, its feature maps, and its mistakes."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from io import BytesIO
from math import ceil
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from archscope.datasets import Dataset, Images
from archscope.records.inspection import (
    FORMAT,
    FieldPicture,
    ImageGrid,
    Inspection,
    LayerStatistics,
    Sample,
)
from archscope.train.diagnostics import RECTIFIERS, dead_units, weights_of
from archscope.train.effective_field import SHARE, Box, effective_field, pictured
from archscope.train.evaluation import confusion, predictions
from archscope.train.loader import EvaluationLoader
from archscope.train.trained_network import TrainedClassifier, load_classifier

SIDE = 64  # maximum pixels of an image that is kept
BATCH = 64  # images of the backward pass
IMAGES = 256  # images whose activations are measured
FILTERS, MAPS, LEVELS, SAMPLES, WRONG = 64, 8, 4, 3, 12  # maximum number of pictures of each kind
DRAWABLE = (1, 3)  # channels in a picture


def inspect_run(run: Path, dataset: Dataset, images: Images, device: str = "auto") -> Inspection:
    """Inspect a run's best weights with held-out images.

    Raises ArchscopeError, also for a network that is not a classifier or has other classes.
    """
    trained = load_classifier(run, "best", device)
    trained.check_classes(dataset)
    loader = trained.loader(dataset, images)
    probabilities, matrix = _predict(trained, loader)
    confidence, guesses = probabilities.max(1)
    labels = images.labels.cpu()

    def sample(place: int, maps: tuple[ImageGrid, ...] = ()) -> Sample:
        return Sample(
            trained.classes[int(labels[place])],
            trained.classes[int(guesses[place])],
            float(confidence[place]),
            _png(_pixels(images.images[place])),
            maps,
        )

    drawable = images.shape[0] in DRAWABLE
    mistakes = (guesses != labels).nonzero().flatten()
    order = mistakes[confidence[mistakes].argsort(descending=True, stable=True)][:WRONG]
    first, first_labels = next(iter(loader))
    return Inspection(
        FORMAT,
        dataset.name,
        len(images),
        tuple(_layers(trained, first, first_labels)),
        _filters(trained),
        tuple(sample(place, tuple(_maps(trained, first[place : place + 1])))
              for place in _different(first_labels)) if drawable else (),
        tuple(sample(int(place)) for place in order) if drawable else (),
        tuple(map(tuple, matrix.tolist())),
        _field(trained, first),
    )  # fmt: skip


def _predict(trained: TrainedClassifier, loader: EvaluationLoader) -> tuple[Tensor, Tensor]:
    """Return the probability of each class for each image, (N, K), and the confusion matrix."""
    matrix = torch.zeros(len(trained.classes), len(trained.classes), dtype=torch.int64)
    probabilities = []
    for outputs, labels in predictions(trained.network, loader, trained.how):
        logits = trained.task.logits(outputs)
        probabilities.append(logits.float().softmax(1).cpu())
        matrix += confusion(logits.argmax(1), labels, len(trained.classes)).cpu()
    return torch.cat(probabilities), matrix


def _different(labels: Tensor) -> list[int]:
    """Return the index of the first image of each of the first few classes."""
    found: dict[int, int] = {}
    for place, label in enumerate(labels.tolist()):
        found.setdefault(label, place)
    return [found[label] for label in sorted(found)[:SAMPLES]]


def _layers(
    trained: TrainedClassifier, images: Tensor, labels: Tensor
) -> Iterator[LayerStatistics]:
    """Yield the gradient of each layer with weights, and the dead units of each rectifier."""
    network = trained.network
    ops = {node.name: node.op.name for node in network.graph.nodes}
    dead: dict[str, float] = {}

    def probe(name: str, value: Tensor) -> Tensor:
        if ops[name] in RECTIFIERS:
            dead[name] = dead_units(value).double().mean().item()
        return value

    with torch.no_grad():
        network.run((images[:IMAGES],), probe)
    network.zero_grad()
    torch.autograd.backward(trained.task.loss(network(images[:BATCH]), labels[:BATCH]))
    gradients = {
        name: weight.grad.float().norm().item() / size
        for name, weight in weights_of(network)
        if weight.grad is not None and (size := weight.detach().float().norm().item())
    }
    for name, op in ops.items():
        if name in gradients or name in dead:
            yield LayerStatistics(name, op, gradients.get(name), dead.get(name))
    network.zero_grad()


def _field(trained: TrainedClassifier, images: Tensor) -> FieldPicture | None:
    """Return the effective receptive field of the last layer with spatial positions."""
    field = effective_field(trained.network, images[:BATCH])
    if field is None:
        return None
    height, width = field.energy.shape
    return FieldPicture(
        layer=field.node,
        images=min(BATCH, len(images)),
        share=SHARE,
        effective=_extent(field.effective),
        theoretical=_extent(field.theoretical) if field.theoretical else None,
        input=(height, width),
        png=_png(pictured(field)),
    )


def _extent(box: Box) -> tuple[int, int]:
    (top, bottom), (left, right) = box
    return bottom - top + 1, right - left + 1


def _filters(trained: TrainedClassifier) -> ImageGrid | None:
    """Return the filters of the first convolution as images, in which zero weights are grey."""
    for node in trained.network.graph.nodes:
        if not node.op.convolution:
            continue
        weight = trained.network.part(node.name).weight
        if not isinstance(weight, Tensor) or weight.ndim != 4 or weight.shape[1] not in DRAWABLE:
            return None
        weight = weight.detach().float().cpu()
        most = weight.abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-12)
        tiles = (weight / most * 127.5 + 127.5)[:FILTERS]
        shape = "x".join(map(str, weight.shape))
        about = f"{len(tiles)} of {len(weight)} filters, weights {shape}"
        return ImageGrid(node.name, about, _png(_tiled(tiles, 16)))
    return None


def _maps(trained: TrainedClassifier, image: Tensor) -> Iterator[ImageGrid]:
    """Yield the most varied feature maps of one image (1, C, H, W), for each size of map."""
    values: dict[tuple[int, ...], tuple[str, Tensor]] = {}
    inputs = {node.name for node in trained.network.graph.inputs}

    def probe(name: str, value: Tensor) -> Tensor:
        if name not in inputs and value.ndim == 4 and max(value.shape[2:]) > 1:
            values[tuple(value.shape[2:])] = name, value[0].detach().float().cpu()
        return value

    with torch.no_grad():
        trained.network.run((image,), probe)
    for name, maps in list(values.values())[:LEVELS]:
        varied = maps.flatten(1).std(1).argsort(descending=True, stable=True)[:MAPS].sort().values
        chosen = maps[varied]
        low, high = chosen.amin((1, 2), keepdim=True), chosen.amax((1, 2), keepdim=True)
        tiles = (chosen - low) / (high - low).clamp_min(1e-12) * 255
        about = f"channels {', '.join(map(str, varied.tolist()))} of {len(maps)}"
        yield ImageGrid(name, about, _png(_tiled(_small(tiles[:, None]), MAPS)))


def _small(images: Tensor) -> Tensor:
    """Return float images (N, C, H, W), shrunk to at most `SIDE` pixels a side."""
    side = max(images.shape[2:])
    if side <= SIDE:
        return images
    size = [max(1, round(length * SIDE / side)) for length in images.shape[2:]]
    return functional.interpolate(images, size, mode="area")


def _pixels(image: Tensor) -> Tensor:
    return _small(image.cpu().float()[None])[0]


def _tiled(tiles: Tensor, columns: int) -> Tensor:
    """Return images (N, C, H, W) in rows as one (C + 1, H, W), with transparent gaps."""
    tiles = functional.pad(tiles, (0, 0, 0, 0, 0, 1), value=255.0)  # opacity, as the last channel
    count, channels, height, width = tiles.shape
    columns = min(columns, count)
    rows = ceil(count / columns)
    grid = torch.zeros(channels, rows * (height + 1) - 1, columns * (width + 1) - 1)
    for place, tile in enumerate(tiles):
        top, left = place // columns * (height + 1), place % columns * (width + 1)
        grid[:, top : top + height, left : left + width] = tile
    return grid


def _png(image: Tensor) -> str:
    """Return a float image (1 to 4, H, W) of values from 0 to 255 as PNG in base64."""
    array = image.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    file = BytesIO()
    Image.fromarray(array.squeeze(2) if len(image) == 1 else array).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()
