"""The inspection of a trained network, stored in its run folder: layer statistics and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from archscope.decoding import decode_json
from archscope.errors import OptionError, RecordError, reason_of
from archscope.files import write_json

FORMAT = 1
FILE = "look.json"
LARGEST = 1 << 24
"""The largest inspection to read, in bytes; a larger one would make a report slow to open."""

Png = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9+/]*={0,2}\Z")]
"""A PNG image in base64."""


class LayerStatistics(Struct, frozen=True):
    """The gradient and the dead units of a layer, with the kept weights."""

    name: str
    op: str
    gradient: float | None  # norm of the gradient of its weights over the norm of the weights
    dead: float | None  # share of the units that are 0 for all images


class ImageGrid(Struct, frozen=True):
    """Several small images in rows in one picture."""

    layer: str
    about: str
    png: Png


class Sample(Struct, frozen=True):
    """An image with its true class, its predicted class and feature maps."""

    label: str
    guess: str
    probability: float
    png: Png
    maps: tuple[ImageGrid, ...] = ()


class FieldPicture(Struct, frozen=True):
    """The effective receptive field of a layer's centre, by gradients, and the theoretical one."""

    layer: str
    images: int
    share: float  # of the energy in the effective field along each axis
    effective: tuple[int, int]  # height and width
    theoretical: tuple[int, int] | None  # None if unknown
    input: tuple[int, int]
    png: Png


class Inspection(Struct, frozen=True):
    """The inside of a trained network, and its most confident mistakes."""

    format: int
    data: str
    images: int  # number of images in the confusion matrix
    layers: tuple[LayerStatistics, ...]
    filters: ImageGrid | None
    samples: tuple[Sample, ...]
    wrong: tuple[Sample, ...]  # misclassified, most confident first
    confusion: tuple[tuple[int, ...], ...]  # true class by row, predicted class by column
    field: FieldPicture | None = None


def write_inspection(run: Path, inspection: Inspection) -> Path:
    """Write an inspection to a run folder and return its path. Raises OptionError."""
    file = run / FILE
    write_json(file, inspection)
    return file


def read_inspection(run: Path) -> Inspection | None:
    """Read the inspection of a run; None if it has none.

    Raises OptionError if the file is broken or larger than `LARGEST` bytes.
    """
    file = run / FILE
    if not file.exists():
        return None
    try:
        if file.stat().st_size > LARGEST:
            raise RecordError(f"larger than {LARGEST >> 20} MiB")
        return decode_json(file.read_bytes(), Inspection)
    except (OSError, RecordError) as error:
        raise OptionError(f"{FILE}: {reason_of(error)}") from None
