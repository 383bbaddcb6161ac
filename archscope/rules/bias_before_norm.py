"""NRM101."""

from __future__ import annotations

from archscope.language.edit import Edit
from archscope.ops.conv import Conv, ConvTranspose
from archscope.ops.linear import Linear
from archscope.ops.norm import BatchNorm
from archscope.rules.network import Network
from archscope.rules.rule import Findings, Fix, Rule, rule


@rule("NRM101", "bias-before-norm")
class BiasBeforeNorm(Rule, frozen=True, kw_only=True):
    """A layer with a bias is followed by a batch norm, which cancels the bias.

    Batch norm subtracts the mean of each channel, including the bias: its parameters, their
    gradients and their memory are wasted. The fix sets `bias: false`. It is unsafe because trained
    weights no longer fit: a trained bias must be subtracted from the running mean.

    Source: Ioffe and Szegedy 2015, arXiv:1502.03167, section 3.2.
    """

    fixes = "unsafe"

    def check(self, network: Network) -> Findings:
        for node in network.graph.nodes:
            if not isinstance(node.op, BatchNorm):
                continue
            before = network.graph.by_name[node.inputs[0]]
            if not isinstance(before.op, Conv | ConvTranspose | Linear) or not before.op.bias:
                continue
            if network.only_reader(before) is None:
                continue
            fix = None
            if before.at:
                at = before.at.line, before.at.column
                fix = Fix("set bias: false", (Edit(before.at.file, at, "bias", "false"),))
            biases = before.out[0]
            yield self.finding(
                network,
                f"{biases} biases before a batch norm have no effect",
                before,
                fix=fix,
                params=biases,
            )
