"""Layers of darknet that read several others, and learned values that they combine with."""

from __future__ import annotations

from math import prod

from archscope.errors import did_you_mean, quoted
from archscope.importers.darknet.activations import over_sum, soft
from archscope.importers.darknet.conversion import Conversion
from archscope.importers.darknet.sections import Section
from archscope.importers.darknet.weights import WeightsOf


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
    """Add the sum with earlier layers, each weighted by learned factors if it has a type."""
    if "from" not in section:
        raise net.made.error("[shortcut] needs 'from'", section.line)
    nodes = [net.now, *(net.layer(section, "from", at) for at in section.integers("from", ()))]
    if section.word("weights_type", "none") != "none":
        nodes = _weighted(net, section, title, nodes)
    node = nodes[0]
    for other in nodes[1:]:
        node = _sum(net, section, title, node, other)
    return net.finished(section, title, node, "linear")


def _weighted(net: Conversion, section: Section, title: str, nodes: list[str]) -> list[str]:
    """Add a learned factor for each of several nodes, or for each of their channels."""
    kind = _choice(net, section, "weights_type", ("per_feature", "per_layer", "per_channel"))
    norm = _choice(net, section, "weights_normalization", ("none", "relu", "avg_relu", "softmax"))
    channels = net.made.shape(net.now)[0] if kind == "per_channel" else 1
    add = net.adder(section, title)
    factors = add("parameter", net.input, size=(len(nodes), channels, 1, 1))
    net.weights.append(WeightsOf("parameter", net.made.builder.nodes[factors]))
    if norm == "softmax":
        factors = soft(add, factors)
    elif norm != "none":
        factors = over_sum(add, add("relu", factors))
    return [
        add("mul", node, add("select", factors, index=at, axis=0)) for at, node in enumerate(nodes)
    ]


def _choice(net: Conversion, section: Section, name: str, words: tuple[str, ...]) -> str:
    found = section.word(name, words[0])
    if found not in words:
        hint = did_you_mean(found, words)
        raise net.made.error(
            f"'{name}' of [{section.kind}] must be one of {', '.join(words)},"
            f" got {quoted(found)}{hint}",
            section.options[name][1],
        )
    return found


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
    return net.finished(section, title, _with_other(net, section, title, "mul"), "linear")


def shift(net: Conversion, section: Section, title: str) -> str:
    """Add a sum with another layer, one value for each channel."""
    return _with_other(net, section, title, "add")


def _with_other(net: Conversion, section: Section, title: str, word: str) -> str:
    if "from" not in section:
        raise net.made.error(f"[{section.kind}] needs 'from'", section.line)
    other = net.layer(section, "from", section.integer("from", 0))
    return net.adder(section, title)(word, other, net.now)


def implicit(net: Conversion, section: Section, title: str) -> str:
    """Add learned values that are the same for every image."""
    size = (section.integer("filters", 128), section.integer("atoms", 1), 1)
    node = net.adder(section, title)("parameter", net.input, size=size)
    net.weights.append(WeightsOf("parameter", net.made.builder.nodes[node]))
    return node
