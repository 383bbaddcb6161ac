"""Padding of a feature map as a separate operator: zeros, constants or repeated values."""

from __future__ import annotations

from typing import Annotated, Any

from archscope.axes import Window
from archscope.errors import ShapeError
from archscope.ir import Call, Example, Saved, Shape, by_rank, call
from archscope.onnx_form import Value, X, ints, node, scalar
from archscope.ops.attributes import COUNT, LARGEST, Kind, Number, Padding, array_schema, choice
from archscope.ops.facts import Rearrangement
from archscope.ops.foreign import Foreign, Recognised, Tensor, recognises
from archscope.ops.geometry import short_padding, slid, sliding, torch_pad
from archscope.ops.registry import op
from archscope.ops.reshape import Identity, Slice

Mode = Annotated[str, choice("constant", "reflect", "replicate", "circular")]

MODULES = {
    "reflect": by_rank("nn.ReflectionPad{}d"), "replicate": by_rank("nn.ReplicationPad{}d"),
    "circular": by_rank("nn.CircularPad{}d"),
}  # fmt: skip

LOWEST = -3.4028234663852886e38
"""The lowest number in single precision, used instead of minus infinity around a maximum."""


def _pair(value: Any) -> tuple[int, int]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError
    return COUNT.read(value[0]), COUNT.read(value[1])


Pair = Annotated[
    tuple[int, int],
    Kind(
        "a pair [before, after] of whole numbers of at least 0",
        _pair,
        array_schema(COUNT.schema, 2, least=2),
    ),
]


@op("pad")
class Pad(Rearrangement, frozen=True, kw_only=True):
    """Pad a feature map with zeros; convolutions and pools can also pad themselves.

    Other modes use values of the map instead of zeros: mirrored at the border (reflect), of the
    border (replicate), or from the opposite end (circular).
    """

    principal = "padding"
    modules = (
        *by_rank("nn.ZeroPad{}d"), *by_rank("nn.ConstantPad{}d"), *MODULES["reflect"],
        *MODULES["replicate"], *MODULES["circular"], "archscope.nn.PadChannels",
    )  # fmt: skip

    padding: Annotated[Padding, "positions around the input"] = 0
    mode: Annotated[Mode, "values of the padding: a constant, or values of the input"] = "constant"
    value: Annotated[Number, "the constant"] = 0.0
    channels: Annotated[
        Pair, "channels of the constant to add before and after those of the input"
    ] = (0, 0)

    @property
    def keeps_zero(self) -> bool:  # type: ignore[override]
        return self.value == 0

    @property
    def selects(self) -> bool:  # type: ignore[override]
        return self.value == 0

    def window(self, *ins: Shape) -> tuple[Window, ...]:
        return sliding(self.name, ins[0], 1, 1, self.padding) if len(ins[0]) > 1 else ()

    def is_identity(self, *ins: Shape) -> bool:
        return not any((*torch_pad(self.window(*ins)), *self.channels))

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        windows = self.window(x)
        if self.mode != "constant":
            if any(self.channels):
                raise ShapeError(f"'pad' of mode '{self.mode}' cannot put channels before others")
            most = {"reflect": -1, "replicate": LARGEST, "circular": 0}[self.mode]
            for size, window in zip(x[1:], windows, strict=True):
                if max(window.before, window.after) > size + most:
                    raise ShapeError(
                        f"'pad' of mode '{self.mode}' takes up to {size + most} positions of"
                        f" {size}, got {max(window.before, window.after)}"
                    )
        return x[0] + sum(self.channels), *slid(windows, x)

    def saved(self, *ins: Shape) -> Saved:
        return Saved(input=self.mode in ("reflect", "replicate"))

    def torch(self, *ins: Shape) -> Call:
        windows = self.window(*ins)
        pads = torch_pad(windows)
        if any(self.channels):
            return call("archscope.nn.PadChannels", (*pads, *self.channels), self.value)
        if self.mode != "constant":
            return call(MODULES[self.mode][len(windows) - 1], pads)
        if self.value:
            return call(f"nn.ConstantPad{len(windows)}d", pads, self.value)
        return call(self.modules[len(windows) - 1], pads)

    def onnx(self, *ins: Shape) -> Value:
        windows = self.window(*ins)
        if self.mode == "circular":
            return _around(X, windows, ins[0])
        before, after = self.channels
        pads = ints(0, before, *(w.before for w in windows), 0, after, *(w.after for w in windows))
        if self.mode == "constant":
            return node("Pad", X, pads, scalar(self.value) if self.value else None)
        return node("Pad", X, pads, mode={"reflect": "reflect", "replicate": "edge"}[self.mode])

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(padding=2), ((8, 6, 7),)),
            Example(cls(padding=((0, 1), (2, 0))), ((3, 8, 8),)),
            Example(cls(padding=((1, 3),)), ((4, 9),)),
            Example(cls(padding=1), ((2, 4, 5, 6),)),
            Example(cls(padding=1, value=3), ((2, 4, 5),)),
            Example(cls(padding=2, mode="reflect"), ((2, 6, 7),)),
            Example(cls(padding=((1, 0), (2, 1)), mode="replicate"), ((2, 5, 6),)),
            Example(cls(padding=((1, 2), (0, 3)), mode="circular"), ((2, 5, 6),)),
            Example(cls(channels=(1, 2)), ((2, 5, 6),)),
        )


