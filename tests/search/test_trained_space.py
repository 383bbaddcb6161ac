"""Images that no network of a space can be trained on are refused before the search begins."""

from __future__ import annotations

from typing import Any

import pytest

from archscope.errors import OptionError
from archscope.language import document
from archscope.search.evaluation import Trainer
from archscope.search.trained_space import trained_space
from archscope.space.search_space import Space, space

SPEC = """
let:
  width: !choice [4, 8]
input: [{channels}, 8, 8]
layers:
  - conv: {{out: =width, kernel: 3}}
  - global_avgpool
  - flatten
  - linear: {classes}
"""
DATA = "synthetic:images=24,test=8,shape={channels}x8x8,classes=3"


def trained(taken: int, classes: int, images: int, **adapt: Any) -> Space:
    """Return a space that takes so many channels, for images with so many and 3 classes."""
    read = document("tiny", text=SPEC.format(channels=taken, classes=classes).encode())
    trainer = Trainer(data=DATA.format(channels=images), adapt=adapt)
    return trained_space(read, trainer, space(read), None)


def test_images_that_fit() -> None:
    for found in (trained(3, 3, 3), trained(3, 3, 1, channels="repeat")):
        assert found.graph(found.defaults).inputs[0].out == (3, 8, 8)


def test_other_channels_are_refused() -> None:
    with pytest.raises(OptionError, match="has 3 channels, the spec takes 1 channel"):
        trained(1, 3, 3)
    with pytest.raises(OptionError, match="has 1 channel, the spec takes 3 channels"):
        trained(3, 3, 1)


def test_other_classes_are_refused() -> None:
    with pytest.raises(OptionError, match="is 10, but the data have 3 classes"):
        trained(3, 10, 3)
