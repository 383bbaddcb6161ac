"""The textbook forms of functions along axes, and of interpolation."""

from __future__ import annotations

from itertools import product
from math import pi, sqrt
from typing import Any

import numpy as np
import torch
from torch import Tensor


def reduced(module: Any, out: Tensor, x: Tensor) -> Tensor:
    words: Any = {"dim": module.axes, "keepdim": module.keep}
    if module.function == "min":
        return x.amin(**words)
    if module.function == "l1":
        return x.abs().sum(**words)
    if module.function == "l2":
        return (x * x).sum(**words).sqrt()
    if module.function == "logsumexp":
        most = x.amax(module.axes, keepdim=True)
        total = (x - most).exp().sum(**words).log()
        return total + most.view(total.shape)
    if module.function in ("std", "var"):
        centred = x - x.mean(module.axes, keepdim=True)
        squares = (centred * centred).sum(**words)
        variance = squares / (x.numel() / squares.numel() - module.correction)
        return variance.sqrt() if module.function == "std" else variance
    return module(x)


def softmax(module: Any, out: Tensor, x: Tensor) -> Tensor:
    powers = (x - x.amax(module.dim, keepdim=True)).exp()
    return powers / powers.sum(module.dim, keepdim=True)


def log_softmax(module: Any, out: Tensor, x: Tensor) -> Tensor:
    shifted = x - x.amax(module.dim, keepdim=True)
    return shifted - shifted.exp().sum(module.dim, keepdim=True).log()


def glu(module: Any, out: Tensor, x: Tensor) -> Tensor:
    value, gate = x.chunk(2, module.dim)
    return value * ((-gate).exp() + 1).reciprocal()


def normalize(module: Any, out: Tensor, x: Tensor) -> Tensor:
    norm = (x * x).sum(module.axis, keepdim=True).sqrt()
    return x / norm.clamp_min(module.eps)


def cosine_similarity(module: Any, out: Tensor, a: Tensor, b: Tensor) -> Tensor:
    units = normalize(module, out, a) * normalize(module, out, b)
    return units.sum(module.axis, keepdim=True)


def elu(module: Any, out: Tensor, x: Tensor) -> Tensor:
    below = x.exp() - 1
    return torch.where(x > 0, x, below if module.alpha == 1 else below * module.alpha)


def gelu(module: Any, out: Tensor, x: Tensor) -> Tensor:
    if module.approximate == "none":
        return x * (((x / sqrt(2)).erf() + 1) * 0.5)
    cubic = x + x * (x * x * 0.044715)
    return x * ((cubic * sqrt(2 / pi)).tanh() + 1) * 0.5


def softplus(module: Any, out: Tensor, x: Tensor) -> Tensor:
    if module.beta == 1:
        return (x.exp() + 1).log()
    return ((x * module.beta).exp() + 1).log() / module.beta


def pad(module: Any, out: Tensor, x: Tensor) -> Tensor:
    """Padding by values of the map itself, spelled by their places."""
    if not any(word in type(module).__name__ for word in ("Reflection", "Replication", "Circular")):
        return module(x)
    kind = type(module).__name__
    for axis, (before, after) in enumerate(
        zip(module.padding[::2], module.padding[1::2], strict=True)
    ):
        place, size = x.dim() - 1 - axis, x.shape[x.dim() - 1 - axis]
        places = range(-before, size + after)
        if kind.startswith("Circular"):
            source = [at % size for at in places]
        elif kind.startswith("Reflection"):
            source = [-at if at < 0 else min(at, 2 * size - 2 - at) for at in places]
        else:
            source = [min(max(at, 0), size - 1) for at in places]
        x = x.index_select(place, torch.tensor(source))
    return x


def cubic_weights(rest: Any) -> list[Any]:
    a = -0.75

    def near(t: Any) -> Any:
        return ((a + 2) * t - (a + 3)) * t * t + 1

    def far(t: Any) -> Any:
        return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a

    return [far(rest + 1), near(rest), near(1 - rest), far(2 - rest)]