def _around(x: Value, windows: tuple[Window, ...], shape: Shape) -> Value:
    """Describe circular padding of a value in ONNX."""
    for axis, (window, size) in enumerate(zip(windows, shape[1:], strict=True), start=2):
        parts = [x]
        if window.before:
            parts.insert(0, node("Slice", x, ints(size - window.before), ints(size), ints(axis)))
        if window.after:
            parts.append(node("Slice", x, ints(0), ints(window.after), ints(axis)))
        x = node("Concat", *parts, axis=axis) if len(parts) > 1 else x
    return x


def zeros_around(x: Value, windows: tuple[Window, ...]) -> Value:
    """Describe a value with the padding of windows around it, in ONNX."""
    pads = (0, 0, *(w.before for w in windows), 0, 0, *(w.after for w in windows))
    return node("Pad", x, ints(*pads)) if any(pads) else x


TARGETS = {
    "aten.pad.default": "", "aten.constant_pad_nd.default": "constant",
    **{f"aten.reflection_pad{rank}d.default": "reflect" for rank in (1, 2, 3)},
    **{f"aten.replication_pad{rank}d.default": "replicate" for rank in (1, 2, 3)},
}  # fmt: skip
"""The modes of torch's operators; for the first, it is an argument."""


@recognises(*TARGETS)
def pad_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise padding in all modes, of channels with a constant, and crops (negative padding)."""
    (x,) = foreign.ins
    mode = TARGETS[foreign.target] or foreign.get("mode", "constant")
    value = foreign.get("value") or 0.0
    rank = len(x.shape) - 2
    pads = tuple(foreign.get("pad", foreign.get("padding")))
    pairs = [*zip(pads[::2], pads[1::2], strict=True)][::-1]  # torch has the last axis first
    if len(pairs) > rank + 1 and any(map(any, pairs[: len(pairs) - rank - 1])):
        return None
    pairs = [(0, 0)] * (rank + 1 - len(pairs)) + pairs[-rank - 1 :]
    ops: list[Slice | Pad] = []
    for axis, ((before, after), size) in enumerate(zip(pairs, x.shape[1:], strict=True)):
        if min(before, after) < 0:
            start, stop = max(0, -before), size - max(0, -after)
            if not 0 <= start < stop:
                return None
            ops.append(Slice(start=start, stop=stop, axis=axis))
    channels, *spatial = [(max(0, before), max(0, after)) for before, after in pairs]
    if any(channels) or any(map(any, spatial)):
        padding = short_padding(spatial) if spatial else 0
        number = min(max(float(value), LOWEST), -LOWEST)
        ops.append(Pad(padding=padding, mode=mode, value=number, channels=channels))
    if rank < 1 and not any(channels):
        return None
    return Recognised(ops[0] if ops else Identity(), (x,), then=tuple(ops[1:]))


@recognises("onnx.Pad")
def pad_of_onnx(foreign: Foreign) -> Recognised | None:
    """Recognise padding of positions, and of channels with a constant."""
    x = foreign.ins[0]
    pads, value, axes = (foreign.get(name) for name in ("pads", "constant_value", "axes"))
    mode = foreign.get("mode", "constant")
    mode = {"edge": "replicate", "wrap": "circular"}.get(mode, mode)
    amounts = [*pads.value] if isinstance(pads, Tensor) else [*(pads or ())]
    fill = value.value if isinstance(value, Tensor) else foreign.get("value", 0.0)
    rank = len(x.shape)
    if axes is not None or len(amounts) != 2 * rank or min(amounts) < 0:
        return None
    batch, channels, *positions = zip(amounts[:rank], amounts[rank:], strict=True)
    if any(batch):
        return None
    padding = short_padding(positions) if positions else 0
    number = min(max(float(fill or 0), LOWEST), -LOWEST)
    found = Pad(padding=padding, mode=mode, value=number, channels=channels)
    return Recognised(found, (x,))


def constants_of_torch(foreign: Foreign, value: float) -> tuple[tuple[int, int], ...] | None:
    """Return the padding before and after each axis if it has this value; None for others."""
    found = pad_of_torch(foreign)
    if found is None or found.then or not isinstance(found.op, Pad):
        return None
    pad = found.op
    if pad.mode != "constant" or pad.value != value or any(pad.channels):
        return None
    return tuple((window.before, window.after) for window in pad.window(foreign.ins[0].shape[1:]))
