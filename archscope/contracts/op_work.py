"""Count the elementary arithmetic that torch does."""

from __future__ import annotations

from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

from archscope.contracts.check import BrokenContractError

MOVES = frozenset((
    "_upsample_nearest_exact1d", "alias", "as_strided", "copy", "empty", "flip", "full_like",
    "slice_scatter",
    "cat", "channel_shuffle", "native_channel_shuffle", "clone",
    "constant_pad_nd", "detach", "expand", "gather", "index", "index_select", "permute",
    "pixel_shuffle", "pixel_unshuffle", "scatter", "select", "slice", "lift_fresh", "_to_copy",
    "split", "squeeze", "t", "transpose", "unfold", "unsqueeze", "upsample_nearest1d",
    "upsample_nearest2d", "upsample_nearest3d", "view", "_unsafe_view", "where", "zeros_like",
    "arange", "bitwise_not", "embedding", "full", "masked_fill", "repeat", "roll",
    "split_with_sizes",
    "stack", "triu", "unbind", "new_empty", "new_zeros", "fill", "im2col",
    "view_as_complex", "view_as_real",
))  # fmt: skip
"""Kernels that only move numbers; the comparison before a `where` is counted."""

ELEMENTARY = frozenset((
    "abs", "add", "ceil", "clamp_max", "clamp_min", "cos", "div", "erf", "exp", "expm1", "floor",
    "eq", "ge", "gt", "le", "log", "log1p", "log2", "lt", "maximum", "minimum", "mul", "ne", "neg",
    "pow", "reciprocal", "round",
    "relu", "rsqrt", "rsub", "sign", "sin", "sqrt", "sub", "tanh", "asinh", "atan", "cosh", "erfc",
    "atan2", "frac", "log10", "nan_to_num", "sinh", "tan", "trunc",
))  # fmt: skip
"""Kernels with one operation per output element."""


class Work(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch is untyped there
    """A mode that counts arithmetic, except multiply-accumulates."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch is untyped there
        self.operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__.removesuffix("_")  # the same work in place
        if name not in MOVES:
            self.operations += self.cost(name, args, out)
        return out

    @staticmethod
    def cost(name: str, args: Any, out: Any) -> int:
        """Return the operations of one kernel; an error names the kernel that has no entry."""
        if name in ELEMENTARY:
            return int(out.numel())
        if name == "clamp":
            return int(out.numel()) * sum(end is not None for end in args[1:])
        if name in ("sum", "amax", "amin", "prod", "argmax", "argmin"):
            return int(args[0].numel() - out.numel())
        if name == "mean":  # the sum, and a division
            return int(args[0].numel())
        if name == "convolution":
            return int(out.numel()) if args[2] is not None else 0
        if name == "addmm":
            return int(out.numel())
        if name in ("mm", "bmm"):
            return 0
        if name == "topk":  # at least a comparison for each value
            return int(args[0].numel())
        if name == "sort":  # n log n comparisons of n values
            return int(args[0].numel() * (args[0].shape[args[1]] - 1).bit_length())
        if name in ("cumsum", "cumprod"):  # all but the first
            return int(args[0].numel() - args[0].numel() // args[0].shape[args[1]])
        if name in ("_fft_c2c", "_fft_r2c", "_fft_c2r"):
            return _transform(name, args, out)
        raise BrokenContractError(f"no elementary arithmetic: aten.{name}")


def _transform(name: str, args: Any, out: Any) -> int:
    """Return 5 n log n operations for n complex numbers, and half as many along a real axis."""
    x, axes = args[:2]
    if name == "_fft_c2c":
        return sum(5 * int(x.numel()) * int(x.shape[axis] - 1).bit_length() for axis in axes)
    real, halves = (x, out) if name == "_fft_r2c" else (out, x)
    work = 5 * int(real.numel()) * int(real.shape[axes[-1]] - 1).bit_length()
    others = (int(halves.shape[axis] - 1).bit_length() for axis in axes[:-1])
    return -(-work // 2) + 5 * int(halves.numel()) * sum(others)
