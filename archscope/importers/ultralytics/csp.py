"""The cross-stage partial blocks of YOLO models, and their parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from archscope.importers.ultralytics.attention import psa_block
from archscope.importers.ultralytics.blocks import (
    Blocks,
    Side,
    chain,
    concat,
    conv,
    dwconv,
    halves,
    pooled,
)


def bottleneck(
    net: Blocks, path: str, x: str, c2: int, shortcut: bool = True, g: int = 1,
    k: Sequence[Side] | None = None, e: float = 0.5,
) -> str:  # fmt: skip
    """Add two convolutions, with a shortcut if the shapes agree."""
    k = k or ((1, 3) if net.found.early else (3, 3))
    node = conv(net, f"{path}.cv1", x, int(c2 * e), k[0])
    node = conv(net, f"{path}.cv2", node, c2, k[1], 1, None, g)
    return net.add(f"{path}.add", "add", x, node) if shortcut and net.channels(x) == c2 else node


def c2f(
    net: Blocks, path: str, x: str, c2: int, n: int = 1, shortcut: bool = False, g: int = 1,
    e: float = 0.5, inner: Callable[[str, str], str] | None = None,
) -> str:  # fmt: skip
    """Add a split, a chain of blocks on one half, and all their results together."""
    c = int(c2 * e)
    node = conv(net, f"{path}.cv1", x, 2 * c)
    first, second = halves(net, path, node, c)

    def block(at: str, y: str) -> str:
        return bottleneck(net, at, y, c, shortcut, g, (3, 3), 1.0)

    parts = chain(net, path, second, n, inner or block)
    return conv(net, f"{path}.cv2", concat(net, path, first, *parts), c2)


def c3k2(
    net: Blocks, path: str, x: str, c2: int, n: int = 1, c3k: bool = False, e: float = 0.5,
    attn: int = False, g: int = 1, shortcut: bool = True,
) -> str:  # fmt: skip
    """Add a `C2f` of bottlenecks, of `C3` with 3x3 kernels, or of bottlenecks with attention."""
    c = int(c2 * e)
    if attn is not True and attn:
        g = attn  # groups stood here before YOLO26
    deep = bool(c3k) or net.found.scale in tuple("mlx")

    def block(at: str, y: str) -> str:
        if attn is True:
            node = bottleneck(net, f"{at}.0", y, c, shortcut, g)
            return psa_block(net, f"{at}.1", node, max(c // 64, 1))
        if deep:
            return c3(net, at, y, c, 2, shortcut, g, kernels=(3, 3))
        return bottleneck(net, at, y, c, shortcut, g)

    return c2f(net, path, x, c2, n, shortcut, g, e, inner=block)


def c3(
    net: Blocks, path: str, x: str, c2: int, n: int = 1, shortcut: bool = True, g: int = 1,
    e: float = 0.5, kernels: Sequence[Side] = (1, 3),
    inner: Callable[[str, str], str] | None = None,
) -> str:  # fmt: skip
    """Add a chain of blocks parallel to a convolution, and concatenate both."""
    c = int(c2 * e)

    def block(at: str, y: str) -> str:
        return bottleneck(net, at, y, c, shortcut, g, kernels, 1.0)

    first = conv(net, f"{path}.cv1", x, c)
    first = chain(net, path, first, n, inner or block)[-1]
    second = conv(net, f"{path}.cv2", x, c)
    return conv(net, f"{path}.cv3", concat(net, path, first, second), c2)


def c3x(net: Blocks, path: str, x: str, c2: int, n: int = 1, shortcut: bool = True,
        g: int = 1, e: float = 0.5) -> str:  # fmt: skip
    """Add a `C3` with kernels of 1x3 and 3x1."""
    return c3(net, path, x, c2, n, shortcut, g, e, ((1, 3), (3, 1)))


def c1(net: Blocks, path: str, x: str, c2: int, n: int = 1) -> str:
    """Add a convolution, and a chain of others on its result."""
    first = conv(net, f"{path}.cv1", x, c2)
    last = chain(net, path, first, n, lambda at, y: conv(net, at, y, c2, 3))[-1]
    return net.add(f"{path}.add", "add", last, first)


def c2_(net: Blocks, path: str, x: str, c2: int, n: int = 1, shortcut: bool = True, g: int = 1,
        e: float = 0.5) -> str:  # fmt: skip
    """Add a split, and a chain of bottlenecks on the first half."""
    c = int(c2 * e)
    first, second = halves(net, path, conv(net, f"{path}.cv1", x, 2 * c), c)

    def block(at: str, y: str) -> str:
        return bottleneck(net, at, y, c, shortcut, g, (3, 3), 1.0)

    last = chain(net, path, first, n, block)[-1]
    return conv(net, f"{path}.cv2", concat(net, path, last, second), c2)


def bottleneck_csp(net: Blocks, path: str, x: str, c2: int, n: int = 1, shortcut: bool = True,
                   g: int = 1, e: float = 0.5) -> str:  # fmt: skip
    """Add a cross-stage partial bottleneck, Wang et al. 2019."""
    c = int(c2 * e)
    last = chain(net, path, conv(net, f"{path}.cv1", x, c), n,
                 lambda at, y: bottleneck(net, at, y, c, shortcut, g, e=1.0))[-1]  # fmt: skip
    first = net.add(f"{path}.cv3", "conv", last, out=c, bias=False)
    second = net.add(f"{path}.cv2", "conv", x, out=c, bias=False)
    node = concat(net, path, first, second)
    node = net.add(f"{path}.bn", "batchnorm", node, eps=0.001, momentum=0.03)
    return conv(net, f"{path}.cv4", net.activation(path, node, True), c2)


def sppf(net: Blocks, path: str, x: str, c2: int, k: int = 5, n: int = 3,
         shortcut: bool = False) -> str:  # fmt: skip
    """Add pooling over pooling, and all results together."""
    # Since YOLO26 a third argument is the number of pools, and its first convolution is linear.
    late = net.found.options["end2end"] is not None
    parts = [conv(net, f"{path}.cv1", x, net.channels(x) // 2, act=not late)]
    for place in range(n):
        parts.append(pooled(net, f"{path}.m{place}", parts[-1], k))
    node = conv(net, f"{path}.cv2", concat(net, path, *parts), c2)
    fits = shortcut and net.channels(x) == c2
    return net.add(f"{path}.add", "add", node, x) if fits else node


def spp(net: Blocks, path: str, x: str, c2: int, k: Sequence[int] = (5, 9, 13)) -> str:
    """Add pooling with several kernels, and all results together."""
    first = conv(net, f"{path}.cv1", x, net.channels(x) // 2)
    parts = [first, *(pooled(net, f"{path}.m.{i}", first, size) for i, size in enumerate(k))]
    return conv(net, f"{path}.cv2", concat(net, path, *parts), c2)


def focus(net: Blocks, path: str, x: str, c2: int, k: int = 1, s: int = 1, p: int | None = None,
          g: int = 1, act: object = True) -> str:  # fmt: skip
    """Add a convolution behind blocks of positions as channels."""
    node = net.add(f"{path}.focus", "space_to_depth", x)
    return conv(net, f"{path}.conv", node, c2, k, s, p, g, act=act)


def ghost_conv(net: Blocks, path: str, x: str, c2: int, k: int = 1, s: int = 1, g: int = 1,
               act: object = True) -> str:  # fmt: skip
    """Add a convolution to half of the channels, and a depthwise one for the rest."""
    first = conv(net, f"{path}.cv1", x, c2 // 2, k, s, None, g, act=act)
    second = conv(net, f"{path}.cv2", first, c2 // 2, 5, 1, None, c2 // 2, act=act)
    return concat(net, path, first, second)


def ghost_bottleneck(net: Blocks, path: str, x: str, c2: int, k: int = 3, s: int = 1) -> str:
    """Add the bottleneck of GhostNet, Han et al. 2020."""
    node = ghost_conv(net, f"{path}.conv.0", x, c2 // 2)
    if s == 2:
        node = dwconv(net, f"{path}.conv.1", node, c2 // 2, k, s, act=False)
        x = dwconv(net, f"{path}.shortcut.0", x, net.channels(x), k, s, act=False)
        x = conv(net, f"{path}.shortcut.1", x, c2, act=False)
    node = ghost_conv(net, f"{path}.conv.2", node, c2, act=False)
    return net.add(f"{path}.add", "add", node, x)


def c3ghost(net: Blocks, path: str, x: str, c2: int, n: int = 1, shortcut: bool = True,
            g: int = 1, e: float = 0.5) -> str:  # fmt: skip
    """Add a `C3` of ghost bottlenecks."""
    c = int(c2 * e)
    return c3(net, path, x, c2, n, shortcut, g, e,
              inner=lambda at, y: ghost_bottleneck(net, at, y, c))  # fmt: skip
