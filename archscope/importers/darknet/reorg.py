"""Layers of darknet that rearrange the values of a map."""

from __future__ import annotations

from archscope.importers.darknet.conversion import Conversion
from archscope.importers.darknet.sections import Section
from archscope.importers.darknet_reorg import reorg_steps

LARGEST = 1024


def reorg(net: Conversion, section: Section, title: str) -> str:
    """Add darknet's reorganisation, which has its own order of channels."""
    node, step = net.image(section, title), _step(net, section)
    channels, height, width = net.made.shape(node)
    extra = section.integer("extra", 0)
    if section.flag("flatten"):
        return _turned(net, section, title, node)
    if extra:  # zeros after all values
        add = net.adder(section, title)
        return add(
            "pad", net.made.flat(f"{title}/flatten", section.line, node), channels=(0, extra)
        )
    if channels % step**2:
        raise net.made.error(
            f"[{section.kind}] of stride {step} needs channels that {step**2} divides, got"
            f" {channels}",
            section.line,
        )
    add = net.adder(section, title)
    if section.flag("reverse"):
        node = add("channel_shuffle", node, groups=step**2)
        return add("pixel_shuffle", node, block=step)
    if height % step or width % step:
        raise net.made.error(
            f"[{section.kind}] of stride {step} does not divide {height}x{width}", section.line
        )
    if step == 1:
        return node
    for word, given in reorg_steps(net.made.shape(node), step):
        node = add(word, node, **given)
    return node


def _turned(net: Conversion, section: Section, title: str, node: str) -> str:
    """Move the channels of the values behind their positions, or back; the shape stays."""
    channels, *sizes = shape = net.made.shape(node)
    if section.integer("stride", 1) != 1:
        raise net.made.error(f"'flatten' of [{section.kind}] needs stride 1", section.line)
    add, places = net.adder(section, title), sizes[0] * sizes[1]
    back = section.flag("reverse")
    node = add("reshape", node, size=(places, channels) if back else (channels, places))
    return add("reshape", add("permute", node, order=(1, 0)), size=shape)


def reorg3d(net: Conversion, section: Section, title: str) -> str:
    """Add blocks of positions as channels, ordered by the position within a block."""
    if section.flag("reverse"):
        raise net.made.error(f"'reverse' of [{section.kind}] is not supported", section.line)
    node, step = net.image(section, title), _step(net, section)
    if step == 1:
        return node
    return net.adder(section, title)("space_to_depth", node, block=step, order="row")


def _step(net: Conversion, section: Section) -> int:
    step = section.integer("stride", 1)
    if not 1 <= step <= LARGEST:
        raise net.made.error(
            f"'stride' of [{section.kind}] must be from 1 to {LARGEST}, got {step}", section.line
        )
    return step
