"""Express ONNX operators by operators of torch, so that the same functions recognise them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archscope.importers.onnx.applied import Applied, Steps, last
from archscope.importers.onnx.recurrent_forms import GATES, recurrent
from archscope.ir import Shape
from archscope.ops.foreign import Foreign, Tensor

FLOATS = frozenset({1, 10, 11, 16})
"""ONNX's numbers of the types float32, float16, float64 and bfloat16."""


Form = Callable[[Applied], Steps]


FORMS: dict[str, Form] = dict.fromkeys(GATES, recurrent)
"""The form of each kind of operator."""


def _form(*kinds: str) -> Callable[[Form], Form]:
    def register(form: Form) -> Form:
        FORMS.update(dict.fromkeys(kinds, form))
        return form

    return register


def steps_of(applied: Applied) -> Steps:
    """Return an operator as operators of torch; empty if there are none.

    Attributes that are not as ONNX specifies them raise what their conversion raises.
    """
    form = FORMS.get(applied.operator.kind)
    return form(applied) if form else ()


def _one(applied: Applied, target: str, **args: Any) -> Steps:
    return (Foreign(f"aten.{target}", args, applied.out),)


UNARY = {
    "Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Exp": "exp", "Log": "log",
    "Sqrt": "sqrt", "Neg": "neg", "Abs": "abs", "Erf": "erf", "Sin": "sin", "Cos": "cos",
    "Reciprocal": "reciprocal", "Floor": "floor", "Ceil": "ceil", "Round": "round", "Sign": "sign",
    "Softplus": "softplus", "HardSwish": "hardswish", "Mish": "mish", "Not": "logical_not",
    "Tan": "tan", "Atan": "atan", "Asin": "asin", "Acos": "acos", "Sinh": "sinh", "Cosh": "cosh",
    "Asinh": "asinh", "Acosh": "acosh", "Atanh": "atanh", "Swish": "silu",
}  # fmt: skip
"""Functions of one value without attributes."""

PAIRS = {
    "Add": "add.Tensor", "Sub": "sub.Tensor", "Mul": "mul.Tensor", "Div": "div.Tensor",
    "And": "logical_and.default", "Or": "logical_or.default",
    "Equal": "eq.Tensor", "Greater": "gt.Tensor", "Less": "lt.Tensor",
    "GreaterOrEqual": "ge.Tensor", "LessOrEqual": "le.Tensor",
}  # fmt: skip
"""Functions of two values."""


@_form(*UNARY)
def _unary(applied: Applied) -> Steps:
    if applied.attribute("alpha", 1) != 1:
        return ()
    words = {"beta": 1, "threshold": 20} if applied.operator.kind == "Softplus" else {}
    return _one(applied, f"{UNARY[applied.operator.kind]}.default", self=applied.x, **words)


@_form("Identity", "Cast", "Dropout")
def _same(applied: Applied) -> Steps:
    """Pass a value on; a cast only between types of real numbers."""
    if applied.attribute("to", 1) not in FLOATS or applied.place:
        return ()
    return _one(applied, "alias.default", self=applied.x)


@_form("Gelu")
def _gelu(applied: Applied) -> Steps:
    return _one(applied, "gelu.default", self=applied.x,
                approximate=applied.attribute("approximate", "none"))  # fmt: skip


@_form("LeakyRelu")
def _leaky_relu(applied: Applied) -> Steps:
    slope = applied.attribute("alpha", 0.01)
    return _one(applied, "leaky_relu.default", self=applied.x, negative_slope=slope)


def _elu_of(x: Tensor, alpha: float, shape: Shape) -> Foreign:
    words = {"alpha": alpha, "scale": 1, "input_scale": 1}
    return Foreign("aten.elu.default", {"self": x, **words}, shape)


def _times(x: Tensor, factor: float, shape: Shape) -> Foreign:
    return Foreign("aten.mul.Scalar", {"self": x, "other": factor}, shape)


@_form("Elu")
def _elu(applied: Applied) -> Steps:
    return (_elu_of(applied.x, applied.attribute("alpha", 1.0), applied.out),)


@_form("Celu")
def _celu(applied: Applied) -> Steps:
    alpha, out = applied.attribute("alpha", 1.0), applied.out
    return (
        _times(applied.x, 1 / alpha, out),
        _elu_of(last(out), 1.0, out),
        _times(last(out), alpha, out),
    )


@_form("Selu")
def _selu(applied: Applied) -> Steps:
    alpha = applied.attribute("alpha", 1.6732632)
    return (
        _elu_of(applied.x, alpha, applied.out),
        _times(last(applied.out), applied.attribute("gamma", 1.050701), applied.out),
    )


