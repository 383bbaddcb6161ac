"""Store the results of a training in memory, or in a run folder.

Every file in it is complete at any moment:

spec.yaml         the network, with every layer named
recipe.yaml       every setting of the recipe
environment.json  versions, machine, device, threads, seed
analysis.json     the analysis of the network in training mode
run.json          the summary
steps.csv         one row for each interval of steps
epochs.csv        one row for each epoch
best.safetensors  weights of the best validation; the header has the epoch
last.safetensors  weights of the last complete epoch
state.pt          the checkpoint that --resume continues from
"""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import torch
from filelock import FileLock
from msgspec import structs
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from archscope.decoding import decode_json
from archscope.errors import OptionError, RecordError, reason_of
from archscope.files import refusal, write_bytes, write_json, write_text
from archscope.ir import Graph
from archscope.language import load
from archscope.records.run_folder import SUMMARY, is_abandoned, lock
from archscope.records.training import Epoch, Interval, RunSummary
from archscope.train import recipe_files
from archscope.train.recipe import Recipe
from archscope.weights import why_unreadable

Weights = dict[str, Tensor]


class Recorder:
    """Keeps only the best weights, in memory; a run folder writes everything."""

    def __init__(self) -> None:
        self.weights: Weights = {}

    def write_interval(self, row: Interval) -> None:
        """Record an interval of steps."""

    def write_epoch(self, row: Epoch) -> None:
        """Record an epoch."""

    def write_best(self, weights: Weights, row: Epoch) -> None:
        """Record the weights of the best epoch so far."""
        self.weights = {name: tensor.detach().clone() for name, tensor in weights.items()}

    def write_last(self, weights: Weights, row: Epoch) -> None:
        """Record the weights at the end of an epoch."""

    def write_checkpoint(self, state: dict[str, Any]) -> None:
        """Record the state that training can resume from."""

    def write_summary(self) -> None:
        """Record the current summary."""

    def best_weights(self) -> Weights:
        """Return the weights of the best epoch so far; empty before the first."""
        return self.weights


def check_free(path: Path) -> None:
    """Raise OptionError if there is a run or something else at the path of a new run."""
    if path.exists() and not is_abandoned(path):
        raise OptionError(
            f"'{path}' already exists; use another name, or continue with --resume {path}"
        )


