"""Splits, statistics and batches lose, repeat or change no image."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from archscope.datasets import (
    Adaptation,
    Augment,
    Batches,
    Images,
    Statistics,
    fit,
    load,
    split,
    statistics,
)
from archscope.errors import DataError, OptionError

NOTHING = Augment()
PLAIN = Statistics((0.0,), (1 / 255,))  # leaves pixel values as they are


def numbered(count: int, classes: int = 3) -> Images:
    """Images of 2 x 3 pixels, each of which holds its own number in two bytes."""
    images = torch.zeros((count, 1, 2, 3), dtype=torch.uint8)
    images[:, 0, 0, 0] = torch.arange(count) % 256
    images[:, 0, 0, 1] = torch.arange(count) // 256
    return Images(images, torch.arange(count) % classes, classes)


def batches(images: Images, batch: int, augment: Augment = NOTHING, **options: object) -> Batches:
    same = Adaptation(images.shape, images.shape, "none", "same")
    seed = options.pop("seed", 7)
    return Batches(images, batch, seed, augment, PLAIN, same, **options)


def numbers(x: Tensor) -> list[int]:
    x = x.float()  # bytes would overflow
    return (x[:, 0, 0, 0] + 256 * x[:, 0, 0, 1]).round().int().tolist()


@given(st.integers(0, 400), st.floats(0, 0.99), st.integers(0, 2**40))
def test_split(count: int, share: float, seed: int) -> None:
    labels = np.random.default_rng(seed).binomial(5, 0.3, count)
    plain = numbered(count)
    images = Images(plain.images, torch.from_numpy(labels), 6)
    train, held = split(images, share, seed)
    assert sorted(numbers(train.images) + numbers(held.images)) == list(range(count))
    for part in (train, held):
        assert numbers(part.images) == sorted(numbers(part.images)), "the old order is kept"
        assert part.labels.tolist() == labels[numbers(part.images)].tolist()
    for label in set(labels.tolist()):
        size, here = int((labels == label).sum()), int((held.labels == label).sum())
        assert here < size, "something to train with"
        assert abs(here - share * size) <= 1
    again = split(images, share, seed)
    assert torch.equal(again[1].images, held.images)


def test_split_depends_on_the_seed() -> None:
    images = numbered(300)
    assert not torch.equal(split(images, 0.3, 0)[1].images, split(images, 0.3, 1)[1].images)
    assert len(split(images, 0.1, 0)[1]) == 30
    assert len(split(images, 0, 0)[1]) == 0


@pytest.mark.parametrize("share, seed", [(1, 0), (-0.1, 0), (float("nan"), 0), (0.5, -1)])
def test_split_refuses(share: float, seed: int) -> None:
    with pytest.raises(OptionError):
        split(numbered(10), share, seed)


@given(st.integers(1, 9), st.integers(1, 3), st.integers(0, 2**32))
def test_statistics_are_numpy_s(count: int, channels: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (count, channels, 5, 4), dtype=np.uint8)
    images = Images(torch.from_numpy(pixels), torch.zeros(count, dtype=torch.int64))
    got = statistics(images)
    scaled = pixels.astype(np.float64) / 255
    np.testing.assert_allclose(got.mean, scaled.mean((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(got.std, scaled.std((0, 2, 3)), rtol=1e-9)
    x = got.normalise(images.images)
    np.testing.assert_allclose(x.mean((0, 2, 3)), 0, atol=1e-4)
    np.testing.assert_allclose(x.std((0, 2, 3), correction=0), 1, atol=1e-4)


def test_a_constant_channel_loses_its_mean_only() -> None:
    images = torch.full((3, 1, 2, 2), 200, dtype=torch.uint8)
    got = statistics(Images(images, torch.zeros(3, dtype=torch.int64)))
    assert got.std == (0.0,)
    torch.testing.assert_close(got.normalise(images), torch.zeros(3, 1, 2, 2))


def test_statistics_of_nothing() -> None:
    with pytest.raises(DataError, match="no images"):
        statistics(numbered(0))


@given(
    st.integers(1, 200), st.integers(1, 40), st.integers(1, 4), st.booleans(), st.integers(0, 99)
)
def test_ranks_share_the_epoch(count: int, batch: int, world: int, drop: bool, epoch: int) -> None:
    options = {"drop_last": drop, "world_size": world}
    images = numbered(count)
    try:
        ranks = [batches(images, batch, rank=rank, **options) for rank in range(world)]
    except OptionError:
        steps = -(-count // (batch * world))
        assert count < batch * world if drop else count // steps < world
        return
    assert len({len(rank) for rank in ranks}) == 1
    steps = [[numbers(x) for x, _ in rank.epoch(epoch)] for rank in ranks]
    assert {len(step) for step in steps} == {len(ranks[0])}
    assert all(0 < len(step) <= batch for one in steps for step in one)
    seen = sorted(itertools.chain(*itertools.chain(*steps)))
    if drop:
        assert len(seen) == len(set(seen)) == count - count % (batch * world)
    else:
        assert seen == list(range(count))
        sizes = [sum(len(one[step]) for one in steps) for step in range(len(ranks[0]))]
        assert max(sizes) - min(sizes) <= 1 and len(sizes) == -(-count // (batch * world))
    # One process with the batches of all together sees the same images at the same step.
    alone = batches(images, batch * world, drop_last=drop)
    for step, (x, _) in enumerate(alone.epoch(epoch)):
        assert numbers(x) == list(itertools.chain(*(one[step] for one in steps)))


AUGMENTS = st.builds(
    Augment, crop=st.integers(0, 3), flip=st.booleans(), cutout=st.integers(0, 3),
    mixup=st.sampled_from([0.0, 0.2, 1.0]),
)  # fmt: skip


@given(st.integers(1, 60), st.integers(1, 20), AUGMENTS, st.integers(0, 5), st.data())
def test_resumed_in_the_middle(
    count: int, batch: int, augment: Augment, epoch: int, data: st.DataObject
) -> None:
    images = numbered(count)
    whole = list(batches(images, batch, augment).epoch(epoch))
    start = data.draw(st.integers(0, len(whole)))
    rest = list(batches(images, batch, augment).epoch(epoch, start))
    assert len(rest) == len(whole) - start
    for (x, y), (again_x, again_y) in zip(whole[start:], rest, strict=True):
        assert torch.equal(x, again_x)
        assert torch.equal(y, again_y)
        assert x.dtype == torch.float32
        assert x.shape[1:] == images.shape
        assert x.min() >= -0.01
        assert x.max() <= 255.01
        if augment.mixup:
            assert y.shape == (len(x), 3)
            torch.testing.assert_close(y.sum(1), torch.ones(len(x)))


def test_chance_differs_by_seed_epoch_step_and_rank() -> None:
    pixels = torch.arange(25, dtype=torch.uint8).view(1, 1, 5, 5).expand(64, 1, 5, 5)
    alike = Images(pixels.contiguous(), torch.zeros(64, dtype=torch.int64), 1)
    made = [
        x
        for seed, rank in ((0, 0), (0, 1), (1, 0))
        for epoch in (0, 1)
        for x, _ in batches(alike, 16, Augment(crop=2), seed=seed, rank=rank, world_size=2).epoch(
            epoch
        )
    ]  # the images are all alike, so that only chance tells batches apart
    assert len(made) == 12
    assert not any(torch.equal(one, other) for one, other in itertools.combinations(made, 2))


def test_epochs_and_seeds_differ() -> None:
    images = numbered(100)
    orders = {
        tuple(numbers(next(batches(images, 50, seed=seed).epoch(epoch))[0]))
        for seed in (0, 1) for epoch in (0, 1)
    }  # fmt: skip
    assert len(orders) == 4
    x, y = next(batches(images, 50, shuffle=False).epoch(3))
    assert numbers(x) == list(range(50))
    assert y.tolist() == [place % 3 for place in range(50)]


def test_batch_by_batch_is_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    data = load("synthetic:classes=3,shape=1x7x9,images=40,test=0")
    for how, target in (("resize", (1, 12, 5)), ("pad", (1, 10, 12))):
        adaptation = fit(target, data, how=how)
        arguments = (data.train, 16, 0, Augment(crop=1), statistics(data.train), adaptation)
        once = Batches(*arguments)
        monkeypatch.setattr("archscope.datasets.batches.WHOLE_BYTES", 100)
        each = Batches(*arguments)
        assert (once.whole, each.whole) == (True, False)
        for (x, _), (y, _) in zip(once.epoch(0), each.epoch(0), strict=True):
            assert x.shape[1:] == target
            assert torch.equal(x, y)
        monkeypatch.undo()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"batch": 0}, "1 image or more, got 0"),
        ({"batch": 11, "drop_last": True}, "10 images do not fill one batch of 11"),
        ({"batch": 4, "world_size": 11}, "leave 10 for 11 processes"),
        ({"batch": 2, "rank": 2, "world_size": 2}, "got 2 of 2"),
        ({"batch": 2, "seed": -1}, "a seed must be 0 or greater"),
    ],
)
def test_batches_refuse(options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        batches(numbered(10), **options)


def test_threads_are_left_as_they_were() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        for _ in batches(numbered(10), 2, Augment(crop=1)).epoch(0):
            assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_start_beyond_the_epoch() -> None:
    with pytest.raises(OptionError, match="steps 0 to 4, got start 6"):
        next(batches(numbered(10), 2).epoch(0, 6))


def test_mixup_needs_the_number_of_classes() -> None:
    known = numbered(10)
    with pytest.raises(OptionError, match="number of classes"):
        batches(Images(known.images, known.labels), 2, Augment(mixup=1.0))


@settings(max_examples=5)
@given(st.integers(0, 3))
def test_a_small_network_learns_what_is_made_up(seed: int) -> None:
    data = load("synthetic", classes=3, shape=(3, 8, 8), images=192, test=96, seed=seed)
    feeder = Batches(
        data.train, 32, seed, Augment(flip=False, crop=1), statistics(data.train),
        fit((3, 8, 8), data),
    )  # fmt: skip
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        model = torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(288, 3)
        )
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for epoch in range(4):
        for x, y in feeder.epoch(epoch):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
    assert data.test is not None
    x = statistics(data.train).normalise(data.test.images)
    assert (model(x).argmax(1) == data.test.labels).float().mean() > 0.9
