"""A look inside of a trained network: its filters, what they answer to, and where it is wrong."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from io import BytesIO
from math import ceil
from pathlib import Path

import torch
from msgspec import Struct
from PIL import Image
from torch import Tensor
from torch.nn import functional

from archscope.datasets import Dataset, Images, fit
from archscope.errors import OptionError
from archscope.train.accuracy import confusion
from archscope.train.diagnostics import IMAGES, RECTIFIERS
from archscope.train.loader import Plain
from archscope.train.trained_run import Trained, trained

FORMAT = 1
FILE = "look.json"
SIDE = 64  # pixels of an image that is kept, at most
BATCH = 64  # images of the backward pass
FILTERS, MAPS, LEVELS, SAMPLES, WRONG = 64, 8, 4, 3, 12  # pictures that are kept, at most
SHOWN = (1, 3)  # channels that make a picture


class Inside(Struct, frozen=True):
    """How one layer does with the weights that were kept."""

    name: str
    op: str
    gradient: float | None  # norm of its weights' gradient over that of the weights
    dead: float | None  # share of the units that are 0 for all images


class Sheet(Struct, frozen=True):
    """Small pictures in rows on one PNG, base64."""

    layer: str
    about: str
    png: str


class Seen(Struct, frozen=True):
    """One image, what it shows, and what the network took it for."""

    label: str
    guess: str
    probability: float
    png: str
    maps: tuple[Sheet, ...] = ()


class Look(Struct, frozen=True):
    """What `look.json` of a run folder holds."""

    format: int
    data: str
    images: int  # of the confusion matrix
    layers: tuple[Inside, ...]
    filters: Sheet | None
    samples: tuple[Seen, ...]
    wrong: tuple[Seen, ...]  # those that it was surest of
    confusion: list[list[int]]


def look_at(run: Path, dataset: Dataset, images: Images, name: str = "auto") -> Look:
    """Return what the best weights of a run do with images that they did not learn from.

    Raises OptionError for a network that names no classes, or other classes.
    """
    one = trained(run, "best", name)
    if len(dataset.classes) != len(one.classes):
        raise OptionError(
            f"the run '{run.name}' knows {len(one.classes)} classes,"
            f" '{dataset.name}' has {len(dataset.classes)}"
        )
    feed = Plain(images, one.statistics, fit(one.adaptation.target, dataset, **one.adapt), one.how)
    chances, matrix = _guesses(one, feed)
    sure, guesses = chances.max(1)
    labels = images.labels.cpu()

    def seen(place: int, maps: tuple[Sheet, ...] = ()) -> Seen:
        return Seen(
            one.classes[int(labels[place])],
            one.classes[int(guesses[place])],
            float(sure[place]),
            _png(_pixels(images.images[place])),
            maps,
        )

    shown = images.shape[0] in SHOWN
    mistakes = (guesses != labels).nonzero().flatten()
    order = mistakes[sure[mistakes].argsort(descending=True, stable=True)][:WRONG]
    first, first_labels = next(iter(feed))
    return Look(
        FORMAT,
        dataset.name,
        len(images),
        tuple(_layers(one, first, first_labels)),
        _filters(one),
        tuple(seen(place, tuple(_maps(one, first[place : place + 1])))
              for place in _different(first_labels)) if shown else (),
        tuple(seen(int(place)) for place in order) if shown else (),
        matrix.tolist(),
    )  # fmt: skip


def _guesses(one: Trained, feed: Plain) -> tuple[Tensor, Tensor]:
    """Return the probability of each class for each image, (N, K), and the confusion matrix."""
    matrix = torch.zeros(len(one.classes), len(one.classes), dtype=torch.int64)
    chances = []
    with torch.no_grad():
        for batch, labels in feed:
            with one.how.autocast():
                logits = one.task.logits(one.network(batch))
            chances.append(logits.float().softmax(1).cpu())
            matrix += confusion(logits.argmax(1), labels, len(one.classes)).cpu()
    return torch.cat(chances), matrix


def _different(labels: Tensor) -> list[int]:
    """Return the place of the first image of each of the first few classes."""
    found: dict[int, int] = {}
    for place, label in enumerate(labels.tolist()):
        found.setdefault(label, place)
    return [found[label] for label in sorted(found)[:SAMPLES]]


def _layers(one: Trained, images: Tensor, labels: Tensor) -> Iterator[Inside]:
    """Yield the gradient of each layer with weights, and the dead units of each rectifier."""
    network = one.network
    ops = {node.name: node.op.name for node in network.graph.nodes}
    dead: dict[str, float] = {}

    def probe(name: str, value: Tensor) -> Tensor:
        if ops[name] in RECTIFIERS:
            silent = (value.transpose(0, 1).flatten(1) <= 0).all(1)
            dead[name] = silent.double().mean().item()
        return value

    with torch.no_grad():
        network.run((images[:IMAGES],), probe)
    network.zero_grad()
    torch.autograd.backward(one.task.loss(network(images[:BATCH]), labels[:BATCH]))
    for node in network.graph.nodes:
        weight = getattr(network.part(node.name), "weight", None) if node.inputs else None
        gradient = None
        if node.shares is None and isinstance(weight, Tensor) and weight.ndim >= 2:
            size = weight.detach().float().norm().item()
            if weight.grad is not None and size:
                gradient = weight.grad.float().norm().item() / size
        if gradient is not None or node.name in dead:
            yield Inside(node.name, node.op.name, gradient, dead.get(node.name))
    network.zero_grad()


def _filters(one: Trained) -> Sheet | None:
    """Return the filters of the first convolution, grey where a weight is 0."""
    for node in one.network.graph.nodes:
        if node.op.name != "conv" or not node.inputs:
            continue
        weight = one.network.part(node.name).weight
        if not isinstance(weight, Tensor) or weight.ndim != 4 or weight.shape[1] not in SHOWN:
            return None
        weight = weight.detach().float().cpu()
        most = weight.abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-12)
        tiles = (weight / most * 127.5 + 127.5)[:FILTERS]
        shape = "x".join(map(str, weight.shape))
        about = f"{len(tiles)} of {len(weight)} filters, weights {shape}"
        return Sheet(node.name, about, _png(_tiled(tiles, 16)))
    return None


def _maps(one: Trained, image: Tensor) -> Iterator[Sheet]:
    """Yield the busiest maps of the last layer of each size that one image (1, C, H, W) gives."""
    values: dict[tuple[int, ...], tuple[str, Tensor]] = {}
    inputs = {node.name for node in one.network.graph.inputs}

    def probe(name: str, value: Tensor) -> Tensor:
        if name not in inputs and value.ndim == 4 and max(value.shape[2:]) > 1:
            values[tuple(value.shape[2:])] = name, value[0].detach().float().cpu()
        return value

    with torch.no_grad():
        one.network.run((image,), probe)
    for name, maps in list(values.values())[:LEVELS]:
        busy = maps.flatten(1).std(1).argsort(descending=True, stable=True)[:MAPS].sort().values
        chosen = maps[busy]
        low, high = chosen.amin((1, 2), keepdim=True), chosen.amax((1, 2), keepdim=True)
        tiles = (chosen - low) / (high - low).clamp_min(1e-12) * 255
        about = f"channels {', '.join(map(str, busy.tolist()))} of {len(maps)}"
        yield Sheet(name, about, _png(_tiled(_small(tiles[:, None]), MAPS)))


def _small(images: Tensor) -> Tensor:
    """Return float images (N, C, H, W) no larger than what is kept of them."""
    side = max(images.shape[2:])
    if side <= SIDE:
        return images
    size = [max(1, round(length * SIDE / side)) for length in images.shape[2:]]
    return functional.interpolate(images, size, mode="area")


def _pixels(image: Tensor) -> Tensor:
    return _small(image.cpu().float()[None])[0]


def _tiled(tiles: Tensor, columns: int) -> Tensor:
    """Return images (N, C, H, W) in rows as one (C + 1, H, W), nothing to be seen between."""
    tiles = functional.pad(tiles, (0, 0, 0, 0, 0, 1), value=255.0)  # what covers the ground
    count, channels, height, width = tiles.shape
    columns = min(columns, count)
    rows = ceil(count / columns)
    sheet = torch.zeros(channels, rows * (height + 1) - 1, columns * (width + 1) - 1)
    for place, tile in enumerate(tiles):
        top, left = place // columns * (height + 1), place % columns * (width + 1)
        sheet[:, top : top + height, left : left + width] = tile
    return sheet


def _png(image: Tensor) -> str:
    """Return a float image (1 to 4, H, W) of values from 0 to 255 as PNG in base64."""
    array = image.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    file = BytesIO()
    Image.fromarray(array.squeeze(2) if len(image) == 1 else array).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()
