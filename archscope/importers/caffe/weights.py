"""The weights of a network from the numbers that its layers have in a `.caffemodel`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from archscope.errors import DataError, UnavailableError
from archscope.importers.caffe.model_file import ModelFile
from archscope.ir import Node

SUFFIX = ".caffemodel"

STATISTICS = ("running_mean", "running_var")
AFFINE = ("weight", "bias")

Form = Literal["plain", "turned", "statistics", "statistics+affine", "affine+statistics"]


class Stored(Struct, frozen=True):
    """The weights that are the numbers of a layer, in the order of the file, by node and name.

    `turned` means that a matrix is (in, out). A BatchNorm stores sums of means and variances, and
    by what to divide them; the BN of forks stores a scale, a shift, a mean and a variance, or only
    a scale and a shift where the rest is folded into them.
    """

    layer: str
    names: tuple[tuple[str, str], ...]
    form: Form = "plain"

    def weights(self, blobs: Sequence[Any], eps: float) -> dict[tuple[str, str], Any]:
        """Return the arrays by node and name. `eps` is that of a norm.

        Raises ValueError for more or fewer arrays than these.
        """
        counts = {
            "statistics": (3,),
            "statistics+affine": (5,),
            "affine+statistics": (4, 2),
        }.get(self.form, (len(self.names),))
        if len(blobs) not in counts:
            wanted = " or ".join(map(str, counts))
            raise ValueError(f"expected {wanted} arrays, got {len(blobs)}")
        if self.form == "turned":
            matrix, *rest = blobs
            blobs = [matrix.reshape(matrix.shape[-2:]).T, *rest]
        elif self.form == "affine+statistics":
            return dict(zip(self.names, [*blobs, *_folded(blobs, eps)], strict=True))
        elif self.form.startswith("statistics"):
            mean, variance, factor, *affine = blobs
            if factor.size != 1:
                raise ValueError(f"expected a factor, got {factor.size} numbers")
            divisor = factor.reshape(-1)[0]
            scale = 1 / divisor if divisor else 0
            blobs = [mean * scale, variance * scale, *affine]
        return dict(zip(self.names, blobs, strict=True))


class CaffeWeights(Struct, frozen=True):
    """The weights of the nodes of a network, in the file beside its definition."""

    path: Path
    stored: tuple[Stored, ...]
    nodes: Mapping[str, Node]

    def read(self) -> dict[str, Any]:
        """Return the weights as arrays by node. Raises ArchscopeError."""
        file = ModelFile(weights_beside(self.path))
        arrays: dict[str, Any] = {}
        for stored in self.stored:
            op = self.nodes[stored.names[0][0]].op
            where = f"{file.path.as_posix()}: layer '{stored.layer[:60]}'"
            blobs = file.arrays(stored.layer)
            if blobs is None:
                raise DataError(f"{where} is missing or has no numbers, expected those of a layer")
            try:
                found = stored.weights(blobs, float(getattr(op, "eps", 0)))
            except ValueError as error:
                raise DataError(f"{where}: {error}") from None
            for (node, name), array in found.items():
                owner = self.nodes[node].shares or node
                known = arrays.setdefault(f"{owner}.{name}", array)
                if known is not array and not _equal(known, array):
                    raise DataError(f"{where} shares its weights, but has others than their owner")
        return arrays


def _equal(first: Any, second: Any) -> bool:
    return first.shape == second.shape and bool((first == second).all())


def _folded(blobs: Sequence[Any], eps: float) -> list[Any]:
    """Return the mean and the variance of a norm whose statistics are folded into its scale."""
    import numpy

    if len(blobs) > 2:
        return []
    size = blobs[0].size
    return [numpy.zeros(size, "<f4"), numpy.full(size, 1 - eps, "<f4")]


def weights_beside(path: Path) -> Path:
    """Return the file of a definition's weights: of the same name, or the only one in its folder.

    Raises UnavailableError.
    """
    same = path.with_suffix(SUFFIX)
    if same.is_file():
        return same
    others = sorted(path.parent.glob(f"*{SUFFIX}"))
    if len(others) == 1:
        return others[0]
    which = f"none is, but {len(others)} others" if others else "there is no such file"
    raise UnavailableError(
        f"cannot read the weights of the definition from {same.as_posix()}: {which}"
    )
