"""Augmentation against a slow and plain way of doing the same, image by image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from archscope.datasets import Augment, augmentation
from archscope.errors import OptionError

SHAPES = st.tuples(*[st.integers(1, top) for top in (6, 3, 7, 7)])


def picture(shape: tuple[int, ...], seed: int) -> Tensor:
    values = np.random.default_rng(seed).integers(1, 256, shape, dtype=np.uint8)
    return torch.from_numpy(values)


@given(SHAPES, st.integers(0, 4), st.integers(0, 2**32))
def test_crop_shifts(shape: tuple[int, ...], padding: int, seed: int) -> None:
    images, random = picture(shape, seed), np.random.default_rng(seed)
    top, left = (torch.from_numpy(random.integers(2 * padding + 1, size=len(images))) for _ in "yx")
    got = augmentation.crop(images, top, left, padding)
    for image, y, x, window in zip(images, top.tolist(), left.tolist(), got, strict=True):
        padded = np.pad(image.numpy(), ((0, 0), (padding, padding), (padding, padding)))
        expected = padded[:, y : y + shape[2], x : x + shape[3]]
        np.testing.assert_array_equal(window.numpy(), expected)


@given(SHAPES, st.integers(0, 4), st.integers(0, 2**32))
def test_crop_from_the_middle_changes_nothing(
    shape: tuple[int, ...], padding: int, seed: int
) -> None:
    images = picture(shape, seed)
    middle = torch.full((len(images),), padding)
    assert torch.equal(augmentation.crop(images, middle, middle, padding), images)


@given(SHAPES, st.integers(0, 2**32))
def test_flip(shape: tuple[int, ...], seed: int) -> None:
    images = picture(shape, seed)
    chosen = torch.from_numpy(np.random.default_rng(seed).integers(2, size=len(images))).bool()
    once = augmentation.flip(images, chosen)
    assert torch.equal(augmentation.flip(once, chosen), images)
    for image, turned, mirrored in zip(images, chosen.tolist(), once, strict=True):
        expected = image.numpy()[..., ::-1] if turned else image.numpy()
        np.testing.assert_array_equal(mirrored.numpy(), expected)


@given(SHAPES, st.integers(0, 9), st.integers(0, 2**32))
def test_cutout(shape: tuple[int, ...], side: int, seed: int) -> None:
    images, random = picture(shape, seed).float(), np.random.default_rng(seed)
    row = torch.from_numpy(random.integers(shape[2], size=len(images)))
    column = torch.from_numpy(random.integers(shape[3], size=len(images)))
    got = augmentation.cutout(images, row, column, side)
    expected = images.clone()
    for image, y, x in zip(expected, row.tolist(), column.tolist(), strict=True):
        top, left = y - side // 2, x - side // 2
        image[:, max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)] = 0
    assert torch.equal(got, expected)


@given(SHAPES, st.floats(0, 1), st.integers(0, 2**32))
def test_mixup(shape: tuple[int, ...], share: float, seed: int) -> None:
    images, random = picture(shape, seed).float(), np.random.default_rng(seed)
    labels = torch.from_numpy(random.integers(4, size=len(images)))
    partner = torch.from_numpy(random.permutation(len(images)))
    x, y = augmentation.mixup(images, labels, partner, share, 4)
    for at, other in enumerate(partner.tolist()):
        torch.testing.assert_close(x[at], share * images[at] + (1 - share) * images[other])
        target = torch.zeros(4)
        target[labels[at]] += share
        target[labels[other]] += 1 - share
        torch.testing.assert_close(y[at], target)


@pytest.mark.parametrize("name", ["crop", "cutout", "mixup"])
def test_negative_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match=f"{name} must be 0 or greater, got -1"):
        Augment(**{name: -1})
