"""RFD102."""

from __future__ import annotations

from archscope.ir import text_of
from archscope.rules.kinds import convolution, taps
from archscope.rules.network import Network
from archscope.rules.rule import INFO, Findings, Rule, rule


@rule("RFD102", "layers-beyond-input")
class LayersBeyondInput(Rule, frozen=True, kw_only=True):
    """Layers widen a receptive field that already covers the whole input.

    share: share of the macs that such layers must have to be reported

    Where even the narrowest path to a layer sees more than the input is wide, a window larger than
    1x1 adds no new context. Richter et al. call the first such layer the border layer, and find
    that the layers after it hardly improve a network's predictions at this input size.

    The rule counts convolutions with windows larger than 1x1 whose input sees the whole image along
    its narrowest path, without global pooling.

    What helps: a larger input, or fewer layers; `archscope analyze NET --input 3x320x320` shows
    another size.

    Source: Richter et al. 2021, arXiv:2106.12307.
    """

    severity = INFO

    share: float = 0.1

    def check(self, network: Network) -> Findings:
        graph, fields = network.graph, network.fields.fields
        size = graph.by_name[network.fields.source].out[1:]
        beyond = []
        for node in network.conv_like:
            field = fields.get(node.inputs[0])
            if convolution(node) is None or taps(node) == 1 or field is None:
                continue
            seen = field.narrowest
            if seen and all(axis.size >= wide for axis, wide in zip(seen, size, strict=True)):
                beyond.append(node)
        macs = sum(graph.facts[node.name].macs for node in beyond)
        if macs > self.share * network.macs:
            yield self.finding(
                network,
                f"{len(beyond)} convolutions, from '{beyond[0].name}' on, widen a receptive field"
                f" that already covers all of {text_of(size)}:"
                f" {100 * macs / network.macs:.0f} % of the macs",
                beyond[0],
                layers=len(beyond),
                macs=macs,
                share=round(macs / network.macs, 4),
                params=sum(graph.facts[node.name].params for node in beyond),
            )
