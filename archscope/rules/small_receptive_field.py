"""RFD101."""

from __future__ import annotations

from archscope.ir import text_of
from archscope.rules.network import Network
from archscope.rules.rule import Findings, Rule, rule
from archscope.units import format_apart


@rule("RFD101", "small-receptive-field")
class SmallReceptiveField(Rule, frozen=True, kw_only=True):
    """The last feature map sees only a small part of the input.

    coverage: receptive field relative to the input, along the axis where this is smallest

    An object larger than the receptive field is recognised by its parts; global pooling adds them
    up and cannot relate them to each other. The effective field, which has most of the weight, is
    smaller still.

    Networks with attention among all positions are exempt: attention relates the parts.

    The threshold: half of the input. Araujo et al. find that accuracy grows with the field up to
    about the size of the input.

    What helps: earlier strides, more layers, larger windows, or dilation late in the network.

    Source: Araujo, Norris and Sim 2019, Distill, "Computing receptive fields of convolutional
    neural networks"; Luo et al. 2017, arXiv:1701.04128.
    """

    coverage: float = 0.5

    def check(self, network: Network) -> Findings:
        trunk = network.fields.trunk(network.graph)
        if trunk is None:
            return
        field = network.fields.fields[trunk]
        if field.axes is None or not field.known or field.gated:
            return
        seen = network.fields.fields.items()
        if any(all_.axes is None and network.graph.by_name[n].op.relates for n, all_ in seen):
            return
        input_ = network.graph.by_name[network.fields.source].out[1:]
        sizes = tuple(axis.size for axis in field.axes)
        shares = [min(seen / size, 1.0) for seen, size in zip(sizes, input_, strict=True)]
        if min(shares) < self.coverage:
            coverage = format_apart(min(shares), self.coverage, 2)
            yield self.finding(
                network,
                f"the last feature map sees {text_of(sizes)} of {text_of(input_)} inputs"
                f" (coverage {coverage}, limit {self.coverage:g})",
                network.graph.by_name[trunk],
                receptive_field=sizes,
                input=input_,
                coverage=round(min(shares), 4),
            )
