"""Layers of darknet that work on each value or channel."""

from __future__ import annotations

from math import prod

from archscope.importers.darknet.activations import activate
from archscope.importers.darknet.conversion import Conversion
from archscope.importers.darknet.sections import Section
from archscope.importers.darknet.weights import WeightsOf


def softmax(net: Conversion, section: Section, title: str) -> str:
    """Add a softmax over all values, over the channels, or over each of several groups."""
    add, node = net.adder(section, title), net.now
    temperature, groups = section.number("temperature", 1), section.integer("groups", 1)
    if temperature not in (0, 1):
        node = add("div_scalar", node, divisor=temperature)
    if section.flag("spatial"):
        return add("softmax", node)
    node = net.made.flat(f"{title}/flatten", section.line, node)
    if groups == 1:
        return add("softmax", node)
    values = prod(net.made.shape(node))
    if groups < 1 or values % groups:
        raise net.made.error(
            f"'groups' of [{section.kind}] must divide {values} values, got {groups}", section.line
        )
    node = add("reshape", node, size=(groups, values // groups))
    return add("flatten", add("softmax", node, axis=1))


def dropout(net: Conversion, section: Section, title: str) -> str:
    """Add dropout."""
    share = section.number("probability", 0.5)
    return net.adder(section, title)("dropout", net.now, p=share)


def normalization(net: Conversion, section: Section, title: str) -> str:
    """Add local response normalisation."""
    size = section.integer("size", 5)
    return net.adder(section, title)(
        "lrn",
        net.now,
        size=size,
        alpha=section.number("alpha", 1e-4)
        * size,  # darknet multiplies alpha by the sum, torch by the mean
        beta=section.number("beta", 0.75),
        k=section.number("kappa", 1),
    )


def batchnorm(net: Conversion, section: Section, title: str) -> str:
    """Add a separate batch norm."""
    node = net.normalised(section, title, net.now)
    net.weights.append(WeightsOf("batchnorm", net.made.builder.nodes[node], node))
    return node


def activation(net: Conversion, section: Section, title: str) -> str:
    """Add an activation."""
    return net.finished(section, title, net.now, "linear")


def logistic(net: Conversion, section: Section, title: str) -> str:
    """Add a sigmoid."""
    return activate(net.made, title, section.line, "logistic", net.now)


def identity(net: Conversion, section: Section, title: str) -> str:
    """Pass on the previous layer."""
    return net.now
