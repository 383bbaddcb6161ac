"""Convolutions, pooling, fully connected layers, resizing and cropping of darknet."""

from __future__ import annotations

from archscope.importers.darknet.conversion import Conversion
from archscope.importers.darknet.sections import Section
from archscope.importers.darknet.weights import WeightsOf


def _padding(section: Section) -> int:
    size = section.integer("size", 1)
    return size // 2 if section.integer("pad", 0) else section.integer("padding", 0)


def _stride(section: Section, default: int = 1) -> tuple[int, int]:
    both = section.integer("stride", default)
    return section.integer("stride_y", both), section.integer("stride_x", both)


def convolutional(net: Conversion, section: Section, title: str) -> str:
    """Add a convolution."""
    dilation = section.integer("dilation", 1)
    height, width = _stride(section)
    return net.weighted(
        section,
        title,
        "conv",
        net.image(section, title),
        out=section.integer("filters", 1),
        kernel=section.integer("size", 1),
        stride=height if height == width else (height, width),
        padding=_padding(section) * dilation,  # keeps the size
        dilation=dilation,
        groups=section.integer("groups", 1),
    )


def deconvolutional(net: Conversion, section: Section, title: str) -> str:
    """Add a transposed convolution."""
    return net.weighted(
        section,
        title,
        "conv_transpose",
        net.image(section, title),
        out=section.integer("filters", 1),
        kernel=section.integer("size", 1),
        stride=section.integer("stride", 1),
        padding=_padding(section),
    )


def connected(net: Conversion, section: Section, title: str) -> str:
    """Add a fully connected layer over all values."""
    flat = net.made.flat(f"{title}/flatten", section.line, net.now)
    return net.weighted(section, title, "linear", flat, out=section.integer("output", 1))


def local(net: Conversion, section: Section, title: str) -> str:
    """Add a convolution with separate weights at each position."""
    size, pad = section.integer("size", 1), section.integer("pad", 0)
    if pad and size != 3:
        raise net.made.error("[local] with pad is supported only for size 3", section.line)
    node = net.made.add(
        f"{title}/locally_connected",
        section.line,
        "locally_connected",
        (net.image(section, title),),
        out=section.integer("filters", 1),
        kernel=size,
        stride=section.integer("stride", 1),
        padding=1 if pad else 0,
    )
    net.weights.append(WeightsOf("locally_connected", net.made.builder.nodes[node], None))
    return net.finished(section, title, node)


def maxpool(net: Conversion, section: Section, title: str) -> str:
    """Add maximum pooling, whose padding may be uneven."""
    height, width = _stride(section)
    size = section.integer("size", section.integer("stride", 1))
    padding = section.integer("padding", size - 1)
    node = net.image(section, title)
    _, *sizes = net.made.shape(node)
    pads = []
    for room, stride in zip(sizes, (height, width), strict=True):
        before, after = padding // 2, padding - padding // 2
        out = (room + padding - size) // max(stride, 1) + 1
        if before != after:  # positions that no window reaches do not count as padding
            after = min(after, max((out - 1) * stride + size - room - before, 0))
        pads.append((before, after))
    even = all(before == after for before, after in pads) and pads[0] == pads[1]
    return net.made.add(
        f"{title}/maxpool",
        section.line,
        "maxpool",
        (node,),
        kernel=size,
        stride=height if height == width else (height, width),
        padding=pads[0][0] if even else tuple(pads),
    )


def avgpool(net: Conversion, section: Section, title: str) -> str:
    """Add the mean over all positions."""
    node = net.image(section, title)
    return net.made.add(f"{title}/global_avgpool", section.line, "global_avgpool", (node,))


def upsample(net: Conversion, section: Section, title: str) -> str:
    """Add nearest upsampling, and a factor."""
    node = net.made.add(
        f"{title}/upsample",
        section.line,
        "upsample",
        (net.image(section, title),),
        scale=section.integer("stride", 2),
    )
    factor = section.number("scale", 1)
    if factor == 1:
        return node
    return net.made.add(f"{title}/times", section.line, "mul_scalar", (node,), factor=factor)


def crop(net: Conversion, section: Section, title: str) -> str:
    """Add a crop of a map; as the first layer, of the image."""
    channels, *sizes = net.made.shape(net.image(section, title))
    cut = section.integer("crop_height", 1), section.integer("crop_width", 1)
    if not net.ends or tuple(sizes) == cut:
        return net.now  # the input of the network is the cropped image
    return net.made.opaque(
        f"{title}/crop",
        section.line,
        "darknet.crop",
        (net.now,),
        size=(channels, *cut),
        products=0,
        work=0,
    )
