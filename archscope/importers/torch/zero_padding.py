"""Zeros put around a feature map before a convolution, read as padding of the convolution."""

from __future__ import annotations

from archscope.importers.torch.tracing import BATCH
from archscope.ops.foreign import Foreign, Tensor

PAD = "aten.pad.default"


class ZeroPadding:
    """The padded maps by name, each with the map inside and the zeros [before, after] per axis."""

    def __init__(self) -> None:
        self.unpadded: dict[str, tuple[Tensor, tuple[tuple[int, int], ...]]] = {}

    def __contains__(self, tensor: object) -> bool:
        return isinstance(tensor, Tensor) and tensor.name in self.unpadded

    def padded(self, foreign: Foreign) -> Tensor | None:
        """Return the result of an operator that puts zeros around a map, or None."""
        if foreign.target != PAD or foreign.get("mode") != "constant" or foreign.get("value"):
            return None
        (x,) = foreign.ins
        pads = tuple(foreign.args["pad"])
        axes = len(x.shape) - 2
        if x in self or x.shape[0] != BATCH or min(pads) < 0 or len(pads) > 2 * axes:
            return None
        pairs = list(zip(pads[::2], pads[1::2], strict=True))[::-1]  # torch has the last axis first
        pairs = [(0, 0)] * (axes - len(pairs)) + pairs
        padded = Tensor(f"{x.name}:pad{pairs}", foreign.out)
        self.unpadded[padded.name] = x, tuple(pairs)
        return padded

    def into_convolution(self, foreign: Foreign) -> Foreign | None:
        """Return a convolution of a padded map as one that pads for itself, or None."""
        x, padding = foreign.get("input"), foreign.get("padding")
        if not foreign.target.startswith("aten.conv") or x not in self or padding == "same":
            return None
        if "transpose" in foreign.target:
            return None
        inner, pairs = self.unpadded[x.name]
        own = (0,) * len(pairs) if padding == "valid" else tuple(padding)
        own = own * len(pairs) if len(own) == 1 else own
        whole = tuple((a + p, b + p) for (a, b), p in zip(pairs, own, strict=True))
        even = all(before == after for before, after in whole)
        sides = tuple(before for before, _ in whole) if even else whole
        args = {**foreign.args, "input": inner, "padding": sides}
        return Foreign(foreign.target, args, foreign.out)
