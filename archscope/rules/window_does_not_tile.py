"""SHP101."""

from __future__ import annotations

from archscope.axes import Window
from archscope.rules.network import Network
from archscope.rules.rule import Findings, Rule, rule


@rule("SHP101", "window-does-not-tile")
class WindowDoesNotTile(Rule, frozen=True, kw_only=True):
    """The windows of a layer end before its input does, so rows and columns are lost.

    The output size (W - F + 2P)/S + 1 is not an integer then, and torch rounds it down. AlexNet's
    first layer is the famous case: (224 - 11)/4 + 1 is 54.25; 227 gives 55. If only padding remains
    unread, as in most layers of stride 2, nothing is lost and nothing is reported. Nor are strides
    larger than the window, which skip inputs on purpose.

    What helps: padding, `ceil: true` of a pooling, or an input size that tiles.
    """

    def check(self, network: Network) -> Findings:
        for node in network.graph.nodes:
            windows = node.facts.window
            if not windows or len(node.ins) != 1:
                continue
            sides = tuple(zip(windows, node.ins[0][1:], strict=True))
            lost = tuple(
                _unread(window, size) if isinstance(window, Window) else 0 for window, size in sides
            )
            if any(lost):
                axis = next(place for place, unread in enumerate(lost) if unread)
                window, size = sides[axis]
                assert isinstance(window, Window)
                room = size + window.before + window.after - window.extent
                yield self.finding(
                    network,
                    f"{node.op.name} leaves the last {lost[axis]} of {size} positions unread:"
                    f" {room}/{window.stride} + 1 windows do not tile",
                    node,
                    unread=lost,
                    input=node.ins[0][1:],
                    kernel=window.kernel,
                    stride=window.stride,
                )


def _unread(window: Window, size: int) -> int:
    """Return the inputs after the last window, without padding and skipped ones."""
    last = (window.slide(size) - 1) * window.stride - window.before + window.extent
    skipped = max(window.stride - window.extent, 0)
    return max(size - last - skipped, 0)