@_form("ThresholdedRelu")
def _thresholded(applied: Applied) -> Steps:
    x, out = applied.x, applied.out
    mask = Foreign("aten.gt.Scalar", {"self": x, "other": applied.attribute("alpha", 1.0)}, out)
    return mask, Foreign("aten.mul.Tensor", {"self": x, "other": last(out)}, out)


@_form("HardSigmoid")
def _hard_sigmoid(applied: Applied) -> Steps:
    x, out = applied.x, applied.out
    shift = {"self": last(out), "other": applied.attribute("beta", 0.5)}
    return (
        _times(x, applied.attribute("alpha", 0.2), out),
        Foreign("aten.add.Scalar", shift, out),
        Foreign("aten.clamp.default", {"self": last(out), "min": 0, "max": 1}, out),
    )


@_form("Clip")
def _clip(applied: Applied) -> Steps:
    limits = [
        applied.attribute(word) if applied.given(place) is None else applied.input(place)
        for place, word in ((1, "min"), (2, "max"))
    ]
    return _one(applied, "clamp.default", self=applied.x, min=limits[0], max=limits[1])


@_form(*PAIRS)
def _pair(applied: Applied) -> Steps:
    return _one(applied, PAIRS[applied.operator.kind], self=applied.x, other=applied.input(1))


@_form("Pow")
def _pow(applied: Applied) -> Steps:
    base, exponent = applied.x, applied.input(1)
    if base.constant:
        return _one(applied, "pow.Scalar", self=base.value, exponent=exponent)
    kind = "Tensor_Scalar" if exponent.constant else "Tensor_Tensor"
    return _one(applied, f"pow.{kind}", self=base, exponent=exponent)


@_form("Max", "Min", "Sum", "Mean")
def _several(applied: Applied) -> Steps:
    """Combine any number of values, one after another."""
    names = {"Max": "maximum.default", "Min": "minimum.default"}
    target = f"aten.{names.get(applied.operator.kind, 'add.Tensor')}"
    first, *others = applied.tensors
    steps: list[Foreign] = []
    for other in others:
        before = last(applied.out) if steps else first
        steps.append(Foreign(target, {"self": before, "other": other}, applied.out))
    if applied.operator.kind == "Mean" and steps:
        steps.append(_times(last(applied.out), 1 / len(applied.tensors), applied.out))
    return steps or _one(applied, "alias.default", self=first)


@_form("Where")
def _where(applied: Applied) -> Steps:
    condition, x, other = (applied.input(place) for place in range(3))
    return _one(applied, "where.self", condition=condition, self=x, other=other)


@_form("Softmax", "LogSoftmax")
def _softmax(applied: Applied) -> Steps:
    rank = len(applied.x.shape)
    merges = applied.operator.version < 13  # all axes from this one on are one
    axis = applied.attribute("axis", 1 if merges else -1) % rank
    if merges and axis != rank - 1:
        return ()
    name = "softmax" if applied.operator.kind == "Softmax" else "log_softmax"
    return _one(applied, f"{name}.int", self=applied.x, dim=axis)


REDUCED = {
    "ReduceMean": "mean.dim", "ReduceSum": "sum.dim_IntList", "ReduceMax": "amax.default",
    "ReduceMin": "amin.default", "ReduceLogSumExp": "logsumexp.default",
    "ReduceProd": "prod.dim_int", "ReduceL1": "linalg_vector_norm.default",
    "ReduceL2": "linalg_vector_norm.default",
}  # fmt: skip


@_form(*REDUCED, "ReduceSumSquare", "ReduceLogSum")
def _reduced(applied: Applied) -> Steps:
    axes = applied.integers(1, "axes")
    if not axes and applied.attribute("noop_with_empty_axes"):
        return _one(applied, "alias.default", self=applied.x)
    kind, x = applied.operator.kind, applied.x
    words: dict[str, Any] = {
        "dim": axes or tuple(range(len(x.shape))), "keepdim": bool(applied.attribute("keepdims", 1))
    }  # fmt: skip
    if kind == "ReduceSumSquare":
        square = Foreign("aten.pow.Tensor_Scalar", {"self": x, "exponent": 2}, x.shape)
        total = {"self": last(x.shape), **words}
        return square, Foreign("aten.sum.dim_IntList", total, applied.out)
    if kind == "ReduceLogSum":
        total = {"self": x, **words}
        log = {"self": last(applied.out)}
        return (
            Foreign("aten.sum.dim_IntList", total, applied.out),
            Foreign("aten.log.default", log, applied.out),
        )
    if kind in ("ReduceL1", "ReduceL2"):
        words["ord"] = int(kind[-1])
    if kind == "ReduceProd":
        if len(words["dim"]) != 1:
            return ()
        words["dim"] = words["dim"][0]
    return _one(applied, REDUCED[kind], self=x, **words)


