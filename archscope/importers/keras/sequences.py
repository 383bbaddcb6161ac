"""Layers of Keras over sequences, and products of values: attention, recurrence, embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from archscope.errors import quoted
from archscope.importers.keras.activations import activation_of
from archscope.importers.keras.config import KerasLayer, wrapped
from archscope.importers.keras.conversion import Conversion

RECURRENT = {"LSTM": ("lstm", 4), "GRU": ("gru", 3), "SimpleRNN": ("rnn", 1)}
"""Our operator for each kind of layer, and the number of its gates."""


def recurrent(net: Conversion, layer: KerasLayer, title: str, node: str) -> str:
    """Add a recurrent layer; the number of its biases is that of Keras."""
    return _recurrent(net, layer, title, node, both=False)


def _recurrent(net: Conversion, layer: KerasLayer, title: str, node: str, both: bool) -> str:
    word, gates = RECURRENT[layer.kind]
    bias, hidden = bool(layer.get("use_bias", True)), int(layer.get("units"))
    function = activation_of(layer) if layer.get("activation") else "tanh"
    gate = activation_of(layer, "recurrent_activation")
    twice = layer.kind == "GRU" and bool(layer.get("reset_after", True))
    plain = function == "tanh" or (word == "rnn" and function == "relu")
    plain = plain and (word == "rnn" or gate in ("sigmoid", "linear"))
    sequence, ways = bool(layer.get("return_sequences", False)), 1 + both
    channels, *steps = net.shape(node)
    own = gates * hidden * ways
    if not plain or layer.get("return_state", False) or (word == "gru" and not twice):
        size = (hidden * ways, *(steps if sequence else ()))
        learned = own * (channels + hidden + bias)
        products = prod(steps) * own * (channels + hidden)
        return net.opaque(title, layer.kind, node, size=size, learned=learned, products=products)
    given: dict[str, Any] = {"hidden": hidden, "bias": bias, "bidirectional": both}
    if word == "rnn":
        given["function"] = function
    if layer.get("go_backwards", False):
        node = net.add(f"{title}_reversed", "flip", node, axes=[1])
    made = net.add(title, word, node, result="sequence" if sequence else "state", **given)
    if bias and not twice:
        params = net.made.builder.nodes[made].facts.params
        net.made.builder.count(made, params - own)
    return made


def bidirectional(net: Conversion, layer: KerasLayer, title: str, node: str) -> str:
    """Add a recurrent layer that reads the positions in both orders."""
    inner = wrapped(layer)
    if inner.kind not in RECURRENT:
        raise net.error(layer, f"around {quoted(inner.kind)} is not supported")
    made = _recurrent(net, inner, title, node, both=True)
    mode = layer.config.get("merge_mode", "concat")
    if mode == "concat":
        return made
    words = {"sum": "add", "ave": "add", "mul": "mul"}
    if mode not in words:
        raise net.error(layer, f"merges both ways by {quoted(mode)}, which is not supported")
    half = net.shape(made)[0] // 2
    parts = [net.add(f"{title}_way", "slice", made, start=start, stop=start + half)
             for start in (0, half)]  # fmt: skip
    merged = net.add(f"{title}_{words[mode]}", words[mode], *parts)
    return net.add(f"{title}_mean", "mul_scalar", merged, factor=0.5) if mode == "ave" else merged


def embedding(net: Conversion, layer: KerasLayer, title: str, node: str) -> str:
    """Add the learned vector of each index."""
    size, out = layer.get("input_dim"), layer.get("output_dim")
    return net.add(title, "embedding", node, size=size, out=out)


def multi_head(net: Conversion, layer: KerasLayer, title: str, nodes: Sequence[str]) -> str:
    """Add multi-head attention of queries, values and keys, in this order, over all positions."""
    query, value = nodes[0], nodes[1] if len(nodes) > 1 else nodes[0]
    key = nodes[2] if len(nodes) > 2 else value
    heads, width = int(layer.get("num_heads", 1)), int(layer.get("key_dim"))
    out = layer.get("output_shape", net.shape(query)[0])
    out = out[0] if isinstance(out, list) and len(out) == 1 else out
    if layer.get("attention_axes") not in (None, [1]) or len(nodes) > 3 or len(
        net.shape(query)) != 2:  # fmt: skip
        raise net.error(layer, "attends along several axes or with a mask, which is not supported")
    bias = bool(layer.get("use_bias", True))
    widths = (width, width, int(layer.get("value_dim", width)))
    parts = [
        net.add(f"{title}/{word}", "conv", node, out=heads * each, bias=bias)
        for word, node, each in zip(("query", "key", "value"), (query, key, value), widths,
                                    strict=True)
    ]  # fmt: skip
    attended = net.add(f"{title}/attention", "dot_product_attention", *parts, heads=heads)
    return net.add(f"{title}/output", "conv", attended, out=out, bias=bias)


def attention(net: Conversion, layer: KerasLayer, title: str, nodes: Sequence[str]) -> str:
    """Add attention of queries, values and keys, in this order, without weights."""
    query, value, key = nodes[0], nodes[1], nodes[2] if len(nodes) > 2 else nodes[1]
    if layer.get("score_mode", "dot") != "dot" or {len(net.shape(n)) for n in nodes} != {2}:
        raise net.error(layer, "scores in a way that is not supported")
    scores = net.add(f"{title}_scores", "einsum", query, key, equation="cq,ck->qk")
    if layer.get("use_scale", False):
        scores = net.add(f"{title}_scale", "learned", scores, size=(1, 1), function="mul")
    weights = net.add(f"{title}_softmax", "softmax", scores, axis=1)
    return net.add(title, "einsum", weights, value, equation="qk,ck->cq")


def dot(net: Conversion, layer: KerasLayer, title: str, nodes: Sequence[str]) -> str:
    """Add the sum of products along an axis of each of two values."""
    given = layer.get("axes", -1)
    axes = given if isinstance(given, list) else [given, given]
    own = [net.axis(layer, axis, node) for axis, node in zip(axes, nodes, strict=True)]
    if layer.get("normalize", False):
        nodes = [net.add(f"{title}_normalize", "normalize", node, axis=axis)
                 for node, axis in zip(nodes, own, strict=True)]  # fmt: skip
    ranks = [len(net.shape(node)) for node in nodes]
    if ranks == [1, 1]:
        product = net.add(f"{title}_mul", "mul", *nodes)
        return net.add(title, "reduce", product, function="sum", axes=[0])
    letters = ["abcd"[: ranks[0]], "efgh"[: ranks[1]]]  # of our axes, the channels first
    letters = [word.replace(word[axis], "z") for word, axis in zip(letters, own, strict=True)]
    kept = [(word[1:] + word[0]).replace("z", "") for word in letters]
    result = "".join(kept)
    equation = f"{letters[0]},{letters[1]}->{result[-1] + result[:-1]}"
    return net.add(title, "einsum", *nodes, equation=equation)
