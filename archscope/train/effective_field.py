"""The effective receptive field of a trained network: the inputs that affect its centre output.

Luo, Li, Urtasun and Zemel 2016, "Understanding the effective receptive field in deep
convolutional neural networks" (https://arxiv.org/abs/1701.04128).
"""

from __future__ import annotations

from msgspec import Struct
from torch import Generator, Tensor, autograd, randint, tensor

from archscope.analysis.receptive_field import receptive_fields
from archscope.build import Network

SHARE = 0.95
"""The fraction of the energy inside the effective field."""

BLUE, ORANGE = (86, 156, 255), (255, 140, 0)

Ends = tuple[int, int]
Box = tuple[Ends, Ends]
"""First and last position of rows and of columns."""


class EffectiveField(Struct, frozen=True, eq=False):
    """How much each input position affects the centre of a layer."""

    node: str
    energy: Tensor  # (H, W), sums to 1
    effective: Box  # holds `SHARE` of the energy along each axis, around the centre
    theoretical: Box | None  # may extend beyond the input; None if it is everything or unknown


def effective_field(network: Network, images: Tensor, seed: int = 0) -> EffectiveField | None:
    """Return the field of the last layer with spatial positions, from images (N, C, H, W).

    The energy of an input position is the squared gradient of the layer's centre, over all of its
    channels and those of the input, averaged over the images: the channels get random signs, whose
    products cancel on average. None if the network has no such layer or no gradient.
    """
    graph = network.graph
    source = graph.inputs[0]
    fields = receptive_fields(graph, source.name)
    name = fields.trunk(graph)
    if name is None or name == source.name or len(graph.inputs) > 1 or images.ndim != 4:
        return None
    node = graph.by_name[name]
    if len(node.out) != 3:
        return None
    centre = node.out[1] // 2, node.out[2] // 2
    energy = _energy(network, images, name, centre, seed)
    if energy is None:
        return None
    field = fields.fields[name]
    rows, columns = (axis.at(place) for axis, place in zip(field.axes or (), centre, strict=True))
    theoretical = (rows, columns) if field.known and rows and columns else None
    middles = [
        (ends[0] + ends[1]) / 2 if ends else (place + 0.5) * size / out - 0.5
        for ends, place, size, out in zip(
            (rows, columns), centre, source.out[1:], node.out[1:], strict=True
        )
    ]
    effective = _holding(energy.sum(1), middles[0]), _holding(energy.sum(0), middles[1])
    return EffectiveField(name, energy, effective, theoretical)


def _energy(
    network: Network, images: Tensor, name: str, centre: tuple[int, int], seed: int
) -> Tensor | None:
    """Return the energy of each input position (H, W), with sum 1; None without gradient."""
    found: list[Tensor] = []

    def probe(node: str, value: Tensor) -> Tensor:
        if node != name:
            return value
        found.append(value)
        return value.clone()  # its readers may work in place

    inputs = images.detach().clone().requires_grad_()
    training = network.training
    network.eval().run((inputs,), probe)
    network.train(training)
    middle = found[0][:, :, centre[0], centre[1]]
    signs = randint(2, middle.shape, generator=Generator().manual_seed(seed)) * 2.0 - 1
    (slope,) = autograd.grad(middle, inputs, signs.to(middle), allow_unused=True)
    if slope is None:
        return None
    energy = slope.double().square().sum((0, 1)).cpu()
    whole = energy.sum()
    return energy / whole if whole.isfinite() and whole > 0 else None


def _holding(energy: Tensor, middle: float) -> Ends:
    """Return the first and last position of the smallest range around a middle with the share."""
    distances = [abs(place - middle) for place in range(len(energy))]
    for reach in sorted(set(distances)):
        inside = [place for place, distance in enumerate(distances) if distance <= reach]
        if energy[inside].sum() >= SHARE * energy.sum():
            return inside[0], inside[-1]
    return 0, len(energy) - 1


def pictured(field: EffectiveField) -> Tensor:
    """Return the root of the energy as a picture (3, H, W) of values from 0 to 255, with the boxes.

    The theoretical field is drawn in blue, the effective one over it in orange.
    """
    picture = (field.energy / field.energy.max()).sqrt().mul(255).repeat(3, 1, 1)
    height, width = field.energy.shape
    for box, colour in ((field.theoretical, BLUE), (field.effective, ORANGE)):
        if box is None:
            continue
        (top, bottom), (left, right) = box
        paint = tensor(colour, dtype=picture.dtype).view(3, 1)
        rows = slice(max(0, top), max(0, bottom + 1))
        columns = slice(max(0, left), max(0, right + 1))
        for row in {top, bottom} & set(range(height)):
            picture[:, row, columns] = paint
        for column in {left, right} & set(range(width)):
            picture[:, rows, column] = paint
    return picture
