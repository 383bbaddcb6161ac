"""Attention over positions in YOLO models: of YOLOv10 and YOLO11."""

from __future__ import annotations

from math import prod

from archscope.importers.ultralytics.blocks import Blocks, chain, concat, conv, halves


def attention(
    net: Blocks, path: str, x: str, heads: int, key: int, kernel: int, areas: int = 1
) -> str:
    """Add attention over positions, with a depthwise convolution as positional encoding.

    The positions may be split into independent areas.
    """
    dim, *sizes = net.shape(x)
    if heads < 1 or dim % heads or key < 1:
        raise net.made.error(f"attention of {heads} heads does not fit {dim} channels", net.line)
    each, places = dim // heads, prod(sizes)
    qkv = conv(net, f"{path}.qkv", x, dim + 2 * heads * key, act=False)
    step = each + 2 * key
    values = [
        net.add(f"{path}.v", "slice", qkv, start=at * step + 2 * key, stop=(at + 1) * step)
        for at in range(heads)
    ]
    value = concat(net, path, *values) if heads > 1 else values[0]
    scores = heads * places * (places // areas)
    seen = net.made.opaque(
        f"{path}.attention", net.line, "ultralytics.Attention", (qkv,), size=(dim, *sizes),
        products=scores * (key + each), work=6 * scores,
    )  # fmt: skip
    near = conv(net, f"{path}.pe", value, dim, kernel, 1, None, dim, act=False)
    return conv(net, f"{path}.proj", net.add(f"{path}.add", "add", seen, near), dim, act=False)


def psa_block(net: Blocks, path: str, x: str, heads: int) -> str:
    """Add attention and two convolutions, each with a shortcut."""
    c = net.channels(x)
    key = int(c // max(heads, 1) * 0.5)
    x = net.add(f"{path}.add", "add", x, attention(net, f"{path}.attn", x, heads, key, 3))
    node = conv(net, f"{path}.ffn.0", x, 2 * c)
    node = conv(net, f"{path}.ffn.1", node, c, act=False)
    return net.add(f"{path}.add_1", "add", x, node)


def c2psa(net: Blocks, path: str, x: str, c2: int, n: int = 1, e: float = 0.5) -> str:
    """Add a split, and a chain of attention blocks on the second half."""
    c = int(net.channels(x) * e)
    first, second = halves(net, path, conv(net, f"{path}.cv1", x, 2 * c), c)
    last = chain(net, path, second, n, lambda at, y: psa_block(net, at, y, c // 64))[-1]
    return conv(net, f"{path}.cv2", concat(net, path, first, last), c2)


def psa(net: Blocks, path: str, x: str, c2: int, e: float = 0.5) -> str:
    """Add a split, and an attention block on the second half: of YOLOv10."""
    c = int(net.channels(x) * e)
    first, second = halves(net, path, conv(net, f"{path}.cv1", x, 2 * c), c)
    last = psa_block(net, path, second, c // 64)
    return conv(net, f"{path}.cv2", concat(net, path, first, last), c2)