def _places(module: Any, whole: int, size: int, axis: int) -> list[float]:
    if module.align_corners:
        return [u * (whole - 1) / (size - 1) for u in range(size)]
    factor = module.scale_factor
    if isinstance(factor, tuple):
        factor = factor[axis]
    step = 1 / factor if factor else whole / size
    return [(u + 0.5) * step - 0.5 for u in range(size)]


def upsample(module: Any, out: Tensor, x: Tensor) -> Tensor:
    """Along each axis a weighted sum of 2 or 4 neighbours, the weights constants."""
    if module.mode.startswith("nearest"):
        with torch.no_grad():
            places = torch.arange(x[0, 0].numel(), dtype=x.dtype).view(1, 1, *x.shape[2:])
            order = module(places).long().flatten()
        return x.flatten(2).index_select(2, order).view(out.shape)
    if type(module).__name__ == "AntialiasedResize":
        return _covered(module, out, x)
    if module.mode == "bicubic":
        return _cubic(module, out, x)
    terms = []
    for high in product((0, 1), repeat=x.ndim - 2):
        corner, weight = x, [1.0]
        for axis, (up, size) in enumerate(zip(high, out.shape[2:], strict=True), start=2):
            whole = x.shape[axis]
            at = [max(place, 0) for place in _places(module, whole, size, axis - 2)]
            places = [min(int(a) + up, whole - 1) for a in at]
            corner = corner.index_select(axis, torch.tensor(places))
            shares = [a - int(a) if up else 1 - (a - int(a)) for a in at]
            weight = [w * share for w in weight for share in shares]
        terms.append(corner * torch.tensor(weight).view(out.shape[2:]))
    return sum(terms[1:], terms[0])


def _covered(module: Any, out: Tensor, x: Tensor) -> Tensor:
    """Along each axis, the last first, a weighted sum of all positions that an output covers."""
    for axis in (3, 2):
        whole, size = x.shape[axis], out.shape[axis]
        step = whole / size
        wide, reach = max(step, 1.0), 1 if module.mode == "bilinear" else 2
        results = []
        for place in range(size):
            from_centre = [(at + 0.5 - step * (place + 0.5)) / wide for at in range(whole)]
            kept = [(at, abs(d)) for at, d in enumerate(from_centre) if abs(d) < reach - 1e-9]
            raw = [1 - d if reach == 1 else _pillow(d) for _, d in kept]
            terms = [
                x.select(axis, at) * torch.tensor(weight / sum(raw))
                for (at, _), weight in zip(kept, raw, strict=True)
            ]
            results.append(sum(terms[1:], terms[0]))
        x = torch.stack(results, axis)
    return x


def _pillow(t: float) -> float:
    """The cubic of Pillow, which has another constant than that without a filter."""
    a = -0.5
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    return near if t < 1 else ((a * t - 5 * a) * t + 8 * a) * t - 4 * a


