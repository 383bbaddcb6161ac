"""Rotated classes that count as separate classes."""

from __future__ import annotations

import torch
from torch import Tensor

from archscope import datasets
from archscope.datasets import Augment, Batches, Statistics, fit
from archscope.datasets.images import Images
from archscope.datasets.turns import TURNS, TurnedClasses, distinct_turns, turn_groups, turned

GREY = Statistics((0.0,), (1.0,))


def noisy(shape: Tensor, count: int = 40) -> Tensor:
    """Return images (count, 1, H, W) of one shape (H, W) with noise, a tenth of the contrast."""
    noise = torch.randint(20, (count, 1, *shape.shape), generator=torch.Generator().manual_seed(0))
    return (200 * shape + noise).to(torch.uint8)


def classes() -> Images:
    """Return four classes: without symmetry, symmetric left to right, a disc, mere texture."""
    corner, bar, disc = torch.zeros(3, 16, 16)
    corner[1:4, 1:9] = 1.0
    bar[1:5, 4:12] = 1.0
    rows = torch.arange(16) - 7.5
    disc[(rows[:, None] ** 2 + rows[None] ** 2) < 30] = 1.0
    texture = torch.randint(
        256, (40, 1, 16, 16), generator=torch.Generator().manual_seed(1), dtype=torch.uint8
    )
    images = [*map(noisy, (corner, bar, disc)), texture]
    return Images(torch.cat(images), torch.arange(4).repeat_interleave(40), 4)


def test_turns_are_the_eight_of_a_square() -> None:
    image = torch.arange(12).view(1, 3, 2, 2)
    views = [turned(image, turn) for turn in range(TURNS)]
    assert torch.equal(views[0], image)
    assert len({tuple(view.flatten().tolist()) for view in views}) == 8
    assert torch.equal(views[2], image.flip(-1, -2))
    assert torch.equal(views[4], image.flip(-1))
    both = turn_groups(image.expand(8, -1, -1, -1), torch.arange(8))
    assert torch.equal(both, torch.cat(views))


def test_only_turns_that_look_different_are_classes() -> None:
    assert distinct_turns(classes(), square=True) == (tuple(range(8)), (0, 1, 2, 3), (0,), (0,))


def test_only_turns_that_keep_the_shape_without_a_square() -> None:
    assert distinct_turns(classes(), square=False) == ((0, 2, 4, 6), (0, 2), (0,), (0,))


def test_a_class_of_one_image_has_no_turns() -> None:
    image = Images(classes().images[:1], torch.zeros(1, dtype=torch.int64), 2)
    assert distinct_turns(image, square=True) == ((0,), (0,))


def test_batches_hold_images_in_the_turns_that_their_labels_say() -> None:
    images, turns = classes(), ((0, 3, 5), (0,), (0,), (0, 4))
    expected = TurnedClasses(images.labels, turns)
    assert expected.label.bincount().tolist() == [40] * 7
    batches = Batches(
        images, 8, 0, Augment(), GREY, fit((1, 16, 16), _dataset(images)),
        per_class=4, turns=turns, epoch_images=640,
    )  # fmt: skip
    first = [(label, turn) for label, mine in enumerate(turns) for turn in mine]
    seen: set[int] = set()
    for batch, labels in batches.epoch(0):
        for image, number in zip(batch, labels.tolist(), strict=True):
            label, turn = first[number]
            pixels = turned(images.images[images.labels == label], turn).float() / 255
            assert (pixels - image).abs().flatten(1).amax(1).min() < 1e-6
            seen.add(number)
    assert len(batches) == 80
    assert seen == set(range(7))


def test_an_epoch_may_be_part_of_the_images_or_more() -> None:
    images = classes()
    for wanted, steps in ((32, 4), (160, 20), (1000, 125), (3, 1)):
        batches = Batches(
            images, 8, 0, Augment(), GREY, fit((1, 16, 16), _dataset(images)),
            per_class=4, epoch_images=wanted,
        )  # fmt: skip
        labels = torch.cat([labels for _, labels in batches.epoch(1)])
        assert len(batches) == steps
        assert (labels.view(-1, 4).diff(dim=1) == 0).all()
        if wanted >= 160:
            counts = labels.bincount()
            assert counts.max() - counts.min() <= 40  # each class in its share


def _dataset(images: Images) -> datasets.Dataset:
    return datasets.images.dataset("shapes", images, None, tuple("abcd"), "")
