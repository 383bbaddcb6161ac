"""The options `--latency` and `--max-latency`: predict the latency of networks and limit it."""

from __future__ import annotations

from collections.abc import Iterable

import click
from msgspec import Struct, structs

from archscope.analysis import Analysis
from archscope.cli import FINDINGS, FINE
from archscope.cli.shared.options import Parsed, gathered, together
from archscope.cli.shared.terminal import warn
from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.latency.profile import Profile
from archscope.records.latency import Latency
from archscope.units import MILLISECONDS, format_measure


class Latencies(Struct, frozen=True):
    """Adds predicted latency to analyses if `--latency` names a profile."""

    latency: Profile | None = None
    max_latency: float | None = None  # milliseconds

    def __post_init__(self) -> None:
        """Raise OptionError for a limit without a profile."""
        if self.max_latency is not None and self.latency is None:
            raise OptionError("--max-latency needs --latency PROFILE, whose prediction it limits")

    def of(self, graph: Graph, batch: int = 1) -> Latency | None:
        """Return the predicted latency of a batch, or None without a profile."""
        if self.latency is None:
            return None
        from archscope.latency.predict import predict  # only if needed

        return predict(self.latency, graph, batch)

    def complete(self, analysis: Analysis, graph: Graph) -> Analysis:
        """Return the analysis with the predicted latency of its batch added."""
        if self.latency is None:
            return analysis
        return structs.replace(analysis, latency=self.of(graph, analysis.batch))

    def exit_code(self, found: Iterable[tuple[str, Latency | None]]) -> int:
        """Print which of the named networks exceed the limit, and return the exit code."""
        code = FINE
        for name, latency in found:
            most = self.max_latency
            if latency is not None and most is not None and latency.milliseconds > most:
                code = FINDINGS
                interval = f"{format_measure(latency.low)} to {format_measure(latency.high)}"
                warn(
                    f"over budget: {name}: latency {format_measure(latency.milliseconds)} ms >"
                    f" {format_measure(most)} ms, as '{latency.profile}' predicts ({interval})"
                )
        return code


def _profile(name: str) -> Profile:
    from archscope.latency.profile import load

    return load(name)


_profile_option = click.option(
    "--latency", type=Parsed(_profile), metavar="PROFILE",
    help="Predict latency with this profile: one from `archscope device list`, or a file.",
)  # fmt: skip
_limit_option = click.option(
    "--max-latency", type=Parsed(MILLISECONDS.parse), metavar="MILLISECONDS",
    help="Exit with 1 if the latency predicted by --latency exceeds this: --max-latency 8ms.",
)  # fmt: skip

latency_options = gathered("latencies", Latencies, together(_profile_option))
"""`--latency`, as the `latencies` of a command."""

latency_limit_options = gathered("latencies", Latencies, together(_profile_option, _limit_option))
"""`--latency` and `--max-latency`, as the `latencies` of a command."""
