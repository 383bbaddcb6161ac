"""Classes that training never sees, and batches with several images of each that it does."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archscope import datasets
from archscope.datasets import Augment, Batches, Statistics, fit, splits
from archscope.datasets.epoch_order import GroupedEpochOrder
from archscope.datasets.images import Images, dataset
from archscope.datasets.splits import split_classes
from archscope.errors import OptionError

DIGITS = datasets.load("digits")


@pytest.mark.parametrize("seed", range(3))
def test_no_class_is_in_two_parts(seed: int) -> None:
    parts = split_classes(DIGITS, 0.6, True, seed)
    sizes = {name: len(labels) for name, labels in parts.classes.items()}
    assert sizes == {"taught": 4, "validation": 2, "test": 4}
    assert not parts.shared
    assert sorted(sum(parts.classes.values(), ())) == list(range(10))
    assert set(parts.validation.labels.tolist()) == set(parts.classes["validation"])
    assert set(parts.test.labels.tolist()) == set(parts.classes["test"])
    known = torch.tensor(parts.classes["taught"])
    mine = torch.isin(DIGITS.train.labels, known)
    assert torch.equal(parts.train.images, DIGITS.train.images[mine])
    assert torch.equal(known[parts.train.labels], DIGITS.train.labels[mine])
    assert parts.train.classes == 4


def test_few_unseen_classes_validate_and_test_by_different_images() -> None:
    parts = split_classes(DIGITS, 0.4, True, 0)
    assert parts.shared
    assert len(parts.classes["taught"]) == 6
    assert len(parts.classes["test"]) == 4
    alone = dataset("alone", DIGITS.train, None, DIGITS.classes, "")
    halves = split_classes(alone, 0.4, True, 0)
    assert len(halves.validation) + len(halves.test) == len(parts.validation)
    both = torch.cat([halves.validation.images, halves.test.images]).flatten(1)
    assert len(both.unique(dim=0)) == len(parts.validation.images.flatten(1).unique(dim=0))


def test_validation_takes_evenly_of_many_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splits, "VALIDATED", 100)
    held = split_classes(DIGITS, 0.4, True, 0).validation
    counts = held.labels.bincount()
    assert len(held) <= 100
    assert counts[counts > 0].max() - counts[counts > 0].min() <= 2


def test_test_images_are_the_test_split_or_else_unseen_training_images() -> None:
    parts = split_classes(DIGITS, 0.6, True, 0)
    alone = split_classes(dataset("alone", DIGITS.train, None, DIGITS.classes, ""), 0.6, True, 0)
    assert alone.classes == parts.classes
    assert DIGITS.test is not None
    assert len(parts.test) < len(DIGITS.test)
    assert len(alone.test) + len(alone.validation) + len(alone.train) == len(DIGITS.train)


def test_too_few_classes_or_images() -> None:
    few = datasets.load("synthetic", classes=3, shape="1x8x8")
    with pytest.raises(
        OptionError, match=r"'synthetic' has 3 classes; with 0\.4 of them unseen, 2"
    ):
        split_classes(few, 0.4, True, 0)
    few = datasets.load("synthetic", classes=4, shape="1x8x8")
    assert not split_classes(few, 0.5, False, 0).classes["validation"]
    single = Images(torch.zeros(6, 1, 4, 4, dtype=torch.uint8), torch.arange(6))
    with pytest.raises(OptionError, match="images for validation, and it takes 2"):
        split_classes(dataset("one", single, None, tuple("abcdef"), ""), 0.7, True, 0)


@settings(deadline=None, max_examples=60)
@given(
    counts=st.lists(st.integers(4, 30), min_size=2, max_size=6),
    per_class=st.integers(2, 4),
    groups=st.integers(1, 3),
    world=st.integers(1, 2),
    seed=st.integers(0, 99),
)
def test_groups_are_of_one_class_and_no_image_comes_twice(
    counts: list[int], per_class: int, groups: int, world: int, seed: int
) -> None:
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    labels = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))]
    if sum(count // per_class for count in counts) < groups * world:
        return
    orders = [
        GroupedEpochOrder(labels, groups * per_class, seed, per_class, rank=rank, world=world)
        for rank in range(world)
    ]
    seen = []
    for step in range(orders[0].steps):
        for order in orders:
            places = order.batch(order.epoch(3), step)
            assert len(places) == groups * per_class
            assert (labels[places].view(-1, per_class).diff(dim=1) == 0).all()
            seen += places.tolist()
    assert len(seen) == len(set(seen))
    assert orders[0].steps == sum(count // per_class for count in counts) // (groups * world)


def test_classes_are_spread_over_each_batch() -> None:
    labels = torch.arange(400) % 10
    order = GroupedEpochOrder(labels, 20, 0, 4, rank=0, world=1)
    places = order.epoch(0)
    several = [len(labels[order.batch(places, step)].unique()) for step in range(order.steps)]
    assert min(several) >= 3  # of 5 groups; by chance alone some batch would have 2
    assert not torch.equal(places, order.epoch(1))
    assert torch.equal(places, GroupedEpochOrder(labels, 20, 0, 4, rank=0, world=1).epoch(0))


def test_an_epoch_goes_on_from_its_middle() -> None:
    images = DIGITS.train
    batches = Batches(
        images, 32, 1, Augment(crop=1), Statistics((0.3,), (0.4,)), fit((1, 8, 8), DIGITS),
        per_class=4,
    )  # fmt: skip
    whole = list(batches.epoch(2))
    rest = list(batches.epoch(2, len(whole) - 3))
    for one, other in zip(whole[-3:], rest, strict=True):
        assert torch.equal(one[0], other[0])
        assert torch.equal(one[1], other[1])


def test_a_class_that_fills_no_group() -> None:
    with pytest.raises(OptionError, match="a class has 3 images to train with, fewer than the 4"):
        GroupedEpochOrder(torch.tensor([0] * 8 + [1] * 3), 8, 0, 4, rank=0, world=1)
