"""The shapes of the data that a definition reads."""

from __future__ import annotations

from archscope.importers.caffe.conversion import Conversion
from archscope.importers.caffe.definition import CaffeLayer
from archscope.ir import Shape


def data_shape(net: Conversion, layer: CaffeLayer, place: int) -> Shape:
    """Return the shape that a data layer states, with the batch, () if it states none."""
    if layer.kind in ("input", "dummydata"):
        given = layer.param("input" if layer.kind == "input" else "dummy_data")
        found = [tuple(shape.integers("dim")) for shape in given.messages("shape")]
        if not found and "num" in given:
            sides = [given.integers(name) for name in ("num", "channels", "height", "width")]
            found = [tuple(sizes) for sizes in zip(*sides, strict=False)]
        shape = found[min(place, len(found) - 1)] if found else ()
    elif place > 0:  # the first has the images
        shape = ()
    elif layer.kind == "memorydata":
        given = layer.param("memory_data")
        names = ("batch_size", "channels", "height", "width")
        shape = tuple(given.integer(name, 0) for name in names)
    else:
        shape = _image_shape(net, layer)
    if not all(0 < size < 2**31 for size in shape):
        raise net.made.error(f"'{layer.name}' needs sizes of at least 1", layer.line)
    return shape


def _image_shape(net: Conversion, layer: CaffeLayer) -> Shape:
    """Return the shape of images that are cropped or resized to a size."""
    params = layer.params
    params += [param.message("resize_param") for param in params]
    side = next((param.integer("crop_size", 0) for param in params if "crop_size" in param), 0)
    height, width = side, side
    for names in () if side else (("new_height", "new_width"), ("height", "width")):
        sized = next((param for param in params if all(name in param for name in names)), None)
        if sized is not None:
            height, width = (sized.integer(name, 0) for name in names)
            break
    if not (height and width):
        return ()
    grey = any(
        param.flag("force_gray", False) or not param.flag("is_color", True) for param in params
    )
    if grey:
        return 1, 1, height, width
    net.made.notes.append(f"'{layer.name}' is assumed to have images with 3 channels")
    return 1, 3, height, width
