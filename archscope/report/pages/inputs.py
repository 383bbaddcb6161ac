"""Read the networks, runs and studies of a report from specs, folders and JSON files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from archscope import __version__
from archscope.analysis import Analysis, analyze
from archscope.analysis.saved import saved_analyses
from archscope.decoding import convert, decode_json
from archscope.drawing.overlay import OverlayFile, node_names
from archscope.drawing.tree import tree_of
from archscope.errors import ArchscopeError, OptionError, RecordError, reason_of
from archscope.ir import Graph
from archscope.language import graph as graph_of
from archscope.language.document import Document
from archscope.linter import lint
from archscope.linter.records import record
from archscope.linter.targets import is_folder
from archscope.metrics import WEIGHT_BYTES
from archscope.records.run_folder import BEST, is_run
from archscope.report.naming import told_apart
from archscope.report.pages.answer import answer
from archscope.report.pages.before import original_run, with_before
from archscope.report.pages.compression_section import is_compression, read_compression
from archscope.report.pages.content import (
    FORMAT,
    CompressionSection,
    MeasuredAccuracy,
    NetworkSection,
    Page,
    Problem,
    RunSection,
    StudySection,
)
from archscope.report.pages.network_section import describe_network
from archscope.report.pages.run_section import read_run
from archscope.report.pages.seeds import Training, over_seeds, training_key
from archscope.report.pages.source_names import named_folders
from archscope.report.pages.study_section import best_accuracy, is_study, read_study
from archscope.report.pages.summary import measures_of, summary, winners
from archscope.rules.network import Network
from archscope.rules.rule import RULES, Guideline
from archscope.sources import document

LARGEST = 1 << 28  # bytes of a JSON file; an analysis is never larger

NAMED = 5  # networks to list in a title
TITLE = 120  # letters of a title that lists networks


def read_source(source: str) -> tuple[Graph, Document]:
    """Return the graph of a spec or an imported model, and its document."""
    read = document(source)
    return graph_of(read), read


class ReportInputs:
    """Collects the content of a report, one input after another.

    `costs` are keyword arguments of `analyze` for every spec; `read` returns the graph and the
    document of a source, `read_own` those of a run or a study; `complete` adds predictions to an
    analysis. `before` is the network that all specs are compared with; runs that were compressed
    are compared with the run that they come from.
    """

    def __init__(
        self,
        costs: dict[str, Any] | None = None,
        read: Callable[[str], tuple[Graph, Document]] = read_source,
        complete: Callable[[Analysis, Graph], Analysis] = lambda analysis, graph: analysis,
        read_own: Callable[[str], tuple[Graph, Document]] = read_source,
        before: str | None = None,
    ) -> None:
        self.costs, self.read, self.read_own, self.complete = costs or {}, read, read_own, complete
        self.before = None if before is None else (before, read(before)[0])
        self.sections: list[NetworkSection] = []
        self.runs: list[RunSection] = []
        self.studies: list[StudySection] = []
        self.compressions: list[CompressionSection] = []
        self.problems: list[Problem] = []
        self.latency: dict[str, float] = {}  # seconds for one image, by network
        self.trained: dict[Training, tuple[int, list[RunSection]]] = {}  # with positions
        self.layer_times: dict[str, dict[str, float]] = {}
        self.guidelines = [cls() for _, cls in sorted(RULES.items()) if issubclass(cls, Guideline)]

    def add(self, source: str) -> None:
        """Add a spec, a run, a study, a folder of either, a name of them, or a JSON file.

        Raises ArchscopeError for anything else. Runs and studies that are partly unreadable are
        added as far as possible, and listed in `problems`.
        """
        path = Path(source)
        if path.suffix == ".json":
            self._json(path)
        elif not is_folder(source):
            folders = named_folders(source)
            for folder in folders:
                self._run_or_study(folder)
            if not folders:
                self._spec(source, self.read, before=self.before)
        elif not self._run_or_study(path) and not sum(
            self._run_or_study(inside) for inside in sorted(path.glob("*/"))
        ):
            specs = "; name its specs, as files" if [*path.glob("*.y*ml")] else ""
            reason = f"there is no run and no study in this folder{specs}"
            self.problems.append(Problem(path.as_posix(), reason))

    def check(self) -> None:
        """Raise OptionError with the first problem if there is nothing else to show."""
        if self.problems and not (self.sections or self.runs or self.studies or self.compressions):
            first = self.problems[0]
            raise OptionError(f"nothing to report: {first.source}: {first.reason}")

    def networks(self) -> tuple[NetworkSection, ...]:
        """Return the networks, with the latency of those in a bench file.

        Networks of the same name are distinguished by their source.
        """
        found = _with_weight_bytes(self.sections)
        names = told_apart([each.name for each in found], [each.source for each in found])
        return tuple(
            structs.replace(
                self._with_latency(section) if section.name in self.latency else section, name=name
            )
            for section, name in zip(found, names, strict=True)
        )

    def page(self, title: str | None, date: str, overlay: OverlayFile | None = None) -> Page:
        """Return the report; the default title names its networks, else its studies and runs.

        Raises OptionError for an overlay with unknown networks or nodes.
        """
        networks = self.networks()
        if overlay is not None:
            boxes = {net.name: node_names(tree_of(net.layers)) for net in networks}
            painted = overlay.of(boxes)
            networks = tuple(
                structs.replace(network, overlay=painted.get(network.name, network.overlay))
                for network in networks
            )
        studies = {_winner_name(study): f"Study {study.name}" for study in self.studies}
        names = [studies.get(network.name, network.name) for network in networks]
        kinds = "networks" if names else "studies" if studies and not self.runs else "sources"
        names = names or [
            *(f"Compression of {found.name}" for found in self.compressions),
            *studies.values(),
            *(run.name for run in self.runs),
        ]
        return Page(
            format=FORMAT,
            title=title or _title(names, kinds),
            date=date,
            archscope=__version__,
            answer=answer(networks, self.studies),
            summary=_summary(networks, self.runs, self.studies, self.compressions),
            winners=winners(networks),
            measures=measures_of(networks),
            networks=networks,
            runs=tuple(self.runs),
            studies=tuple(self.studies),
            problems=tuple(self.problems),
            compressions=tuple(self.compressions),
        )

    def _with_latency(self, network: NetworkSection) -> NetworkSection:
        times = self.layer_times.get(network.name, {})
        return structs.replace(
            network,
            values={**network.values, "latency_seconds": self.latency[network.name]},
            layers=tuple(
                structs.replace(layer, seconds=times.get(layer.name, layer.seconds))
                for layer in network.layers
            ),
        )

    @contextmanager
    def _problem_of(self, path: Path, prefix: str = "") -> Iterator[None]:
        """Record an error inside the context as a problem."""
        try:
            yield
        except ArchscopeError as error:
            self.problems.append(Problem(path.as_posix(), f"{prefix}{error}"))

    def _spec(
        self,
        source: str,
        read_source: Callable[[str], tuple[Graph, Document]],
        name: str | None = None,
        measured: MeasuredAccuracy | None = None,
        before: tuple[str, Graph] | None = None,
    ) -> None:
        graph, read = read_source(source)
        batch = self.costs.get("batch", 1)
        network = Network(graph, read, batch)
        analysis = self.complete(analyze(graph, **self.costs), graph)
        section = describe_network(
            analysis,
            graph,
            source=source,
            name=name,
            findings=tuple(map(record, lint(graph, read, batch=batch))),
            scores=[rule.score(network) for rule in self.guidelines],
            yaml=_text(read.file),
            taken=_ids(self.sections),
            measured=measured,
        )
        if before is not None and before[0] != source:
            first, old = before
            was = analyze(old, **self.costs)
            section = with_before(section, first, old, graph, was, analysis)
        self.sections.append(section)

    def _run_or_study(self, path: Path) -> bool:
        """Add a folder if it is a run or a study, and return whether it is."""
        if is_run(path):
            self._run(path)
        elif is_study(path):
            self._study(path)
        else:
            return False
        return True

    def _run(self, path: Path) -> None:
        with self._problem_of(path):
            run = read_run(path, _ids(self.runs))
            self.runs.append(run)
            with self._problem_of(path, "its network is not shown: "):
                self._network_of(path, run)

    def _network_of(self, path: Path, run: RunSection) -> None:
        """Add the network of a run, or add the run to its network if only the seed differs."""
        key = training_key(path, run)
        place, runs = self.trained.get(key, (len(self.sections), []))
        if not runs or run.seed in {other.seed for other in runs}:
            spec = (path / "spec.yaml").as_posix()
            original, missing = self._original(path)
            self._spec(spec, self._read_stored, run.name, run.measured, original)
            section = self.sections[-1]
            self.sections[-1] = structs.replace(section, missing=(*section.missing, *missing))
            self.trained.setdefault(key, (place, [run]))
            return
        runs.append(run)
        taken = [section.id for number, section in enumerate(self.sections) if number != place]
        self.sections[place] = over_seeds(self.sections[place], runs, taken)

    def _read_stored(self, spec: str) -> tuple[Graph, Document]:
        """Return the network of a run, with the bytes of its best weights, and its document."""
        graph, document = self.read_own(spec)
        with self._problem_of(Path(spec).parent, "the bytes of its weights are not shown: "):
            graph = _as_stored(graph, Path(spec).with_name(BEST))
        return graph, document

    def _original(self, path: Path) -> tuple[tuple[str, Graph] | None, list[str]]:
        """Return name and graph of the run that a run was compressed from, and what is missing."""
        try:
            original = original_run(path)
            if original is None:
                return self.before, []
            return (original.name, self._read_stored((original / "spec.yaml").as_posix())[0]), []
        except ArchscopeError as error:
            return None, [str(error)]

    def _study(self, path: Path) -> None:
        with self._problem_of(path):
            study = read_study(path, _ids(self.studies))
            self.studies.append(study)
            if study.finalists:
                for folder in sorted(path.glob(f"finals/trial{study.finalists[0].trial}-seed*/")):
                    with self._problem_of(folder):
                        self.runs.append(read_run(folder, _ids(self.runs)))
            winner = path / "winner.yaml"
            if winner.exists():
                with self._problem_of(path, "its winner is not shown: "):
                    name = _winner_name(study)
                    self._spec(winner.as_posix(), self.read_own, name, best_accuracy(path))

    def _json(self, path: Path) -> None:
        """Add the analyses, the measured latency or the compression in a JSON file."""
        content = _decoded(path)
        if is_compression(content):
            taken = _ids(self.compressions)
            self.compressions.append(read_compression(content, path.as_posix(), taken))
            return
        kind = "analysis, comparison, bench or compression"
        if not isinstance(content, dict) or not {"networks", "totals"} & {*content}:
            raise OptionError(f"'{path}' is no {kind} of archscope")
        try:
            if "machine" in content and "networks" in content:
                kind = "bench"
                self._bench(convert(content["networks"], list[_Measured], "networks"))
                return
            analyses = saved_analyses(content)
        except RecordError as error:
            raise OptionError(f"'{path}' is no {kind} of archscope: {error}") from None
        for analysis in analyses:
            source = path.as_posix()
            self.sections.append(
                describe_network(analysis, source=source, taken=_ids(self.sections))
            )

    def _bench(self, results: Sequence[_Measured]) -> None:
        """Take the latency per image of each network, at its smallest batch."""
        for result in sorted(results, key=lambda result: -result.batch):
            self.latency[result.name] = result.timing.median_seconds / result.batch
            if result.layers is not None:
                self.layer_times[result.name] = {
                    layer.name: layer.seconds / result.batch for layer in result.layers.layers
                }


def _as_stored(graph: Graph, best: Path) -> Graph:
    """Return a graph with the bytes of the weights in a file, if there is one."""
    if not best.is_file():
        return graph
    from archscope.compress.stored_weights import with_stored_weights  # loads numpy

    return with_stored_weights(graph, best)


def _with_weight_bytes(sections: Sequence[NetworkSection]) -> Sequence[NetworkSection]:
    """Return the networks with the bytes of their weights, if some are counted as stored."""
    if not any(section.weights for section in sections):
        return sections
    return [
        structs.replace(
            section, values={**section.values, WEIGHT_BYTES: section.totals.weight_bytes}
        )
        for section in sections
    ]


def _decoded(path: Path) -> Any:
    """Return the content of a JSON file. Raises OptionError."""
    try:
        if path.stat().st_size > LARGEST:
            raise OptionError(f"'{path}' is larger than any analysis")
        return decode_json(path.read_bytes())
    except (OSError, RecordError) as error:
        raise OptionError(f"cannot read '{path}': {reason_of(error)}") from None


def _summary(
    networks: Sequence[NetworkSection],
    runs: Sequence[RunSection],
    studies: Sequence[StudySection],
    compressions: Sequence[CompressionSection],
) -> tuple[str, ...]:
    told = tuple(f"Compression of {each.name}: {each.conclusion}" for each in compressions)
    if told and not (networks or runs or studies):
        return told
    return (*summary(networks, runs, studies), *told)


class _Timing(Struct):
    median_seconds: float


class _LayerTime(Struct):
    name: str
    seconds: float


class _LayerTimes(Struct):
    layers: tuple[_LayerTime, ...]


class _Measured(Struct):
    name: str
    batch: int
    timing: _Timing
    layers: _LayerTimes | None = None


def _winner_name(study: StudySection) -> str:
    """Return the name for the network of winner.yaml, which need not be a winner."""
    if study.guessing:
        return f"best of {study.name}, no better than guessing"
    tied = sum(row.tied for row in study.finalists) > 1
    if tied:
        return f"trial {study.finalists[0].trial} of {study.name}, tied"
    return f"winner of {study.name}"


def _ids(
    sections: Sequence[NetworkSection | RunSection | StudySection | CompressionSection],
) -> list[str]:
    return [section.id for section in sections]


def _title(names: Sequence[str], kinds: str) -> str:
    if not names:
        return "Nothing to report"
    title = ", ".join(names)
    short = len(names) == 1 or (len(names) <= NAMED and len(title) <= TITLE)
    return title if short else f"{len(names)} {kinds}"


def _text(file: str) -> str | None:
    try:
        return Path(file).read_text(encoding="utf-8-sig")
    except (OSError, ValueError):
        return None  # a pattern, or standard input
