"""Adapt images to the input shape of a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from msgspec import Struct
from torch import Tensor
from torch.nn import functional

from archscope.datasets.images import Dataset, Images
from archscope.errors import OptionError, did_you_mean
from archscope.ir import text_of

Way = Literal["none", "resize", "pad"]
Channels = Literal["same", "repeat"]

CHUNK = 1024  # images to resize at once
WAYS = ("resize", "pad")
CHANNELS = ("same", "repeat")


class Adaptation(Struct, frozen=True):
    """How images are adapted to a shape; shapes are (C, H, W)."""

    source: tuple[int, int, int]
    target: tuple[int, int, int]
    how: Way
    channels: Channels

    def apply(self, images: Tensor) -> Tensor:
        """Adapt uint8 (N, *source) to uint8 (N, *target).

        `resize` is bilinear, with a wider filter where images shrink, rounded to whole values;
        `pad` centres the image in zeros, with an odd rest below and to the right. The result does
        not depend on the other images of a batch.
        """
        _, height, width = self.target
        if self.how == "resize":
            parts = [_resize(part, height, width) for part in torch.split(images, CHUNK)]
            images = parts[0] if len(parts) == 1 else torch.cat(parts)
        elif self.how == "pad":
            top, left = (height - self.source[1]) // 2, (width - self.source[2]) // 2
            bottom, right = height - self.source[1] - top, width - self.source[2] - left
            images = functional.pad(images, (left, right, top, bottom))
        if self.channels == "repeat":
            images = images.expand(-1, self.target[0], -1, -1)
        return images

    @property
    def about(self) -> str:
        """A phrase that describes the change of the size of images; "" if there is none."""
        sizes = self.source[1:], self.target[1:]
        (height, width), (tall, wide) = sizes
        if self.how == "none":
            return ""
        before, after = map(text_of, sizes)
        if self.how == "pad":
            return f"images of {before} are padded with zeros to {after}, the input of the network"
        if tall < height or wide < width:
            bent = "" if tall * width == height * wide else ", which changes their proportions"
            return f"images of {before} are resized to {after}, the input of the network{bent}"
        times = tall * wide / (height * width)
        return (
            f"images of {before} are enlarged to {after}, the input of the network: {times:.3g}"
            f" times the pixels; --input {text_of((self.target[0], height, width))} takes them as"
            " they are, if the network allows it"
        )

    def adapted(self, images: Images) -> Images:
        """Return all images of a split, adapted."""
        return Images(self.apply(images.images), images.labels, images.classes)

    def bytes_of(self, count: int) -> int:
        """Return the bytes of `count` adapted images."""
        channels, height, width = self.target
        return count * channels * height * width


def _resize(images: Tensor, height: int, width: int) -> Tensor:
    if not len(images):
        return images.new_empty((0, images.shape[1], height, width))
    sized = functional.interpolate(
        images.float(), (height, width), mode="bilinear", align_corners=False, antialias=True
    )
    return sized.round_().clamp_(0, 255).to(torch.uint8)


def fit(
    shape_of_spec: Sequence[int],
    dataset: Dataset,
    *,
    how: Way = "resize",
    channels: Channels = "same",
) -> Adaptation:
    """Return the adaptation of a data set to the input (C, H, W) of a spec.

    `how` is `resize` or `pad` and matters only if sizes differ; `channels="repeat"` repeats the
    channel of grey images for a network with several input channels. Raises OptionError, with a
    remedy, if images do not fit.
    """
    for word, value, known in (("how", how, WAYS), ("channels", channels, CHANNELS)):
        if value not in known:
            near = did_you_mean(value, known)
            raise OptionError(f"{word} must be one of {', '.join(known)}, got '{value}'{near}")
    source = dataset.train.shape
    if len(shape_of_spec) != 3:
        raise OptionError(
            f"data set '{dataset.name}' holds images (C, H, W) of {text_of(source)},"
            f" the spec takes {text_of(tuple(shape_of_spec))}"
        )
    wanted, height, width = shape_of_spec
    target = (wanted, height, width)
    if source[0] == wanted:
        channels = "same"
    elif channels == "same" or source[0] != 1:
        grey = ", or have the grey channel repeated (channels=repeat)" if source[0] == 1 else ""
        has, takes = (f"{n} channel{'s' * (n != 1)}" for n in (source[0], wanted))
        raise OptionError(
            f"data set '{dataset.name}' has {has}, the spec takes {takes};"
            f" give the spec the images' shape (--input {text_of(source)}){grey}"
        )
    if source[1:] == (height, width):
        how = "none"
    elif how == "pad" and (height < source[1] or width < source[2]):
        raise OptionError(
            f"images of {text_of(source[1:])} cannot be padded to {text_of((height, width))},"
            " which is smaller; resize them"
        )
    return Adaptation(source, target, how, channels)
