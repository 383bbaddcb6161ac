"""Element-wise operators of TensorFlow Lite: activations and arithmetic."""

from __future__ import annotations

from math import prod
from typing import Any

from archscope.importers.tflite.conversion import Constant, Conversion, Unsupported, Value
from archscope.importers.tflite.model_file import TfliteOperator
from archscope.ir import Shape

PLAIN: dict[str, tuple[str, dict[str, Any]]] = {
    "RELU": ("relu", {}), "RELU6": ("relu6", {}), "LOGISTIC": ("sigmoid", {}),
    "TANH": ("tanh", {}), "HARD_SWISH": ("hardswish", {}), "ELU": ("elu", {}),
    "RELU_N1_TO_1": ("clamp", {"min": -1.0, "max": 1.0}),
    "RELU_0_TO_1": ("clamp", {"min": 0.0, "max": 1.0}),
    "LOG_SOFTMAX": ("log_softmax", {}), "NEG": ("mul_scalar", {"factor": -1.0}),
    "L2_NORMALIZATION": ("normalize", {"eps": 1e-6}),
    **{name: ("unary", {"function": name.lower()})
       for name in ("ABS", "SQRT", "RSQRT", "EXP", "LOG", "SIN", "COS", "SQUARE", "FLOOR", "CEIL",
                    "ROUND", "SIGN")},
}  # fmt: skip
"""Operators that equal one of ours, with its attributes."""

FUSED = {1: "RELU", 2: "RELU_N1_TO_1", 3: "RELU6", 4: "TANH"}
"""The activations that can be fused into an operator, by their numbers in the schema."""

BOTH = {"ADD": "add", "SUB": "sub", "MUL": "mul", "DIV": "div", "MAXIMUM": "maximum",
        "MINIMUM": "minimum", "POW": "", "SQUARED_DIFFERENCE": "sub"}  # fmt: skip
"""Operators with two inputs, and the name of our equivalent."""

LEARNED = {"ADD": "add", "SUB": "sub", "MUL": "mul", "DIV": "div", "MAXIMUM": "maximum",
           "MINIMUM": "minimum", "POW": "pow", "SQUARED_DIFFERENCE": "sub"}  # fmt: skip
"""The function of `learned`, where the second value is a constant."""


def plain(net: Conversion, op: TfliteOperator) -> list[Value]:
    """Add an operator that equals one of ours."""
    word, given = PLAIN[op.kind]
    value = net.value(op)
    return [Value(net.add(net.title(op), word, net.node(op), **given), batched=value.batched)]


def activated(net: Conversion, op: TfliteOperator, node: str) -> str:
    """Add the fused activation of an operator and return the last node."""
    number = op.option("FusedActivationFunction", 0)
    if number == 0:
        return node
    if number not in FUSED:
        raise net.error(op, f"has the unknown activation {number}")
    word, given = PLAIN[FUSED[number]]
    return net.add(f"{net.title(op)}_{word}", word, node, **given)


def parametrised(net: Conversion, op: TfliteOperator) -> list[Value]:
    """Add an activation that has parameters."""
    title, value, node = net.title(op), net.value(op), net.node(op)
    if op.kind == "LEAKY_RELU":
        node = net.add(title, "leaky_relu", node, slope=_number(op.option("Alpha", 0.0)))
    elif op.kind == "GELU":
        node = net.add(title, "gelu", node, tanh=bool(op.option("Approximate", False)))
    elif op.kind == "SOFTMAX":
        beta = _number(op.option("Beta", 1.0))
        if beta != 1:
            node = net.add(f"{title}_times", "mul_scalar", node, factor=beta)
        node = net.add(title, "softmax", node)
    elif op.kind == "LOCAL_RESPONSE_NORMALIZATION":
        size = 2 * op.option("Radius", 5) + 1
        node = net.add(
            title, "lrn", node, size=size, beta=_number(op.option("Beta", 0.5)),
            k=_number(op.option("Bias", 1.0)),
            alpha=_number(op.option("Alpha", 1.0)) * size,  # on the sum, torch's on the mean
        )  # fmt: skip
    return [Value(node, batched=value.batched)]


def prelu(net: Conversion, op: TfliteOperator) -> list[Value]:
    """Add a leaky ReLU with learned slopes, of channels or of all together."""
    value, slopes, node = net.value(op), net.constant(op, 1), net.node(op)
    if slopes is None or prod(slopes.shape) not in (1, slopes.shape[-1]):
        raise Unsupported(work=2 * prod(net.shape(value)), products=0, pointwise=True)
    made = net.add(net.title(op), "prelu", node, slopes=prod(slopes.shape))
    net.hold(made, weight=(slopes, lambda array: array.reshape(-1)))
    return [Value(made, batched=value.batched)]


