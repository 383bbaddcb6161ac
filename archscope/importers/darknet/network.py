"""Sections of a configuration of darknet -> Graph, with weights from the `.weights` beside it."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from pathlib import Path

from archscope.errors import ArchscopeError, did_you_mean, quoted
from archscope.importers.darknet.activations import activate
from archscope.importers.darknet.sections import Section, sections_of
from archscope.importers.darknet.weights import WeightsFile, WeightsOf
from archscope.importers.file_graph import FileGraph, named, read_text, sizes_of
from archscope.importers.formats import Imported, Inputs
from archscope.ir import Shape

EPSILON = 1e-6
"""What darknet adds to a variance before the square root."""

UNSUPPORTED = {
    "convolutional": ("antialiasing", "share_index", "assisted_excitation", "deform", "binary",
                      "xnor", "flipped"),
    "shortcut": ("weights_type",),
    "maxpool": ("maxpool_depth", "antialiasing"),
}  # fmt: skip
"""Options that change what a layer computes in ways that are not supported, unless they are 0."""

HEADS = ("yolo", "Gaussian_yolo", "region", "detection", "iseg", "cost", "contrastive")
"""Layers that decode boxes or compute a loss: what enters them is the result of the network."""

OTHER_NAMES = {
    "conv": "convolutional", "deconv": "deconvolutional", "conn": "connected", "max": "maxpool",
    "avg": "avgpool", "soft": "softmax", "lrn": "normalization", "net": "network",
    "reorg3d": "reorg", "silence": "empty",
}  # fmt: skip


def from_file(path: str | Path, input: Inputs = None) -> Imported:
    """Return the network that a configuration of darknet says.

    Its weights are those of the file of the same name that ends in `.weights`. Raises
    ArchscopeError.
    """
    path = Path(path)
    sections = sections_of(read_text(path), path)
    try:
        return _Network(path, sections, input).imported()
    except ArchscopeError as error:
        raise named(path, error) from None


class _Network:
    """Adds the layers one by one; each reads the one before it, or says which."""

    def __init__(self, path: Path, sections: list[Section], input: Inputs) -> None:
        self.made = FileGraph(path)
        self.weights: list[WeightsOf] = []
        self.sections = sections[1:]
        net = sections[0]
        shape = sizes_of({"input": _input_shape(net, sections[1:2])}, input)["input"]
        self.now = self.made.input("input", shape, net.line)
        self.ends: list[str] = []  # the last node of each layer

    def imported(self) -> Imported:
        """Return the graph of all layers, and their weights."""
        heads: dict[str, list[str]] = {}
        for index, section in enumerate(self.sections):
            kind = OTHER_NAMES.get(section.kind, section.kind)
            _check_supported(self.made, section, kind)
            if kind in HEADS:
                heads.setdefault(kind, []).append(str(section.line))
            elif kind in LAYERS:
                self.now = LAYERS[kind](self, section, f"layer{index}")
            else:
                known = {*LAYERS, *HEADS, *OTHER_NAMES}
                hint = did_you_mean(section.kind, known)
                raise self.made.error(
                    f"[{section.kind}] is no layer of darknet{hint}", section.line
                )
            self.ends.append(self.now)
        for kind, lines in heads.items():
            self.made.notes.append(f"[{kind}] is not counted: line {', '.join(lines)}")
        path = self.made.path.with_suffix(".weights")
        return Imported(self.made.graph(), WeightsFile(path, tuple(self.weights)).read)

    def layer(self, section: Section, option: str, index: int) -> str:
        """Return the last node of a layer that another names by its index."""
        at = index + len(self.ends) if index < 0 else index
        if not 0 <= at < len(self.ends):
            raise self.made.error(
                f"'{option}' of [{section.kind}] names layer {quoted(index)}, which is not one of"
                f" the {len(self.ends)} before it",
                section.options[option][1],
            )
        return self.ends[at]

    def image(self, section: Section, title: str) -> str:
        """Return what enters a layer as a feature map: a flat vector has one position."""
        shape = self.made.shape(self.now)
        if len(shape) == 3:
            return self.now
        return self.made.add(
            f"{title}/image", section.line, "reshape", (self.now,), size=(*shape, 1, 1)
        )

    def finished(self, section: Section, title: str, node: str, default: str = "logistic") -> str:
        """Add the activation that a section asks for and return its node."""
        name = section.word("activation", default)
        line = section.options["activation"][1] if "activation" in section else section.line
        return activate(self.made, title, line, name, node)

    def normalised(self, section: Section, title: str, node: str) -> str:
        """Add a batch norm and return its node."""
        return self.made.add(f"{title}/batchnorm", section.line, "batchnorm", (node,), eps=EPSILON)

    def weighted(self, section: Section, title: str, word: str, node: str, **given: object) -> str:
        """Add a layer with weights, the batch norm that a section asks for, and its activation."""
        normed = section.integer("batch_normalize", 0) != 0
        node = self.made.add(
            f"{title}/{word}", section.line, word, (node,), bias=not normed, **given
        )
        made = self.made.builder.nodes[node]
        if normed:
            node = self.normalised(section, title, node)
        self.weights.append(WeightsOf(word, made, node if normed else None))
        return self.finished(section, title, node)


def _input_shape(net: Section, first: list[Section]) -> Shape:
    """Return what enters the network: what a crop of the image leaves, if that is first."""
    image = tuple(net.integer(name, 0) for name in ("channels", "height", "width"))
    if image[0] and first and first[0].kind == "crop":
        return image[0], *(first[0].integer(name, 1) for name in ("crop_height", "crop_width"))
    if all(image):
        return image
    inputs = net.integer("inputs", 0)
    return (inputs,) if inputs else ()


def _check_supported(made: FileGraph, section: Section, kind: str) -> None:
    for name in UNSUPPORTED.get(kind, ()):
        text, line = section.options.get(name, ("0", 0))
        if text not in ("0", "none"):
            raise made.error(f"'{name}' of [{section.kind}] is not supported", line)


def _padding(section: Section) -> int:
    size = section.integer("size", 1)
    return size // 2 if section.integer("pad", 0) else section.integer("padding", 0)


def _stride(section: Section, default: int = 1) -> tuple[int, int]:
    both = section.integer("stride", default)
    return section.integer("stride_y", both), section.integer("stride_x", both)


def _convolutional(net: _Network, section: Section, title: str) -> str:
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
        padding=_padding(section) * dilation,  # so that it keeps the size
        dilation=dilation,
        groups=section.integer("groups", 1),
    )


def _deconvolutional(net: _Network, section: Section, title: str) -> str:
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


def _connected(net: _Network, section: Section, title: str) -> str:
    flat = net.made.flat(f"{title}/flatten", section.line, net.now)
    return net.weighted(section, title, "linear", flat, out=section.integer("output", 1))


def _local(net: _Network, section: Section, title: str) -> str:
    size, pad = section.integer("size", 1), section.integer("pad", 0)
    if pad and size != 3:
        raise net.made.error("[local] with pad is supported for size 3 only", section.line)
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


def _maxpool(net: _Network, section: Section, title: str) -> str:
    height, width = _stride(section)
    size = section.integer("size", section.integer("stride", 1))
    padding = section.integer("padding", size - 1)
    node = net.image(section, title)
    _, *sizes = net.made.shape(node)
    pads = []
    for room, stride in zip(sizes, (height, width), strict=True):
        before, after = padding // 2, padding - padding // 2
        out = (room + padding - size) // max(stride, 1) + 1
        if before != after:  # positions that no window reaches are no padding
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


def _avgpool(net: _Network, section: Section, title: str) -> str:
    node = net.image(section, title)
    return net.made.add(f"{title}/global_avgpool", section.line, "global_avgpool", (node,))


def _softmax(net: _Network, section: Section, title: str) -> str:
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


def _dropout(net: _Network, section: Section, title: str) -> str:
    share = section.number("probability", 0.5)
    return net.made.add(f"{title}/dropout", section.line, "dropout", (net.now,), p=share)


def _normalization(net: _Network, section: Section, title: str) -> str:
    size = section.integer("size", 5)
    return net.made.add(
        f"{title}/lrn",
        section.line,
        "lrn",
        (net.now,),
        size=size,
        alpha=section.number("alpha", 1e-4) * size,  # darknet's weighs the sum, torch's the mean
        beta=section.number("beta", 0.75),
        k=section.number("kappa", 1),
    )


def _batchnorm(net: _Network, section: Section, title: str) -> str:
    node = net.normalised(section, title, net.now)
    net.weights.append(WeightsOf("batchnorm", net.made.builder.nodes[node], node))
    return node


def _activation(net: _Network, section: Section, title: str) -> str:
    return net.finished(section, title, net.now, "linear")


def _logistic(net: _Network, section: Section, title: str) -> str:
    return activate(net.made, title, section.line, "logistic", net.now)


def _upsample(net: _Network, section: Section, title: str) -> str:
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
    return net.made.add(f"{title}/times", section.line, "times", (node,), factor=factor)


def _crop(net: _Network, section: Section, title: str) -> str:
    channels, *sizes = net.made.shape(net.image(section, title))
    cut = section.integer("crop_height", 1), section.integer("crop_width", 1)
    if not net.ends or tuple(sizes) == cut:
        return net.now  # the network is said for what the crop of the image leaves
    return net.made.opaque(
        f"{title}/crop",
        section.line,
        "darknet.crop",
        (net.now,),
        size=(channels, *cut),
        products=0,
        work=0,
    )


def _route(net: _Network, section: Section, title: str) -> str:
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


def _part(net: _Network, section: Section, title: str, node: str, groups: int, group: int) -> str:
    channels = net.made.shape(node)[0]
    if not 0 <= group < groups or channels % groups:
        raise net.made.error(
            f"'group_id' {group} is no part of {channels} channels in {groups} groups", section.line
        )
    size = channels // groups
    return net.made.add(
        title, section.line, "slice", (node,), start=group * size, stop=(group + 1) * size
    )


def _shortcut(net: _Network, section: Section, title: str) -> str:
    if "from" not in section:
        raise net.made.error("[shortcut] needs 'from'", section.line)
    node = net.now
    for index in section.integers("from", ()):
        node = _sum(net, section, title, node, net.layer(section, "from", index))
    return net.finished(section, title, node, "linear")


def _sum(net: _Network, section: Section, title: str, node: str, other: str) -> str:
    """Add a layer to what stands here, whose sizes may be a multiple and which may be thinner.

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


