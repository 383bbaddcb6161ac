"""Compare our training loop with a handwritten one over a DataLoader, in one run.

small  lenet5 in batches of 32, images shifted and mirrored: what feeds the network counts
large  a network of six convolutions in batches of 256: the network counts
module forward and backward of our module against the same layers in an nn.Sequential

Both loops see the same images, train the same layers with the same optimizer on one thread, and
add up loss and accuracy. Images are Fashion-MNIST's if they are there, else made up.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
from collections.abc import Iterator
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
import torch
from msgspec import structs
from PIL import Image, ImageOps
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from archscope import ArchscopeError, datasets, load
from archscope.build import build
from archscope.datasets import Images, Statistics, statistics
from archscope.ir import Graph
from archscope.train import Recipe, train
from benchmarks.race import Row, Trial, race
from benchmarks.tables import ratio, table, three_digits

LENET = "lenet5"
SIX = "INPUT 1x32x32 -> [[CONV 32 -> BN -> RELU]*2 -> POOL]*3 -> FC 10"
PARTS = ("small", "large", "module")


class Photos(Dataset[tuple[Tensor, int]]):
    """Images as data sets for PyTorch give them: one at a time, through Pillow, as torchvision."""

    def __init__(self, images: Images, normal: Statistics, augment: bool) -> None:
        self.pixels, self.labels = images.images[:, 0].numpy(), images.labels.tolist()
        self.mean, self.std = (
            torch.tensor(one).view(-1, 1, 1) for one in (normal.mean, normal.std)
        )
        self.augment = augment

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        image = ImageOps.expand(Image.fromarray(self.pixels[place]), 2)
        if self.augment:
            left, top = random.randint(0, 4), random.randint(0, 4)
            image = ImageOps.expand(image, 2).crop((left, top, left + 32, top + 32))
            if random.random() < 0.5:
                image = ImageOps.mirror(image)
        tensor = torch.from_numpy(np.array(image))[None].float().div(255)
        return tensor.sub_(self.mean).div_(self.std), self.labels[place]


def main() -> None:
    """Run the measurements that the command line selects, and print them."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--images", type=int, default=4096, help="of an epoch (4096)")
    parser.add_argument("--repeats", type=int, default=5, help="turns of each (5)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    whole = dataset()
    few = structs.replace(whole, train=whole.train.take(torch.arange(options.images)), test=None)
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, torch"
          f" {torch.__version__}, one thread, {options.images} images of {few.name},"
          f" medians of {options.repeats} turns")  # fmt: skip
    cases = {"small": (load(LENET), 32, True), "large": (load(SIX), 256, False)}
    for name, (graph, batch, augment) in cases.items():
        if name in options.parts:
            trials: dict[str, Trial] = {"archscope": partial(ours, graph, few, batch, augment)}
            for workers in (0, 2):
                by_hand = partial(plain, graph, few.train, batch, augment, workers)
                trials[f"by hand, {workers} workers"] = by_hand
            show(name, race(trials, options.repeats), options.images)
    if "module" in options.parts:
        pair = {"archscope": build(load(LENET)), "nn.Sequential": sequential(load(LENET))}
        steps = {name: partial(forward_and_backward, module) for name, module in pair.items()}
        show("module", race(steps, options.repeats), 32)


def dataset() -> Any:
    """Return Fashion-MNIST, or images of its shape."""
    try:
        return datasets.load("fashion-mnist")
    except ArchscopeError:
        return datasets.load("synthetic", shape="1x28x28", classes=10, images=8192, test=0)


def ours(graph: Graph, images: Any, batch: int, augment: bool) -> tuple[float, float]:
    """Return the seconds of an epoch of ours."""
    recipe = Recipe(
        epochs=1, batch=batch, validation=0, optimizer="momentum", learning_rate=0.01,
        crop=2 if augment else 0, flip=augment, log_every=20,
    )  # fmt: skip
    last = train(graph, images, recipe, device="cpu", adapt={"how": "pad"}).summary.last
    assert last is not None
    return len(images.train) / last.images_per_second, last.train["loss"]


def plain(
    graph: Graph, images: Images, batch: int, augment: bool, workers: int
) -> tuple[float, float]:
    """Return the seconds of an epoch of a loop as in tutorials."""
    module = sequential(graph).train()
    photos = Photos(images, statistics(images), augment)
    loader = DataLoader(photos, batch, shuffle=True, num_workers=workers, drop_last=True)
    optimizer = torch.optim.SGD(module.parameters(), 0.01, momentum=0.9, weight_decay=0.01)
    start = perf_counter()
    total, right, seen = 0.0, 0, 0
    for x, y in loader:
        optimizer.zero_grad()
        outputs = module(x)
        loss = functional.cross_entropy(outputs, y)
        loss.backward()
        nn.utils.clip_grad_norm_(module.parameters(), 5.0)
        optimizer.step()
        total += loss.item() * len(y)
        right += int((outputs.argmax(1) == y).sum())
        seen += len(y)
    return perf_counter() - start, total / seen


def sequential(graph: Graph) -> nn.Sequential:
    """Return the layers of a chain as one would write them down."""
    network = build(graph)
    return nn.Sequential(*(network.part(node.name) for node in graph.nodes if node.inputs))


def forward_and_backward(module: nn.Module) -> tuple[float, float]:
    """Return the seconds of one step without an optimizer."""
    x = torch.zeros(32, 1, 32, 32)
    start = perf_counter()
    module(x).sum().backward()
    return perf_counter() - start, 0.0


def show(title: str, rows: list[Row], images: int) -> None:
    """Print a table: images a second, and the time of each over ours."""
    print("\n".join(lines(title, rows, images)))


def lines(title: str, rows: list[Row], images: int) -> Iterator[str]:
    """Yield the lines of a table."""
    yield f"\n### {title}\n"
    cells = [
        [
            row.tool,
            f"{images / row.seconds:,.0f}" if row.seconds else row.problem or "",
            three_digits(1e3 * row.seconds) if row.seconds else "",
            "" if row is rows[0] else ratio(row, rows[0]),
        ]
        for row in rows
    ]
    yield from table(["loop", "images/s", "ms", "÷ archscope"], cells)


if __name__ == "__main__":
    main()
