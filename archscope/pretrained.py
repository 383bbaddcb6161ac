"""Pretrained weights of other tools, matched with the layers of a network by name or order."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from archscope.build import build
from archscope.errors import OptionError
from archscope.ir import Graph, Shape, text_of
from archscope.records.run_folder import weights_file
from archscope.records.training import Pretrained
from archscope.weights import COUNTER, SAFETENSORS, read_weights, without_prefix

if TYPE_CHECKING:
    from torch import Tensor

SIBLINGS = tuple(
    tuple(words.split())
    for words in (
        "features classifier", "layers classifier", "fc1 fc2", "conv bn", "norm conv",
        "conv1 bn1 layer1 layer2 layer3 layer4 fc",
        "conv1 bn1 conv2 bn2 conv3 bn3 downsample",
        "norm1 conv1 norm2 conv2",
        "conv0 norm0 denseblock1 transition1 denseblock2 transition2 denseblock3 transition3"
        " denseblock4 norm5",
        "conv1 stage2 stage3 stage4 conv5 fc", "branch1 branch2 branch3 branch4",
        "squeeze expand1x1 expand3x3", "stem trunk_output fc", "proj f", "a b se c",
        "Conv2d_1a_3x3 Conv2d_2a_3x3 Conv2d_2b_3x3 Conv2d_3b_1x1 Conv2d_4a_3x3 Mixed_5b Mixed_5c"
        " Mixed_5d Mixed_6a Mixed_6b Mixed_6c Mixed_6d Mixed_6e AuxLogits Mixed_7a Mixed_7b"
        " Mixed_7c fc",
        "branch1x1 branch5x5_1 branch5x5_2 branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3"
        " branch_pool",
        "branch3x3 branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3",
        "branch1x1 branch7x7_1 branch7x7_2 branch7x7_3 branch7x7dbl_1 branch7x7dbl_2 branch7x7dbl_3"
        " branch7x7dbl_4 branch7x7dbl_5 branch_pool",
        "conv0 conv1 fc",
        "branch3x3_1 branch3x3_2 branch7x7x3_1 branch7x7x3_2 branch7x7x3_3 branch7x7x3_4",
        "branch1x1 branch3x3_1 branch3x3_2a branch3x3_2b branch3x3dbl_1 branch3x3dbl_2"
        " branch3x3dbl_3a branch3x3dbl_3b branch_pool",
    )
)  # fmt: skip
"""The order of torchvision's submodules with these names."""

NUMBERED = re.compile(r"([A-Za-z_]*?)(\d+)(?:-(\d+))?")
NAMED = 5  # at most this many layers are listed in a note

Layers = dict[str, dict[str, Shape]]
"""The shapes of weights by layer and by their name in it, in order."""


class PretrainedWeights(Struct, frozen=True, eq=False):
    """Weights by the network's names, a record, and notes for the user on how they were matched."""

    weights: dict[str, Tensor]
    record: Pretrained
    notes: tuple[str, ...]


def pretrained(graph: Graph, file: Path) -> PretrainedWeights:
    """Match the weights of a file with a network; nothing in the file is executed.

    The file is safetensors, or a state dict of torch, possibly inside a checkpoint. If it has at
    least half of the network's names, weights are matched by name. Otherwise they are matched by
    order: that of torch's state dicts, or that of torchvision's names for safetensors. Then the
    layers must agree one by one in number, kinds of weights and shape. Only the ends may differ
    in shape: the first layer (other image channels), heads, and linear layers after all others
    (other classes, another image size). Layers that do not fit are left out.

    Raises OptionError for a file that cannot be read or belongs to another network.
    """
    tensors = _read(file)
    wanted = {
        name: tuple(tensor.shape)
        for name, tensor in build(graph, device="meta").state_dict().items()
        if not name.endswith(COUNTER)
    }
    tensors = without_prefix(tensors, wanted)
    given = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    ours, theirs = _layers(wanted), _layers(given)
    by_name = 2 * sum(name in given for name in wanted) >= len(wanted)
    if by_name:
        pairs = {name: name for name in ours if name in theirs}
        differing = [name for name in pairs if ours[name] != theirs[name]]
    else:
        if file.suffix == SAFETENSORS:
            theirs = _in_order(theirs, file)
        pairs = _pairs(ours, theirs, graph, file)
        differing = [name for name, source in pairs.items() if ours[name] != theirs[source]]
    taken = {name: source for name, source in pairs.items() if name not in differing}
    weights = {
        _join(name, leaf): tensors[_join(source, leaf)]
        for name, source in taken.items()
        for leaf in ours[name]
    }
    if 2 * len(weights) < len(wanted) or not weights:
        name = next(iter(differing), next(iter(ours), ""))
        raise OptionError(
            f"'{file}' does not fit '{graph.name}': only {len(weights)} of"
            f" {len(wanted)} weights match, not those of '{name}'"
            f" ({_shapes(ours.get(name, {}))}"
            + (f", in the file {_shapes(theirs[pairs[name]])})" if name in pairs else ")")
        )
    sources = set(taken.values())
    record = Pretrained(
        file=file.as_posix(),
        sha256=_digest(file),
        by="name" if by_name else "order",
        weights=len(weights),
        new=tuple(name for name in ours if name not in taken),
        unused=tuple(name for name in theirs if name not in sources),
    )
    return PretrainedWeights(weights, record, _notes(record, len(wanted), ours, theirs, pairs))


