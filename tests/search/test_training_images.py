"""The images of a search: enough to validate with, and no more than asked for to train on."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archscope.datasets import Dataset, Images, split
from archscope.datasets.images import dataset
from archscope.errors import OptionError
from archscope.search.training_images import LEAST_VALIDATED, MOST_SPLITS, training_images


def made(count: int, classes: int = 3) -> Dataset:
    pixels = torch.zeros((count, 1, 1, 2), dtype=torch.uint8)
    pixels[:, 0, 0, 0], pixels[:, 0, 0, 1] = torch.arange(count) % 256, torch.arange(count) // 256
    images = Images(pixels, torch.arange(count) % classes)
    return dataset("made", images, images, tuple("abcdefghij"[:classes]), "")


@settings(max_examples=25)
@given(st.integers(30, 5000), st.sampled_from([0, 50, 400, 3000]), st.integers(0, 5))
def test_one_validation_image_is_under_a_third_of_a_point(
    count: int, images: int, seed: int
) -> None:
    found = training_images(made(count), images, None, seed)
    taught, held = split(found.dataset.train, found.validation, seed)
    assert len(held) * found.splits >= LEAST_VALIDATED or found.splits == MOST_SPLITS
    assert len(held) <= 0.25 * count
    assert min(images or count, 0.7 * count) <= len(taught) <= (images or count)
    assert found.dataset.test is None
    labels = torch.bincount(found.dataset.train.labels, minlength=3)
    assert labels.max() - labels.min() <= 2


def test_a_share_that_is_given_is_kept() -> None:
    found = training_images(made(400), 0, 0.1, 0)
    assert (found.validation, found.splits) == (0.1, 9)
    assert found.chance == pytest.approx(1 / 3, abs=0.01)


def test_parts_differ_by_their_seed_and_have_digests_of_their_own() -> None:
    whole = made(1000)
    parts = [training_images(whole, 100, None, seed).dataset for seed in (0, 1)]
    assert not torch.equal(parts[0].train.images, parts[1].train.images)
    assert len({whole.digest, *(part.digest for part in parts)}) == 3


def test_nothing_to_validate_with_is_refused() -> None:
    with pytest.raises(OptionError, match="of which none validates"):
        training_images(made(100), 0, 0.0, 0)