@_form("ArgMax", "ArgMin")
def _places(applied: Applied) -> Steps:
    if applied.attribute("select_last_index"):
        return ()
    name = applied.operator.kind.lower()
    return _one(applied, f"{name}.default", self=applied.x, dim=applied.attribute("axis", 0),
                keepdim=bool(applied.attribute("keepdims", 1)))  # fmt: skip


@_form("TopK")
def _top(applied: Applied) -> Steps:
    (k,) = applied.integers(1) or (applied.attribute("k"),)
    return _one(applied, "topk.default", self=applied.x, k=k, dim=applied.attribute("axis", -1),
                largest=bool(applied.attribute("largest", 1)), result=applied.place)  # fmt: skip


@_form("CumSum", "CumProd")
def _cumulative(applied: Applied) -> Steps:
    (axis,) = applied.integers(1) or (0,)
    if applied.attribute("exclusive") or applied.attribute("reverse"):
        return ()
    return _one(applied, f"{applied.operator.kind.lower()}.default", self=applied.x, dim=axis)


@_form("Range")
def _range(applied: Applied) -> Steps:
    """A part along one axis, as the patterns write slices and splits."""
    words = {word: applied.attribute(word) for word in ("start", "stop")}
    return _one(applied, "slice.Tensor", self=applied.x, dim=applied.attribute("axis"),
                start=words["start"], end=words["stop"], step=1)  # fmt: skip


@_form("Slice")
def _slice(applied: Applied) -> Steps:
    starts, ends = applied.integers(1, "starts") or (), applied.integers(2, "ends") or ()
    axes = applied.integers(3, "axes") or tuple(range(len(starts)))
    strides = applied.integers(4) or (1,) * len(starts)
    shape, x = list(applied.x.shape), applied.x
    steps: list[Foreign] = []
    for start, end, at, step in zip(starts, ends, axes, strides, strict=True):
        axis = at % len(shape)
        places = range(shape[axis])[start:end:step]
        args: dict[str, Any] = {"self": last(tuple(shape)) if steps else x}
        if places == range(shape[axis]):
            continue
        shape[axis] = len(places)
        if step < 0:
            if len(places) != args["self"].shape[axis] or step != -1:
                return ()
            steps.append(Foreign("aten.flip.default", {**args, "dims": (axis,)}, tuple(shape)))
        else:
            args |= {"dim": axis, "start": places.start, "end": places.stop, "step": step}
            steps.append(Foreign("aten.slice.Tensor", args, tuple(shape)))
    return steps or _one(applied, "alias.default", self=x)


@_form("Concat")
def _concat(applied: Applied) -> Steps:
    return _one(applied, "cat.default", tensors=applied.tensors, dim=applied.attribute("axis"))


@_form("Transpose")
def _transpose(applied: Applied) -> Steps:
    order = applied.attribute("perm") or [*range(len(applied.out))][::-1]
    return _one(applied, "permute.default", self=applied.x, dims=tuple(order))


@_form("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def _reshape(applied: Applied) -> Steps:
    return _one(applied, "reshape.default", self=applied.x)


@_form("Expand")
def _expand(applied: Applied) -> Steps:
    return _one(applied, "expand.default", self=applied.x, size=applied.out)


@_form("Tile")
def _tile(applied: Applied) -> Steps:
    return _one(applied, "repeat.default", self=applied.x, repeats=applied.integers(1))


@_form("Gather")
def _gather(applied: Applied) -> Steps:
    x, index, axis = applied.x, applied.input(1), applied.attribute("axis", 0)
    if x.constant:
        return _one(applied, "embedding.default", weight=x, indices=index) if axis == 0 else ()
    places = applied.array(1)
    if places.ndim == 0:
        return _one(applied, "select.int", self=x, dim=axis, index=int(places))
    if places.ndim > 1:
        return ()
    value = tuple(map(int, places))
    at = Tensor(index.name, index.shape, constant=True, value=value)
    return _one(applied, "index_select.default", self=x, dim=axis, index=at)


@_form("GatherElements")
def _gather_elements(applied: Applied) -> Steps:
    axis = applied.attribute("axis", 0)
    return _one(applied, "gather.default", self=applied.x, dim=axis, index=applied.input(1))


@_form("OneHot")
def _one_hot(applied: Applied) -> Steps:
    (classes,), ends = applied.integers(1) or (0,), applied.array(2).tolist()
    behind = applied.attribute("axis", -1) in (-1, len(applied.out) - 1)
    if ends != [0, 1] or not behind:
        return ()
    return _one(applied, "one_hot.default", self=applied.x, num_classes=classes)


@_form("Pad")
def _pad(applied: Applied) -> Steps:
    modes = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}
    pads, rank = applied.integers(1, "pads") or (), len(applied.x.shape)
    axes = applied.integers(3) or tuple(range(rank))
    pairs = {at % rank: (pads[i], pads[len(axes) + i]) for i, at in enumerate(axes)}
    value = applied.attribute("value", 0.0)
    if applied.given(2) is not None:
        value = float(applied.array(2).reshape(()))
    flat = tuple(n for at in range(rank)[::-1] for n in pairs.get(at, (0, 0)))
    mode = modes[applied.attribute("mode", "constant")]
    return _one(applied, "pad.default", self=applied.x, pad=flat, mode=mode, value=value)


