"""Collects the nodes of a configuration by layer, and which of them have weights."""

from __future__ import annotations

from pathlib import Path

from archscope.errors import quoted
from archscope.importers.darknet.activations import Add, activate, adder
from archscope.importers.darknet.sections import Section
from archscope.importers.darknet.weights import WeightsOf
from archscope.importers.file_graph import FileGraph
from archscope.ir import Shape

EPSILON = 1e-6
"""The epsilon that darknet adds to variances."""


class Conversion:
    """The graph under construction; each layer reads the previous one, or the ones it names."""

    def __init__(self, path: Path, shape: Shape, line: int) -> None:
        self.made = FileGraph(path)
        self.weights: list[WeightsOf] = []
        self.input = self.now = self.made.input("input", shape, line)
        self.ends: list[str] = []  # the last node of each layer
        self.learned: dict[int, WeightsOf] = {}  # the weights that other layers can share, by index
        self.states: list[str] = []  # the nodes with the new states of recurrent layers

    def index(self, section: Section, option: str, given: int) -> int:
        """Return the index of a layer that another one refers to, relative if negative."""
        at = given + len(self.ends) if given < 0 else given
        if not 0 <= at < len(self.ends):
            raise self.made.error(
                f"'{option}' of [{section.kind}] names layer {quoted(given)}, which is not one of"
                f" the {len(self.ends)} before it",
                section.options[option][1],
            )
        return at

    def layer(self, section: Section, option: str, given: int) -> str:
        """Return the last node of a layer that another one refers to."""
        return self.ends[self.index(section, option, given)]

    def image(self, section: Section, title: str) -> str:
        """Return the input of a layer as a feature map: a flat vector has one position."""
        shape = self.made.shape(self.now)
        if len(shape) == 3:
            return self.now
        return self.made.add(
            f"{title}/image", section.line, "reshape", (self.now,), size=(*shape, 1, 1)
        )

    def adder(self, section: Section, title: str) -> Add:
        """Return the function that adds operators for a layer."""
        return adder(self.made, title, section.line)

    def state(self, section: Section, title: str, shape: Shape) -> str:
        """Add an input with what a recurrent layer keeps from the step before."""
        return self.made.input(title, shape, section.line)

    def finished(self, section: Section, title: str, node: str, default: str = "logistic") -> str:
        """Add the activation of a section and return its node."""
        name = section.word("activation", default)
        line = section.options["activation"][1] if "activation" in section else section.line
        return activate(self.made, title, line, name, node)

    def normalised(self, section: Section, title: str, node: str) -> str:
        """Add a batch norm and return its node."""
        return self.made.add(f"{title}/batchnorm", section.line, "batchnorm", (node,), eps=EPSILON)

    def weighted(
        self,
        section: Section,
        title: str,
        word: str,
        node: str,
        shares: WeightsOf | None = None,
        **given: object,
    ) -> str:
        """Add a layer with weights and the batch norm of its section, and return its node.

        `shares` has the weights of an earlier layer, which this one uses too.
        """
        made, normed = self.made, section.flag("batch_normalize") or section.flag("cbn")
        node = made.add(f"{title}/{word}", section.line, word, (node,), bias=not normed, **given)
        layer, norm = made.builder.nodes[node], None
        if normed:
            node = norm = self.normalised(section, title, node)
        binary = section.flag("xnor") or section.flag("binary")
        ours = WeightsOf(word, layer, norm, binary, section.flag("flipped"))
        if shares is None:
            self.weights.append(ours)
        else:
            self._share(section, ours, shares)
        self.learned.setdefault(len(self.ends), shares or ours)
        return node

    def _share(self, section: Section, ours: WeightsOf, theirs: WeightsOf) -> None:
        mine, other = ours.node, theirs.node
        alike = mine.op.weights_key(*mine.ins) == other.op.weights_key(*other.ins)
        if not alike or (ours.norm is None) != (theirs.norm is None):
            raise self.made.error(
                f"[{section.kind}] shares the weights of '{other.name}', which have other shapes",
                section.line,
            )
        self.made.builder.share(mine.name, other.name)
        if ours.norm is not None and theirs.norm is not None:
            self.made.builder.share(ours.norm, theirs.norm)