def _cubic(module: Any, out: Tensor, x: Tensor) -> Tensor:
    rows, columns = out.shape[2:]
    down = [(p // 1, cubic_weights(p % 1)) for p in _places(module, x.shape[2], rows, 0)]
    along = [(p // 1, cubic_weights(p % 1)) for p in _places(module, x.shape[3], columns, 1)]

    def chosen(map_: Tensor, axis: int, places: Any, tap: int) -> tuple[Tensor, Tensor]:
        most = map_.shape[axis] - 1
        at = [min(max(int(low) + tap - 1, 0), most) for low, _ in places]
        weights = torch.tensor([weights[tap] for _, weights in places])
        return map_.index_select(axis, torch.tensor(at)), weights

    mixed = []
    for up in range(4):
        line, _ = chosen(x, 2, down, up)
        parts = [(lambda v, w: v * w)(*chosen(line, 3, along, tap)) for tap in range(4)]
        mixed.append(sum(parts[1:], parts[0]))
    weights = [torch.tensor([w[up] for _, w in down]).view(-1, 1) for up in range(4)]
    terms = [line * weight for line, weight in zip(mixed, weights, strict=True)]
    return sum(terms[1:], terms[0])


def grid_sample(module: Any, out: Tensor, x: Tensor, grid: Tensor) -> Tensor:
    """A weighted sum of the positions around each place; which these are is no arithmetic."""
    sizes = torch.tensor([float(size) for size in reversed(x.shape[2:])])
    corners = module.align_corners
    scale = (sizes.numpy() - corners) / 2
    at = grid * torch.tensor(scale) + torch.tensor((sizes.numpy() - 1) / 2)  # x, then y
    columns, rows = at.unbind(-1)

    def read(row: Any, column: Any) -> Tensor:
        """Return the values at whole places, as the padding has them."""
        places, inside = [], np.ones(row.shape, bool)
        for axis, place in enumerate((row, column), start=2):
            size = x.shape[axis]
            if module.padding_mode == "reflection":
                wide = 2 * (size - 1) if corners else 2 * size
                turned = np.abs(place if corners else place + 0.5) % wide
                place = np.minimum(turned, wide - turned) - (0 if corners else 0.5)
            if module.padding_mode == "zeros":
                inside &= (place >= 0) & (place < size)
            places.append(torch.tensor(place.clip(0, size - 1).astype(int)))
        images = zip(x.unbind(0), *places, strict=True)
        values = torch.stack([image[:, a, b] for image, a, b in images])
        return torch.where(torch.tensor(inside).unsqueeze(1), values, torch.full((), 0.0))

    if module.mode == "nearest":
        return read(rows.round().numpy(), columns.round().numpy())
    low = [rows.floor(), columns.floor()]
    rest = [rows - low[0], columns - low[1]]
    first = [place.numpy() for place in low]
    if module.mode == "bilinear":
        shares = [(1 - part, part) for part in rest]
        terms = [
            read(first[0] + a, first[1] + b) * (shares[0][a] * shares[1][b]).unsqueeze(1)
            for a, b in product((0, 1), repeat=2)
        ]
        return sum(terms[1:], terms[0])
    down, along = ([part.unsqueeze(1) for part in cubic_weights(r)] for r in rest)
    lines = []
    for a in range(4):
        taps = [read(first[0] + a - 1, first[1] + b - 1) * along[b] for b in range(4)]
        lines.append(sum(taps[1:], taps[0]) * down[a])
    return sum(lines[1:], lines[0])


def one_hot(module: Any, out: Tensor, x: Tensor) -> Tensor:
    whole = torch.tensor(x.numpy().astype(int))
    return (whole.unsqueeze(-1) == torch.arange(module.classes)).to(x.dtype)


def rms(module: Any, out: Tensor, x: Tensor) -> Tensor:
    normal = x / ((x * x).mean(1, keepdim=True) + module.eps).sqrt()
    scale = module.weight
    return normal if scale is None else normal * scale.view(-1, *(1,) * (x.ndim - 2))


def fold(module: Any, out: Tensor, x: Tensor) -> Tensor:
    """Add every value to its place of a padded map, one tap after the other."""
    (height, width), pads = out.shape[2:], module.padding
    padded = x.new_empty(*out.shape[:2], height + 2 * pads[0], width + 2 * pads[1]).fill_(0)
    taps = list(product(*map(range, module.kernel_size)))
    parts = x.view(*out.shape[:2], len(taps), -1).unbind(2)
    for (row, column), part in zip(taps, parts, strict=True):
        rows, columns = (
            slice(tap * dilation, tap * dilation + size + 2 * pad - (kernel - 1) * dilation, stride)
            for tap, dilation, size, pad, kernel, stride in zip(
                (row, column),
                module.dilation,
                (height, width),
                pads,
                module.kernel_size,
                module.stride,
                strict=True,
            )
        )
        place = padded[:, :, rows, columns]
        place.copy_(place + part.view_as(place))
    return padded[:, :, pads[0] : pads[0] + height, pads[1] : pads[1] + width]
