"""Words of the command line -> networks, runs and studies of a report."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from archscope.analysis import Analysis, analyze
from archscope.cli.shared.options import SpecReader
from archscope.errors import ArchscopeError, OptionError
from archscope.language import LIMITS, zoo
from archscope.linter import lint
from archscope.linter.records import record
from archscope.records.run_folder import SUMMARY, is_run
from archscope.report.pages.content import (
    LayerPoint,
    NetworkSection,
    Problem,
    RunSection,
    StudySection,
)
from archscope.report.pages.network_section import describe_network
from archscope.report.pages.run_section import read_run
from archscope.report.pages.study_section import TRIALS, best_accuracy, is_study, read_study
from archscope.rules import network as rules_network
from archscope.rules.rule import RULES, Guideline

MANY = 10  # words that one waits for
LARGEST = 1 << 28  # bytes of a saved analysis; more is none


class Inputs:
    """What a report is made of, collected word by word."""

    def __init__(self, options: dict[str, Any], max_nodes: int = LIMITS.nodes) -> None:
        """Take the options of `analyze` that hold for every spec."""
        self.options, self.max_nodes = options, max_nodes
        self.networks: list[NetworkSection] = []
        self.runs: list[RunSection] = []
        self.studies: list[StudySection] = []
        self.problems: list[Problem] = []
        self.speeds: dict[str, float] = {}
        self.times: dict[str, dict[str, float]] = {}
        self.guidelines = [cls() for _, cls in sorted(RULES.items()) if issubclass(cls, Guideline)]

    def add(self, word: str) -> None:
        """Take in a spec, a run, a study, a folder of either, or a file of JSON.

        Raises ArchscopeError for what is none of them; what is only broken in part is named.
        """
        path = Path(word)
        if path.suffix == ".json":
            self._json(path)
        elif _is_folder(path):
            self._folder(path)
        else:
            self._spec(word)

    def add_all(self, words: Sequence[str]) -> None:
        """Take in words, with a bar on standard error where a person waits for many."""
        if len(words) < MANY or not sys.stderr.isatty():
            for word in words:
                self.add(word)
            return
        with click.progressbar(words, label="reading", file=sys.stderr) as waiting:
            for word in waiting:
                self.add(word)

    def finish(self) -> tuple[NetworkSection, ...]:
        """Return the networks, each with its latency where a bench names it."""
        return tuple(
            msgspec.structs.replace(
                network,
                values={**network.values, "latency_seconds": self.speeds[network.name]},
                layers=_timed(network, self.times.get(network.name, {})),
            )
            if network.name in self.speeds
            else network
            for network in self.networks
        )

    def _spec(self, word: str, name: str | None = None, **measured: float | None) -> None:
        graph, document = SpecReader(max_nodes=self.max_nodes).document(word)
        analysis = analyze(graph, **self.options)
        whole = rules_network.Network(graph, document)
        page = describe_network(
            analysis,
            graph,
            source=word,
            name=name,
            findings=tuple(map(record, lint(graph, document))),
            scores=[rule.score(whole) for rule in self.guidelines],
            yaml=_text(document.file),
            taken=self._taken(),
            measured=measured,
        )
        self.networks.append(page)

    def _folder(self, path: Path) -> None:
        if self._one(path):
            return
        if not sum(self._one(inside) for inside in sorted(path.glob("*/"))):
            reason = "there is no run and no study in this folder"
            self.problems.append(Problem(path.as_posix(), reason))

    def _one(self, path: Path) -> bool:
        """Take in a folder if it is a run or a study, and return whether it is."""
        if is_run(path):
            self._run(path)
        elif is_study(path):
            self._study(path)
        else:
            return False
        return True

    def _study(self, path: Path) -> None:
        try:
            study = read_study(path, [study.id for study in self.studies])
        except ArchscopeError as error:
            self.problems.append(Problem(path.as_posix(), str(error)))
            return
        self.studies.append(study)
        if study.finalists:
            self._finals(path, study.finalists[0].trial)
        if (path / "winner.yaml").exists():
            try:
                self._spec((path / "winner.yaml").as_posix(), f"winner of {study.name}",
                           accuracy=best_accuracy(path))  # fmt: skip
            except ArchscopeError as error:
                self.problems.append(Problem(path.as_posix(), f"its winner is not shown: {error}"))

    def _finals(self, path: Path, trial: int) -> None:
        """Take in the trainings of the winner; its network is that of the study."""
        for folder in sorted(path.glob(f"finals/trial{trial}-seed*/")):
            try:
                run = read_run(folder, [run.id for run in self.runs])
            except ArchscopeError as error:
                self.problems.append(Problem(folder.as_posix(), str(error)))
                continue
            self.runs.append(run)

    def _run(self, path: Path) -> None:
        try:
            run = read_run(path, [run.id for run in self.runs])
        except ArchscopeError as error:
            self.problems.append(Problem(path.as_posix(), str(error)))
            return
        self.runs.append(run)
        try:
            self._spec((path / "spec.yaml").as_posix(), run.name, accuracy=run.accuracy)
        except ArchscopeError as error:
            self.problems.append(Problem(path.as_posix(), f"its network is not shown: {error}"))

    def _json(self, path: Path) -> None:
        try:
            if path.stat().st_size > LARGEST:
                raise OptionError(f"'{path}' is larger than any analysis")
            content = msgspec.json.decode(path.read_bytes())
        except (OSError, msgspec.MsgspecError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise OptionError(f"cannot read '{path}': {reason}") from None
        if isinstance(content, dict) and "machine" in content and "networks" in content:
            self._bench(path, content)
            return
        listed = content.get("networks", [content]) if isinstance(content, dict) else None
        if not isinstance(listed, list) or not listed:
            raise OptionError(f"'{path}' is no analysis, comparison or bench of archscope")
        for one in listed:
            try:
                analysis = msgspec.convert(one, Analysis)
            except msgspec.ValidationError as error:
                raise OptionError(
                    f"'{path}' is no analysis, comparison or bench of archscope: {error}"
                ) from None
            self.networks.append(
                describe_network(analysis, source=path.as_posix(), taken=self._taken())
            )

    def _bench(self, path: Path, content: dict[str, Any]) -> None:
        """Take the latency of each network, of its smallest batch, for one image."""
        try:
            measured = msgspec.convert(content["networks"], list[_Measured])
        except msgspec.ValidationError as error:
            raise OptionError(f"'{path}' is no bench of archscope: {error}") from None
        for result in sorted(measured, key=lambda each: -each.batch):
            self.speeds[result.name] = result.timing.median_seconds / result.batch
            if result.layers is not None:
                self.times[result.name] = {
                    layer.name: layer.seconds / result.batch for layer in result.layers.layers
                }

    def _taken(self) -> list[str]:
        return [network.id for network in self.networks]


class _Timing(msgspec.Struct):
    median_seconds: float


class _LayerTime(msgspec.Struct):
    name: str
    seconds: float


class _LayerTimes(msgspec.Struct):
    layers: tuple[_LayerTime, ...]


class _Measured(msgspec.Struct):
    name: str
    batch: int
    timing: _Timing
    layers: _LayerTimes | None = None


def _timed(network: NetworkSection, times: dict[str, float]) -> tuple[LayerPoint, ...]:
    """Return the layers of a network with the time that a bench measured for each."""
    return tuple(
        msgspec.structs.replace(layer, seconds=times[layer.name]) if layer.name in times else layer
        for layer in network.layers
    )


def default_words() -> Sequence[str]:
    """Return the run or study that was written to last, else all networks of the zoo."""
    files = (*Path("runs").glob(f"*/{SUMMARY}"), *Path("studies").glob(f"*/{TRIALS}"))
    last = max(files, key=lambda file: (file.stat().st_mtime, file), default=None)
    return [last.parent.as_posix()] if last else list(zoo())


def _text(file: str) -> str | None:
    try:
        return Path(file).read_text(encoding="utf-8-sig")
    except (OSError, ValueError):
        return None  # a pattern, or standard input


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