@_form("SpaceToDepth")
def _space_to_depth(applied: Applied) -> Steps:
    args = {"X": applied.x, "block": applied.attribute("blocksize"), "order": "row"}
    return (Foreign("onnx.Unshuffle", args, applied.out),)


@_form("Linear")
def _linear(applied: Applied) -> Steps:
    """A product with constant weights, as the patterns write it."""
    return _one(applied, "linear.default", input=applied.x, weight=applied.input(1),
                bias=applied.given(2))  # fmt: skip


@_form("MatMul")
def _matmul(applied: Applied) -> Steps:
    return _one(applied, "matmul.default", self=applied.x, other=applied.input(1))


@_form("Einsum")
def _einsum(applied: Applied) -> Steps:
    equation = applied.attribute("equation")
    return _one(applied, "einsum.default", equation=equation, tensors=applied.tensors)


@_form("LayerNormalization", "RMSNormalization")
def _norm(applied: Applied) -> Steps:
    x, kind = applied.x, applied.operator.kind
    axis = applied.attribute("axis", -1) % len(x.shape)
    name = "layer_norm" if kind == "LayerNormalization" else "rms_norm"
    return _one(applied, f"{name}.default", input=x, normalized_shape=x.shape[axis:],
                weight=applied.given(1), bias=applied.given(2),
                eps=applied.attribute("epsilon", 1e-5))  # fmt: skip


@_form("GridSample")
def _grid_sample(applied: Applied) -> Steps:
    modes = {"linear": 0, "bilinear": 0, "nearest": 1, "cubic": 2, "bicubic": 2}
    paddings = ("zeros", "border", "reflection")
    return _one(applied, "grid_sampler.default", input=applied.x, grid=applied.input(1),
                interpolation_mode=modes[applied.attribute("mode", "linear")],
                padding_mode=paddings.index(applied.attribute("padding_mode", "zeros")),
                align_corners=bool(applied.attribute("align_corners", 0)))  # fmt: skip


RESIZED = {
    ("linear", "align_corners"): (
        "upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d",
    ),
    ("cubic", "half_pixel"): ("", "upsample_bicubic2d"),
    ("cubic", "align_corners"): ("", "upsample_bicubic2d"),
    ("nearest", "half_pixel"): (
        "_upsample_nearest_exact1d", "_upsample_nearest_exact2d", "_upsample_nearest_exact3d",
    ),
}  # fmt: skip
"""torch's functions for 1, 2 and 3 spatial axes, by the mode and how positions are computed."""


@_form("Resize")
def _resize(applied: Applied) -> Steps:
    """Resize to a size, in ways that only torch's own function computes alike."""
    x, out, mode = applied.x, applied.out, applied.attribute("mode", "nearest")
    where = applied.attribute("coordinate_transformation_mode", "half_pixel")
    sizes = x.shape[2:]
    if where == "pytorch_half_pixel" and min(out[2:]) > 1:
        where = "half_pixel"
    plain = {"cubic_coeff_a": -0.75, "exclude_outside": 0, "antialias": 0}
    if any(applied.attribute(word, usual) != usual for word, usual in plain.items()):
        return ()
    if mode == "nearest" and applied.attribute("nearest_mode") != "round_prefer_ceil":
        return ()
    if applied.given(2) is not None and applied.array(2).size:
        factors = applied.array(2).reshape(-1)[-len(sizes) :]
        if any(abs(f * n - m) > 1e-4 for f, n, m in zip(factors, sizes, out[2:], strict=True)):
            return ()
    name = RESIZED[mode, where][len(sizes) - 1]
    return _one(applied, f"{name}.vec", input=x, align_corners=where == "align_corners")


@_form("DepthToSpace")
def _depth_to_space(applied: Applied) -> Steps:
    """Move blocks of channels to positions, where the channels of a position are not adjacent."""
    images, channels, height, width = applied.x.shape
    block = applied.attribute("blocksize")
    if applied.attribute("mode", "DCR") != "DCR":
        return ()
    apart = (images, block, block, channels // block**2, height, width)
    turned = tuple(apart[axis] for axis in (0, 3, 4, 1, 5, 2))
    order = {"self": last(apart), "dims": (0, 3, 4, 1, 5, 2)}
    return (
        Foreign("aten.reshape.default", {"self": applied.x}, apart),
        Foreign("aten.permute.default", order, turned),
        Foreign("aten.reshape.default", {"self": last(turned)}, applied.out),
    )
