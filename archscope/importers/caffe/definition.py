"""Parse a definition: its layers for a phase, and the source of each value."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from msgspec import Struct

from archscope.errors import SpecError, did_you_mean, quoted
from archscope.importers.caffe.text_format import Message, line_of
from archscope.ir import Shape

Value = tuple[int, int]
"""A value as the index of its layer and its index among the layer's tops."""

INPUTS = -1
"""The layer index of inputs that the definition declares."""


class CaffeLayer(Struct):
    """One layer, of either generation."""

    name: str
    kind: str  # its type in lower case without underscores: INNER_PRODUCT and InnerProduct are one
    type: str  # as written in the file
    message: Message
    bottoms: list[str]
    tops: list[str]
    gives_data: bool  # it has no bottom, and is no known layer
    sources: list[Value] = []  # the value of each bottom

    @property
    def line(self) -> int:
        """The line where it starts."""
        return self.message.line

    @property
    def params(self) -> list[Message]:
        """All messages with its parameters, whatever their names."""
        values = (value for found in self.message.fields.values() for value, _ in found)
        return [value for value in values if isinstance(value, Message)]

    def param(self, *names: str) -> Message:
        """Return its parameters: the message of that name, without `_param`."""
        return self.message.message(
            next((f"{n}_param" for n in names if f"{n}_param" in self.message), f"{names[0]}_param")
        )


class Definition(Struct):
    """A definition: its layers in order, the inputs it states, and how often values are read."""

    path: Path
    layers: list[CaffeLayer]
    inputs: list[tuple[str, Shape]]  # with the batch
    phase: str
    reads: Counter[Value]


def definition(net: Message, path: Path, known: Collection[str]) -> Definition:
    """Return the definition in a file's message, for phase TEST if it has one. Raises SpecError.

    Layers without a bottom provide data unless they are of a known kind.
    """
    net = net.message("net_param") if "net_param" in net else net  # within a solver
    old, new = net.messages("layers"), net.messages("layer")
    if old and new:
        raise SpecError(
            "has both 'layer' and 'layers', which Caffe does not allow",
            line_of(path.as_posix(), new[0].line),
        )
    network = next((net.text(name) for name in ("net", "train_net") if name in net), "")
    if not (old or new) and network:
        raise SpecError(
            f"is a solver of Caffe, which trains a network; that is in {quoted(network)}",
            path.as_posix(),
        )
    if not (old or new):
        hint = did_you_mean("layer", net.fields)
        raise SpecError(f"is not a Caffe definition: it has no 'layer'{hint}", path.as_posix())
    messages = old or new
    if any("layer" in message for message in messages):
        raise SpecError(
            "uses the oldest format of layers; convert it with Caffe's upgrade_net_proto_text",
            path.as_posix(),
        )
    layers = [_layer(message, known) for message in messages]
    return _in_a_phase(layers, _inputs(net, path), net.message("state").texts("stage"), path)


def _in_a_phase(
    every: list[CaffeLayer], inputs: list[tuple[str, Shape]], stages: list[str], path: Path
) -> Definition:
    """Return the layers for phase TEST if they are a network with data, else those for TRAIN."""
    failed: SpecError | None = None
    for phase in ("TEST", "TRAIN"):
        layers = [layer for layer in every if _included(layer.message, phase, stages)]
        if not layers:  # as in the file of a trained network, which has those of the training
            continue
        if not inputs and phase == "TEST" and not any(layer.gives_data for layer in layers):
            continue
        try:
            return Definition(path, layers, inputs, phase, _resolve(layers, inputs, path))
        except SpecError as error:  # some definitions are complete only for training
            failed = failed or error
    raise failed or SpecError("no layer belongs to phase TEST or TRAIN", path.as_posix())


def kind_of(word: str) -> str:
    """Return the kind of layers of a type, in either generation."""
    return re.sub(r"[^a-z0-9]", "", word.lower())


def _layer(message: Message, known: Collection[str]) -> CaffeLayer:
    found = message.text("type")[:60]
    if not found:
        raise SpecError("a layer needs a 'type'", line_of(message.file, message.line))
    kind, bottoms = kind_of(found), message.texts("bottom")
    if kind == "python" and "dropout" in message.message("python_param").text("layer").lower():
        kind = "dropout"  # such as the spatial dropout of ENet
    return CaffeLayer(
        message.text("name", found)[:100], kind, found, message, bottoms, message.texts("top"),
        gives_data=not bottoms and kind not in known,
    )  # fmt: skip


def _included(layer: Message, phase: str, stages: list[str]) -> bool:
    """Return whether a layer belongs to a phase, by the rules of Caffe's FilterNet."""
    include, exclude = layer.messages("include"), layer.messages("exclude")
    if "phase" in layer and layer.choice("phase", "TRAIN", "TEST") != phase:
        return False
    if include:
        return any(_meets(rule, phase, stages) for rule in include)
    return not any(_meets(rule, phase, stages) for rule in exclude)


def _meets(rule: Message, phase: str, stages: list[str]) -> bool:
    """Return whether a state meets a rule; the level of a net is 0 unless code sets it."""
    return (
        ("phase" not in rule or rule.choice("phase", "TRAIN", "TEST") == phase)
        and rule.integer("min_level", 0) <= 0 <= rule.integer("max_level", 0)
        and all(stage in stages for stage in rule.texts("stage"))
        and all(stage not in stages for stage in rule.texts("not_stage"))
    )


def _inputs(net: Message, path: Path) -> list[tuple[str, Shape]]:
    """Return the inputs stated above the layers, with `input_shape` or four `input_dim` each."""
    names = net.texts("input")
    shapes = [tuple(shape.integers("dim")) for shape in net.messages("input_shape")]
    sizes = net.integers("input_dim")
    if not shapes and sizes:
        shapes = [tuple(sizes[start : start + 4]) for start in range(0, len(sizes), 4)]
    if names and shapes and len(shapes) != len(names) and len(shapes) != 1:
        raise SpecError(f"has {len(names)} inputs but {len(shapes)} input shapes", path.as_posix())
    shapes = shapes or [()]
    shapes = shapes if len(shapes) == len(names) else shapes * len(names)
    for name, shape in zip(names, shapes, strict=True):
        if not all(0 < size < 2**31 for size in shape):
            raise SpecError(f"the input {quoted(name)} needs sizes of at least 1", path.as_posix())
    return list(zip(names, shapes, strict=True))


def _resolve(
    layers: list[CaffeLayer], inputs: list[tuple[str, Shape]], path: Path
) -> Counter[Value]:
    """Set the values that each layer reads, and return how often each value is read.

    A top may have the name of a bottom: then the layer works in place, and later layers read its
    result.
    """
    values: dict[str, Value] = {name: (INPUTS, at) for at, (name, _) in enumerate(inputs)}
    reads: Counter[Value] = Counter()
    for index, layer in enumerate(layers):
        layer.sources = []
        for name in layer.bottoms:
            if name not in values:
                later = any(name in other.tops for other in layers)
                why = (
                    " only a later layer produces"
                    if later
                    else f" no layer produces{did_you_mean(name, values)}"
                )
                raise SpecError(
                    f"'{layer.name[:60]}' reads {quoted(name)}, which{why}",
                    line_of(path.as_posix(), layer.line),
                )
            layer.sources.append(values[name])
        reads.update(layer.sources)
        for place, name in enumerate(layer.tops):
            values[name] = (index, place)
    return reads