def given_weights(path: Path, graph: Graph) -> dict[str, Tensor]:
    """Return the weights of a file, or the best weights of a run, by the names of a network.

    Wrappers' prefixes are left out. A file that has no name of the network, as those of
    torchvision, is matched by order and shape, and then all of it must fit. Raises OptionError.
    """
    file = weights_file(path)
    read = read_weights(file)
    names = build(graph, device="meta").state_dict().keys()
    weights = without_prefix(read, names)
    if file.suffix == SAFETENSORS or names & weights.keys():
        return weights
    found = pretrained(graph, file)
    left_out = (*found.record.new, *found.record.unused)
    return weights if left_out else found.weights


def _notes(
    record: Pretrained, wanted: int, ours: Layers, theirs: Layers, pairs: Mapping[str, str]
) -> tuple[str, ...]:
    by = "name" if record.by == "name" else "order and shape"
    notes = [f"{record.weights} of {wanted} weights loaded from '{record.file}', by {by}"]
    if record.new:
        new = [
            f"{name} ({_shapes(ours[name])}"
            + (f", in the file {_shapes(theirs[pairs[name]])})" if name in pairs else ")")
            for name in record.new
        ]
        notes.append(f"reinitialised: {_some(new)}")
    alone = [name for name in record.unused if name not in {pairs.get(n) for n in record.new}]
    if alone:
        notes.append(f"unused in the file: {_some(alone)}")
    return tuple(notes)


def _some(words: Sequence[str]) -> str:
    more = len(words) - NAMED
    return ", ".join(words[:NAMED]) + (f", and {more} more" if more > 0 else "")


def _shapes(leaves: Mapping[str, Shape]) -> str:
    """Return the shape of a layer's largest weight; the others follow from it."""
    sizes = sorted(leaves.values(), key=len)
    return text_of(sizes[-1] if sizes else ()) or "a number"


def _read(file: Path) -> dict[str, Tensor]:
    """Return the tensors of a weights file. Raises OptionError."""
    tensors = read_weights(file)
    return {name: value for name, value in tensors.items() if not name.endswith(COUNTER)}


def _layers(shapes: Mapping[str, Shape]) -> Layers:
    layers: Layers = {}
    for name, shape in shapes.items():
        layer, _, leaf = name.rpartition(".")
        layers.setdefault(layer, {})[leaf] = shape
    return layers


def _join(layer: str, leaf: str) -> str:
    return f"{layer}.{leaf}" if layer else leaf


def _pairs(ours: Layers, theirs: Layers, graph: Graph, file: Path) -> dict[str, str]:
    """Return the file's layer for each layer of the network, by order.

    Raises OptionError, with the first difference, if they do not agree one by one.
    """
    pairs = dict(zip(ours, theirs, strict=False))
    ends = _ends(ours, graph)
    differs = next(
        (
            (name, source)
            for name, source in pairs.items()
            if ours[name].keys() != theirs[source].keys()
            or (ours[name] != theirs[source] and name not in ends)
        ),
        None,
    )
    if differs is None and len(ours) == len(theirs):
        return pairs
    text = f"'{file}' does not fit '{graph.name}'"
    if len(ours) != len(theirs):
        text += f": it has {len(theirs)} layers with weights, the network {len(ours)}"
    if differs is not None:
        name, source = differs
        text += (
            f"; the first difference is '{source}' of the file"
            f" ({_kinds(theirs[source])}) and '{name}' ({_kinds(ours[name])})"
        )
    raise OptionError(text)


def _kinds(leaves: Mapping[str, Shape]) -> str:
    return ", ".join(f"{leaf} {text_of(shape) or 'a number'}" for leaf, shape in leaves.items())


def _ends(ours: Layers, graph: Graph) -> set[str]:
    """Return the layers that may have another shape: the first, heads, and last linear layers."""
    ends = set(list(ours)[:1])
    for name in reversed(ours):
        if max(map(len, ours[name].values())) > 2:
            break
        ends.add(name)
    producers = {node.name: node for node in graph.nodes}
    for output in graph.outputs:
        name = output.node
        while name not in ours and producers[name].inputs:
            name = producers[name].inputs[0]
        ends.add(name)
    return ends


def _in_order(layers: Layers, file: Path) -> Layers:
    """Return the layers of a safetensors file, which sorts names, in module order.

    Raises OptionError for names of unknown order.
    """
    paths = [tuple(name.split(".")) for name in layers]
    children: dict[tuple[str, ...], list[str]] = {}
    for path in paths:
        for depth, word in enumerate(path):
            beside = children.setdefault(path[:depth], [])
            if word not in beside:
                beside.append(word)
    ranks: dict[tuple[str, ...], tuple[int, ...]] = {(): ()}
    for parent, words in sorted(children.items(), key=lambda item: len(item[0])):
        order = _siblings(words)
        if order is None:
            where = f" in '{'.'.join(parent)}'" if parent else ""
            raise OptionError(
                f"'{file}' has other names than the network, and safetensors keeps no order: which"
                f" of {', '.join(words[:NAMED])}{where} comes first is unknown; use the .pth file"
            )
        for place, word in enumerate(order):
            ranks[(*parent, word)] = (*ranks[parent], place)
    return {".".join(path): layers[".".join(path)] for path in sorted(paths, key=ranks.__getitem__)}


def _siblings(words: Sequence[str]) -> tuple[str, ...] | None:
    """Return sibling names in the order of their modules, None if it is unknown."""
    if len(words) == 1:
        return tuple(words)
    numbered = {word: NUMBERED.fullmatch(word) for word in words}
    stems = {match and (match[1] if match[3] is None else match[1] + match[2])
             for match in numbered.values()}  # fmt: skip
    if len(stems) == 1 and None not in stems:
        return tuple(sorted(words, key=_number))
    return next(
        (tuple(w for w in known if w in words) for known in SIBLINGS if set(words) <= set(known)),
        None,
    )


def _number(word: str) -> int:
    return int(re.findall(r"\d+", word)[-1])


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