def binary(net: Conversion, op: TfliteOperator) -> list[Value]:
    """Add arithmetic of two values, of a value and a number, or of a value and a constant."""
    if len(op.inputs) < 2:
        raise net.error(op, "needs two inputs")
    left, right = net.constant(op, 0), net.constant(op, 1)
    value = net.value(op, 0 if right is not None or left is None else 1)
    if left is None and right is None:
        node = _of_two(net, op)
    else:
        constant = right or left
        assert constant is not None
        node = _with_constant(net, op, constant, first=right is None)
    if op.kind == "SQUARED_DIFFERENCE":
        node = net.add(f"{net.title(op)}_square", "unary", node, function="square")
    return [Value(activated(net, op, node), batched=value.batched)]


def total(net: Conversion, op: TfliteOperator) -> list[Value]:
    """Add the sum of several values."""
    nodes = [net.node(op, place) for place in range(len(op.inputs))]
    batched = net.value(op).batched
    return [Value(net.add(net.title(op), "add", *nodes) if nodes[1:] else nodes[0],
                  batched=batched)]  # fmt: skip


def _of_two(net: Conversion, op: TfliteOperator) -> str:
    word, title = BOTH[op.kind], net.title(op)
    values = [net.value(op, place) for place in (0, 1)]
    if not word or values[0].batched != values[1].batched:
        raise Unsupported(products=0)
    nodes = [net.node(op, place) for place in (0, 1)]
    ranks = [len(net.shape(node)) for node in nodes]
    for place, (node, rank) in enumerate(zip(nodes, ranks, strict=True)):
        if rank < max(ranks):  # the file broadcasts along the last axes
            channels, *sizes = net.shape(node)
            size = (channels, *(1,) * (max(ranks) - rank), *sizes)
            nodes[place] = net.add(f"{title}_reshape", "reshape", node, size=size)
    return net.add(title, word, *nodes)


def _with_constant(
    net: Conversion, op: TfliteOperator, constant: Constant, first: bool
) -> str:  # fmt: skip
    """Add arithmetic with a constant, which is the first of the two or the second."""
    place = 1 if first else 0
    value, node, title = net.value(op, place), net.node(op, place), net.title(op)
    if prod(constant.shape) == 1:
        number = _number(net.array(constant).reshape(-1)[0])
        return _with_number(net, op, node, number, first)
    size = _broadcast(net, value, constant.shape)
    if op.kind == "MUL" and size[0] == net.shape(node)[0] and prod(size[1:]) == 1:
        made = net.add(title, "scale", node)
        net.hold(made, weight=(constant, lambda array: array.reshape(-1)))
        return made
    function = LEARNED[op.kind]
    if first and function in ("sub", "div", "pow"):
        function = {"sub": "rsub", "div": "rdiv"}.get(function, "")
    if not function:
        raise Unsupported(products=0, pointwise=True)
    made = net.add(title, "learned", node, function=function, size=size)
    shape = constant.shape
    last_first = (len(shape) - 1, *range(len(shape) - 1))
    net.hold(made, weight=(constant, lambda array: array.transpose(last_first).reshape(size)))
    return made


def _broadcast(net: Conversion, value: Value, shape: Shape) -> Shape:
    """Return the shape of a constant that broadcasts with a node."""
    rank = len(net.file_shape(value))
    full = (1,) * (rank - len(shape)) + shape
    if value.batched:
        if len(full) != rank or full[0] != 1:
            raise Unsupported(products=0)
        full = full[1:]
    return (full[-1], *full[:-1])


def _with_number(
    net: Conversion, op: TfliteOperator, node: str, number: float, first: bool
) -> str:  # fmt: skip
    title, kind = net.title(op), op.kind
    if kind == "ADD":
        return net.add(title, "add_scalar", node, value=number)
    if kind == "SUB" and first:
        return net.add(title, "rsub", node, value=number)
    if kind in ("SUB", "SQUARED_DIFFERENCE"):
        return net.add(title, "add_scalar", node, value=-number)
    if kind == "MUL":
        return net.add(title, "mul_scalar", node, factor=number)
    if kind == "DIV" and first:
        node = net.add(f"{title}_reciprocal", "unary", node, function="reciprocal")
        return net.add(title, "mul_scalar", node, factor=number)
    if kind == "DIV" and number:
        return net.add(title, "div_scalar", node, divisor=number)
    if kind == "POW" and not first:
        return net.add(title, "pow", node, exponent=number)
    if kind in ("MAXIMUM", "MINIMUM"):
        limit = {"min" if kind == "MAXIMUM" else "max": number}
        return net.add(title, "clamp", node, **limit)
    raise Unsupported(products=0, pointwise=True)


def _number(value: Any) -> float:
    """Return the shortest decimal number that equals a number in single precision."""
    return float(f"{float(value):.9g}")
