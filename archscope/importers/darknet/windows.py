"""Convolutions, pooling, fully connected layers, resizing and cropping of darknet."""

from __future__ import annotations

from archscope.importers.darknet.conversion import Conversion
from archscope.importers.darknet.sections import Section
from archscope.importers.darknet.weights import WeightsOf

IGNORED = ("sway", "rotate", "stretch", "stretch_sway", "coordconv")
"""Options of convolutions with which darknet computes something else on GPUs than on CPUs."""


def _padding(section: Section, size: int) -> int:
    return size // 2 if section.flag("pad") else section.integer("padding", 0)


def _stride(section: Section, default: int = 1) -> tuple[int, int]:
    both = section.integer("stride", default)
    height, width = section.integer("stride_y", both), section.integer("stride_x", both)
    return height if height > 0 else both, width if width > 0 else both


def _both(sides: tuple[int, int]) -> int | tuple[int, int]:
    return sides[0] if sides[0] == sides[1] else sides


def convolution(
    net: Conversion,
    section: Section,
    title: str,
    node: str,
    filters: int,
    size: int,
    shares: WeightsOf | None = None,
) -> str:
    """Add a convolution and its batch norm, without the activation; by default with a size."""
    size = section.integer("size", size)
    dilation = section.integer("dilation", 1)
    dilation = dilation if size > 1 else 1
    groups = max(section.integer("groups", 1), 1)
    if section.flag("xnor"):  # reads the signs of its input
        add, groups = net.adder(section, f"{title}/sign"), 1
        node = add("mul_scalar", add("compare", node, relation="gt"), factor=2.0)
        node = add("add_scalar", node, value=-1.0)
    return net.weighted(
        section,
        title,
        "conv",
        node,
        shares,
        out=filters,
        kernel=size,
        stride=1 if section.flag("antialiasing") else _both(_stride(section)),
        padding=_padding(section, size) * dilation,  # keeps the size
        dilation=dilation,
        groups=groups,
    )


def convolutional(net: Conversion, section: Section, title: str) -> str:
    """Add a convolution."""
    shares = None
    if "share_index" in section:
        given = section.integer("share_index", 0)
        shares = net.learned.get(net.index(section, "share_index", given))
        if shares is None or shares.word != "conv":
            raise net.made.error(
                f"'share_index' of [{section.kind}] names layer {given}, which is no convolution",
                section.options["share_index"][1],
            )
    for name in IGNORED:
        if section.flag(name):
            net.made.notes.append(
                f"line {section.options[name][1]}: '{name}' only acts on GPUs and is left out"
            )
    filters = section.integer("filters", 1)
    node = convolution(net, section, title, net.image(section, title), filters, 1, shares)
    node = net.finished(section, title, node)
    return antialiased(net, section, title, node)


def antialiased(net: Conversion, section: Section, title: str, node: str) -> str:
    """Add the blur with the stride of a layer that has `antialiasing`, which slides by 1."""
    kind = section.integer("antialiasing", 0)
    if not kind:
        return node
    channels = net.made.shape(node)[0]
    node = net.adder(section, title)(
        "fixed_conv",
        node,
        out=channels,
        kernel=2 if kind == 2 else 3,
        stride=_both(_stride(section)),
        padding=0 if kind == 2 else 1,
        groups=channels,
    )
    net.weights.append(WeightsOf("fixed_conv", net.made.builder.nodes[node]))
    return node


def deconvolutional(net: Conversion, section: Section, title: str) -> str:
    """Add a transposed convolution."""
    size = section.integer("size", 1)
    node = net.weighted(
        section,
        title,
        "conv_transpose",
        net.image(section, title),
        out=section.integer("filters", 1),
        kernel=size,
        stride=section.integer("stride", 1),
        padding=_padding(section, size),
    )
    return net.finished(section, title, node)


