"""Layers of darknet that read several others, or rearrange the values of one."""

from __future__ import annotations

from math import prod

from archscope.importers.darknet.conversion import Conversion
from archscope.importers.darknet.sections import Section
from archscope.ir import Shape


def route(net: Conversion, section: Section, title: str) -> str:
    """Concatenate earlier layers, or take a part of their channels."""
    if "layers" not in section:
        raise net.made.error(f"[{section.kind}] needs 'layers'", section.line)
    nodes = [net.layer(section, "layers", i) for i in section.integers("layers", ())]
    groups, group = section.integer("groups", 1), section.integer("group_id", 0)
    if groups != 1:
        parts = [_part(net, section, f"{title}/slice", node, groups, group) for node in nodes]
        nodes = parts
    if len(nodes) == 1:
        return nodes[0]
    return net.made.add(f"{title}/concat", section.line, "concat", nodes)


def _part(net: Conversion, section: Section, title: str, node: str, groups: int, group: int) -> str:
    channels = net.made.shape(node)[0]
    if not 0 <= group < groups or channels % groups:
        raise net.made.error(
            f"'group_id' {group} does not fit {channels} channels in {groups} groups", section.line
        )
    size = channels // groups
    return net.made.add(
        title, section.line, "slice", (node,), start=group * size, stop=(group + 1) * size
    )


def shortcut(net: Conversion, section: Section, title: str) -> str:
    """Add the sum with earlier layers."""
    if "from" not in section:
        raise net.made.error("[shortcut] needs 'from'", section.line)
    node = net.now
    for index in section.integers("from", ()):
        node = _sum(net, section, title, node, net.layer(section, "from", index))
    return net.finished(section, title, node, "linear")


def _sum(net: Conversion, section: Section, title: str, node: str, other: str) -> str:
    """Add a layer of other sizes, a multiple or a fraction, or with fewer channels.

    Darknet adds every second position of a map twice as large, and only to the channels that both
    have.
    """
    made, line = net.made, section.line
    if made.shape(node) == made.shape(other):
        return made.add(f"{title}/add", line, "add", (node, other))
    (channels, *sizes), (others, *other_sizes) = made.shape(node), made.shape(other)
    step = max(other_sizes[0] // sizes[0], 1) if sizes and other_sizes else 1
    if [-(-size // step) for size in other_sizes] != sizes:
        work = prod(made.shape(node))
        return made.opaque(
            f"{title}/add",
            line,
            "darknet.shortcut of other sizes",
            (node, other),
            products=0,
            work=work,
        )
    if step > 1:
        other = made.add(f"{title}/subsample", line, "maxpool", (other,), kernel=1, stride=step)
    if others > channels:
        other = made.add(f"{title}/slice", line, "slice", (other,), start=0, stop=channels)
    if others >= channels:
        return made.add(f"{title}/add", line, "add", (node, other))
    low = made.add(f"{title}/low", line, "slice", (node,), start=0, stop=others)
    high = made.add(f"{title}/high", line, "slice", (node,), start=others, stop=channels)
    low = made.add(f"{title}/add", line, "add", (low, other))
    return made.add(f"{title}/concat", line, "concat", (low, high))


def gate(net: Conversion, section: Section, title: str) -> str:
    """Add a product with another layer: squeeze-and-excitation, or spatial attention."""
    if "from" not in section:
        raise net.made.error(f"[{section.kind}] needs 'from'", section.line)
    other = net.layer(section, "from", section.integer("from", 0))
    node = net.made.add(f"{title}/mul", section.line, "mul", (other, net.now))
    return net.finished(section, title, node, "linear")


def reorg(net: Conversion, section: Section, title: str) -> str:
    """Add darknet's reorganisation, which has its own order of channels.

    The forward pass views the values as a map with `stride` times the size, and moves its
    positions into channels.
    """
    made, line, step = net.made, section.line, section.integer("stride", 1)
    node = net.image(section, title)
    channels, height, width = made.shape(node)
    made.check(step, 1024, "a stride of more than", line)
    size: Shape = (channels * step**2, height // max(step, 1), width // max(step, 1))
    if section.integer("reverse", 0):
        size = (channels // max(step, 1) ** 2, height * step, width * step)
    extra = section.integer("extra", 0)
    if extra:
        size = (channels * height * width + extra,)
    if extra or section.integer("flatten", 0) or step < 1 or channels % step**2:
        return made.opaque(
            f"{title}/reorg", line, "darknet.reorg", (node,), size=size, products=0, work=0
        )
    if section.integer("reverse", 0):
        node = made.add(f"{title}/shuffle", line, "channel_shuffle", (node,), groups=step**2)
        return made.add(f"{title}/pixel_shuffle", line, "pixel_shuffle", (node,), block=step)
    if height % step or width % step:
        raise made.error(
            f"[{section.kind}] of stride {step} does not divide {height}x{width}", line
        )
    thin = channels // step**2
    if step == 1:
        return node
    node = made.add(
        f"{title}/wide", line, "reshape", (node,), size=(thin, height * step, width * step)
    )
    node = made.add(f"{title}/space_to_depth", line, "space_to_depth", (node,), block=step)
    node = made.add(f"{title}/shuffle", line, "channel_shuffle", (node,), groups=thin)
    return made.add(f"{title}/deep", line, "reshape", (node,), size=size)