class RunFolder(Recorder):
    """A run folder, locked by one process at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.summarize: Callable[[], RunSummary] | None = None
        self.lock: FileLock | None = None

    @classmethod
    def create(cls, path: Path) -> RunFolder:
        """Create and lock a new folder, or take one that a training left before it was a run.

        Raises OptionError if there is a run or something else, or if it cannot be created.
        """
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            check_free(path)
        except OSError as error:
            raise refusal(path, error) from None
        folder = cls(path)
        folder.acquire()
        return folder

    def acquire(self) -> None:
        """Lock the folder. Raises OptionError if another process has locked it."""
        self.lock = lock(self.path)

    def release(self) -> None:
        """Unlock the folder."""
        if self.lock is not None:
            self.lock.release()

    def remove(self) -> None:
        """Delete the folder."""
        self.release()
        shutil.rmtree(self.path, ignore_errors=True)

    def write_interval(self, row: Interval) -> None:
        """Append a row to steps.csv."""
        self._add("steps.csv", row)

    def write_epoch(self, row: Epoch) -> None:
        """Append a row to epochs.csv."""
        self._add("epochs.csv", row)

    def write_best(self, weights: Weights, row: Epoch) -> None:
        """Write best.safetensors."""
        self._weights("best.safetensors", weights, row)

    def write_last(self, weights: Weights, row: Epoch) -> None:
        """Write last.safetensors."""
        self._weights("last.safetensors", weights, row)

    def write_checkpoint(self, state: dict[str, Any]) -> None:
        """Write state.pt, and the current summary."""
        content = io.BytesIO()  # torch's own errors do not mention a full disk
        torch.save(state, content)
        write_bytes(self.path / "state.pt", content.getbuffer())
        self.write_summary()

    def write_summary(self) -> None:
        """Write run.json."""
        if self.summarize is not None:
            write_json(self.path / SUMMARY, self.summarize())

    def best_weights(self) -> Weights:
        """Return the weights of best.safetensors; none if there is no such file."""
        path = self.path / "best.safetensors"
        return _load(path) if path.exists() else {}

    def read_checkpoint(self) -> dict[str, Any] | None:
        """Return the content of state.pt, or None if the run ended before it was written.

        Raises OptionError if it cannot be read. Nothing in it is executed.
        """
        path = self.path / "state.pt"
        if not path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises many exceptions for damaged files
            reason = str(error).partition("\n")[0]
            raise OptionError(f"cannot continue from '{path}': {reason}") from None
        if not isinstance(state, dict) or not isinstance(state.get("steps"), int):
            raise OptionError(
                f"cannot continue from '{path}': it is not a checkpoint of a training"
            )
        return state

    def rewind(self, steps: int, epochs: int) -> None:
        """Remove what was written after a checkpoint: newer rows, and partly written files."""
        self._keep("steps.csv", lambda number, row: int(row["step"]) <= steps)
        self._keep("epochs.csv", lambda number, row: number < epochs)
        for path in self.path.glob(".*.*"):
            if path.name != ".lock":
                path.unlink(missing_ok=True)

    def _add(self, name: str, row: Interval | Epoch) -> None:
        """Append a row in one write; a new file gets a header first."""
        path = self.path / name
        flat = flatten(row)
        try:
            with path.open("a", encoding="utf-8", newline="") as file:
                if not file.tell():
                    file.write(_line(list(flat)))
                file.write(_line(list(flat.values())))
        except OSError as error:
            raise refusal(path, error) from None

    def _keep(self, name: str, wanted: Callable[[int, dict[str, str]], bool]) -> None:
        path = self.path / name
        if not path.exists():
            return
        try:
            whole = path.read_text(encoding="utf-8")
            lines = list(csv.DictReader(whole[: whole.rfind("\n") + 1].splitlines()))
            rows = [row for number, row in enumerate(lines) if wanted(number, row)]
        except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
            raise OptionError(f"cannot read '{path}': {reason_of(error)}") from None
        if not rows:
            path.unlink()
            return
        write_text(path, _line(list(rows[0])) + "".join(_line(list(row.values())) for row in rows))

    def _weights(self, name: str, weights: Weights, row: Epoch) -> None:
        metadata = {"format": "pt", "epoch": msgspec.json.encode(row).decode()}
        tensors = {key: tensor.contiguous() for key, tensor in weights.items()}
        write_bytes(self.path / name, save(tensors, metadata))


def flatten(row: Interval | Epoch) -> dict[str, Any]:
    """Return a row with one column for each measure: `train_loss`, `validation_top1`, ..."""
    flat: dict[str, Any] = {}
    for name, value in structs.asdict(row).items():
        if isinstance(value, dict):
            flat |= {f"{name}_{measure}": number for measure, number in value.items()}
        elif value is not None:
            flat[name] = value
    return flat


def _line(cells: Sequence[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def read_graph(path: Path) -> Graph:
    """Return the network of a run. Raises ArchscopeError."""
    return load(path / "spec.yaml")


def read_recipe(path: Path) -> Recipe:
    """Return the recipe of a run. Raises ArchscopeError."""
    return recipe_files.read(path / "recipe.yaml")


def read_weights(path: Path, which: str = "best") -> Weights:
    """Return the weights of a run, `best` or `last`, on the CPU. Raises OptionError."""
    file = path / f"{which}.safetensors"
    if not file.exists():
        raise OptionError(f"'{path}' has no {which} weights; did its first epoch end?")
    return _load(file)


def read_epoch(path: Path, which: str = "best") -> Epoch:
    """Return the epoch of the weights of a run. Raises OptionError."""
    file = path / f"{which}.safetensors"
    try:
        with safe_open(file, "pt") as opened:
            metadata = opened.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise OptionError(f"cannot read '{file}': {why_unreadable(file, error)}") from None
    try:
        return decode_json(metadata.get("epoch", "").encode(), Epoch)
    except RecordError as error:
        raise OptionError(f"cannot read the epoch in '{file}': {error}") from None


def _load(path: Path) -> Weights:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise OptionError(f"cannot read '{path}': {why_unreadable(path, error)}") from None
