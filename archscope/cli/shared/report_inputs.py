"""Read the inputs of a report from command-line arguments."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from archscope.analysis import Analysis
from archscope.cli.shared.latency import Latencies
from archscope.cli.shared.options import SpecReader
from archscope.cli.shared.prediction import Predictor
from archscope.cli.shared.terminal import say
from archscope.ir import Graph
from archscope.report.pages.inputs import ReportInputs
from archscope.report.pages.source_names import default_sources

MANY = 10  # more sources than this show progress


def read_inputs(
    sources: Sequence[str],
    reader: SpecReader,
    costs: dict[str, Any],
    predictor: Predictor,
    latencies: Latencies | None = None,
    before: str | None = None,
) -> ReportInputs:
    """Return the inputs of a report, and print problems. Raises ArchscopeError.

    If nothing can be shown, the first problem is raised. The options of the reader apply to specs,
    not to the networks of runs and studies.
    """
    reader.refuse_training(costs.get("training", False))
    times = latencies or Latencies()

    def complete(analysis: Analysis, graph: Graph) -> Analysis:
        return times.complete(predictor.complete(analysis, graph), graph)

    own = reader.unchanged.document
    inputs = ReportInputs(costs, reader.document, complete, read_own=own, before=before)
    sources = sources or default_sources()
    visible = len(sources) >= MANY and sys.stderr.isatty()
    with click.progressbar(sources, label="reading", file=sys.stderr, hidden=not visible) as bar:
        for source in bar:
            inputs.add(source)
    inputs.check()
    for problem in inputs.problems:
        say(f"not shown: {problem.source}: {problem.reason}")
    return inputs
