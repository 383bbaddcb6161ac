"""The options by which a command predicts the latency of networks, and limits it."""

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
    """Adds predicted latency to analyses, if the command line names a profile."""

    latency: Profile | None = None
    max_latency: float | None = None  # milliseconds

    def __post_init__(self) -> None:
        """Raise OptionError for a latency limit without a profile to predict by."""
        if self.max_latency is not None and self.latency is None:
            raise OptionError("--max-latency limits what --latency PROFILE predicts; add that")

    def of(self, graph: Graph, batch: int = 1) -> Latency | None:
        """Return the predicted latency of a batch, if the command line names a profile."""
        if self.latency is None:
            return None
        from archscope.latency.predict import predict  # only where a prediction is asked for

        return predict(self.latency, graph, batch)

    def complete(self, analysis: Analysis, graph: Graph) -> Analysis:
        """Return the analysis with the predicted latency of its batch."""
        if self.latency is None:
            return analysis
        return structs.replace(analysis, latency=self.of(graph, analysis.batch))

    def exit_code(self, found: Iterable[tuple[str, Latency | None]]) -> int:
        """Print which networks, by name, are predicted to be too slow, and return the exit code."""
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


def _milliseconds(text: str) -> float:
    try:
        return MILLISECONDS.parse(text)
    except OptionError as error:
        raise OptionError(f"--max-latency: {error}") from None


def _profile(name: str) -> Profile:
    from archscope.latency.profile import load

    return load(name)


_profile_option = click.option(
    "--latency", type=Parsed(_profile), metavar="PROFILE",
    help="Add predicted milliseconds: a profile that `archscope device list` shows, or its file.",
)  # fmt: skip
_limit_option = click.option(
    "--max-latency", type=Parsed(_milliseconds), metavar="MILLISECONDS",
    help="Exit with 1 above this: --max-latency 8ms (as --latency predicts it).",
)  # fmt: skip

latency_options = gathered("latencies", Latencies, together(_profile_option))
"""`--latency`, as the `latencies` of a command."""

latency_limit_options = gathered("latencies", Latencies, together(_profile_option, _limit_option))
"""`--latency` and `--max-latency`, as the `latencies` of a command."""
