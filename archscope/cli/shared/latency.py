"""The option by which a command predicts the latency of networks."""

from __future__ import annotations

import click
from msgspec import Struct, structs

from archscope.analysis import Analysis
from archscope.cli.shared.options import Parsed, gathered, together
from archscope.ir import Graph
from archscope.latency.profile import Profile


class Latencies(Struct, frozen=True):
    """Adds predicted latency to analyses, if the command line names a profile."""

    latency: Profile | None = None

    def complete(self, analysis: Analysis, graph: Graph) -> Analysis:
        """Return the analysis with the predicted latency of its batch."""
        if self.latency is None:
            return analysis
        from archscope.latency.predict import predict  # only where a prediction is asked for

        return structs.replace(analysis, latency=predict(self.latency, graph, analysis.batch))


def _profile(name: str) -> Profile:
    from archscope.latency.profile import load

    return load(name)


latency_options = gathered("latencies", Latencies, together(
    click.option(
        "--latency", type=Parsed(_profile), metavar="PROFILE",
        help="Add predicted milliseconds: a profile that `archscope device list` shows, or its"
        " file.",
    ),
))  # fmt: skip
"""`--latency`, as the `latencies` of a command."""
