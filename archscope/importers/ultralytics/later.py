"""Blocks of YOLOv9, YOLOv10 and YOLO12, and of RT-DETR."""

from __future__ import annotations

from archscope.importers.ultralytics.attention import attention
from archscope.importers.ultralytics.blocks import Blocks, chain, concat, conv, halves, pooled
from archscope.importers.ultralytics.csp import c2f, c3


def scdown(net: Blocks, path: str, x: str, c2: int, k: int, s: int) -> str:
    """Add a pointwise convolution, then a depthwise one that downsamples, as in YOLOv10."""
    node = conv(net, f"{path}.cv1", x, c2)
    return conv(net, f"{path}.cv2", node, c2, k, s, None, c2, act=False)


def c2fcib(net: Blocks, path: str, x: str, c2: int, n: int = 1, shortcut: bool = False,
           lk: bool = False, g: int = 1, e: float = 0.5) -> str:  # fmt: skip
    """Add a `C2f` of compact inverted blocks: of YOLOv10."""
    c = int(c2 * e)

    def block(at: str, y: str) -> str:
        node = conv(net, f"{at}.cv1.0", y, c, 3, 1, None, c)
        node = conv(net, f"{at}.cv1.1", node, 2 * c)
        if lk:
            large = conv(net, f"{at}.cv1.2.conv", node, 2 * c, 7, 1, 3, 2 * c, act=False)
            small = conv(net, f"{at}.cv1.2.conv1", node, 2 * c, 3, 1, 1, 2 * c, act=False)
            node = net.add(f"{at}.cv1.2.add", "add", large, small)
            node = net.activation(f"{at}.cv1.2", node, "nn.SiLU()")
        else:
            node = conv(net, f"{at}.cv1.2", node, 2 * c, 3, 1, None, 2 * c)
        node = conv(net, f"{at}.cv1.3", node, c)
        node = conv(net, f"{at}.cv1.4", node, c, 3, 1, None, c)
        return net.add(f"{at}.add", "add", y, node) if shortcut else node

    return c2f(net, path, x, c2, n, shortcut, g, e, inner=block)


def aconv(net: Blocks, path: str, x: str, c2: int) -> str:
    """Add average pooling and a convolution that downsamples, as in YOLOv9."""
    node = net.add(f"{path}.pool", "avgpool", x, kernel=2, stride=1)
    return conv(net, f"{path}.cv1", node, c2, 3, 2, 1)