def _gate(net: _Network, section: Section, title: str) -> str:
    """Add a product with another layer: squeeze-and-excitation, or spatial attention."""
    if "from" not in section:
        raise net.made.error(f"[{section.kind}] needs 'from'", section.line)
    other = net.layer(section, "from", section.integer("from", 0))
    node = net.made.add(f"{title}/mul", section.line, "mul", (other, net.now))
    return net.finished(section, title, node, "linear")


def _reorg(net: _Network, section: Section, title: str) -> str:
    """Add darknet's reorganisation, whose order of channels is one of its own.

    Forward it takes the numbers for those of a map with `stride` times the size, and thins that
    out into channels.
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


def _recurrent(layers_in: int, layers_out: int) -> Callable[[_Network, Section, str], str]:
    """Return how a recurrent layer of so many matrices on its input and its state is added."""

    def add(net: _Network, section: Section, title: str) -> str:
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


def _identity(net: _Network, section: Section, title: str) -> str:
    return net.now


LAYERS: dict[str, Callable[[_Network, Section, str], str]] = {
    "convolutional": _convolutional, "deconvolutional": _deconvolutional,
    "connected": _connected, "local": _local, "maxpool": _maxpool, "avgpool": _avgpool,
    "softmax": _softmax, "dropout": _dropout, "normalization": _normalization,
    "batchnorm": _batchnorm, "activation": _activation, "logistic": _logistic,
    "upsample": _upsample, "crop": _crop, "route": _route, "shortcut": _shortcut,
    "scale_channels": _gate, "sam": _gate, "reorg": _reorg, "empty": _identity,
    "rnn": _recurrent(1, 2), "gru": _recurrent(3, 3), "lstm": _recurrent(4, 4),
}  # fmt: skip
