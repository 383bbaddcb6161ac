"""The inputs and outputs that a model describes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from archscope.errors import DataError, OptionError
from archscope.importers.coreml.messages import Message
from archscope.importers.formats import Inputs
from archscope.ir import text_of

GRAY = (10, 40)
"""The color spaces with one channel."""


class Feature(Struct):
    """An input: its default shape, with the sizes that an axis may have if there are others."""

    name: str
    shape: list[int]
    is_image: bool = False
    sizes: dict[int, tuple[int, int]] = {}  # the least and most of axes, -1 for no limit
    choices: list[list[int]] = []  # whole shapes
    colors: int = 0  # the color space of an image


def features_of(description: Message) -> dict[str, Feature]:
    """Return the inputs of a model that are arrays or images, by name. Raises DataError."""
    found: dict[str, Feature] = {}
    functions = description.messages("functions")
    entries = description.messages("input")
    for function in functions:
        if function.text("name") == description.text("defaultFunctionName"):
            entries = entries + function.messages("input")
    for entry in entries:
        kind, name = entry.message("type"), entry.text("name")
        if "imageType" in kind:
            found[name] = _image(name, kind.message("imageType"))
        elif "multiArrayType" in kind:
            found[name] = _array(name, kind.message("multiArrayType"))
        else:
            found[name] = Feature(name, [])
    return found


def _image(name: str, image: Message) -> Feature:
    colors = image.integer("colorSpace")
    channels = 1 if colors in GRAY else 3
    shape = [1, channels, image.integer("height"), image.integer("width")]
    area = image.message("imageSizeRange")
    sizes = {
        axis: _range(area.message(word))
        for axis, word in ((2, "heightRange"), (3, "widthRange"))
        if word in area
    }
    choices = [
        [1, channels, size.integer("height"), size.integer("width")]
        for size in image.message("enumeratedSizes").messages("sizes")
    ]
    return Feature(name, shape, True, sizes, choices, colors)


def _array(name: str, array: Message) -> Feature:
    ranges = array.message("shapeRange").messages("sizeRanges")
    choices = [
        shape.integers("shape") for shape in array.message("enumeratedShapes").messages("shapes")
    ]
    shape = array.integers("shape")
    if not shape and ranges:
        shape = [max(size.integer("lowerBound"), 1) for size in ranges]
    sizes = {axis: _range(size) for axis, size in enumerate(ranges)}
    return Feature(name, shape, False, sizes, choices)


def _range(size: Message) -> tuple[int, int]:
    return size.integer("lowerBound"), size.integer("upperBound")


def sized(feature: Feature, given: Inputs, only: bool) -> list[int]:
    """Return the shape of an input, with the sizes that the user gave to axes that allow others.

    `only` says whether it is the only input. Raises OptionError for sizes that it cannot have.
    """
    wanted = given.get(feature.name) if isinstance(given, Mapping) else given if only else None
    shape = list(feature.shape)
    offset = len(shape) - len(wanted or ())
    if wanted is None or offset not in (0, 1) or not (feature.sizes or feature.choices):
        return shape
    full = [*shape[:offset], *wanted]
    fits = full in feature.choices or all(
        size == shape[axis] or _allows(feature.sizes.get(axis), size)
        for axis, size in enumerate(full)
    )
    if not fits:
        raise OptionError(
            f"input '{feature.name}' cannot be {text_of(tuple(wanted))}: the file allows"
            f" {_allowed(feature, offset)}"
        )
    return full


def _allows(size: tuple[int, int] | None, wanted: int) -> bool:
    return size is not None and size[0] <= wanted and (size[1] < 0 or wanted <= size[1])


def _allowed(feature: Feature, offset: int) -> str:
    if feature.choices:
        return " or ".join(text_of(tuple(choice[offset:])) for choice in feature.choices[:5])
    parts = []
    for axis in range(offset, len(feature.shape)):
        least, most = feature.sizes.get(axis, (feature.shape[axis],) * 2)
        parts.append(str(least) if least == most else f"{least}..{most if most >= 0 else ''}")
    return "x".join(parts)


def titles_of(description: Message) -> list[str]:
    """Return the names of the outputs that a model describes."""
    return [entry.text("name") for entry in description.messages("output")]


def checked(name: str, shape: Sequence[int]) -> list[int]:
    """Return the shape of an input. Raises DataError if it has none."""
    if not shape or min(shape) < 1:
        raise DataError(f"its input '{name[-60:]}' has no shape")
    return list(shape)
