"""Layers of darknet that work on each value or channel, and recurrent layers."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from archscope.importers.darknet.activations import activate
from archscope.importers.darknet.conversion import Conversion
from archscope.importers.darknet.sections import Section
from archscope.importers.darknet.weights import WeightsOf


def softmax(net: Conversion, section: Section, title: str) -> str:
    """Add a softmax over all values, or over the channels."""
    node = net.now
    if prod(net.made.shape(node)[1:]) > 1 and not section.integer("spatial", 0):
        node = net.made.flat(f"{title}/flatten", section.line, node)
    if section.integer("groups", 1) == 1 and "tree" not in section:
        return net.made.add(f"{title}/softmax", section.line, "softmax", (node,))
    work = 5 * prod(net.made.shape(node))
    return net.made.opaque(
        f"{title}/softmax",
        section.line,
        "darknet.softmax of groups",
        (node,),
        products=0,
        work=work,
        pointwise=True,
    )


def dropout(net: Conversion, section: Section, title: str) -> str:
    """Add dropout."""
    share = section.number("probability", 0.5)
    return net.made.add(f"{title}/dropout", section.line, "dropout", (net.now,), p=share)


def normalization(net: Conversion, section: Section, title: str) -> str:
    """Add local response normalisation."""
    size = section.integer("size", 5)
    return net.made.add(
        f"{title}/lrn",
        section.line,
        "lrn",
        (net.now,),
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


def recurrent(layers_in: int, layers_out: int) -> Callable[[Conversion, Section, str], str]:
    """Return the function that adds a recurrent layer with this many matrices for each input."""

    def add(net: Conversion, section: Section, title: str) -> str:
        made, line, out = net.made, section.line, section.integer("output", 1)
        inputs = prod(made.shape(net.now))
        weights = layers_in * inputs * out + layers_out * out * out
        normed = section.integer("batch_normalize", 0) != 0
        layers = layers_in + layers_out
        node = made.opaque(
            f"{title}/{section.kind}",
            line,
            f"darknet.{section.kind}",
            (net.now,),
            size=(out,),
            learned=weights + layers * out * (1 + normed),
            kept=2 * layers * out * normed,
            products=weights,
        )
        net.weights.append(WeightsOf(f"[{section.kind}]", made.builder.nodes[node], None))
        return node

    return add


def identity(net: Conversion, section: Section, title: str) -> str:
    """Pass on the previous layer."""
    return net.now