def adown(net: Blocks, path: str, x: str, c2: int) -> str:
    """Add average pooling, then downsample each half in another way, as in YOLOv9."""
    node = net.add(f"{path}.pool", "avgpool", x, kernel=2, stride=1)
    first, second = halves(net, path, node, net.channels(node) // 2)
    first = conv(net, f"{path}.cv1", first, c2 // 2, 3, 2, 1)
    second = net.add(f"{path}.maxpool", "maxpool", second, kernel=3, stride=2, padding=1)
    second = conv(net, f"{path}.cv2", second, c2 // 2, 1, 1, 0)
    return concat(net, path, first, second)


def repconv(net: Blocks, path: str, x: str, c2: int, k: int = 3, s: int = 1, p: int | None = 1,
            g: int = 1, act: object = True) -> str:  # fmt: skip
    """Add parallel convolutions of 3x3 and 1x1; those of YOLOv7 also have a parallel norm."""
    names = ("rbr_dense", "rbr_1x1") if net.found.early else ("conv1", "conv2")
    pad = k // 2 if p is None else p
    parts = [
        conv(net, f"{path}.{names[0]}", x, c2, k, s, pad, g, act=False),
        conv(net, f"{path}.{names[1]}", x, c2, 1, s, pad - k // 2, g, act=False),
    ]
    if net.found.early and s == 1 and net.channels(x) == c2:
        norm = f"{path}.rbr_identity"
        parts.append(net.add(norm, "batchnorm", x, eps=0.001, momentum=0.03))
    return net.activation(path, net.add(f"{path}.add", "add", *parts), act)


def repc3(net: Blocks, path: str, x: str, c2: int, n: int = 3, e: float = 1.0) -> str:
    """Add a chain of `RepConv` beside a convolution: of RT-DETR."""
    c = int(c2 * e)
    first = conv(net, f"{path}.cv1", x, c)
    first = chain(net, path, first, n, lambda at, y: repconv(net, at, y, c))[-1]
    second = conv(net, f"{path}.cv2", x, c)
    node = net.add(f"{path}.add", "add", first, second)
    return node if c == c2 else conv(net, f"{path}.cv3", node, c2)


def rep_elan(net: Blocks, path: str, x: str, c2: int, c3_: int, c4: int, n: int = 1) -> str:
    """Add two chains of `RepCSP`, one after the other, and all results together: of YOLOv9."""

    def rep(at: str, y: str, wide: int) -> str:
        c = int(wide * 0.5)

        def block(place: str, z: str) -> str:
            node = repconv(net, f"{place}.cv1", z, c)
            return net.add(f"{place}.add", "add", z, conv(net, f"{place}.cv2", node, c, 3))

        return c3(net, at, y, wide, n, inner=block)

    first, second = halves(net, path, conv(net, f"{path}.cv1", x, c3_), c3_ // 2)
    parts = [first, second]
    for name in ("cv2", "cv3"):
        node = rep(f"{path}.{name}.0", parts[-1], c4)
        parts.append(conv(net, f"{path}.{name}.1", node, c4, 3))
    return conv(net, f"{path}.cv4", concat(net, path, *parts), c2)


def elan1(net: Blocks, path: str, x: str, c2: int, c3_: int, c4: int) -> str:
    """Add two convolutions, one after the other, and all results together: of YOLOv9."""
    parts = halves(net, path, conv(net, f"{path}.cv1", x, c3_), c3_ // 2)
    for name in ("cv2", "cv3"):
        parts.append(conv(net, f"{path}.{name}", parts[-1], c4, 3))
    return conv(net, f"{path}.cv4", concat(net, path, *parts), c2)


def sppelan(net: Blocks, path: str, x: str, c2: int, c3_: int, k: int = 5) -> str:
    """Add pooling over pooling, and all results together: of YOLOv9."""
    parts = [conv(net, f"{path}.cv1", x, c3_)]
    for name in ("cv2", "cv3", "cv4"):
        parts.append(pooled(net, f"{path}.{name}", parts[-1], k))
    return conv(net, f"{path}.cv5", concat(net, path, *parts), c2)


def a2c2f(
    net: Blocks, path: str, x: str, c2: int, n: int = 1, a2: bool = True, area: int = 1,
    residual: bool = False, mlp_ratio: float = 2.0, e: float = 0.5, g: int = 1,
    shortcut: bool = True,
) -> str:  # fmt: skip
    """Add a chain of area attention, Tian et al. 2025, and all results together."""
    c = int(c2 * e)
    if net.found.scale in ("l", "x"):
        residual, mlp_ratio = True, 1.2

    def attended(at: str, y: str) -> str:
        heads = c // 32
        seen = attention(net, f"{at}.attn", y, heads, c // max(heads, 1), 7, max(area, 1))
        y = net.add(f"{at}.add", "add", y, seen)
        node = conv(net, f"{at}.mlp.0", y, int(c * mlp_ratio))
        node = conv(net, f"{at}.mlp.1", node, c, act=False)
        return net.add(f"{at}.add_1", "add", y, node)

    def block(at: str, y: str) -> str:
        if a2:
            return attended(f"{at}.1", attended(f"{at}.0", y))
        return c3(net, at, y, c, 2, shortcut, g, kernels=(3, 3))

    parts = chain(net, path, conv(net, f"{path}.cv1", x, c), n, block)
    node = conv(net, f"{path}.cv2", concat(net, path, *parts), c2)
    if not (a2 and residual):
        return node
    node = net.add(f"{path}.gamma", "scale", node, initial=0.01)
    return net.add(f"{path}.add", "add", x, node)
