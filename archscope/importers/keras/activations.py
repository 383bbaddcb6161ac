"""Activations of Keras, as layers or at the end of others."""

from __future__ import annotations

from typing import Any

from archscope.errors import quoted
from archscope.importers.keras.config import KerasLayer
from archscope.importers.keras.conversion import Conversion

Steps = list[tuple[str, dict[str, Any]]]

ACTIVATIONS: dict[str, Steps] = {
    **{name: [(word, {})] for name, word in (
        ("relu", "relu"), ("relu6", "relu6"), ("sigmoid", "sigmoid"), ("tanh", "tanh"),
        ("softplus", "softplus"), ("softsign", "softsign"), ("soft_sign", "softsign"),
        ("swish", "silu"), ("silu", "silu"), ("elu", "elu"), ("celu", "elu"), ("glu", "glu"),
        ("gelu", "gelu"), ("hard_swish", "hardswish"), ("hard_silu", "hardswish"),
        ("softmax", "softmax"), ("log_softmax", "log_softmax"),
    )},
    "selu": [("unary", {"function": "selu"})], "mish": [("unary", {"function": "mish"})],
    "exponential": [("unary", {"function": "exp"})],
    "leaky_relu": [("leaky_relu", {"slope": 0.2})],
    "hard_tanh": [("clamp", {"min": -1, "max": 1})],
    "log_sigmoid": [("mul_scalar", {"factor": -1}), ("softplus", {}),
                    ("mul_scalar", {"factor": -1})],
}  # fmt: skip
"""The operators of each activation."""

EARLY_HARD_SIGMOID: Steps = [
    ("mul_scalar", {"factor": 0.2}), ("add_scalar", {"value": 0.5}), ("clamp", {"min": 0, "max": 1})
]  # fmt: skip
"""As Keras 2 has it."""

COSTS = {"relu_limited": 2, "hard_shrink": 2, "soft_shrink": 3, "tanh_shrink": 2, "threshold": 1,
         "sparse_plus": 4, "sparse_sigmoid": 4, "squareplus": 4}  # fmt: skip


def activation_of(layer: KerasLayer, key: str = "activation") -> str:
    """Return the name of an activation in the configuration of a layer."""
    given = layer.get(key)
    if isinstance(given, dict):
        config = given.get("config")
        given = config if isinstance(config, str) else given.get("class_name")
    return str(given or "linear").rsplit(">", maxsplit=1)[-1].lower()


def activated(net: Conversion, layer: KerasLayer, title: str, node: str) -> str:
    """Add the activation of a layer and return the last node."""
    name = activation_of(layer)
    if name == "linear":
        return node
    if name == "hard_sigmoid":
        steps = [("hardsigmoid", {})] if net.late else EARLY_HARD_SIGMOID
    elif name in ACTIVATIONS:
        steps = ACTIVATIONS[name]
    elif name in COSTS:
        title = f"{title}_{name}"
        return net.opaque(title, name, node, each=COSTS[name], pointwise=True)
    else:
        raise net.error(layer, f"has the unknown activation {quoted(name)}")
    for word, given in steps:
        node = net.add(f"{title}_{word}", word, node, **given)
    return node


def limited(net: Conversion, title: str, node: str, slope: float, most: float | None) -> str:
    """Add a ReLU, leaky if it has a slope, limited if it has a maximum."""
    if most == 6 and not slope:
        return net.add(title, "relu6", node)
    steps: Steps = [("leaky_relu", {"slope": slope}) if slope else ("relu", {})]
    if most is not None:
        steps.append(("clamp", {"max": most}))
    return net.chained(title, node, *steps)
