"""Blocks of YOLOv7 and of the models it grew from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from archscope.importers.ultralytics.blocks import Blocks, chain, concat, conv, pooled
from archscope.importers.ultralytics.csp import bottleneck


def csp(
    net: Blocks, path: str, x: str, c2: int, n: int, kind: str,
    block: Callable[[str, str, int], str],
) -> str:  # fmt: skip
    """Add one of the three cross-stage partial layers of YOLOv7's models, A, B or C."""
    c = c2 if kind == "B" else c2 // 2
    first = conv(net, f"{path}.cv1", x, c)
    second = conv(net, f"{path}.cv2", first if kind == "B" else x, c)
    last = chain(net, path, first, n, lambda at, y: block(at, y, c))[-1]
    if kind == "C":
        last = conv(net, f"{path}.cv3", last, c)
    end = "cv4" if kind == "C" else "cv3"
    return conv(net, f"{path}.{end}", concat(net, path, last, second), c2)


def res(net: Blocks, path: str, x: str, c2: int, shortcut: bool = True, g: int = 1,
        e: float = 0.5) -> str:  # fmt: skip
    """Add the bottleneck of ResNet."""
    c = int(c2 * e)
    node = conv(net, f"{path}.cv1", x, c)
    node = conv(net, f"{path}.cv2", node, c, 3, 1, None, g)
    node = conv(net, f"{path}.cv3", node, c2)
    return net.add(f"{path}.add", "add", x, node) if shortcut and net.channels(x) == c2 else node


def bottleneck_csp_of(kind: str) -> Callable[..., str]:
    """Return the function that adds a layer of bottlenecks of kind A, B or C."""

    def add(net: Blocks, path: str, x: str, c2: int, n: int = 1,
            shortcut: bool = kind != "B", g: int = 1) -> str:  # fmt: skip
        def block(at: str, y: str, c: int) -> str:
            return bottleneck(net, at, y, c, shortcut, g, (1, 3), 1.0)

        return csp(net, path, x, c2, n, kind, block)

    return add


def res_csp_of(kind: str, groups: int, e: float) -> Callable[..., str]:
    """Return the function that adds a layer of ResNet's bottlenecks of kind A, B or C."""

    def add(net: Blocks, path: str, x: str, c2: int, n: int = 1, shortcut: bool = True,
            g: int = groups) -> str:  # fmt: skip
        def block(at: str, y: str, c: int) -> str:
            return res(net, at, y, c, shortcut, g, e)

        return csp(net, path, x, c2, n, kind, block)

    return add


def sppcspc(net: Blocks, path: str, x: str, c2: int, n: int = 1, shortcut: bool = False,
            g: int = 1, e: float = 0.5, k: Sequence[int] = (5, 9, 13)) -> str:  # fmt: skip
    """Add pooling with several kernels parallel to a convolution, as in YOLOv7."""
    c = int(2 * c2 * e)
    node = conv(net, f"{path}.cv3", conv(net, f"{path}.cv1", x, c), c, 3)
    node = conv(net, f"{path}.cv4", node, c)
    parts = [node, *(pooled(net, f"{path}.m.{i}", node, size) for i, size in enumerate(k))]
    node = conv(net, f"{path}.cv5", net.add(f"{path}.pools", "concat", *parts), c)
    node = conv(net, f"{path}.cv6", node, c, 3)
    second = conv(net, f"{path}.cv2", x, c)
    return conv(net, f"{path}.cv7", concat(net, path, node, second), c2)


def downc(net: Blocks, path: str, x: str, c2: int, n: int = 1, k: int = 2) -> str:
    """Add two parallel ways of downsampling, as in YOLOv7."""
    first = conv(net, f"{path}.cv1", x, net.channels(x))
    first = conv(net, f"{path}.cv2", first, c2 // 2, 3, k)
    second = net.add(f"{path}.mp", "maxpool", x, kernel=k, stride=k)
    return concat(net, path, first, conv(net, f"{path}.cv3", second, c2 // 2))


def stem(net: Blocks, path: str, x: str, c2: int) -> str:
    """Add the stem of YOLOR's CSP models."""
    c = int(c2 / 2)
    first = conv(net, f"{path}.cv1", x, c, 3, 2)
    second = net.add(f"{path}.pool", "maxpool", first, kernel=2)
    first = conv(net, f"{path}.cv3", conv(net, f"{path}.cv2", first, c), c, 3, 2)
    return conv(net, f"{path}.cv4", concat(net, path, first, second), c2)
