"""Matrix products, attention and norms."""

from __future__ import annotations

import re
from math import sqrt

from archscope.importers.coreml.norms import instance_norm, layer_norm, unit_length
from archscope.importers.coreml.program import Program, operation


@operation("linear")
def linear(t: Program) -> str:
    """Write a product with weights, and their bias."""
    x, weight = t.value("x"), t.value("weight")
    bias = [t.value("bias")] if t.has("bias") and not _is_added(t) else []
    return t.linear(x, weight, bias)


def _is_added(t: Program) -> bool:
    """Return whether a bias is the zeros that the converter adds where there is none."""
    (given,) = t.entry.inputs["bias"]
    made = isinstance(given, str) and re.fullmatch(r".*_bias_\d+(_to_fp16)?", given)
    return bool(made) and not t.array("bias").any()


@operation("matmul")
def matmul(t: Program) -> str:
    """Write a product of matrices, one of which may be transposed."""
    x, y = t.value("x"), t.value("y")
    turns = t.flag("transpose_x"), t.flag("transpose_y")
    if t.rank(x) == t.rank(y) == 2 and t.is_constant("y"):
        return str(t.op("Gemm", x, y, transA=int(turns[0]), transB=int(turns[1])))
    x, y = (
        t.turned(value, [*range(t.rank(value) - 2), t.rank(value) - 1, t.rank(value) - 2])
        if turn and t.rank(value) > 1
        else value
        for value, turn in zip((x, y), turns, strict=True)
    )
    return str(t.op("MatMul", x, y))


@operation("einsum")
def einsum(t: Program) -> str:
    """Write a sum of products."""
    return str(t.op("Einsum", *t.all_of("values"), equation=t.word("equation")))


@operation("scaled_dot_product_attention")
def attention(t: Program) -> str:
    """Write attention as its products and softmax."""
    query, key, value = (t.value(word) for word in ("query", "key", "value"))
    rank, width = t.rank(query), t.known_dims(query)[-1]
    scores = t.op("MatMul", query, t.turned(key, [*range(rank - 2), rank - 1, rank - 2]))
    scores = t.op("Mul", scores, t.number(1 / sqrt(width), query))
    if t.has("attn_mask"):
        mask = t.value("attn_mask")
        if t.element(mask) != t.element(query):  # true where positions are read
            mask = t.op("Where", mask, t.number(0, query), t.number(float("-inf"), query))
        scores = t.op("Add", scores, mask)
    return str(t.op("MatMul", t.op("Softmax", scores, axis=-1), value))


@operation("batch_norm")
def batch_norm(t: Program) -> str:
    """Write a norm with fixed statistics."""
    x = t.value("x")
    count = t.known_dims(t.value("mean"))
    factors = [
        t.value(word) if t.has(word) else t.filled(plain, count, x)
        for word, plain in (("gamma", 1), ("beta", 0))
    ]
    epsilon = t.real("epsilon", 1e-5)
    return str(
        t.op("BatchNormalization", x, *factors, t.value("mean"), t.value("variance"),
             epsilon=epsilon)
    )  # fmt: skip


@operation("instance_norm")
def instance(t: Program) -> str:
    """Write a norm of each channel of an image."""
    factors = [t.value(word) if t.has(word) else "" for word in ("gamma", "beta")]
    return instance_norm(t, t.value("x"), factors, t.real("epsilon", 1e-5))


@operation("layer_norm")
def layer(t: Program) -> str:
    """Write a norm over some axes."""
    x = t.value("x")
    factors = [t.value(word) if t.has(word) else "" for word in ("gamma", "beta")]
    return layer_norm(t, x, t.integers("axes", range(t.rank(x))), factors, t.real("epsilon", 1e-5))


@operation("l2_norm")
def length(t: Program) -> str:
    """Write the division by the Euclidean norm of the last three axes."""
    return unit_length(t, t.value("x"), [-3, -2, -1], t.real("epsilon", 1e-6))


@operation("local_response_norm")
def local_response_norm(t: Program) -> str:
    """Write a norm over neighbouring channels."""
    return str(
        t.op("LRN", t.value("x"), size=t.integer("size"), alpha=t.real("alpha", 1e-4),
             beta=t.real("beta", 0.75), bias=t.real("k", 1))
    )  # fmt: skip