def connected(net: Conversion, section: Section, title: str) -> str:
    """Add a fully connected layer over all values."""
    flat = net.made.flat(f"{title}/flatten", section.line, net.now)
    node = net.weighted(section, title, "linear", flat, out=section.integer("output", 1))
    return net.finished(section, title, node)


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
    net.weights.append(WeightsOf("locally_connected", net.made.builder.nodes[node]))
    return net.finished(section, title, node)


def maxpool(net: Conversion, section: Section, title: str) -> str:
    """Add maximum pooling, or with `maxpool_depth` the maximum over parts of the channels."""
    if section.flag("maxpool_depth"):
        return _depth_maximum(net, section, title)
    stride = (1, 1) if section.flag("antialiasing") else _stride(section)
    node = _pool(net, section, title, "maxpool", stride)
    return antialiased(net, section, title, node)


def local_avgpool(net: Conversion, section: Section, title: str) -> str:
    """Add the mean over windows, without their padding."""
    return _pool(net, section, title, "avgpool", _stride(section), count_padding=False)


def _pool(
    net: Conversion,
    section: Section,
    title: str,
    word: str,
    strides: tuple[int, int],
    **given: object,
) -> str:
    """Add a pool, whose padding may be uneven."""
    size = section.integer("size", section.integer("stride", 1))
    padding = section.integer("padding", size - 1)
    node = net.image(section, title)
    _, *sizes = net.made.shape(node)
    pads = []
    for room, stride in zip(sizes, strides, strict=True):
        before, after = padding // 2, padding - padding // 2
        out = (room + padding - size) // max(stride, 1) + 1
        if before != after:  # positions that no window reaches do not count as padding
            after = min(after, max((out - 1) * stride + size - room - before, 0))
        pads.append((before, after))
    even = all(before == after for before, after in pads) and pads[0] == pads[1]
    return net.adder(section, title)(
        word,
        node,
        kernel=size,
        stride=_both(strides),
        padding=pads[0][0] if even else tuple(pads),
        **given,
    )


def _depth_maximum(net: Conversion, section: Section, title: str) -> str:
    """Add the maximum over every n-th channel, for n output channels."""
    node, out = net.image(section, title), section.integer("out_channels", 1)
    channels, *sizes = net.made.shape(node)
    if out < 1 or channels % out:
        raise net.made.error(
            f"'out_channels' of [{section.kind}] must divide {channels} channels, got {out}",
            section.line,
        )
    add = net.adder(section, title)
    node = add("reshape", node, size=(channels // out, out, *sizes))
    return add("reduce", node, function="max", axes=(0,), keep=False)


def avgpool(net: Conversion, section: Section, title: str) -> str:
    """Add the mean over all positions."""
    return net.adder(section, title)("global_avgpool", net.image(section, title))


def upsample(net: Conversion, section: Section, title: str) -> str:
    """Add nearest upsampling, or for a negative stride the sum of each block; and a factor."""
    add, node = net.adder(section, title), net.image(section, title)
    stride, factor = section.integer("stride", 2), section.number("scale", 1)
    if stride < 0:
        node = add("avgpool", node, kernel=-stride, stride=-stride)
        factor *= stride**2
    else:
        node = add("upsample", node, scale=stride)
    return node if factor == 1 else add("mul_scalar", node, factor=factor)


def crop(net: Conversion, section: Section, title: str) -> str:
    """Add the crop of the middle of a map; as the first layer, of the image."""
    add, node = net.adder(section, title), net.image(section, title)
    sizes = net.made.shape(node)[1:]
    cut = section.integer("crop_height", 1), section.integer("crop_width", 1)
    for axis, (size, part) in enumerate(zip(sizes, cut, strict=True), start=1):
        if net.ends and part != size:  # otherwise the input of the network is the cropped image
            start = (size - part) // 2
            node = add("slice", node, start=start, stop=start + part, axis=axis)
    if section.flag("noadjust"):
        return node
    node = add("mul_scalar", node, factor=2.0)  # from 0 to 1 becomes from -1 to 1
    return add("add_scalar", node, value=-1.0)
